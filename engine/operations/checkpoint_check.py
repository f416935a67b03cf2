"""Checking one model: its checkpoint is loaded, or its server asked, and a drawing captioned.

`doctor --model` does this. Golden files beside a checkpoint are compared as well.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from db.rows import ModelRow
from engine.captioners.address import read_address
from engine.captioners.api_keys import key_source
from engine.captioners.base import (
    CheckpointError,
    LoadedCheckpoint,
    LoadedModel,
    Scores,
    ServerUnavailable,
)
from engine.captioners.config_files import check_entries
from engine.captioners.errors import first_line
from engine.captioners.registry import FAMILIES, ModelChoice, Settings, choose_all, parse_model
from engine.hardware.memory import is_out_of_memory, peak_host_memory
from engine.images.image import ImageProblem, open_image
from engine.images.probe_image import draw_probe_image
from engine.operations.caption_health import bad_news_of_caption
from engine.shearing.shear import Shearing, shear
from engine.utils.errors import BadInput

GIB = 2**30
MAX_KEYS_SHOWN = 4
"""Names of unused checkpoint keys in a finding; the rest is counted only."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check: `text` says what was found, `good` is True if nothing must be done."""

    good: bool
    text: str


def check_model(text: str, settings: Sequence[str]) -> Iterator[Finding]:
    """Load `NAME=CHECKPOINT`, caption a drawing, and compare with golden files if there are any.

    `settings` are assignments such as `NAME.dtype=bfloat16`. Raises `BadInput` for the name of a
    family that does not exist.
    """
    name, family, folder = parse_model(text)
    if family not in FAMILIES:
        choose_all([text], None, settings)
    try:
        choice = choose_all([text], None, settings)[0]
    except BadInput as error:
        yield Finding(False, str(error))
        yield from findings(name, compare_uncaptioned(family, Path(folder).expanduser()))
        return
    if choice.checkpoint is None:
        yield Finding(True, f"{name}: needs no checkpoint")
    elif FAMILIES[choice.family].remote:
        yield from findings(name, check_server(choice, draw=True))
    elif FAMILIES[choice.family].serves:
        yield from findings(name, check_served(choice))
    else:
        yield from findings(name, check_local(choice))


