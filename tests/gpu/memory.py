"""Out of memory met for real: the batch is halved until it fits, and no caption is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine.demo import checkpoint
from engine.protocol.messages import BatchChanged
from tests.gpu.demo_captions import scene_images
from tests.gpu.machine import Machine, parse_machine, report
from tests.gpu.runs import caption_project

IMAGES, IMITATED_IMAGES = 1024, 40
BATCH, IMITATED_BATCH = 512, 16
"""Images of a batch that is too large for the memory that the worker has left."""
MODEL = "llava-1.5"


def main(machine: Machine) -> None:
    model = f"{MODEL}={checkpoint(MODEL)}"
    greedy = {"temperature": "0", "dtype": "float32"}
    batch = IMITATED_BATCH if machine.imitates else BATCH
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene_images(folder, IMITATED_IMAGES if machine.imitates else IMAGES)
        captions = folder / "captions.json"
        roomy = caption_project(
            folder / "roomy", captions, model, greedy | {"batch": "8"}, machine.spec
        )
        cramped = caption_project(
            folder / "cramped",
            captions,
            model,
            greedy | {"batch": str(batch)},
            machine.spec,
            "tests.gpu.cramped_worker",
        )
    halved = [
        message.size
        for message in cramped.messages
        if isinstance(message, BatchChanged) and message.cause == "out_of_memory"
    ]
    sizes = ", ".join(map(str, halved)) or "never"
    report(f"halved from {batch} images to", sizes, good=bool(halved))
    lost = cramped.records - len(cramped.captions)
    report("records without a caption", lost, good=lost == 0)
    differing = sum(cramped.captions.get(i) != text for i, text in roomy.captions.items())
    report("captions that differ from those with room", differing, good=differing == 0)


if __name__ == "__main__":
    main(parse_machine())
