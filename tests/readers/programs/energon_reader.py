"""energon, as its pages "Data Preparation" and "Quickstart" prepare and load tars."""

from __future__ import annotations

import json

from click.testing import CliRunner
from megatron.energon import WorkerConfig, get_loader, get_train_dataset
from megatron.energon.tools.prepare import command

from tests.readers.colours import number_of_colour


def pairs(folder: str, field_map: dict[str, str]) -> list[tuple[int, str]]:
    """Prepare a folder of tars, and return (image number, caption) of an epoch."""
    options = ["--non-interactive", "--split-ratio", "1,0,0", "--force-overwrite"]
    options += ["--sample-type", "CaptioningSample", "--field-map", json.dumps(field_map)]
    prepared = CliRunner().invoke(command, [folder, *options])
    assert prepared.exit_code == 0, prepared.output
    data = get_train_dataset(
        folder,
        batch_size=1,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
        repeat=False,
    )
    found = []
    for batch in get_loader(data):
        image = batch.image[0]
        middle = image[:, image.shape[1] // 2, image.shape[2] // 2]
        found.append((number_of_colour((middle * 255).round().tolist()), batch.caption[0]))
    return found
