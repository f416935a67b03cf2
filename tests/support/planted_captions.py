"""Captions with planted defects, of which the truth is known, for the detector of `engine.quality`.

Good captions are sentences in the manner of released captions: CC3M's alternative texts, COCO's,
LLaVA's and ShareGPT4V's. The word lists and phrases are the tests' own.
"""

# ruff: noqa: RUF001 (punctuation and letters of many scripts)
from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.engine.quality.caption_cases import GOOD

NOUNS = """
acrobat airplane alley apple aquarium archer armchair baker balcony balloon barn basket beach bear
bell bicycle blanket boat bookshelf bottle boulder bowl boy bridge bucket bus butterfly cabin cactus
camel candle canoe car castle cat cathedral chair chef chess cliff clock cloud clown coach coffee
couch cow crane crowd cup cyclist dancer deer desert desk dog donkey door dress drummer duck eagle
elephant engineer farmer fence ferry field fireplace fisherman flag flower forest fountain fox frog
garden gate giraffe girl goat guitar gymnast hammock harbor hat helicopter hen hill horse hotel
house hut iceberg island jacket jar jeep jogger juggler kangaroo kayak kettle kite kitten knight
ladder lake lamp lantern laptop lawn lemon library lighthouse lion lizard llama locomotive mailbox
market mask meadow mechanic mill mirror monkey monument moose motorcycle mountain mule museum
nurse oak ocean orchard ostrich otter owl painter palace panda parade parrot path peacock penguin
piano picnic pier pigeon pilot pirate pizza plane plaza pond pony porch pumpkin puppet rabbit raft
railway ranch river robot rocket roof rooster rowboat runner sailor sandwich scarecrow school
scooter seagull shark sheep shepherd ship skateboard skier sled snail snowman soldier spider
squirrel stable stadium staircase statue stove street surfer swan swimmer table tailor teacher
teapot temple tent tiger toaster tomato tower tractor train tram tree truck turtle umbrella vase
vendor village violin volcano wagon waiter waterfall whale windmill window wolf yacht zebra
"""
ADJECTIVES = """
ancient angry blue bright broken brown busy calm cheerful clean cloudy cold colorful crowded curious
dark dusty elderly elegant empty fancy foggy fluffy friendly frozen golden gray green happy huge
icy lazy leafy little lonely long loud muddy narrow neat new noisy old orange pale pink playful
proud purple quiet rainy red round rusty sandy shiny silver sleepy small snowy soft spotted square
steep striped sunny tall tiny tired vintage warm wet white wide wild wooden yellow young
"""
VERBS = """
admiring approaching balancing blocking carrying catching chasing cleaning climbing crossing
decorating dragging drawing entering examining facing feeding filming following greeting guarding
guiding hiding holding hugging inspecting kicking kissing leading leaving lifting loading lowering
measuring moving overlooking painting passing patting photographing pointing polishing pulling
pushing reaching repairing resting riding shading sketching sniffing stroking studying throwing
touching towing turning visiting washing watching waving wearing weighing
"""
PLACES = "near behind beside above below under past across along opposite"
NAMES = "Paris London Tokyo Nairobi Lima Oslo Texas Kenya Alice Omar Boston Sydney Vienna Chicago"
SYLLABLES = "bo ra ke lim ta sso ru nel mar de po lin ves zi mor ga ran dol be fa hel ic"
TABLES = {"n": NOUNS, "a": ADJECTIVES, "v": VERBS, "p": PLACES, "name": NAMES, "s": SYLLABLES}
LISTS = {name: table.split() for name, table in TABLES.items()}
FORMS = (
    "A {a} {n} {v} a {a} {n} {p} the {n}",
    "The image shows a {a} {n} {p} a {n} with a {a} {n} in the background",
    "The image features a {a} {n}, a {n} and a {a} {n} {p} the {a} {n}",
    "In this image, a {n} is {v} a {a} {n} while a {n} waits {p} the {n}",
    "There are two {n}s and a {a} {n} {p} a {n} in {name}",
    "{a} {n} {v} the {n} in {name}, seen from a {a} {n}",
    "a {n} and a {a} {n} {v} the {a} {n} on a {a} day",
    "This is a photo of a {a} {n} {v} three {n}s {p} a {a} {n}",
    "Two {a} {n}s are {v} a {n}, and one {n} is {p} the {a} {n}",
    "A close-up of a {a} {n} on top of a {a} {n}, with a {n} to the left",
    'A {n} with a {a} {n} that reads "{name}" stands {p} the {a} {n}',
    "An aerial view of the {a} {n} and the {n}, where a {n} is {v} a {n}",
)
APOLOGIES = (
    "I'm sorry, but", "Sorry,", "I apologize, but", "Unfortunately,", "I am very sorry,", "",
    "My apologies, but", "I’m really sorry, but", "Oh, sorry,", "Regrettably,",
)  # fmt: skip
REASONS = (
    "I can't {verb} {what}",
    "I cannot {verb} {what}",
    "I am unable to {verb} {what}",
    "I'm not able to {verb} {what}",
    "as an AI language model, I can't {verb} {what}",
    "as an AI assistant I do not have eyes to {verb} {what}",
    "I do not have the ability to {verb} {what}",
    "I don't have permission to {verb} {what}",
    "I’m not allowed to {verb} {what}",
    "it is not possible for me to {verb} {what}",
    "I currently can't {verb} {what}",
    "I won't {verb} {what}",
    "I must decline to {verb} {what}",
    "there is no image attached, so I cannot {verb} {what}",
    "the image could not be loaded, and I can't {verb} {what}",
    "we are unable to {verb} {what}",
)
REFUSED_VERBS = ("describe", "see", "view", "identify", "caption", "process", "discuss", "access")
REFUSED = ("this image", "the people in this photo", "the picture that you uploaded", "images",
           "its contents", "that photograph", "the scene for privacy reasons")  # fmt: skip
