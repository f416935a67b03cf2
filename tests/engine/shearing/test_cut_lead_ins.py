"""Lead-ins and markers of lists that mode "sentence" cuts, and what only looks like one."""

# ruff: noqa: RUF001 (signs that models write)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quality.leaks import is_leak
from engine.quality.words import head_of
from engine.shearing.cut_lead_ins import without_lead_in, without_marker
from engine.shearing.lead_ins import is_lead_in
from engine.shearing.sentences import all_sentences, first_sentence_complete
from engine.shearing.shear import Shearing, shear
from tests.engine.quality import caption_cases

SENTENCE = Shearing("sentence")
LEAD_INS = (
    "Sure! Here is a caption: ",
    "Sure! Here is a caption:\n\n",
    "Certainly! ",
    "Of course. ",
    "Yes. ",
    "Great. ",
    "Here you go. ",
    "In one sentence: ",
    "In 20 words, ",
    "Photo caption - ",
    "Description. ",
    "Claro, aquí tienes una descripción: ",
    "Natürlich! Hier ist eine Beschreibung des Bildes: ",
    "Bien sûr ! Voici une légende : ",
    "Certo! Ecco la descrizione: ",
    "Claro! Aqui está uma legenda: ",
    "当然！以下是图片描述：",
    "USER: What is it? Be brief. ASSISTANT: ",
    "Human: Describe it.\nAssistant: ",
    "system\nYou are a helpful assistant.\nuser\nWhat is it?\nassistant\n",
    "Question: What is it? Answer: ",
    "Okay, here's the caption: ",
    "Here’s a short description of the image: ",
    "I'd be happy to help! Here is the caption you asked for: ",
    "I'll describe the image. ",
    "Caption: ",
    "**Caption:** ",
    "_Caption:_ ",
    "## Caption: ",
    "## Image Description\n\n",
    "### **Detailed caption**\n",
    "**Description of the image**\n\n",
    "Image description: ",
    "A possible caption for this image could be: ",
    "The caption is: ",
    "Based on the provided image, here is a caption: ",
    "The image can be described as follows: ",
    "A: ",
    "ASSISTANT: ",
    "Description：",
    "1. ",
    "1) ",
    "(1) ",
    "[2] ",
    "- ",
    "* ",
    "• ",
    "– ",
    "> ",
    "# ",
    "a) ",
    "... ",
    "...",
    "…",
    "Sure!\n1. ",
    "Answer: - ",
    "Here's a simple, one-line description of your picture: ",
    "Here is a one-liner: ",
    "Here you go - ",
    "Below is a short description.\n\n",
    "Here is a brief caption for this picture\n\n",
    "TLDR: ",
    "We could call this: ",
    "You might describe the scene as follows: ",
    "I would suggest: ",
    "What about this one: ",
    "Possible caption — ",
    "Description -> ",
    "📸 ",
    "➡️ ",
    "Got it! 😀 ",
    "English: ",
    "Photo 2: ",
    "What an amazing shot! ",
    "Great picture! ",
    "This is such a charming, striking image! ",
    "It's a lovely photo you took! ",
    "Of course! What a cute picture! Here it is: ",
    "**Examining the details of the scene**\n\n",
    "## Crafting a caption\n",
    "Certainly, here's a caption I came up with!\n\n",
    "Here is my best description! ",
    "Of course, below is the caption you asked for. ",
    "Based on the provided photo, here is a short description. ",
    "From the image, a suitable description could be: ",
    "Absolutely! Based on what I see here, here is the caption: ",
    "Based on this picture, an appropriate caption is: ",
    "Allow me to describe the scene. ",
    "Let's write a caption for this one: ",
    "I would describe this picture as: ",
    "Imagine this: ",
    "Here are a few: ",
    "Here's a longer one! ",
    "Voilà! ",
    "Got it, my friend! ",
    "Please describe this photo in a few words. ",
    "What do you see in this picture? ",
    "Here's my answer. ",
    "Option B: ",
    "1. **Brief:** ",
    "Write a brief caption for the picture, at most ten words: ",
    "回答：",
    "[Caption] ",
    "(Image description) ",
    "【标题】",
    "2️⃣ ",
    "i) ",
    "description = ",
    "Caption: |\n  ",
    "Qwen caption: ",
    "# Low Tide\n\n",
    "## **Evening Market**\n",
    "**Snow at the Gate**\n\n",
    "**Tagline:** ",
    "**Version 2 (Playful)**: ",
    "Title: Low tide\nCaption: ",
    "**Headline:** Low tide.\n**Topic:** the sea\n\n**Description:** ",
    "Photographer: R. Vogel. Caption: ",
)
NO_LEAD_INS = (
    *caption_cases.GOOD,
    "1. FC Köln plays in Cologne",
    "1. FC Union Berlin",
    "1. Mai in Berlin",
    "2. Bundesliga match",
    "24 hours of Le Mans",
    "3.5 feet of snow",
    "5 degrees below zero",
    "- 5 degrees",
    "-5 degrees",
    "-a dog",
    "*a dog",
    "a) ",
    ".5 litres of milk",
    "A dog: brown and white",
    "A sign that reads: open",
    "Sure-footed goats on a cliff",
    "Great Dane on a lawn",
    "Great expectations: a book cover",
    "Hello Kitty: a lunch box",
    "Hello, Dolly! on a poster",
    "Okay sign made by a hand",
    "Alright Records logo",
    "Thanks Obama: a poster",
    "Yes, we can: a banner",
    "Title page of a book: two angels",
    "Okay, let me look at the image",
    "Got it, let's write a caption: a dog",
    "A: 'Hello' in a comic balloon",
    "Human: a portrait exhibition",
    "Photo of a dog - a poodle",
    "Caption-writing contest",
    "In one hand, a glass",
    '"Exit" and "Entrance" signs',
    "'Tis the season",
    "Hier ist ein Hund",
    "Image Description\n\nA dog",
    "Here is the dog",
    "This is a photo of a dog: it runs",
    "The image shows two signs: stop and go",
    "Absolutely nothing but sand",
    "IMG: 2",
    "12:30 on a clock",
    "1984: a book",
    "Right: a bull. Left: a cow",
    "Of course, nobody wants to leave the beach",
    "Sure, Rhode Island on a map",
    "Understood, Betsy, a book on a table",
    "3. Akt der Oper",
    "9. B is painted on a gate",
    "What a photo album looks like: a book",
    "Nice, France: a beach",
    "Great shot by a tennis player!",
    "🐶 on a sofa",
    "**The photo shows:** two hikers",
    "**Left:** a bull. **Right:** a cow",
    "# 8 of the Lakers",
    "Okay, Oklahoma on a map",
    "Sure, it snows, but the market is open",
    "Okay! is written on a cake",
    "2) is crossed out in a test",
    "b) and c) are ticked",
    "Question: and Answer: on two doors",
    "Yes! reads a banner at a rally",
    "1. d4 on a sheet of chess moves",
    "Let me out! is scratched on a wall",
    "Let's dance, a sign in a hall",
    "What is this? A question on a picture",
    "Describe your pet. A worksheet for children",
    "Give the photo a frame. A poster in a shop",
    "Imagine Dragons on a stage",
    "Source of a river: a fountain",
    "Voilà reads the menu of a café",
    "Certainly Sir, a sketch of two butlers",
    "~5 people in a queue",
    "1️⃣2️⃣3️⃣ on a keypad",
    "Here is where a river ends. A delta",
    "Below is a caption.",
    "How about Dresden",
    "",
    " ",
    "...",
    "1.",
    "-",
    "!",
)


