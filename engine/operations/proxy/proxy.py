"""Making a proxy: a folder with the tars of each arm, those of the test, and the command lines.

The folder is there whole or not at all. All arms have the same images. Nothing is trained here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from db.rows import ShardRow
from engine.datasets.exports.counts import ExportCounts, describe_sum
from engine.datasets.exports.export import refuse_unfinished
from engine.datasets.exports.image_files import (
    ImageEncoding,
    ImageFile,
    parse_encoding,
    read_image_file,
    shared_rules,
)
from engine.datasets.exports.shard_captions import ExportSource
from engine.datasets.exports.source import open_export_source
from engine.datasets.exports.writers.wds import READ_BY_OPEN_CLIP
from engine.images.image import ImagePaths, ImageProblem
from engine.operations.proxy import command_lines
from engine.operations.proxy.arms import Arm, columns_of, parse_arms
from engine.operations.proxy.command_lines import Training
from engine.operations.proxy.complete_records import RecordsJob, read_complete
from engine.operations.proxy.image_choice import ImageChoice, choose_images
from engine.operations.proxy.tars import ArmTars, WordingTar
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.protected_files import refuse_protected
from engine.utils.atomic_write import atomic_write
from engine.utils.errors import BadInput

TRAIN_SCRIPT, EVALUATE_SCRIPT, PUBLIC_SCRIPT = "train.sh", "evaluate.sh", "evaluate-public.sh"
"""The files of command lines: a training each, its test on images of the project, and that on
public data sets, which clip_benchmark downloads."""
PLAN_FILE = "proxy.json"
"""The file that says what the proxy is, for its table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """What to compare, and how."""

    arms: tuple[str, ...] = ("original", "joint", "raw")
    """Names of arms: see `parse_arms`."""
    models: tuple[str, ...] = ()
    """Names of the models whose captions are compared; none means all."""
    images: int | None = None
    """Images to train on; None means all that the test leaves."""
    test_images: int | None = None
    """Images for the test; None: see `default_test_images`."""
    encode: str | None = None
    """`jpg` or `webp`, also with a quality (`jpg:90`): how image files are encoded again."""
    max_side: int | None = None
    """Pixels of the longer side of images that are encoded again; larger ones are made smaller."""
    training: Training = field(default_factory=Training)
    allow_partial: bool = False
    """True if tasks may be unfinished or failed; images that lack their captions are left out."""


@dataclass(frozen=True, slots=True)
class ProxyResult:
    """What was made."""

    path: Path
    trainings: int
    counts: dict[str, int]
    """What became of the project's images, by words for people."""
    records: int

    def sum_line(self) -> str:
        """Return the line that adds up: the project's images are those used and those left out."""
        return describe_sum(self.records, "images", self.counts)


def make_proxy(
    project: Project,
    out: Path,
    options: ProxyOptions = ProxyOptions(),
    progress: Callable[[int, int], None] = lambda done, total: None,
    readonly: bool = False,
) -> ProxyResult:
    """Write a proxy to the new folder `out`. With `readonly` nothing of the project is written.

    `progress` gets the numbers of steps done and of all: each shard is read twice. Raises
    `BadInput`, `UnfinishedTasks`, and `DamagedFiles` with all files that are damaged.
    """
    source = open_export_source(project, options.models, readonly)
    if not options.allow_partial:
        refuse_unfinished(source)
    arms = parse_arms(options.arms, [model.name for model in source.models])
    encoding = parse_encoding(options.encode, options.max_side)
    if encoding is not None:
        encoding = replace(encoding, rules=shared_rules(source.models))
    command_lines.refuse_own_options(options.training.extra)
    out = new_folder(project, out)
    shards = len(source.shards)
    paths = image_paths_of(project, source.settings)
    columns, raw = columns_of(arms), any(arm.raw for arm in arms)
    choice = choose_images(
        source,
        columns,
        raw,
        paths,
        options.images,
        options.test_images,
        progress=lambda done, _: progress(done, 2 * shards),
    )
    options.training.batch(choice.train_images)  # refuses one that does not fit, before the tars
    with atomic_write(out) as part:
        part.mkdir()
        writer = ProxyWriter(part, source, paths, arms, encoding)
        writer.write(choice, lambda done: progress(shards + done, 2 * shards))
        write_scripts(part, out, arms, columns, options.training, choice.train_images)
        plan = {
            "arms": [arm.name for arm in arms],
            "seeds": options.training.seeds,
            "images": choice.train_images,
            "test_images": choice.test_images,
            "samples_seen": choice.train_images * options.training.epochs,
            "training": asdict(options.training),
        }
        (part / PLAN_FILE).write_text(json.dumps(plan, indent=1) + "\n")
    trainings = len(arms) * options.training.seeds
    return ProxyResult(out, trainings, choice.counts, sum(choice.counts.values()))