TOKENS = (
    "{c}<|im_end|>", "<|im_start|>assistant\n{c}", "{c}</s>", "[INST] Say it. [/INST] {c}",
    "{c}###Human: and now?", "ASSISTANT: {c}", "USER: what is it? ASSISTANT: {c}", "<image>\n{c}",
    "{c}<|endoftext|>", "<s>{c}", "{c}<end_of_turn>", "{c} [/INST]", "<bos>{c}", "{c}<|eot_id|>",
    "### Response: {c}", "Human: look! Assistant: {c}", "{c}\nUSER: thanks", "<unk>{c}",
    "user\nTell me.\nassistant\n{c}", "<|assistant|>{c}", "<ImageHere>{c}", "{c} <|end|>",
    "GPT: {c}", "System: be brief. {c}", "[gMASK]<sop>{c}", "{c}<|endofchunk|>",
)  # fmt: skip
THOUGHTS = (
    "<think>{d} I will say so.</think>{c}",
    "<think>\nOkay, {d}\n</think>\n\n{c}",
    "<think>The picture, if I am right, is this: {c}",
    "{d} So that comes first.</think>{c}",
    "<thinking>a {n}?</thinking>{c}",
    "<reasoning>a {n}, clearly</reasoning> {c}",
    "◁think▷a {n}◁/think▷{c}",
    "[THINK]a {n}[/THINK]{c}",
    "<thought>\na {n}\n{c}",
    "<|channel|>analysis<|message|>a {n}<|end|>{c}",
    "<seed:think>a {n}</seed:think>{c}",
)
PLAIN_THOUGHTS = (
    "Reasoning: {c}",
    "Thought: {c}",
    "The user wants a sentence like this: {c}",
    "Okay, let me look at it: {c}",
    "Let's think step by step: {c}",
    "Hmm, the user asks for a caption: {c}",
)
DATA = (
    '{{"caption": "{c}"}}', "```json\n{{\"text\": \"{c}\"}}\n```", "```\n{c}\n```",
    "{{'description': '{c}'}}", '["{c}", "a {n}"]', '{{"image": 1, "alt": "{c}"}}',
    "<caption>{c}</caption>", "\\boxed{{{c}}}", "{{{{caption}}}} {c}", "<p>{c}</p>",
    '{{\n  "objects": ["{n}"],\n  "caption": "{c}"\n}}', "```markdown\n{c}", "<answer>{c}</answer>",
)  # fmt: skip
LEADS = (
    "Sure! Here is a caption for the picture: {c}", "Sure, here you go: {c}", "1. {c}", "- {c}",
    "Here's a description of the image: {c}", "Certainly! {c}", "Caption: {c}", "2) {c}", "* {c}",
    "The caption is: {c}", "**Description**\n{c}", "A: {c}", "Answer: {c}", "Of course! {c}",
    "**Caption:** {c}", "Description: {c}", "Here is a detailed description: {c}", "• {c}",
    "Okay, {c}", "Here are some possible captions:\n1. {c}", "Image caption: {c}", "... {c}",
    "Absolutely! Here's the caption: {c}", "Title: {c}", "Based on the image, here it is: {c}",
    "The description of the image: {c}", "A possible caption: {c}", "I'd be happy to! {c}",
    "Alt text: {c}", "Great! {c}", "## Caption\n{c}", "Output: {c}", "a) {c}", "Yes, {c}",
)  # fmt: skip
FOREIGN = {
    "es": ("Un {x} está en la {y} con una {x}", "La imagen muestra a un {x} cerca de la {y}",
           "Hay dos {x}s en el {y} y una {x} de color", "El {x} corre por la {y} hasta el {x}"),
    "de": ("Ein {x} steht vor dem {y} und wartet", "Das Bild zeigt einen {x} auf einer {y}",
           "Zwei {x} sitzen neben der {y} im Park", "Der {x} läuft mit einem {y} über die Straße"),
    "fr": ("Un {x} est assis sur une {y} dans le parc", "L'image montre un {x} avec des {y}s",
           "Deux {x}s jouent dans la {y} près du {x}", "Le {x} se trouve devant une {y}"),
    "it": ("Un {x} è seduto su una {y} nel parco", "L'immagine mostra un {x} con la {y}",
           "Due {x} giocano nella {y} vicino alla {x}"),
    "pt": ("Um {x} está sentado em uma {y} no parque", "A imagem mostra um {x} com a {y} ao lado"),
    "nl": ("Een {x} zit op een {y} in het park", "De foto toont een {x} met een {y} in huis"),
}  # fmt: skip
ALPHABETS = (
    "的一是在人有大上个来到时地们生子说出就年对要下而",
    "абвгдеийклмнопрстуя",
    "あいうえおかきくけこさしすせそたちつてと犬車公園女子赤",
    "ابتثجحدرسصعفقكلمنهوي",
    "가나다라마바사아자차카타하개고노도로모보소오",
    "अआइकखगघचजतदनपबमयरलवसह",
    "αβγδεηικλμνοπρστυφω",
)
"""Letters of scripts, of which words are drawn."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A caption and what is truly wrong with it."""

    raw: str
    finish: str = "stop"
    kind: str = "good"
    """The kind of defect that was planted."""
    defects: frozenset[str] = field(default_factory=frozenset)
    """The names of all defects that it truly has, as in `ModelHealth.health`."""


