"""Loading a checkpoint to see whether all is well with it: what the doctor does with `--model`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from db.rows import ModelRow
from engine.captioners.base import Captioner, CheckpointError, Loaded, Unavailable
from engine.captioners.registry import FAMILIES, ModelChoice, Settings, choose_all, parted
from engine.captioners.remote.probe_image import drawing
from engine.hardware.memory import is_out_of_memory
from engine.images.image import ImageProblem, open_image
from engine.shearing.shear import Shearing, shear
from engine.utils.errors import BadInput

GIB = 2**30
SHOWN = 4


@dataclass(frozen=True, slots=True)
class Finding:
    good: bool
    text: str


def check_up(text: str, settings: Sequence[str]) -> Iterator[Finding]:
    """Loads `NAME=CHECKPOINT`, captions a drawn picture, compares with golden files if there are
    any. Raises `BadInput` for a name that is none."""
    name, family, folder = parted(text)
    if family not in FAMILIES:
        choose_all([text], None, settings)
    try:
        choice = choose_all([text], None, settings)[0]
    except BadInput as error:
        yield Finding(False, str(error))
        yield from golden_only(family, Path(folder).expanduser())
        return
    if choice.checkpoint is None:
        yield Finding(True, f"{name}: needs no checkpoint")
        return
    try:
        if FAMILIES[choice.family].remote:
            yield from server(choice, draw=True)
        else:
            yield from load_and_ask(choice)
    except CheckpointError as error:
        yield Finding(False, f"{name}: {error}")
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        yield Finding(False, f"{name}: no room for it: {error}")


def load_and_ask(choice: ModelChoice) -> Iterator[Finding]:
    """Raises `CheckpointError`."""
    golden = golden_folder(Path(choice.checkpoint or ""))
    settings = Settings.of(choice.settings)
    if golden and settings.dtype == "auto":
        settings = replace(settings, dtype="float32")  # the golden figures are
    device = usual_device()
    started = time.monotonic()
    captioner = FAMILIES[choice.family].load(choice.checkpoint, settings, device)
    if captioner.loaded is not None:
        seconds = time.monotonic() - started
        yield from report(choice.name, captioner.loaded, device, seconds)
    yield from caption_drawing(choice, captioner)
    if golden:
        yield from compare(choice.name, getattr(captioner, "model", None), golden)


def server(model: ModelRow | ModelChoice, draw: bool = False) -> Iterator[Finding]:
    """Whether a model's server is there, what it is asked for, and what it says of a drawing."""
    from engine.captioners.remote import captioner as endpoint

    address, settings = model.checkpoint or "", Settings.of(model.settings)
    try:
        with closing(endpoint.load(address, settings, "cpu", lambda _: None)) as captioner:
            yield Finding(True, f"{model.name}: {address} is asked for {captioner.model!r}")
            if draw:
                yield from caption_drawing(model, captioner)
    except (Unavailable, ImageProblem) as error:
        yield Finding(False, f"{model.name}: {error}")


def report(name: str, loaded: Loaded, device: str, seconds: float) -> Iterator[Finding]:
    where = f"{device} (mapped from the files)" if loaded.mapped else device
    yield Finding(
        True,
        f"{name}: {loaded.layout} layout, {loaded.parameters:,} parameters, {loaded.dtype},"
        f" {loaded.bytes / GIB:.2f} GiB on {where}, loaded in {seconds:.1f} s; this process"
        f" has needed {peak_memory() / GIB:.2f} GiB at most; no key is missing",
    )
    if loaded.ignored:
        more = ", ..." if len(loaded.ignored) > SHOWN else ""
        yield Finding(
            True,
            f"{name}: {len(loaded.ignored)} keys are not needed:"
            f" {', '.join(loaded.ignored[:SHOWN])}{more}",
        )


def caption_drawing(choice: ModelRow | ModelChoice, captioner: Captioner) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawing.png"
        drawing().save(path)
        caption = captioner.caption([captioner.prepare(open_image(str(path)))], [0])[0]
    kept = shear(caption.raw, choice.family, Shearing()).text
    yield Finding(
        True,
        f"{choice.name}: of a red disc over a blue bar it says {caption.raw!r}"
        f" ({caption.tokens} tokens), sheared {kept!r}",
    )


def golden_only(name: str, folder: Path) -> Iterator[Finding]:
    """A folder that lacks something, its tokenizer for one, may still be compared."""
    golden = golden_folder(folder)
    if golden is None:
        return
    from engine.captioners import parity

    if name not in parity.LOADERS:
        return
    import torch

    try:
        model, loaded = parity.LOADERS[name](folder, torch.float32)
        yield from report(name, loaded, "cpu", 0.0)
        yield from compare(name, model, golden)
    except CheckpointError as error:
        yield Finding(False, f"{name}: {error}")


def compare(name: str, model: Any, golden: Path) -> Iterator[Finding]:
    """Raises `CheckpointError`."""
    from engine.captioners.parity import ADAPTERS, checks

    if name not in ADAPTERS:
        return
    found = list(checks(name, model, golden))
    for check in found:
        if not check.good:
            yield Finding(
                False, f"{name}: golden {check.name} is off by {check.worst:.1e}: not as official"
            )
    good = sum(check.good for check in found)
    worst = max((check.worst for check in found if check.limit), default=0.0)
    yield Finding(
        good == len(found),
        f"{name}: {good} of {len(found)} golden tensors agree with the official code;"
        f" features and logits are off by {worst:.1e} at most",
    )


def golden_folder(checkpoint: Path) -> Path | None:
    """Where the golden files of a checkpoint lie: in it, or in its folder `golden`."""
    places = (checkpoint, checkpoint / "golden")
    return next((it for it in places if (it / "expected.safetensors").is_file()), None)


def usual_device() -> str:
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def peak_memory() -> int:
    """Bytes; macOS counts in bytes, Linux in KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