def new_folder(project: Project, out: Path) -> Path:
    """Return `out` as an absolute path. Raises `BadInput` if it cannot become a proxy."""
    out = out.expanduser().absolute()
    command_lines.refuse_expanded(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is not an empty folder: name a new folder for the proxy")
    if not out.parent.is_dir():
        raise BadInput(f"there is no folder {out.parent}")
    refuse_protected(out, project=project)
    return out


class ProxyWriter:
    """Writes the tars of all arms and of the test, reading each image once."""

    def __init__(
        self,
        folder: Path,
        source: ExportSource,
        paths: ImagePaths,
        arms: Sequence[Arm],
        encoding: ImageEncoding | None,
    ) -> None:
        self.folder = folder
        self.source = source
        self.paths = paths
        self.arms = arms
        self.encoding = encoding
        self.columns = tuple(columns_of(arms))

    def write(self, choice: ImageChoice, progress: Callable[[int], None]) -> None:
        """Write everything; `progress` gets the number of shards done. Raises `BadInput`."""
        with ExitStack() as stack:
            trains = [
                stack.enter_context(
                    closing(ArmTars(self.folder / "train" / arm.name, arm, choice.train_images))
                )
                for arm in self.arms
            ]
            tests = [
                stack.enter_context(closing(WordingTar(self.folder / "test" / column, column)))
                for column in self.columns
            ]
            for done, shard in enumerate(self.source.shards, start=1):
                train = choice.train.get(shard.number, set())
                test = choice.test.get(shard.number, set())
                if train or test:
                    self.write_shard(shard, train, test, trains, tests)
                progress(done)
            if any(tars.added < tars.images for tars in trains):
                raise BadInput("the project's captions changed meanwhile: give the command again")

    def write_shard(
        self,
        shard: ShardRow,
        train: set[int],
        test: set[int],
        trains: Sequence[ArmTars],
        tests: Sequence[WordingTar],
    ) -> None:
        """Write the chosen records of a shard."""
        raw = any(arm.raw for arm in self.arms)
        job = RecordsJob(self.source.of_shard(shard), self.columns, raw)
        records = read_complete(job, ExportCounts())
        for place, i in enumerate(records.indices):
            if i not in train and i not in test:
                continue
            record_id = shard.first + i
            file = self.read(records.images[place])
            if i in test:
                for tar in tests:
                    tar.add(record_id, file, records.sheared[place])
                continue
            for arm, tars in zip(self.arms, trains, strict=True):
                captions = (records.raw if arm.raw else records.sheared)[place]
                tars.add(record_id, file, captions)

    def read(self, image: str) -> ImageFile:
        """Return an image as it is written. Raises `BadInput` if it cannot be read any more."""
        try:
            return read_image_file(self.paths, image, READ_BY_OPEN_CLIP, self.encoding)
        except ImageProblem as problem:
            raise BadInput(
                f"{image} cannot be read any more ({problem.detail}): give the command again,"
                " which then leaves it out"
            ) from problem


def write_scripts(
    folder: Path,
    out: Path,
    arms: Sequence[Arm],
    columns: Sequence[str],
    training: Training,
    images: int,
) -> None:
    """Write the files of command lines, a line a training, and the folders of their results."""
    runs = [(arm, seed) for seed in range(training.seeds) for arm in arms]
    tests = [f"wds/{column}" for column in columns]
    public, public_root = command_lines.PUBLIC_SETS, command_lines.PUBLIC_ROOT
    scripts = {
        TRAIN_SCRIPT: [
            command_lines.train_line(out, arm, seed, training, images) for arm, seed in runs
        ],
        EVALUATE_SCRIPT: [
            command_lines.evaluate_line(out, arm, seed, training, tests, f"{out}/test/{{dataset}}")
            for arm, seed in runs
        ],
        PUBLIC_SCRIPT: [
            command_lines.evaluate_line(out, arm, seed, training, public, public_root)
            for arm, seed in runs
        ],
    }
    for name, lines in scripts.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    for arm, seed in runs:
        (folder / "results" / command_lines.run_name(arm, seed)).mkdir(parents=True)