def good(rng: random.Random) -> str:
    """Return a good caption, mostly with a full stop."""
    form = re.sub(r"{(\w+)}", lambda key: rng.choice(LISTS[key[1]]), rng.choice(FORMS))
    return form + rng.choice((".", ".", ".", ""))


def noun(rng: random.Random) -> str:
    return rng.choice(LISTS["n"])


def fill(rng: random.Random, form: str) -> str:
    return form.format(c=good(rng), d=good(rng), n=noun(rng))


def loop(rng: random.Random) -> str:
    """Return a caption that is stuck: on words, phrases or sentences, also as a counter runs."""
    beginning = good(rng).rstrip(".")
    words = [noun(rng) for _ in range(rng.randint(1, 3))]
    unit = " ".join(words)
    turns = rng.randint(4, 6)
    marks = [rng.choice((" ", ", ", " ", "; ")) for _ in range(turns)]
    sentence = f"the {rng.choice(LISTS['a'])} {unit} is {rng.choice(LISTS['v'])} the {noun(rng)}"
    stuck = [noun(rng), noun(rng)]
    return rng.choice(
        (
            f"{beginning} {' '.join([unit] * turns)}",
            "".join(unit + mark for mark in marks) + unit,
            f"{beginning}, and a {', and a '.join([unit] * turns)}",
            ", ".join([sentence] * turns),
            " ".join(f"{number} {unit}" for number in range(1, turns + 1)),
            f"{beginning} " + " ".join(rng.choice(stuck) for _ in range(20)),
            f"{beginning} {' and '.join([unit] * turns)}",
        )
    )


