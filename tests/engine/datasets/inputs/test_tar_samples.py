"""Which members of a tar belong together: by name, in any order, and never a wrong caption."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.inputs.tar_samples import file_of, group_files, key_of
from engine.images.tar_index import as_path


def group(
    *archives: list[str], sniffed: tuple[str, ...] = ()
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the texts of each image, and what is passed over, by reason.

    A name may carry a mark behind a colon, which tells members of one name apart.
    """
    marks: list[str] = []
    by_key: dict[str, list[object]] = {}
    for archive, names in enumerate(archives):
        for name in names:
            path = as_path(name.partition(":")[0])
            by_key.setdefault(key_of(path), []).append(file_of(len(marks), archive, path))
            marks.append(name)
    samples: dict[str, list[str]] = {}
    passed: dict[str, list[str]] = {}
    for key, files in by_key.items():
        grouping = group_files(key, files, lambda file: file.path in sniffed)  # type: ignore[arg-type]
        for sample in grouping.samples:
            assert sample.image is not None
            image = marks[sample.image.position]
            assert image not in samples
            samples[image] = [marks[text.position] for text in sample.texts]
        for reason, file in grouping.passed_over:
            passed.setdefault(reason.split()[0], []).append(marks[file.position])
        for file in grouping.others:
            passed.setdefault("others", []).append(marks[file.position])
    return samples, passed


@pytest.mark.parametrize(
    ("names", "samples"),
    [
        ("0.jpg 1.jpg 0.txt 1.txt", {"0.jpg": "0.txt", "1.jpg": "1.txt"}),
        ("0.txt 1.txt 1.jpg 0.jpg", {"0.jpg": "0.txt", "1.jpg": "1.txt"}),
        ("./0.jpg 0.txt", {"./0.jpg": "0.txt"}),
        ("a/0.jpg b/0.txt a/0.txt b/0.jpg", {"a/0.jpg": "a/0.txt", "b/0.jpg": "b/0.txt"}),
        ("0.JPG 0.TXT", {"0.JPG": "0.TXT"}),
        ("0.json 0.text 0.caption 0.txt 0.jpg", {"0.jpg": "0.txt 0.caption 0.text 0.json"}),
        # dots in names
        ("p.v2.jpg p.v2.txt p.v3.jpg", {"p.v2.jpg": "p.v2.txt", "p.v3.jpg": ""}),
        ("p.jpg p.txt p.v2.jpg p.v2.txt", {"p.jpg": "p.txt", "p.v2.jpg": "p.v2.txt"}),
        ("p.jpg p.v2.jpg", {"p.jpg": "", "p.v2.jpg": ""}),
        ("I.01.02.jpg I.01.03.txt", {"I.01.02.jpg": ""}),
        ("Dr.Smith.jpg Dr.Jones.txt Dr.Jones.png Dr.Smith.txt", {
            "Dr.Smith.jpg": "Dr.Smith.txt", "Dr.Jones.png": "Dr.Jones.txt",
        }),
        ("v1.0.jpg v1.0.json v1.1.json v1.1.jpg", {
            "v1.0.jpg": "v1.0.json", "v1.1.jpg": "v1.1.json",
        }),
        # double extensions
        ("0.jpg 0.seg.png 0.txt", {"0.jpg": "0.txt"}),
        ("0.seg.png 0.txt 0.jpg", {"0.jpg": "0.txt"}),
        ("0.jpg 0.caption.txt", {"0.jpg": "0.caption.txt"}),
        ("0.img.jpg 0.cap.txt", {"0.img.jpg": "0.cap.txt"}),
        ("0.input.jpg 0.target.jpg 0.txt", {"0.input.jpg": "0.txt"}),
        ("0.256px.jpg 0.txt", {"0.256px.jpg": "0.txt"}),
        ("0.jpg 0.jpg.txt 1.png.json 1.png", {"0.jpg": "0.jpg.txt", "1.png": "1.png.json"}),
        ("0.png 0.jpg 0.txt", {"0.png": "0.txt"}),
    ],
)  # fmt: skip
def test_names_belong_together(names: str, samples: dict[str, str]) -> None:
    found, _ = group(names.split())
    assert found == {image: texts.split() for image, texts in samples.items()}


@pytest.mark.parametrize(
    ("names", "passed"),
    [
        ("0.jpg 0.seg.png 0.txt", {"further": ["0.seg.png"]}),
        ("0.png 0.jpg", {"further": ["0.jpg"]}),
        ("0.jpg 1.txt 1.json", {"captions": ["1.txt", "1.json"]}),
        ("0.jpg 0.txt 0.alt.txt 0.meta.json", {"further": ["0.alt.txt"]}),
        ("0.jpg 0.cls 0.npy 1.mp4", {"others": ["0.cls", "0.npy", "1.mp4"]}),
        ("noextension .jpg a/.png", {"others": ["noextension", ".jpg", "a/.png"]}),
    ],
)
def test_what_is_in_no_sample_is_named(names: str, passed: dict[str, list[str]]) -> None:
    assert group(names.split())[1] == passed


def test_an_image_of_another_extension_is_known_by_its_content() -> None:
    found, passed = group(["2.img", "2.txt", "3.img", "4.txt", "4.cls"], sniffed=("2.img", "3.img"))
    assert found == {"2.img": ["2.txt"]}
    assert passed == {"others": ["3.img", "4.cls"], "captions": ["4.txt"]}


