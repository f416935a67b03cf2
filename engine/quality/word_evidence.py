"""How much the words of an original caption say about it, when captions have them and when not.

A word that captions of most images have ("man", "red") is likely to match by chance. The name of a
thing that captions have whenever the thing can be seen ("dog") is likely to be wrong if no caption
has it; most other words ("summer", "recipe") can be right without being said. `docs/quality.md`
says on which captions the weights were chosen.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.quality.word_kinds import KINDS_OF, stem_of


class Evidence(NamedTuple):
    """What a word of an original adds to the evidence that the original is right."""

    unsaid: float
    """If no caption has the word."""
    by_few: float
    """If less than half of the captions have it."""
    by_half: float
    """If half of the captions have it, or more."""


OTHER_WORDS = Evidence(-0.25, 2.25, 2.75)
THINGS = Evidence(-1.0, 1.75, 2.5)
COMMON = Evidence(-0.75, 1.0, 1.75)
ATTRIBUTES = Evidence(-0.5, 0.5, 1.0)
SHAPES = Evidence(-3.5, -1.5, 2.5)
"""Only if captions name shapes, as those of a drawing do: all of the few that it has."""

THING_WORDS = """
dog puppy cat kitten horse pony cow sheep goat pig bird duck goose chicken owl parrot fish turtle
frog snake butterfly bee insect bear elephant zebra giraffe lion tiger monkey rabbit deer fox wolf
camel penguin whale dolphin shark
car bus truck train bicycle bike motorcycle boat ship airplane plane taxi van helicopter tractor
scooter kayak canoe surfboard skateboard snowboard jeep
chair table sofa couch bed desk bench shelf bookcase cabinet lamp mirror window door curtain rug
pillow clock vase plant oven stove refrigerator sink toilet shower bathtub television computer
laptop keyboard phone camera book umbrella bag suitcase bottle cup glass bowl plate fork knife spoon
balloon flag candle toy doll kite ball racket bat frisbee rope ladder fence
pizza cake bread sandwich soup salad fruit apple banana strawberry grape lemon tomato potato carrot
vegetable cheese meat egg rice noodle pasta chocolate cookie donut burger
kitchen bathroom bedroom office classroom church castle tower bridge house barn farm garden pool
playground stadium stage statue fountain airport station pier lighthouse
mountain hill lake river sea ocean wave waterfall forest desert island cliff rock snow ice cloud
moon flower rose tulip leaf sky water beach field grass tree building street road wall
shirt dress jacket suit hat coat skirt jeans boot shoe glove scarf tie helmet uniform swimsuit
bikini sunglasses necklace ring
guitar piano violin drum trumpet microphone
soccer football tennis baseball basketball volleyball hockey golf surf ski skate swim climb bride
groom
"""
COMMON_WORDS = """
man woman person people boy girl child children baby lady guy group couple crowd two three
stand sit walk run hold wear play ride jump look smile
"""
COLOUR_WORDS = "white black red blue green yellow brown orange pink purple grey"
ATTRIBUTE_WORDS = """
gray golden silver beige dark light young old large small big little front side top
"""
"""Besides the colours. "Golden" is none of these, for what is golden may be called yellow, too."""
SHAPE_WORDS = "circle square triangle rectangle star cross heart diamond oval hexagon"


def stems_of(words: str) -> frozenset[str]:
    """Return the stems of words."""
    return frozenset(map(stem_of, words.split()))


COLOUR_STEMS = stems_of(COLOUR_WORDS)
SHAPE_STEMS = stems_of(SHAPE_WORDS)
EVIDENCE = (
    dict.fromkeys(stems_of(THING_WORDS).union(KINDS_OF, *KINDS_OF.values()), THINGS)
    | dict.fromkeys(stems_of(COMMON_WORDS), COMMON)
    | dict.fromkeys(COLOUR_STEMS | stems_of(ATTRIBUTE_WORDS), ATTRIBUTES)
    | dict.fromkeys(SHAPE_STEMS, SHAPES)
)
"""The evidence of a stem; that of all others is `OTHER_WORDS`."""