def near(rng: random.Random, text: str) -> str:
    """Return nearly the same text: other punctuation or capitals, or a word more."""
    words = text.rstrip(".").split()
    place = rng.randrange(1, len(words))
    more = [*words[:place], rng.choice(LISTS["a"]), *words[place:]]
    return rng.choice(
        (f"{text.rstrip('.')} !", text.upper(), " ".join(more), f"{' '.join(words)} there.")
    )


def refusal(rng: random.Random) -> str:
    reason = rng.choice(REASONS).format(verb=rng.choice(REFUSED_VERBS), what=rng.choice(REFUSED))
    text = f"{rng.choice(APOLOGIES)} {reason}".strip()
    first, second = (f"{rng.choice(LISTS['a'])} {noun(rng)}" for _ in range(2))
    end = rng.choice(
        (f" of the {first} and a {second}", f", with a view of the {first}, a {second}.")
    )
    return text[0].upper() + text[1:] + end


def foreign(rng: random.Random) -> str:
    form = rng.choice(FOREIGN[rng.choice(sorted(FOREIGN))])
    text = re.sub("{[xy]}", lambda _: "".join(rng.choices(LISTS["s"], k=3)), form)
    return text + rng.choice((".", ""))


def other_script(rng: random.Random) -> str:
    letters = rng.choice(ALPHABETS)
    words = ["".join(rng.choices(letters, k=rng.randint(2, 4))) for _ in range(rng.randint(3, 5))]
    whole = " ".join(words)
    return rng.choice((whole, whole, f"A {noun(rng)} {whole} near the {noun(rng)}"))


def long(rng: random.Random) -> str:
    things = [f"a {rng.choice(LISTS['a'])} {noun(rng)}" for _ in range(rng.randint(26, 34))]
    return f"The picture shows {', '.join(things)}"


def cut(rng: random.Random) -> str:
    words = good(rng).rstrip(".").split()
    return " ".join(words[: rng.randint(8, len(words) - 1)])


def planted(count: int, share: float, seed: int) -> tuple[list[Planted], dict[int, str]]:
    """Return captions with each kind of defect in this share, and another model's by index.

    The others' captions stand for a second model, which says the same where that was planted.
    """
    rng = random.Random(seed)
    kinds: dict[str, tuple[tuple[str, ...], Callable[[random.Random], str]]] = {
        "loops": (("loops",), loop),
        "refusals": (("refusals",), refusal),
        "chat tokens": (("leaks",), lambda rng: fill(rng, rng.choice(TOKENS))),
        "tagged reasoning": (("leaks", "reasoning"), lambda rng: fill(rng, rng.choice(THOUGHTS))),
        "plain reasoning": (("leaks",), lambda rng: fill(rng, rng.choice(PLAIN_THOUGHTS))),
        "data formats": (("leaks",), lambda rng: fill(rng, rng.choice(DATA))),
        "lead-ins": (("lead_ins",), lambda rng: fill(rng, rng.choice(LEADS))),
        "other scripts": (("other_script",), other_script),
        "other languages": (("other_script",), foreign),
        "beyond CLIP": (("beyond_clip",), long),
        "empty": (("empty",), lambda rng: rng.choice(("", " ", ".", "\n\n", "...", "-"))),
        "cut": (("truncated",), cut),
    }
    each = round(count * share)
    captions = [Planted(text) for text in GOOD]
    captions += [Planted(good(rng)) for _ in range(count - len(GOOD))]
    others = {i: good(rng) for i in range(count)}
    places = rng.sample(range(count // 5, count), each * (len(kinds) + 3))
    for kind, (names, make) in kinds.items():
        for _ in range(each):
            finish = "length" if kind == "cut" else "stop"
            captions[places.pop()] = Planted(make(rng), finish, kind, frozenset(names))
    originals = range(len(GOOD), count // 5)
    for place in [places.pop() for _ in range(each)]:
        text = captions[rng.choice(originals)].raw
        captions[place] = Planted(text, "stop", "duplicates", frozenset(("duplicates",)))
    for place, original in zip(
        [places.pop() for _ in range(each)], rng.sample(originals, each), strict=True
    ):
        text = near(rng, captions[original].raw)
        near_duplicates = frozenset(("near_duplicates",))
        captions[place] = Planted(text, "stop", "near duplicates", near_duplicates)
    for place in [places.pop() for _ in range(each)]:
        captions[place] = Planted(
            captions[place].raw, "stop", "same as another", frozenset(("same_as_other",))
        )
        others[place] = captions[place].raw
    return captions, others
