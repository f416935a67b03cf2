"""The library webdataset reads the format `wds`, in the version that open_clip needs."""

from __future__ import annotations

from tests.readers.conftest import Call
from tests.readers.hostile_project import NAMES, HostileProject, is_utf8


def test_each_sample_has_its_image_its_text_and_all_captions(
    call: Call, export_to: Call, hostile: HostileProject
) -> None:
    out = export_to("tars", "--format", "wds", "--quality-columns")
    samples = call("webdataset_reader", "samples", tars=out.tars)
    assert sorted((sample["number"], sample["txt"]) for sample in samples) == (
        hostile.first_captions(keep=is_utf8)
    )
    pairs = [(s["number"], s["json"][name]) for s in samples for name in NAMES if s["json"][name]]
    assert sorted(pairs) == hostile.pairs(keep=is_utf8, any_path=True)
