"""What is found in single captions, and what is not."""

# ruff: noqa: RUF001 (letters of other scripts)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quality.defects import Defect, DefectFinder
from engine.quality.placeholders import is_placeholder
from engine.quality.words import words_of
from tests.engine.quality import caption_cases as cases

KINDS = (
    (Defect.LOOP, cases.LOOPS),
    (Defect.REFUSAL, cases.REFUSALS),
    (Defect.LEAK, cases.LEAKS),
    (Defect.LEAD_IN, cases.LEAD_INS),
    (Defect.OTHER_SCRIPT, cases.OTHER_LANGUAGES),
    (Defect.TRUNCATED, cases.TRUNCATED),
)
BAD = [(defect, text) for defect, texts in KINDS for text in texts]


def defects_of(
    text: str, language: str = "en", finish: str = "stop", prompts: tuple[str, ...] = ()
) -> Defect:
    words = words_of(text)
    return Defect(DefectFinder(language, prompts).find(text, finish, text, words, frozenset(words)))


@pytest.mark.parametrize("text", cases.GOOD)
def test_a_good_caption_has_no_defect(text: str) -> None:
    assert not defects_of(text)


@pytest.mark.parametrize(("defect", "text"), BAD)
def test_a_bad_caption_has_its_defect(defect: Defect, text: str) -> None:
    assert defects_of(text) & defect


@pytest.mark.parametrize(
    ("text", "finish", "defect"),
    [
        ("<think>A dog.</think>A dog", "stop", Defect.REASONING | Defect.LEAK),
        ("A dog.</think>A dog", "stop", Defect.REASONING | Defect.LEAK),
        ("<think >A dog.</think >A dog", "stop", Defect.REASONING | Defect.LEAK),
        ("<|thinking|>A dog.<|/thinking|>A dog", "stop", Defect.REASONING | Defect.LEAK),
        ("&lt;think&gt;A dog.&lt;/think&gt;A dog", "stop", Defect.REASONING | Defect.LEAK),
        ("A man riding a wave.", "length", Defect.TRUNCATED),
        ("", "stop", Defect.EMPTY),
        (" \n", "stop", Defect.EMPTY),
        ("...", "stop", Defect.EMPTY),
        ("-", "stop", Defect.EMPTY),
        ("a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3, "stop", Defect.BEYOND_CLIP),
        ("a photo of a cat " * 15, "stop", Defect.LOOP),
    ],
)
def test_other_defects(text: str, finish: str, defect: Defect) -> None:
    assert defects_of(text, finish=finish) & defect == defect


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        ("Vitamin A", False),
        ("Travellers wait at Gate A", False),
        ("the stadium of a club in serie a", False),
        ("bottles of vitamin a", False),
        ("A street in Portland, OR", False),
        ("a cat rests for a while", False),
        ("A dog runs on a beach. A", True),
        ("A dog runs on a beach with a", True),
        ("A dog runs, and a", True),
        ("a red car or", True),
        ("A man waits while", True),
        ("The", True),
        ("A", True),
        ("A DOG ON THE", True),
        ("the lake we swam to", False),
        ("It is hard to say how big the boat is", False),
        ("A kite and things like that", False),
        ("a fence with a gate in between", False),
        ("Lexus IS", False),
        ("a man who walks to", False),
        ("a man walks to", True),
        ("A boat is", True),
        ("the cliff they dive out of", False),
        ("a medal she is proud of", False),
        ("what a rope is made of", False),
        ("A map of where they have been", False),
        ("the fans he is surrounded by", False),
        ("A tram passes by", False),
        ("a twin who asks which is which", False),
        ('A shop called "Fresh"', False),
        ('a " quick stop " sign', False),
        ('a 12" ruler', False),
        ("a \u201efrei\u201c sign", False),
        ("A tram stops near a kiosk and \n", True),
        ("A tower, which once was", True),
        ("A young violinist, who", True),
        ("A row of kayaks, one of which", True),
        ("A ferry, which has only just", True),
        ("A brass band, which seems", True),
        ("a clerk who wonders who", False),
        ("a rabbit, who sleeps", False),
        ("a comet that seldom appears", False),
        ("this was once", False),
        ("A lake, and behind the reeds there", True),
        ("a lantern, and the moth over there", False),
        ("a sparrow, on the gutter up there", False),
        ("A queue of cyclists waiting for", True),
        ("A calendar with boxes for", True),
        ("the keys the porter is looking for", False),
        ("the cave the hikers crawl into", False),
        ("a goal worth training for", False),
        ("an orchard that is well cared for", False),
        ("in the hall the guard walks towards", True),
        ("A kiosk whose banner says", True),
        ("A jar with a label reading", True),
        ("A protester with a placard that reads", True),
        ("Please keep off the grass, a sign says", False),
        ("a grandfather who reads", False),
    ],
)
def test_a_text_breaks_off_with_a_word_that_is_no_name(text: str, is_cut: bool) -> None:
    assert bool(defects_of(text) & Defect.TRUNCATED) == is_cut