def findings(name: str, check: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings of a check, and the error that ends it, if one does, as the last one.

    A library that reads stdin meanwhile finds it empty: a checkpoint may have it ask a question.
    """
    try:
        with empty_stdin():
            yield from check
    except CheckpointError as error:
        yield Finding(False, f"{name}: {error}")
    except Exception as error:
        if is_out_of_memory(error):
            yield Finding(False, f"{name}: not enough memory: {error}")
        else:
            yield Finding(False, f"{name}: {type(error).__name__}: {first_line(error)}")


@contextmanager
def empty_stdin() -> Iterator[None]:
    """Make stdin empty, for this process and its children, as it is for a worker."""
    stdin = sys.stdin
    if stdin is None:  # it was closed, and its descriptor may be another file's
        yield
        return
    kept = os.dup(0)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = stdin
            os.dup2(kept, 0)
            os.close(kept)


def check_local(choice: ModelChoice) -> Iterator[Finding]:
    """Check a model whose checkpoint is a folder. Raises `CheckpointError`."""
    golden = golden_folder(Path(choice.checkpoint or ""))
    settings = Settings.of(choice.settings)
    if golden and settings.dtype == "auto":
        settings = replace(settings, dtype="float32")  # as the golden tensors were computed
    device = default_device()
    started = time.monotonic()
    captioner = FAMILIES[choice.family].load(choice.checkpoint, settings, device)
    if captioner.loaded is not None:
        seconds = time.monotonic() - started
        yield from report_load(choice.name, captioner.loaded, device, seconds)
    if captioner.asked is not None:
        yield Finding(True, f"{choice.name}: {captioner.asked.shown}")
    yield from try_drawing(choice, captioner)
    if golden:
        yield from compare_golden(choice.name, getattr(captioner, "model", None), golden)


def check_server(model: ModelRow | ModelChoice, draw: bool = False) -> Iterator[Finding]:
    """Check that a model's server answers and has the model; caption a drawing if `draw`."""
    from engine.captioners.remote import captioner as endpoint

    settings = Settings.of(model.settings)
    try:
        address = read_address(model.checkpoint or "")
        key = key_source(model.name, address)
        with closing(endpoint.load(address, settings, "cpu", lambda _: None, key)) as captioner:
            variable = captioner.client.key_variable
            sent = f", with the key in {variable}" if variable else ""
            yield Finding(True, f"{model.name}: {address} is asked for {captioner.model!r}{sent}")
            if draw:
                yield from try_drawing(model, captioner)
    except (BadInput, ServerUnavailable, ImageProblem) as error:
        yield Finding(False, f"{model.name}: {error}")


def check_served(choice: ModelChoice) -> Iterator[Finding]:
    """Start the server of a checkpoint and caption a drawing. Raises `CheckpointError`."""
    from engine.captioners.remote.engines import captioner as served

    settings, device = Settings.of(choice.settings), default_device().partition(":")[0]
    started = time.monotonic()
    try:
        with closing(served.load(choice.checkpoint, settings, device, lambda _: None)) as captioner:
            seconds = time.monotonic() - started
            yield Finding(
                True,
                f"{choice.name}: the server was ready after {seconds:.1f} s on {device}, and is"
                f" asked for {captioner.model!r}",
            )
            yield from try_drawing(choice, captioner)
    except (ServerUnavailable, ImageProblem) as error:
        yield Finding(False, f"{choice.name}: {error}")


def report_load(
    name: str, loaded: LoadedCheckpoint, device: str, seconds: float
) -> Iterator[Finding]:
    """Report a loaded checkpoint; `seconds` is the time that loading took."""
    where = f"{device} (mapped from the files)" if loaded.memory_mapped else device
    yield Finding(
        True,
        f"{name}: {loaded.layout} layout, {loaded.parameters:,} parameters, {loaded.dtype},"
        f" {loaded.bytes / GIB:.2f} GiB on {where}, loaded in {seconds:.1f} s; this process"
        f" has used up to {peak_host_memory() / GIB:.2f} GiB; no key is missing",
    )
    if loaded.unused_keys:
        more = ", ..." if len(loaded.unused_keys) > MAX_KEYS_SHOWN else ""
        yield Finding(
            True,
            f"{name}: {len(loaded.unused_keys)} keys are not needed:"
            f" {', '.join(loaded.unused_keys[:MAX_KEYS_SHOWN])}{more}",
        )


def try_drawing(choice: ModelRow | ModelChoice, model: LoadedModel) -> Iterator[Finding]:
    """Caption, or score, a drawing of known content. Raises `ServerUnavailable`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawing.png"
        draw_probe_image().save(path)
        answer = model.answer_each([model.prepare(open_image(str(path)))], [0])[0]
    drawing = "a red disc over a blue bar"
    if isinstance(answer, ImageProblem):
        yield Finding(False, f"{choice.name}: no caption of {drawing}: {answer.detail}")
        return
    if isinstance(answer, Scores):
        yield Finding(
            True, f"{choice.name}: the caption '{drawing}' of such a picture scores {answer.shown}"
        )
        return
    sheared = shear(answer.raw, choice.family, Shearing()).text
    yield Finding(
        True,
        f"{choice.name}: of {drawing} it says {answer.raw!r} ({answer.tokens} tokens), sheared"
        f" {sheared!r}",
    )
    for line in bad_news_of_caption(
        choice.family, choice.settings, answer.raw, answer.finish, Shearing()
    ):
        yield Finding(False, f"{choice.name}: {line}")


def compare_uncaptioned(family: str, folder: Path) -> Iterator[Finding]:
    """Compare an incomplete checkpoint with golden files, if there are any.

    A folder that lacks something, its tokenizer for example, cannot caption but can be compared.
    Raises `CheckpointError`.
    """
    golden = golden_folder(folder)
    if golden is None:
        return
    from engine.captioners import parity

    if family not in parity.LOADERS:
        return
    import torch

    check_entries(folder)
    model, loaded = parity.LOADERS[family](folder, torch.float32)
    yield from report_load(family, loaded, "cpu", 0.0)
    yield from compare_golden(family, model, golden)


def compare_golden(name: str, model: Any, golden: Path) -> Iterator[Finding]:
    """Compare the tensors that a model computes with golden ones. Raises `CheckpointError`."""
    from engine.captioners.parity import ADAPTERS, checks

    if name not in ADAPTERS:
        return
    results = list(checks(name, model, golden))
    for check in results:
        if not check.good:
            yield Finding(
                False,
                f"{name}: golden {check.name} differs from the official code by {check.worst:.1e}",
            )
    good = sum(check.good for check in results)
    worst = max((check.worst for check in results if check.limit), default=0.0)
    yield Finding(
        good == len(results),
        f"{name}: {good} of {len(results)} golden tensors agree with the official code;"
        f" features and logits differ by {worst:.1e} at most",
    )


def golden_folder(checkpoint: Path) -> Path | None:
    """Return the folder of a checkpoint's golden files, itself or its folder `golden`, or None."""
    folders = (checkpoint, checkpoint / "golden")
    return next((it for it in folders if (it / "expected.safetensors").is_file()), None)


def default_device() -> str:
    """Return the device that a single model is loaded on: the first GPU, or else the CPU."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"
