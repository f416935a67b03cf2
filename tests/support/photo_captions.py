"""Captions of photographs as LLaVA-1.5, MiniGPT-4, Otter and Qwen-VL write them, and wrong ones.

They are imitations, written by hand for this program: `LOOKED_AT` while looking at eight pictures of
these models' own example folders, `IMAGINED` of photographs such as COCO has, after agreement had
been defined. Both helped to choose the kinds of `engine/quality/word_kinds.py` and the weights of
`word_evidence.py`. `HELD_OUT` was written before those weights, which were not chosen by it.
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
HELD_OUT = (
    Photo(
        (
            "actor attends the premiere of comedy film",
            "Emma Stone on the red carpet in a green Valentino gown, London 2017",
        ),
        (
            "A woman in a long green dress is posing for a picture on a red carpet",
            "The image shows a woman with red hair wearing an emerald gown and standing in front of a wall with logos",
            "Emma Stone smiles at the photographers at a film premiere, wearing a sleeveless green dress",
            "A woman in a green dress standing on a red carpet",
        ),
        ((0, "A man in a long black coat is posing for a picture on a wooden stage"),),
    ),
    Photo(
        (
            "a modern bathroom with a walk in shower",
            "Small Bathroom Ideas: 25 Designs With Subway Tile and Glass Doors",
        ),
        (
            "The bathroom has a glass shower, a white toilet and a sink with a large mirror above it",
            "The image depicts a modern bathroom with white tiles on the walls and a wooden vanity",
            "A bright bathroom with subway tile, a walk-in shower behind glass and a potted plant",
            "A bathroom with a shower, a toilet and a sink",
        ),
        (
            (
                0,
                "The kitchen has a glass cupboard, a white oven and a sink with a large window above it",
            ),
        ),
    ),
    Photo(
        (
            "the perfect chocolate cake for any occasion",
            "Best Ever Double Chocolate Layer Cake Recipe with Raspberries",
        ),
        (
            "A slice of chocolate cake with raspberries on top is sitting on a white plate",
            "The image shows a rich chocolate layer cake topped with fresh berries and mint leaves",
            "A three-layer chocolate cake with dark frosting and raspberries, one slice cut out",
            "A piece of chocolate cake on a plate",
        ),
        ((0, "A bowl of vegetable soup with parsley on top is sitting on a white plate"),),
    ),
    Photo(
        (
            "football player celebrates scoring a goal during the match",
            "Lionel Messi (Barcelona) during the Spanish league match against Getafe",
        ),
        (
            "A soccer player in a red and blue striped jersey is celebrating on the field with his arms raised",
            "The image shows a man running across a soccer field, cheering, with a crowd behind him",
            "Lionel Messi of FC Barcelona celebrates after scoring, with teammates running towards him",
            "A soccer player on a field",
        ),
        (
            (
                0,
                "A tennis player in a white and green striped shirt is kneeling on the court with his arms raised",
            ),
        ),
    ),
    Photo(
        (
            "used car for sale in excellent condition",
            "2015 Ford Mustang GT Premium parked by the beach",
        ),
        (
            "A red Ford Mustang is parked in a lot near the ocean",
            "The image shows a red sports car with black wheels on a paved road beside the sea",
            "A 2015 Ford Mustang in red, photographed from the front at sunset with the beach behind it",
            "A red car parked on the side of a road",
        ),
        ((0, "A blue Vespa scooter is parked in a lot near the railway"),),
    ),
    Photo(
        (
            "ruins of the ancient temple at sunset",
            "Temple of Poseidon, Cape Sounion, Attica, Greece",
        ),
        (
            "The image features the ruins of an old stone temple with tall columns on a hill",
            "The image shows an ancient Greek temple with white marble columns against an orange sky",
            "The columns of the Temple of Poseidon at Sounion are lit by the setting sun",
            "An old building with columns on top of a hill",
        ),
        ((0, "The image features the ruins of an old wooden barn with tall trees on a farm"),),
    ),
    Photo(
        (
            "portrait of a young businessman with laptop isolated on white background",
            "Happy entrepreneur working on his start-up, stock photo 4211",
        ),
        (
            "A man in a suit is sitting at a desk with a laptop and smiling at the camera",
            "The image shows a young man wearing a dark suit and tie, typing on a laptop computer",
            "A smiling businessman with a laptop in front of a plain white background",
            "A man sitting in front of a laptop computer",
        ),
        (
            (
                0,
                "A woman in a swimsuit is sitting on a towel with a magazine and frowning at the camera",
            ),
        ),
    ),
    Photo(
        (
            "red fox in the winter forest",
            "Wildlife photography: first snow, Algonquin Park",
        ),
        (
            "A red fox is walking through the snow in a wooded area",
            "The image depicts a fox standing in a snow-covered forest and looking at the camera",
            "A fox with thick orange fur in deep snow among birch trees",
            "A fox in the snow",
        ),
        ((0, "A brown bear is walking through the river in a rocky area"),),
    ),
    Photo(
        (
            "bridesmaids in dusty rose dresses with bouquets",
            "Sarah & Tom's rustic barn wedding in Vermont",
        ),
        (
            "A bride and her bridesmaids are standing together in a field, holding bouquets of flowers",
            "The image shows a group of women in pink dresses around a bride in a white gown",
            "A bride poses with five bridesmaids in dusty pink in front of a wooden barn",
            "A group of women in dresses holding flowers",
        ),
        (
            (
                0,
                "A teacher and her students are standing together in a library, holding stacks of books",
            ),
        ),
    ),
    Photo(
        (
            "watercolor painting of a hummingbird and flowers",
            "Hummingbird Art Print - Tropical Bird Wall Decor for Nursery",
        ),
        (
            "The image features a colorful hummingbird flying next to a pink flower",
            "The image is a watercolor painting of a hummingbird with green and blue feathers",
            "A watercolour of a hummingbird hovering at a hibiscus blossom, on white paper",
            "A painting of a bird with a flower",
        ),
        ((0, "The image features a colorful butterfly sitting next to a green cactus"),),
    ),
    Photo(
        (
            "rock artist performs on stage at festival",
            "Foo Fighters live at Glastonbury - review and pictures",
        ),
        (
            "A man is playing an electric guitar and singing into a microphone on a stage",
            "The image shows a musician with long hair performing at a concert under purple lights",
            "Dave Grohl of the Foo Fighters sings and plays guitar during a live concert",
            "A man with a guitar on stage",
        ),
        ((0, "A woman is playing a grand piano and reading sheet music in a church"),),
    ),
    Photo(
        (
            "aerial view of tropical island with turquoise lagoon",
            "Top 10 honeymoon destinations: Bora Bora, French Polynesia",
        ),
        (
            "The image shows a small tropical island surrounded by clear blue water, with bungalows over the water",
            "The image depicts an aerial view of an island with palm trees and a mountain in the distance",
            "Overwater bungalows in the lagoon of Bora Bora, with Mount Otemanu in the background",
            "An island in the middle of the ocean",
        ),
        (
            (
                0,
                "The image shows a small mountain village surrounded by dense green forest, with a church on the square",
            ),
        ),
    ),
    Photo(
        (
            "women 's leather ankle boots in black",
            "Dr. Martens Chelsea Boot 2976 Smooth - Free Shipping",
        ),
        (
            "A pair of black leather boots with yellow stitching is displayed on a white background",
            "The image shows a single black ankle boot with elastic sides and a thick rubber sole",
            "A black Dr. Martens Chelsea boot with a pull tab at the heel",
            "A black boot on a white background",
        ),
        ((0, "A pair of red canvas sneakers with white laces is displayed on a white background"),),
    ),
    Photo(
        (
            "politician delivers a speech at the conference",
            "Angela Merkel addresses the Bundestag in Berlin on Wednesday. (AFP)",
        ),
        (
            "A woman in a blue jacket is standing at a podium and speaking into two microphones",
            "The image shows an older woman giving a speech in a large hall with people seated behind her",
            "German Chancellor Angela Merkel speaks at the lectern of the German parliament",
            "A woman standing at a podium with microphones",
        ),
        ((0, "A man in a blue apron is standing at a stove and stirring two pots"),),
    ),
    Photo(
        (
            "tattoo of a rose on the forearm",
            "55 Meaningful Tattoo Ideas For Women in 2019",
        ),
        (
            "A person has a tattoo of a red rose on their arm",
            "The image shows a close-up of a forearm with a detailed rose tattoo with green leaves",
            "A realistic rose tattooed in red and black ink on the inside of a forearm",
            "A tattoo of a flower on an arm",
        ),
        ((0, "A person has a tattoo of a black skull on their back"),),
    ),
    Photo(
        (
            "steam train crossing the viaduct in the highlands",
            "Harry Potter's Hogwarts Express: how to ride the Jacobite",
        ),
        (
            "A train is traveling over a tall stone bridge with many arches, surrounded by green hills",
            "The image shows a steam locomotive with red carriages on a curved viaduct in the mountains",
            "The Jacobite steam train crosses the Glenfinnan Viaduct in Scotland",
            "A train going over a bridge",
        ),
        (
            (
                0,
                "A truck is traveling over a long steel bridge with many cables, surrounded by tall buildings",
            ),
        ),
    ),
    Photo(
        (
            "elderly couple sitting on a bench in the park",
            "Retirement planning: 5 mistakes to avoid in your sixties",
        ),
        (
            "An older man and woman are sitting on a park bench, looking at each other",
            "The image shows an elderly couple holding hands on a wooden bench under autumn trees",
            "A senior couple with grey hair laugh together on a bench in a park in fall",
            "Two people sitting on a bench",
        ),
        ((0, "Two young children are sitting on a park swing, looking at a dog"),),
    ),
    Photo(
        (
            "biological species swimming in an aquarium",
            "Clown fish and sea anemone, Great Barrier Reef dive",
        ),
        (
            "Two orange and white clownfish are swimming near a sea anemone",
            "The image shows a pair of clownfish among the tentacles of a purple anemone on a coral reef",
            "Clown anemonefish shelter in an anemone on a tropical reef",
            "Two fish swimming in the water",
        ),
        ((0, "Two green and brown turtles are resting near a sandy beach"),),
    ),
    Photo(
        (
            "i love this front porch decorated for halloween",
            "DIY fall porch decor with pumpkins, mums and a straw bale",
        ),
        (
            "The front porch of a house is decorated with pumpkins, flowers and a wreath on the door",
            "The image shows a porch with orange and white pumpkins stacked on the steps beside pots of mums",
            "A farmhouse front door with a wreath, pumpkins, chrysanthemums and bales of straw",
            "A porch with pumpkins and flowers",
        ),
        (
            (
                0,
                "The back yard of a house is decorated with balloons, candles and a banner on the fence",
            ),
        ),
    ),
    Photo(
        (
            "seamless pattern with cute cartoon owls vector art illustration",
            "Owl fabric by the yard - Owls in Love by Studio Pip",
        ),
        (
            "The image features a pattern of colorful cartoon owls on a light blue background",
            "The image shows a repeating design of small owls in pink, yellow and turquoise with hearts between them",
            "A seamless pattern of cartoon owls with big eyes, hearts and flowers",
            "A pattern of owls on a blue background",
        ),
        ((0, "The image features a pattern of grey cartoon elephants on a dark red background"),),
    ),
)
"""Twenty photographs such as CC3M and CC12M have, each with an original in the manner of either: one
that describes the image, and one that hardly does, with names, headlines or advertisements."""
