"""Captions of photographs as LLaVA-1.5, MiniGPT-4, Otter and Qwen-VL write them, and wrong ones.

They are imitations, written by hand for this program: `LOOKED_AT` while looking at eight pictures of
these models' own example folders, `IMAGINED` of photographs such as COCO has, after agreement had
been defined. Both helped to choose the kinds of `engine/quality/word_kinds.py`.
"""

# ruff: noqa: E501 (captions are one line each)
from __future__ import annotations

from dataclasses import dataclass

MODELS = ("llava-1.5", "minigpt-4", "qwen-vl", "otter")


@dataclass(frozen=True, slots=True)
class Photo:
    """The captions of one photograph."""

    originals: tuple[str, ...]
    """Original captions that are right."""
    captions: tuple[str, ...]
    """Right captions by `MODELS`, in their order."""
    wrong: tuple[tuple[int, str], ...]
    """The position of a model, and a caption with a wrong detail or two by it."""


LOOKED_AT = (
    Photo(
        (
            "skyline of the capital on a clear day",
            "city skyline with blue sky stock photo",
            "panorama of the business district",
            "Beijing CBD from Jingshan park",
            "skyscrapers in china",
        ),
        (
            "The image features a large city with a mix of modern skyscrapers and older buildings, surrounded by lush green trees",
            "This image shows a city skyline with tall buildings and a blue sky",
            "An aerial view of the Beijing skyline with the China Zun tower under a clear blue sky",
            "A view of a city with many tall buildings and trees",
        ),
        (
            (1, "This image shows a city skyline with tall buildings and a red sky at sunset"),
            (3, "A view of a city with many tall buildings covered in snow"),
        ),
    ),
    Photo(
        (
            "city by the river at dusk",
            "Chongqing, China - night scene of Hongya Cave",
            "the old town lit up at night",
            "river cruise in the evening, city lights",
            "buildings along the Jialing river",
        ),
        (
            "The image captures a city at night, with illuminated buildings along a wide river",
            "The image depicts a city skyline at dusk with a river running through it and lights on the buildings",
            "Night view of a riverside city with skyscrapers and glowing traditional buildings reflected in the water",
            "A city with many buildings lit up next to a body of water",
        ),
        (
            (0, "The image captures a city at night, with illuminated ships along a wide street"),
            (3, "A city with many buildings lit up next to a football field"),
        ),
    ),
    Photo(
        (
            "a bird flies past the television tower",
            "Oriental Pearl Tower, Shanghai",
            "skyline seen from the Bund",
            "seagull over the city",
            "modern buildings of the financial district",
        ),
        (
            "A bird is flying over a city skyline with many tall skyscrapers and a tower with a spire",
            "The image shows the skyline of Shanghai, China, with the Oriental Pearl Tower standing in the foreground",
            "The Oriental Pearl Tower rises above the skyscrapers of a modern city beside the water while an eagle soars in the sky",
            "A tall tower and buildings in front of a blue sky with a bird",
        ),
        (
            (
                0,
                "A helicopter is flying over a city skyline with many tall skyscrapers and a bridge",
            ),
            (3, "A tall tower and buildings in front of a blue sky with fireworks"),
        ),
    ),
    Photo(
        (
            "woman and her dog sit on the sand",
            "girl playing with her labrador by the sea",
            "best friends at sunset",
            "happy dog gives paw to owner at the beach",
            "young woman with pet on the shore",
        ),
        (
            "A woman is sitting on the beach next to her dog, who is giving her its paw",
            "The image shows a woman sitting on the sand with a large dog at sunset",
            "A young girl in a plaid shirt plays with a yellow Labrador on the beach",
            "A person and a dog on a beach near the ocean",
        ),
        (
            (0, "A man is sitting on the beach next to his horse, who is eating grass"),
            (1, "The image shows a woman sitting on a bench with a small cat at sunset"),
            (3, "A person and a surfboard on a beach near the ocean"),
        ),
    ),
    Photo(
        (
            "a woman in a black coat floats over the city with red balloons",
            "Mary Poppins flying with balloons",
            "nanny arrives by air over London",
            "vintage lady with suitcase and red balloons",
            "surreal collage of a woman above a city",
        ),
        (
            "A woman is floating in the air above a city, holding a bunch of red balloons and a suitcase",
            "The image shows a woman in a black dress and a red hat holding balloons over a city",
            "Mary Poppins flies over London with red balloons in one hand and a bag in the other",
            "A lady with balloons is flying over buildings",
        ),
        (
            (
                0,
                "A woman is floating in the air above a forest, holding a bunch of green umbrellas and a cat",
            ),
            (3, "A boy with kites is flying over buildings"),
        ),
    ),
    Photo(
        (
            "wooden pier on a calm lake",
            "dock on the lake with mountains",
            "Lost Lake, Whistler, British Columbia",
            "jetty leading into the water on a cloudy day",
            "peaceful morning at the lake",
        ),
        (
            "The image features a long wooden pier extending out over a calm lake, with mountains in the distance",
            "The image shows a wooden dock on a lake surrounded by trees and mountains",
            "A dock stretches into a still lake with a forest and cloudy sky behind it",
            "A wooden walkway over the water with trees in the background",
        ),
        (
            (1, "The image shows a stone bridge on a river surrounded by houses and cars"),
            (2, "A boat sails into a still lake with a castle and cloudy sky behind it"),
        ),
    ),
    Photo(
        (
            "living room with a bookcase and a colourful rug",
            "modern apartment interior",
            "white sofa and bookshelf in the lounge",
            "our living room after the renovation",
            "lounge with tv, couch and coffee table",
        ),
        (
            "The image shows a living room with a white couch, a coffee table and a bookshelf filled with books",
            "This image shows a living room with a colorful rug, a black coffee table and a tall bookcase",
            "A cozy room has a striped sofa, a television and a shelf full of books beside a paint splatter carpet",
            "A living room with a table, a sofa and a book shelf",
        ),
        (
            (
                0,
                "The image shows a bedroom with a white bed, a night stand and a dresser filled with clothes",
            ),
            (3, "A kitchen with a table, an oven and a refrigerator"),
        ),
    ),
    Photo(
        (
            "man ironing on the back of a moving taxi",
            "extreme ironing in New York",
            "yellow cab with man doing laundry",
            "a man irons a shirt on a car",
            "funny street scene with a taxi",
        ),
        (
            "A man in a yellow shirt is ironing clothes on the back of a yellow car in a city street",
            "The image shows a man standing on the back of a taxi, ironing a blue shirt",
            "A man uses an ironing board mounted at the rear of an SUV while a yellow cab drives past",
            "A man ironing clothes on top of a vehicle",
        ),
        (
            (
                0,
                "A man in a yellow shirt is playing guitar on the back of a yellow boat in a city street",
            ),
            (3, "A man washing windows on top of a building"),
        ),
    ),
)
"""Eight photographs: skylines, a beach, a collage, a lake, a living room, a street."""
IMAGINED = (
    Photo(
        ("man surfing at the coast",),
        (
            "A man is riding a wave on a surfboard in the ocean",
            "The image shows a surfer in a black wetsuit balancing on a white board",
            "A surfer rides a large wave near the shore",
            "A man surfing on the sea",
        ),
        ((0, "A woman is riding a horse on a surfboard in the ocean"),),
    ),
    Photo(
        ("giraffes in a zoo",),
        (
            "Two giraffes are standing next to each other near a wooden fence",
            "The image shows two giraffes eating leaves from a tall tree",
            "A pair of giraffes in a zoo enclosure with trees behind them",
            "A giraffe standing in a field",
        ),
        ((0, "Two elephants are standing next to each other near a wooden fence"),),
    ),
    Photo(
        ("pepperoni pizza",),
        (
            "A pizza with pepperoni and cheese is on a wooden table",
            "The image shows a freshly baked pizza on a white plate with a knife and fork beside it",
            "A close-up of a pepperoni pizza cut into slices",
            "A pizza on a table",
        ),
        ((0, "A cake with strawberries and cream is on a wooden table"),),
    ),
    Photo(
        ("a kitchen with white cabinets",),
        (
            "The kitchen has white cabinets, a stainless steel refrigerator and a stove",
            "The image depicts a modern kitchen with white cupboards and a large window",
            "A clean kitchen with wooden floor, an oven and a fridge",
            "A kitchen with a stove and a sink",
        ),
        ((0, "The kitchen has black cabinets, a washing machine and a piano"),),
    ),
    Photo(
        ("street with red bus london",),
        (
            "A red double decker bus is driving down a busy city street",
            "The image shows a red bus on a street in London with people walking on the sidewalk",
            "A double-decker bus passes old buildings in the city centre",
            "A bus driving down the road",
        ),
        ((0, "A yellow school bus is parked in front of a farm"),),
    ),
    Photo(
        ("children playing soccer",),
        (
            "A group of young boys are playing soccer on a green field",
            "The image shows children in uniforms running after a ball on the grass",
            "Kids play football during a match in a park",
            "A group of kids playing a game of soccer",
        ),
        ((0, "A group of old men are playing chess on a green field"),),
    ),
    Photo(
        ("cat sleeping on laptop",),
        (
            "A cat is lying on top of a laptop computer on a desk",
            "The image shows an orange cat sleeping on the keyboard of a laptop",
            "A tabby cat rests on a notebook next to a computer mouse",
            "A cat on a computer",
        ),
        ((0, "A dog is lying on top of a pile of clothes on a bed"),),
    ),
    Photo(
        ("skier on a slope",),
        (
            "A person is skiing down a snow covered slope with trees in the background",
            "The image shows a skier in a red jacket on a snowy mountain",
            "A skier descends a steep hill under a clear blue sky",
            "A man on skis in the snow",
        ),
        ((0, "A person is climbing a rocky cliff with a rope in the background"),),
    ),
    Photo(
        ("train at station",),
        (
            "A passenger train is stopped at a station platform",
            "The image shows a blue and yellow train arriving at a railway station with people waiting",
            "A train at a platform under a glass roof",
            "A train on the tracks",
        ),
        ((0, "A passenger plane is stopped at an airport gate"),),
    ),
    Photo(
        ("baby with teddy bear",),
        (
            "A baby is sitting on a bed holding a brown teddy bear",
            "The image shows a toddler in pink pajamas hugging a stuffed animal",
            "A little girl plays with her teddy bear in the bedroom",
            "A child with a teddy bear",
        ),
        ((0, "A baby is sitting in a bathtub holding a yellow rubber duck"),),
    ),
    Photo(
        ("bride and groom cut the cake",),
        (
            "A bride and groom are cutting their wedding cake together",
            "The image shows a couple in wedding attire standing behind a three-tiered white cake",
            "Newlyweds cut a cake decorated with roses at the reception",
            "A man and a woman cutting a cake",
        ),
        ((0, "A bride and groom are dancing together on a boat"),),
    ),
    Photo(
        ("desk with two monitors",),
        (
            "A desk with two computer monitors, a keyboard and a mouse",
            "The image shows a workspace with two screens, a laptop and a cup of coffee",
            "A home office desk with monitors and a lamp",
            "A computer on a desk",
        ),
        ((0, "A shelf with two stuffed bears, a clock and a vase"),),
    ),
    Photo(
        ("tennis player serving",),
        (
            "A woman in a white dress is serving a tennis ball on the court",
            "The image shows a female tennis player about to hit the ball with her racket",
            "A tennis player reaches up to serve during a match",
            "A woman playing tennis",
        ),
        ((0, "A man in a red shirt is throwing a basketball on the court"),),
    ),
    Photo(
        ("vase of tulips",),
        (
            "A glass vase with yellow tulips is sitting on a table by the window",
            "The image shows a bouquet of yellow flowers in a vase",
            "Yellow tulips in a clear vase near a bright window",
            "A vase with flowers",
        ),
        ((0, "A glass vase with purple grapes is sitting on a plate by the window"),),
    ),
    Photo(
        ("zebras at the waterhole",),
        (
            "A herd of zebras is drinking water from a pond",
            "The image shows several zebras standing at a waterhole in the savanna",
            "Zebras gather around a water hole on a dry plain",
            "A group of zebras in a field",
        ),
        ((0, "A herd of cows is eating hay in a barn"),),
    ),
    Photo(
        ("stop sign",),
        (
            "A red stop sign is standing on the side of a road",
            "The image shows a stop sign with a street name sign above it",
            "A stop sign at an intersection with trees and a cloudy sky",
            "A stop sign on a pole",
        ),
        ((0, "A green street sign is hanging over the side of a bridge"),),
    ),
)
"""Sixteen photographs such as COCO has."""
