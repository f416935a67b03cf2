"""`laclip`: captions.csv (image, original) and one text file a model, line n for row n.

As LaCLIP's CsvDatasetAugCap reads them (`--train-data`, `--augmented_caption_filelist`): an
empty line where a caption is missing, for which LaCLIP takes the original. It passes over
images that do not end in .png, .jpg or .jpeg without passing over their lines, so that all
captions after them would be on wrong images: those images are left out here.
"""

from __future__ import annotations

import csv
from pathlib import Path

from engine.datasets.columns import ShardCaptions
from engine.datasets.writers import base
from engine.datasets.writers.openclip import open_text

READ_BY_LACLIP = (".png", ".jpg", ".jpeg")


class Writer(base.Writer):
    def __init__(self, out: Path, plan: base.Plan) -> None:
        super().__init__(out, plan)
        out.mkdir()
        self.table = open_text(out / "captions.csv")
        self.texts = [open_text(out / f"{base.file_name(name)}.txt") for name in plan.names[1:]]

    def write(self, part: ShardCaptions) -> int:
        captions = 0
        writer = csv.writer(self.table, lineterminator="\n")
        for row in self.rows(part):
            if not row.path.endswith(READ_BY_LACLIP):
                self.unfit += 1
                continue
            original, *others = (base.one_line(caption or "") for caption in row.captions)
            writer.writerow([row.path, original])
            for file, caption in zip(self.texts, others, strict=True):
                file.write(caption + "\n")
            captions += base.captions_in(row)
        self.bytes = sum(file.tell() for file in [self.table, *self.texts])
        return captions

    def close(self) -> None:
        for file in [self.table, *self.texts]:
            file.close()