@pytest.mark.parametrize(
    ("archives", "samples", "unclear"),
    [
        # each beside its caption, as `tar -r` appends
        (["0.jpg:R 0.txt:r 1.jpg 1.txt 0.jpg:G 0.txt:g"],
         {"0.jpg:R": "0.txt:r", "1.jpg": "1.txt", "0.jpg:G": "0.txt:g"}, ""),
        (["0.jpg:R 0.txt:r 0.jpg:G 0.txt:g"], {"0.jpg:R": "0.txt:r", "0.jpg:G": "0.txt:g"}, ""),
        (["0.jpg:R 0.txt:r 1.jpg 0.jpg:G"], {"0.jpg:R": "0.txt:r", "1.jpg": "", "0.jpg:G": ""}, ""),
        # nobody can tell
        (["0.jpg:R 0.jpg:G 0.txt:r 0.txt:g"], {"0.jpg:R": "", "0.jpg:G": ""}, "0.txt:r 0.txt:g"),
        (["0.jpg:R 1.jpg 0.jpg:G 1.txt 0.txt"], {"0.jpg:R": "", "1.jpg": "1.txt", "0.jpg:G": ""},
         "0.txt"),
        (["0.jpg 1.jpg 0.txt:r 1.txt 0.txt:g"], {"0.jpg": "", "1.jpg": "1.txt"}, "0.txt:r 0.txt:g"),
        # joined archives with the same names
        (["0.jpg:R 1.jpg:R 0.txt:r 1.txt:r", "0.jpg:G 1.jpg:G 0.txt:g 1.txt:g"],
         {"0.jpg:R": "0.txt:r", "1.jpg:R": "1.txt:r", "0.jpg:G": "0.txt:g", "1.jpg:G": "1.txt:g"},
         ""),
        (["0.jpg 0.seg.png 0.txt", "0.jpg:2 0.seg.png:2 0.cap.txt:2"],
         {"0.jpg": "0.txt", "0.jpg:2": "0.cap.txt:2"}, ""),
        # images in one archive, captions in the other
        (["0.jpg 1.jpg", "1.txt 0.txt"], {"0.jpg": "0.txt", "1.jpg": "1.txt"}, ""),
        (["0.jpg", "0.jpg:2", "0.txt"], {"0.jpg": "", "0.jpg:2": ""}, "0.txt"),
    ],
)  # fmt: skip
def test_names_that_occur_several_times(
    archives: list[str], samples: dict[str, str], unclear: str
) -> None:
    found, passed = group(*(names.split() for names in archives))
    assert found == {image: texts.split() for image, texts in samples.items()}
    assert passed.get("captions", []) == unclear.split()


# Random orders against plain models

STEMS = st.sampled_from(
    ["0", "1", "00", "a/0", "b/0", "p.v2", "p.v3", "I.01.02", "I.01.03", "Dr.X", "Dr.Y", "x.1/y"]
)
SAMPLES = st.dictionaries(
    STEMS,
    st.tuples(
        st.sampled_from(["jpg", "png", "JPEG", "webp", "jfif"]),
        st.sets(st.sampled_from(["txt", "caption", "text", "json", "jpg.txt"]), max_size=3),
    ),
    max_size=8,
)


def members(stem: str, image: str, texts: set[str]) -> list[str]:
    """Return the names of a sample's members."""
    ends = [f"{image}.txt" if text == "jpg.txt" else text for text in sorted(texts)]
    return [f"{stem}.{image}", *(f"{stem}.{end}" for end in ends)]


@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_members_changes_nothing(
    model: dict[str, tuple[str, set[str]]], rng: random.Random
) -> None:
    names = [name for stem, sample in model.items() for name in members(stem, *sample)]
    rng.shuffle(names)
    found, passed = group(names)
    for stem, sample in model.items():
        image, *texts = members(stem, *sample)
        own = [text for text in texts if not text.startswith(image)]
        # A caption of the image's full name counts where there is none of its stem.
        assert set(found[image]) == set(own or texts)
    assert len(found) == len(model)
    assert set(passed) <= {"further"}


@given(st.lists(SAMPLES, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_joined_archives_with_the_same_names_are_never_mixed(
    models: list[dict[str, tuple[str, set[str]]]], rng: random.Random
) -> None:
    archives = []
    for number, model in enumerate(models):
        names = [
            f"{name}:{number}"
            for stem, (image, texts) in model.items()
            for name in members(stem, image, texts - {"jpg.txt"} or {"txt"})
        ]
        rng.shuffle(names)
        archives.append(names)
    found, passed = group(*archives)
    assert len(found) == sum(map(len, models))
    assert not passed
    for image, texts in found.items():
        assert texts
        assert {text.partition(":")[2] for text in texts} == {image.partition(":")[2]}


@given(st.lists(st.sampled_from("ab"), max_size=8), st.randoms(use_true_random=False))
def test_every_member_is_in_a_sample_or_named_once(stems: list[str], rng: random.Random) -> None:
    """Names may occur any number of times, in any order."""
    ends = ["jpg", "txt", "seg.png", "caption", "cls"]
    names = [f"{stem}.{rng.choice(ends)}:{number}" for number, stem in enumerate(stems)]
    found, passed = group(names)
    used = [name for image, texts in found.items() for name in (image, *texts)]
    used += [name for reason in passed.values() for name in reason]
    assert sorted(used) == sorted(names)
