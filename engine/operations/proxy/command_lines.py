"""The command lines of a proxy: open_clip's for each arm and seed, and clip_benchmark's.

They are quoted for a shell and written for a person; nothing of ours runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join

from engine.operations.proxy.arms import Arm
from engine.operations.proxy.tars import tar_names, tars_of_pass
from engine.utils.errors import BadInput

EXPANDED = ("{", "}", "\\", "$", "::", "\n")
"""What webdataset or clip_benchmark would take for something else in a path."""
BATCH_SIZE = 256
"""Images of a batch unless a number is given."""
MAX_WARMUP = 2000
"""Steps of warm-up at most; CLIP's own number (Radford et al. 2021, table 18)."""
WARMUP_SHARE = 10
"""Of so many steps, one is of the warm-up: open_clip's own number, 10,000, may be all of them."""
PUBLIC_SETS = ("wds/flickr30k", "wds/mscoco_captions")
"""Data sets whose captions none of the arms has seen, by clip_benchmark's names."""
PUBLIC_ROOT = "https://huggingface.co/datasets/clip-benchmark/wds_{dataset_cleaned}/tree/main"
"""Where clip_benchmark finds them, as its documentation says."""


OWN_OPTIONS = (
    "--model",
    "--dataset-type",
    "--train-data",
    "--train-num-samples",
    "--epochs",
    "--batch-size",
    "--seed",
    "--save-frequency",
    "--logs",
    "--name",
)
"""The options of open_clip's trainer that a proxy sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How each arm is trained: with the same number of samples and of steps."""

    clip: str = "ViT-B-32"
    """The name of open_clip's model."""
    epochs: int = 30
    """An epoch has as many samples as each arm has images."""
    batch_size: int | None = None
    """Images of a batch; None means `BATCH_SIZE`, or all images where there are fewer."""
    seeds: int = 3
    extra: tuple[str, ...] = ()
    """Further arguments for open_clip."""

    def batch(self, images: int) -> int:
        """Return the images of a batch, for arms of so many images. Raises `BadInput`."""
        if self.batch_size is not None and self.batch_size > images:
            raise BadInput(
                f"--batch-size {self.batch_size:,} is more than the {images:,} images: give a"
                " smaller one"
            )
        return self.batch_size or min(BATCH_SIZE, images)

    def warmup(self, images: int) -> int:
        """Return the steps in which the learning rate grows, for arms of so many images."""
        steps = self.epochs * -(-images // self.batch(images))
        return max(1, min(MAX_WARMUP, steps // WARMUP_SHARE))


def refuse_expanded(out: Path) -> None:
    """Raise `BadInput` if the path of the output would be expanded by the programs that read it."""
    found = [text for text in EXPANDED if text in str(out)]
    if found:
        raise BadInput(
            f"{str(out)!r} has {found[0]!r} in it, which open_clip expands: name another folder"
        )


def refuse_own_options(extra: Sequence[str]) -> None:
    """Raise `BadInput` if further arguments for open_clip are none, or take the place of ours."""
    if extra and not extra[0].startswith("-"):
        raise BadInput(f"{extra[0]!r} is not an option of open_clip: write its options after --")
    for word in extra:
        if (name := word.partition("=")[0]) in OWN_OPTIONS:
            raise BadInput(f"{name} is set by this command for all arms: see 'proxy --help'")


def train_line(out: Path, arm: Arm, seed: int, training: Training, images: int) -> str:
    """Return the command line that trains an arm of so many images."""
    # Tars are drawn with replacement. Without it, an epoch would take the first tars of a worker
    # alone, since an arm with several captions has more samples than an epoch.
    tars = len(arm.columns) * tars_of_pass(images)
    values = (
        training.clip,
        "webdataset",
        tar_names(out / "train" / arm.name, tars),
        images,
        training.epochs,
        training.batch(images),
        seed,
        0,  # the last epoch alone
        out / "logs",
        run_name(arm, seed),
    )
    words = ["python", "-m", "open_clip_train.main", "--dataset-resampled"]
    for option, value in zip(OWN_OPTIONS, values, strict=True):
        words += [option, str(value)]
    return join([*words, "--warmup", str(training.warmup(images)), *training.extra])


def run_name(arm: Arm, seed: int) -> str:
    """Return the name of a training: that of the folder in which open_clip writes."""
    return f"{arm.name}-{seed}"


def evaluate_line(
    out: Path, arm: Arm, seed: int, training: Training, sets: Sequence[str], root: str
) -> str:
    """Return the command line that tests a trained arm on data sets below a root."""
    name = run_name(arm, seed)
    options: dict[str, Sequence[object]] = {
        "--model": [training.clip],
        "--pretrained": [out / "logs" / name / "checkpoints" / f"epoch_{training.epochs}.pt"],
        "--dataset": sets,
        "--dataset_root": [root],
        "--task": ["zeroshot_retrieval"],
        "--recall_k": [1, 5],
        "--num_workers": [1],  # the test is one tar
        "--output": [out / "results" / name / "{dataset}.json"],
    }
    words = [str(word) for option, values in options.items() for word in (option, *values)]
    return join(["clip_benchmark", "eval", *words])
