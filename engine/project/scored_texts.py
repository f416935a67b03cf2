"""The texts that a scorer is to score: the captions that the records of a shard have now.

Of each record these are the original, and every captioner's last caption, raw as the log has it and
sheared as the project shears. A text that several have is scored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from db.rows import ModelRow, ShardRow
from engine.captioners.model_families import is_scorer
from engine.project import caption_log, log_rows
from engine.project.layout import Project
from engine.project.shard_file import parse_shard
from engine.project.sheared_file import read_sheared, sheared_captions, sheared_path
from engine.quality.caption_digest import caption_digest
from engine.shearing.shear import Shearing
from engine.utils import jsonlines, plain_files

TEXT_LIMIT = 4_000
"""Characters of a text that a scorer gets: some thousand tokens, where CLIP reads 77."""


def texts_to_score(
    project: Project, shard: ShardRow, models: Iterable[ModelRow], shearing: Shearing
) -> log_rows.Wanted:
    """Return the texts of each record of a shard, by their digests, which are of the whole texts.

    `models` are the project's; scorers among them are passed over. They are unknown if the shard
    file is not the one that was split. Raises `OSError` for a log that cannot be read.
    """
    originals = original_captions(project.shard_file(shard.number), shard)
    if originals is None:
        return log_rows.unknown_texts(shard.count)
    columns = [originals]
    for model in models:
        if not is_scorer(model.family):
            log = project.caption_log_file(model, shard.number)
            columns += captions_of(log, shard.count, model.family, shearing)
    wanted = []
    for texts in zip(*columns, strict=True):
        # A received file may hold anything.
        present = {text for text in texts if isinstance(text, str) and text.strip()}
        wanted.append({caption_digest(text): text[:TEXT_LIMIT] for text in sorted(present)})
    return wanted


def original_captions(path: Path, shard: ShardRow) -> list[str | None] | None:
    """Return the original caption of each record; None if the shard file is not as it was split."""
    with suppress(OSError, ValueError):  # whoever starts the task finds it, too, and says so
        data = plain_files.read_bytes(path)
        if log_rows.digest(data) == shard.digest:
            captions = (record.get("caption") for record in parse_shard(data, shard.count))
            return [caption if isinstance(caption, str) else None for caption in captions]
    return None


def captions_of(
    log: Path, count: int, family: str, shearing: Shearing
) -> Iterator[list[str | None]]:
    """Yield the raw captions of a log, one a record, then the sheared ones. Raises `OSError`."""
    contents = caption_log.read(log, count)
    raw: list[str | None] = [None] * count
    for i, row in contents.captions.items():
        raw[i] = row.raw
    yield raw
    with suppress(FileNotFoundError, ValueError):
        lines = read_sheared(sheared_path(log, shearing, contents.digest), count)
        if lines is not None:
            yield jsonlines.loads_lines(b"\n".join([*lines, b""]))
            return
    yield sheared_captions(contents, count, family, shearing)