@pytest.mark.parametrize(
    "text",
    [
        "a cat !!!!!!!!!!!!",
        "a cat ? ? ? ? ? ? ? ?",
        "a cat ........................ on a mat",
        "a cat ............",
        "a cat _____________________ on a mat",
        "a cat \N{EM DASH}" + "\N{EM DASH}" * 9,
        "a cat \U0001f431" + "\U0001f431" * 8,
        "a cat \U0001f44d\U0001f3fd" + "\U0001f44d\U0001f3fd" * 8,
        "hearts " + "\u2764\ufe0f" * 8,
        "a cat?!" + "?!" * 8,
    ],
)
def test_a_sign_that_is_written_again_and_again_is_a_loop(text: str) -> None:
    assert defects_of(text) & Defect.LOOP


@pytest.mark.parametrize(
    "text",
    [
        *("N/A", "n.a.", "None", "[null]", "Untitled", "unknown.", "Not available", "<none>"),
        *("<blank>", "(empty)", "Unanswerable.", "No response", "(no caption)", "Undefined"),
        *("Nothing.", "DESCRIPTION:", "**Answer**", "[image]", "Short caption -", "<photo>"),
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
    ],
)
def test_a_placeholder_is_no_caption(text: str) -> None:
    assert defects_of(text) & Defect.EMPTY


@pytest.mark.parametrize(
    "text",
    [
        *("none of them", "Unknown soldier", "null island", "an untitled", "An empty street"),
        *("Nothing but sand", "Picture book", "An answer", "text message", "Image: a heron"),
        *("Blank canvas", "A poster with the text Lorem ipsum dolor sit amet", "Lorem ipsum sign"),
    ],
)
def test_a_caption_with_the_word_of_a_placeholder_is_one(text: str) -> None:
    assert not defects_of(text) & Defect.EMPTY


@pytest.mark.parametrize(
    "text",
    [
        "Bison bison bison, a plains bison, wades through a river",
        "Vulpes vulpes vulpes: a fox with a white tail",
        "Well, well, well, who sits on the sofa?",
        "Soup ........ 4 euros",
        "Signature: ____________",
    ],
)
def test_the_same_three_times_may_be_a_name_and_signs_a_line(text: str) -> None:
    assert not defects_of(text) & Defect.LOOP


@pytest.mark.parametrize(
    "text", ["Horse horse horse in a meadow", "Bison bison bison bison bison, a bison"]
)
def test_the_same_words_are_a_loop_where_no_name_is_told(text: str) -> None:
    assert defects_of(text) & Defect.LOOP


def test_a_count_is_no_loop() -> None:
    """Numbers and letters in order may be what the image shows."""
    assert not defects_of("1, 2, 3, 4, 5, 6, 7, 8, 9, 10") & Defect.LOOP
    assert defects_of("red red red red red") & Defect.LOOP