@pytest.mark.parametrize("lead_in", LEAD_INS)
def test_a_lead_in_is_cut(lead_in: str) -> None:
    for caption in ("A red ball on grass.", "a dog", "Two dogs: one sleeps."):
        assert without_lead_in(lead_in + caption) == caption
    raw = f"{lead_in}A red ball on grass. It is big."
    sheared = shear(raw, "endpoint", SENTENCE)
    assert sheared.text == "A red ball on grass."
    assert raw[sheared.start : sheared.end] == sheared.text
    assert all_sentences(raw) == ["A red ball on grass.", "It is big."]


@pytest.mark.parametrize("text", NO_LEAD_INS)
def test_a_caption_is_not_cut(text: str) -> None:
    assert without_lead_in(text) is text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("1. A red ball on grass\n2. It is big", "A red ball on grass"),
        ("**1.** A red ball on grass\n**2.** It is big", "A red ball on grass"),
        ("4. An owl in a barn\n5. A barn", "An owl in a barn"),
        ("7. Symphony of a composer", "7. Symphony of a composer"),
        ("Sure! Here are three captions:\n\n- A dog runs\n- A cat", "A dog runs"),
        ("1. FC Köln wins. It is a club.", "1. FC Köln wins."),
        ("Two ideas:\n* 'A dog runs'\n* 'A cat'", "A dog runs"),
        ("Here are some captions:\n1. **A dog runs**\n2. **A cat**", "A dog runs"),
        ("What a lovely picture!", "What a lovely picture!"),
        ("Sure!", ""),
        ("Here is a caption for the image:", ""),
        ("<think>Hm.</think>Sure! A dog runs. It barks.", "A dog runs."),
        ("<think>Sure! A dog", ""),
        ("... and a dog runs. It", "and a dog runs."),
        ("**A dog runs**", "A dog runs"),
        ("**A dog runs**\n\nThis caption is short.", "A dog runs"),
        ("**A Dog Runs**\n\nThe title plays on a dog.", "A Dog Runs"),
        ("# Dogs\n\n# Cats", "Dogs"),
        ("**Mood:** A dog runs\n**Style:** A photo", "A dog runs"),
        ("Two ideas:\n\n**Plain:**\n* A dog runs.\n* A dog", "A dog runs."),
        ('Okay! "A dog runs." (3 words)', "A dog runs."),
        ("A dog runs (word count: 3)", "A dog runs"),
        ("Sure!\n```text\nA dog runs.\n```", "A dog runs."),
        ("Result: {'caption': 'A dog runs'}", "A dog runs"),
        ("Certainly! ```A dog runs```", "A dog runs"),
        ("「A dog runs.」", "A dog runs."),
        ("~ A dog runs ~", "A dog runs"),
        ("Okay, let me describe the image. A dog", "Okay, let me describe the image."),
        ("Let me describe it. First, I see a dog", "Let me describe it."),
        ('**"A dog runs."**', "A dog runs."),
        ('"A dog runs. It barks."', "A dog runs."),
        ('"A dog runs on the', "A dog runs on the"),
        ("'A dog's ball'", "A dog's ball"),
        ('Caption: "A dog runs."', "A dog runs."),
        ('"Caption: A dog runs."', "A dog runs."),
        ("Here is a caption:\n\n**A dog runs.**\n\nI hope this helps!", "A dog runs."),
        ('"Stop" sign by a road', '"Stop" sign by a road'),
        ("USER: What is it? ASSISTANT:", "USER: What is it?"),
    ],
)
def test_what_is_left_of_a_text(raw: str, text: str) -> None:
    assert shear(raw, "hf", SENTENCE).text == text


