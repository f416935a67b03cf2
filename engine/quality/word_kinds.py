"""What the words of a caption stand for: stems, and the kinds of things that they name.

A stem is that of Snowball's English stemmer. The kinds are a small table, since captions call the
same thing "a puppy" and "a dog": of COCO's categories, for which CHAIR has such a list, too
(Rohrbach et al. 2018, arXiv 1809.02156), and of places and times of day. It was written by hand for
this program. Wider kinds ("a person", "an animal") were tried: wrong captions looked right by them.
"""

from __future__ import annotations

from functools import lru_cache

import snowballstemmer

from engine.quality.words import ENGLISH

PLACES = frozenset(("above", "below", "under", "beneath", "behind", "inside", "outside"))
"""Function words that say how things lie to each other, and so say something by themselves."""
GENERAL = frozenset(
    """
    image images picture pictures photo photos photograph photography photographic scene scenes
    background backgrounds foreground view views shot shots show shows showing shown feature
    features featuring depict depicts depicting depicted capture captures capturing captured display
    displays displaying visible seen see sees seems appear appears appearing located various several
    different stock illustration icon icons vector clipart royalty free hand drawn graphic graphics
    art artwork logo buy download wallpaper template design flat isolated close-up closeup concept
    set collection shape shapes object objects thing things item items element elements img dsc dscn
    jpg jpeg png
    """.split()  # noqa: SIM905
)
"""Words of captions and of stock photographs that say nothing about what can be seen."""
KINDS = """
child: kid toddler baby
woman: lady girl
man: gentleman guy
people: crowd
clothes: clothing outfit attire
refrigerator: fridge
cupboard: cabinet
dog: puppy labrador retriever terrier poodle bulldog husky shepherd
cat: kitten
bird: eagle gull seagull hawk pigeon parrot duck goose swan owl
horse: pony foal
cow: cattle bull calf
sheep: lamb
car: taxi cab suv sedan automobile minivan
taxi: cab
bicycle: bike
motorcycle: motorbike
airplane: plane aeroplane aircraft jet airliner
boat: ship yacht sailboat canoe kayak ferry vessel
train: locomotive subway tram
cup: mug
sofa: couch settee loveseat
chair: armchair seat
table: desk countertop
bookshelf: bookcase
rug: carpet mat
television: tv monitor screen
phone: telephone smartphone cellphone
computer: laptop notebook
bag: suitcase handbag backpack luggage purse briefcase
hat: cap helmet
coat: jacket
trousers: pants jeans
shoe: boot sneaker sandal
house: home cottage hut villa
city: town skyline downtown cityscape urban metropolis
street: road avenue highway lane
path: trail walkway sidewalk pavement
pier: dock jetty boardwalk wharf
water: lake river sea ocean pond stream canal
sea: ocean
beach: shore seaside coast sand
mountain: hill peak
forest: wood woodland jungle
flower: rose tulip bouquet blossom
field: meadow pasture lawn
night: evening dusk sunset
sunset: dusk sunrise dawn
snow: snowy
grey: gray
color: colour colorful colourful
fly: soar float
big: large huge
small: little tiny
old: elderly vintage
"""
"""A kind of thing, and words for things of this kind, one kind a line."""

STEMMER = snowballstemmer.stemmer("english")


def stem(word: str) -> str:
    """Return the stem of a word in lower case."""
    stemmed: str = STEMMER.stemWord(word)
    return stemmed


def read_kinds() -> dict[str, tuple[str, ...]]:
    """Return the stems of the kinds to which a stem belongs."""
    kinds: dict[str, list[str]] = {}
    for line in KINDS.strip().splitlines():
        kind, _, words = line.partition(":")
        for word in words.split():
            kinds.setdefault(stem(word), []).append(stem(kind))
    return {word: tuple(dict.fromkeys(found)) for word, found in kinds.items()}


KINDS_OF = read_kinds()
NAMELESS = ENGLISH - PLACES | GENERAL


@lru_cache(maxsize=1 << 16)
def stem_of(word: str) -> str:
    """Return the stem of a word that says something by itself, otherwise an empty text.

    A single character is no word: in scripts without blanks, `words_of` returns those. Numbers in
    digits mostly are years, or parts of a file's name.
    """
    if len(word) == 1 or word in NAMELESS or any(map(str.isdigit, word)):
        return ""
    return stem(word)
