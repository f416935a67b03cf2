"""What a person is told of an export: the command line that reads it, and how its reader draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.formats import ExportFormat
from engine.datasets.exports.path_hints import path_hints
from engine.datasets.exports.writers.base import ExportPlan, file_name

OPEN_CLIP_WORKERS = 4
"""The workers of open_clip unless it is told otherwise; it asks for as many tars at least."""
DREAMLIP_PARTS = 5
"""Parts that DreamLIP needs in the path of its CSV file, of which the first one may be empty."""


def export_hints(
    export_format: ExportFormat,
    plan: ExportPlan,
    out: Path,
    counts: ExportCounts,
    images: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the lines about an export that was written to `out`; `images` are its first ones."""
    hints = [*path_hints(export_format, plan, images)]
    if plan.with_original and counts.records and counts.no_original == counts.records:
        hints.append(
            "no record has an original caption: 'new --caption-column' names the key or column"
            " that holds them"
        )
    readers = {
        "openclip": open_clip_csv,
        "wds": open_clip_tars,
        "laclip": laclip,
        "dreamlip": dreamlip,
        "hf": image_folder,
        "sidefiles": side_files,
        "hub": hub,
    }
    reader = readers.get(export_format.name)
    return (*hints, *(reader(plan, out) if reader is not None else ()))


def open_clip_csv(plan: ExportPlan, out: Path) -> list[str]:
    separator = " --csv-separator ," if out.suffix == ".csv" else ""
    command = f"--dataset-type csv --train-data {quote(str(out))}{separator}"
    lines = [f"open_clip: python -m open_clip_train.main {command}"]
    if plan.text in (None, "expand") and len(plan.names) > 1:
        lines.append(
            f"an epoch shows each image with each of its captions: for as many steps as with one"
            f" caption per image, divide the epochs by {len(plan.names)}, or export --text random"
        )
    return lines


def open_clip_tars(plan: ExportPlan, out: Path) -> list[str]:
    if plan.image_mode == "none":
        return ["open_clip needs the images: export them with --images copy"]
    tars = sorted(path.name for path in out.glob("*.tar"))
    if not tars:
        return []
    names = f"{{{tars[0][:-4]}..{tars[-1][:-4]}}}.tar" if len(tars) > 1 else tars[0]
    workers = f" --workers {len(tars)}" if len(tars) < OPEN_CLIP_WORKERS else ""
    command = f"--dataset-type webdataset --train-data {quote(str(out / names))}{workers}"
    lines = [f"open_clip: python -m open_clip_train.main {command}"]
    if plan.text == "expand":
        lines.append(
            f"a sample is a caption: with --dataset-resampled and --train-num-samples IMAGES, an"
            f" epoch draws one of up to {len(plan.names)} captions of an image"
        )
        return lines
    trained = {
        "random": "one drawn at random",
        None: ", ".join(plan.names)
        if len(plan.names) == 1
        else f"the first of {', '.join(plan.names)}",
    }.get(plan.text, plan.text)
    lines.append(f"each epoch trains on the same text of each image: {trained}")
    if len(plan.names) > 1:
        keys, probs = quote(";".join(plan.names)), " ".join("1" for _ in plan.names)
        lines.append(
            f"open_clip from 4.2 on, with --json-text-key {keys} --json-text-key-probs {probs},"
            " draws one anew in each epoch"
        )
    return lines


def laclip(plan: ExportPlan, out: Path) -> list[str]:
    files = " ".join(quote(str(out / f"{file_name(name)}.txt")) for name in plan.names[1:])
    return [
        f"LaCLIP: --train-data {quote(str(out / 'captions.csv'))} --aug-text"
        f" --augmented_caption_filelist {files} (it draws one caption per image and epoch)"
    ]


def dreamlip(plan: ExportPlan, out: Path) -> list[str]:
    path = path_for_dreamlip(out)
    return [
        f"DreamLIP: --train-data {quote(path)} --use_longcap"
        f" (the path needs {DREAMLIP_PARTS} parts)"
    ]


def path_for_dreamlip(out: Path) -> str:
    """Return the path of a file with as many parts as DreamLIP needs: a shorter one is padded."""
    missing = DREAMLIP_PARTS - len(str(out).split("/"))
    return "/".join([str(out.parent).rstrip("/"), *["."] * missing, out.name])


def image_folder(plan: ExportPlan, out: Path) -> list[str]:
    if plan.image_mode == "none":
        return [
            f"datasets: load_dataset('json', data_files={str(out / 'metadata.jsonl')!r}), or"
            " load_dataset('imagefolder', data_dir=FOLDER) once it is in the folder where image"
            " paths start"
        ]
    return [f"datasets: load_dataset('imagefolder', data_dir={str(out)!r})"]


def side_files(plan: ExportPlan, out: Path) -> list[str]:
    if plan.text not in (None, "expand") or len(plan.names) == 1:
        return []
    return [
        "each .txt has one caption per line: sd-scripts draws one with enable_wildcard = true, and"
        " else takes the first; ai-toolkit joins them, so export --text random or one text for it"
    ]


def hub(plan: ExportPlan, out: Path) -> list[str]:
    return [
        f"datasets: load_dataset({str(out)!r}); say in README.md where the images come from before"
        " you put it on the Hub"
    ]