@pytest.mark.parametrize("family", ["llava-1.5", "minigpt-4", "otter", "qwen-vl"])
def test_mode_paper_cuts_as_upstream_does(family: str) -> None:
    assert shear("Sure! A dog runs. It", family, Shearing()).text == "Sure! A dog runs"
    assert shear("- A dog runs. It", family, Shearing()).text == "- A dog runs"
    assert shear('"A dog runs."', family, Shearing()).text == '"A dog runs'


@pytest.mark.parametrize(
    "lead_in",
    [
        "Here is the caption. ",
        "Let me describe the photo. ",
        "Summarise the photo in one sentence. ",
        "Describe the photo in a sentence. ",
        "Photographer: unknown. Caption: ",
        "Title: St. Anne\nCaption: ",
    ],
)
def test_generation_does_not_end_with_a_lead_in(lead_in: str) -> None:
    raw = f"{lead_in}A dog runs. It barks. It is"
    complete = [raw[:end] for end in range(len(raw) + 1) if first_sentence_complete(raw[:end])]
    assert shear(complete[0], "hf", SENTENCE).text == "A dog runs."


def test_generation_goes_on_behind_a_lead_in() -> None:
    raw = "Of course. I'll describe the image. Here is a caption: A dog runs. It barks. "
    complete = [raw[:end] for end in range(len(raw) + 1) if first_sentence_complete(raw[:end])]
    assert complete[0] == "Of course. I'll describe the image. Here is a caption: A dog runs. It b"