@pytest.mark.parametrize(
    ("raw", "sheared", "left"),
    [
        ("Absolutely. A cat sleeps", "Absolutely", Defect.LEAD_IN),
        ("Well. A cat sleeps", "Well", Defect.LEAD_IN),
        ("Description. A cat sleeps", "Description", Defect.LEAD_IN | Defect.EMPTY),
        ("1. A cat sleeps", "1", Defect.LEAD_IN),
        ("1. A cat sleeps", "A cat sleeps", Defect(0)),
        ('"A cat sleeps."', '"A cat sleeps', Defect.LEAD_IN),
        ('"A cat sleeps."', "A cat sleeps.", Defect(0)),
        ("Sure! A cat sleeps", "A cat sleeps", Defect(0)),
        ("A cat.</s>", "A cat.", Defect(0)),
    ],
)
def test_what_shearing_leaves_of_a_lead_in(raw: str, sheared: str, left: Defect) -> None:
    finder, words = DefectFinder("en"), words_of(sheared)
    found = finder.find(raw, "stop", sheared, words, frozenset(words))
    assert Defect(found & ~finder.cut_by_shearing(found, sheared)) == left


def test_a_prompt_is_a_leak_in_its_models_captions_alone() -> None:
    text = "What do you see, in a few words? A dog"
    assert not defects_of(text)
    assert defects_of(text, prompts=("What do you see, in a few words?",)) == Defect.LEAK
    assert not defects_of("A dog.", prompts=("A dog",)), "too short to be told from a caption"


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("de", "Ein Hund läuft über das Gras", "A dog is running over the grass with a ball"),
        ("fr", "Un chien court dans l'herbe", "A dog is running in the grass"),
        ("zh", "一只狗在草地上", "A dog is running in the grass"),
        ("ja", "芝生の上の犬", "A dog is running in the grass"),
        ("fi", "Koira juoksee ja sen vieressä on pallo", "A dog is running in the grass"),
        ("cs", "Pes běží po trávě a je na ní míč", "A dog is running in the grass"),
        ("hu", "Egy kutya fut a fűben és nem áll meg", "A dog is running in the grass"),
        ("is", "Hundur með bolta situr á túninu", "A dog is running in the grass"),
        ("et", "Koer jookseb ja pall on tema ees", "A dog is running in the grass"),
        ("lt", "Šuo bėga per pievą ir yra šlapias", "A dog is running in the grass"),
        ("lv", "Suns sēž uz zāles un blakus ir bumba", "A dog is running in the grass"),
        ("sk", "Pes leží na tráve a vedľa neho je lopta", "A dog is running in the grass"),
        ("sl", "Pes sedi na travi in ob njem je žoga", "A dog is running in the grass"),
        ("ca", "Un gos corre pel prat amb una pilota", "A dog is running in the grass"),
        ("hr", "Pas leži na travi, a mačka stoji pored ograde", "A dog is running in the grass"),
        ("de", "Ein Hund läuft über das Gras", "Kobieta siedzi obok drzewa i trzyma książkę"),
        ("ru", "Собака бежит по траве рядом с BMW", "A dog is running in the grass"),
    ],
)
def test_another_language_may_be_asked_for(language: str, right: str, wrong: str) -> None:
    assert not defects_of(right, language)
    assert defects_of(wrong, language) == Defect.OTHER_SCRIPT


@given(st.text())
def test_any_text_has_some_defects_or_none(text: str) -> None:
    for language in ("en", "zh"):
        found = defects_of(text, language)
        assert bool(found & Defect.EMPTY) == (not words_of(text) or is_placeholder(words_of(text)))


LONG = (
    *"<[{(\"'\u201c!.:-#*`\n a\u4e00",
    *(
        "user: ",
        "[1, ",
        "(1 ",
        "<a1",
        "! ",
        "?!a",
        "Hi, ",
        "\u00c3",
        "a! a-",
        "de la ",
        "A de ",
        "**a",
    ),
    *("![", "](", "no  ", "<a ", "['a' ", "{'a", ". \n", "a\n", "a the the b ", "an a ", "&#1"),
)
"""Parts of texts on which a pattern could take a time that grows with the square of the length."""


@pytest.mark.parametrize("text", LONG, ids=lambda text: repr(text[:4]))
def test_a_long_text_made_to_take_long_does_not(text: str) -> None:
    defects_of((text * 200_000)[:200_000])
    defects_of(f"No. {text * 100}"[:4000] + "\u4e00\u4e00")


@given(st.text(alphabet="ab <>[]{}|#`*:\n'\"\\1.-", max_size=400))
def test_signs_of_all_kinds_in_any_order(text: str) -> None:
    assert Defect.BEYOND_CLIP not in defects_of(text) or len(text) > 75
