"""energon reads the format `wds` where all images have one suffix."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.readers.conftest import Call
from tests.readers.hostile_project import HostileProject, is_utf8


def test_each_sample_is_a_caption_on_its_image(
    call: Call, export_to: Call, hostile: HostileProject, tmp_path: Path
) -> None:
    out = export_to("tars", "--format", "wds", "--encode", "jpg:90")
    folder = shutil.copytree(out.path, tmp_path / "tars")
    fields = {"image": "jpg", "caption": "txt"}
    pairs = call("energon_reader", "pairs", folder=str(folder), field_map=fields)
    assert sorted(map(tuple, pairs)) == hostile.first_captions(keep=is_utf8)
    fields = {"image": "jpg", "caption": "json[one]"}
    pairs = call("energon_reader", "pairs", folder=str(folder), field_map=fields)
    found = sorted((number, caption) for number, caption in pairs if caption is not None)
    assert found == hostile.pairs(("one",), keep=is_utf8, any_path=True)