@pytest.mark.parametrize(
    "raw",
    [
        '"A dog runs. It barks." This is a caption. It is short.',
        "**A dog runs. It barks.** This is a caption. It is short.",
        "'A dog runs. It barks.'\n\nThis is a caption. It is short.",
        "USER: What is it. Be brief. ASSISTANT: A dog runs. It barks. It is short.",
        "[INST] What is it. Be brief. [/INST] A dog runs. It barks. It is short.",
    ],
)
def test_generation_goes_on_until_a_mark_is_closed_and_a_question_is_over(raw: str) -> None:
    complete = [raw[:end] for end in range(len(raw) + 1) if first_sentence_complete(raw[:end])]
    assert "A dog runs. It b" in complete[0]
    assert shear(complete[0], "hf", SENTENCE).text == shear(raw, "hf", SENTENCE).text


@pytest.mark.parametrize("lead_in", LEAD_INS)
def test_what_is_cut_is_found(lead_in: str) -> None:
    """As a lead-in, or as the leak that it is, too."""
    raw = f"{lead_in}A red ball on grass."
    head = head_of(raw)
    assert is_lead_in(head) or is_leak(raw, head, ())


@pytest.mark.parametrize(
    "text",
    [
        "Yes, it's a goat on a car",
        "Well, well: two wells",
        "Sure, it snows, but the market is open",
        "- 12 degrees on a sign",
        "# 8 of the Lakers dribbles",
        "1. d4 on a sheet of chess moves",
        "2) is crossed out in a test",
        "Okay! is written on a cake",
        "Overall, a calm bay",
    ],
)
def test_a_caption_with_such_a_beginning_is_no_lead_in(text: str) -> None:
    assert not is_lead_in(head_of(text))


def test_words_that_may_be_a_lead_in_are_one() -> None:
    for text in ("Okay, a goat", "Yes, a goat", "Sure, it is a goat", "1. a goat", "# Goat"):
        assert is_lead_in(head_of(text)), text


def test_a_text_that_is_all_lead_ins_takes_no_time() -> None:
    pieces = ("Okay, ", "- ", "1. a\n", " ", "\n", "*", '"', "a, ", "Here is a ", ": ", "##",
              "USER: ", "'", "**", '"a', "In 1 ", "# a\n", "**A** ", "**A\n", "**a:** ",
              "title: a\n", "photo: a. ", "(caption)", "~", "「", "let me ", "```")  # fmt: skip
    for piece in pieces:
        without_lead_in(piece * 100_000)


@given(st.lists(st.sampled_from((*LEAD_INS, "A dog", " runs.", "\n2. ", "\n\n")), max_size=6))
def test_what_is_cut_stands_before_the_rest(pieces: list[str]) -> None:
    text = "".join(pieces)
    rest = without_lead_in(text)
    assert rest in text
    assert without_lead_in(rest) == rest


@given(st.text(max_size=200))
def test_any_text_can_be_cut(text: str) -> None:
    rest = without_lead_in(text)
    assert rest in text
    assert without_marker(text) in text
