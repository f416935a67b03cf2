"""Lead-ins and markers of lists that mode "sentence" cuts, and what only looks like one."""

# ruff: noqa: RUF001 (signs that models write)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.shearing.cut_lead_ins import without_lead_in, without_marker
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
    "**Exploring the Alps**\n\nA hiker rests",
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


def test_a_text_that_is_all_lead_ins_takes_no_time() -> None:
    for piece in ("Okay, ", "- ", "1. a\n", " ", "\n", "*", '"', "a, ", "Here is a ", ": ", "##",
                  "USER: ", "'", "**", '"a', "In 1 "):  # fmt: skip
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
