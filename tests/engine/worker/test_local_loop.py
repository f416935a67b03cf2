"""The loop of a model in this process: what it sends, when batches begin, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.captioners.base import Caption
from engine.captioners.record_prompt import PromptRecord
from engine.images.image import ImagePaths, ImageProblem, open_image_bytes
from engine.images.missing_root import MissingImages
from engine.protocol.messages import (
    BatchChanged,
    Decoding,
    Generating,
    RootLost,
    Rows,
    Stuck,
)
from engine.worker import local_loop
from engine.worker.batch_lanes import Lanes
from engine.worker.batch_tuner import TIMED_BATCHES, BatchTuner
from engine.worker.cpu_threads import ThreadBudget
from engine.worker.image_prefetch import DecodingStuck
from engine.worker.local_loop import FIRST_BATCH, LocalLoop
from engine.worker.runtime import FatalWorkerError
from tests.engine.worker.fakes import (
    SIZE,
    FakePrefetcher,
    GatedCaptioner,
    WakeCounter,
    Wire,
    records,
)


@dataclass
class LocalCase:
    """A loop with two lanes, warmed up, and all that it works with."""

    folder: Path
    """The image root."""
    wire: Wire = field(default_factory=Wire)
    images: FakePrefetcher = field(default_factory=FakePrefetcher)
    captioner: GatedCaptioner = field(default_factory=GatedCaptioner)
    woken: WakeCounter = field(default_factory=WakeCounter)
    now: float = 0.0
    """The loop's monotonic clock, in seconds."""

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.captioner, 2, self.woken, "cpu")
        self.lanes.open_lanes = 2
        self.loop = LocalLoop(
            model_id=7,
            captioner=self.captioner,
            batch_size=SIZE,
            prefetcher=self.images,
            missing_images=MissingImages(ImagePaths(str(self.folder)), None),
            send=self.wire.send,
            wake=self.woken,
            lanes=self.lanes,
            monotonic=lambda: self.now,
        )

    def turn(self) -> None:
        """Take steps as a worker does, until a step would get nowhere."""
        for _ in range(1000):
            if not self.loop.can_step():
                return
            self.loop.step()
        raise AssertionError("the loop steps for ever")

    def decode_ahead(self) -> None:
        """Have the images of the attempt decoded although no batch can start."""
        assert self.loop.inflight is not None
        self.loop.decode_ahead(self.loop.inflight)

    def finish(self) -> None:
        """Let every batch go, and take steps until all records are captioned."""
        self.captioner.open_all()
        self.turn()
        while self.lanes.running:
            self.woken.wait()
            self.turn()


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCase]:
    monkeypatch.setattr(local_loop, "free_memory", lambda: None)  # it takes 0.1 s
    made = LocalCase(tmp_path)
    yield made
    made.captioner.open_all()
    made.loop.close()


@pytest.fixture
def waiting(case: LocalCase) -> LocalCase:
    """A loop that captions its first batch while the second waits for its last image."""
    case.images.late = {5}
    case.loop.add_records(records(0, 8, last=True))
    case.turn()
    assert len(case.lanes.running) == 1
    return case


# The course of an attempt


def test_a_record_is_reported_before_it_is_decoded_and_before_it_is_captioned(
    case: LocalCase,
) -> None:
    case.loop.add_records(records(0, SIZE, task=3, attempt=2))
    case.finish()
    assert case.wire.kinds() == ["Decoding", "Generating", "Rows"]
    assert case.wire[:2] == [
        Decoding(task=3, attempt=2, records=tuple(range(SIZE))),
        Generating(task=3, attempt=2, records=tuple(range(SIZE))),
    ]
    (rows,) = case.wire.of(Rows)
    assert (rows.task, rows.attempt) == (3, 2)


def test_it_is_said_how_long_nothing_was_captioned_for_want_of_images(case: LocalCase) -> None:
    def wait_for_image() -> None:
        case.now += 2.5

    case.images.late, case.images.on_wait = {1}, wait_for_image
    case.loop.add_records(records(0, 2 * SIZE, last=True))
    case.finish()
    first, *others = [rows.waited for rows in case.wire.of(Rows)]
    assert (first, sum(others)) == (2.5, 0.0)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 30])
def test_every_record_gets_its_own_caption(case: LocalCase, count: int) -> None:
    case.loop.add_records(records(0, count, last=True))
    case.finish()
    assert case.wire.rows() == {i: f"image {i}" for i in range(count)}


def test_a_batch_that_is_not_full_waits_for_more_records(case: LocalCase) -> None:
    case.loop.add_records(records(0, SIZE - 1))
    assert not case.loop.can_step()
    case.loop.add_records(records(SIZE - 1, 1))
    assert case.loop.can_step()


def test_images_are_waited_for_once_nothing_else_is_under_way(waiting: LocalCase) -> None:
    rows_before: list[int] = []
    waiting.images.on_wait = lambda: rows_before.append(len(waiting.wire.of(Rows)))
    waiting.finish()
    assert waiting.wire.rows() == {i: f"image {i}" for i in range(8)}
    assert rows_before == [1]


def test_a_batch_begins_beside_another_once_its_last_image_is_decoded(waiting: LocalCase) -> None:
    waiting.images.futures[5].set_result("image 5")
    waiting.woken.wait()
    waiting.turn()
    assert len(waiting.lanes.running) == 2


def test_the_last_batches_are_smaller(case: LocalCase) -> None:
    case.loop.batch_size = 16
    case.loop.add_records(records(0, 40, last=True))
    case.finish()
    sizes = [len(images) for images, _ in case.captioner.gates]
    assert sum(sizes) == 40
    assert sizes[0] == 16
    assert sizes[-1] <= 4


# Attempts that are cancelled, and records that are alone


def test_a_cancelled_attempt_has_nothing_to_do_and_frees_its_images(case: LocalCase) -> None:
    case.images.late = {0, 1, 2, 3}
    case.loop.add_records(records(0, 3))
    case.decode_ahead()
    case.images.add_file(9, b"a file")
    case.loop.cancel()
    assert not case.loop.can_step() and case.loop.attempt is None
    assert all(future.cancelled() for future in case.images.futures.values())
    assert not case.images.received_files


def test_an_attempt_that_follows_another_without_cancel_frees_it_and_keeps_its_own_files(
    case: LocalCase,
) -> None:
    case.images.late = {0, 1, 2}
    case.loop.add_records(records(0, 3))
    case.decode_ahead()
    case.images.add_file(9, b"a file")
    case.loop.add_records(records(9, 1, attempt=2))
    assert all(future.cancelled() for future in case.images.futures.values())
    assert case.loop.attempt == 2 and case.images.received_files == {9: b"a file"}


def test_the_first_attempts_of_two_tasks_are_two_attempts(case: LocalCase) -> None:
    case.loop.add_records(records(0, 3, task=1))
    case.loop.add_records(records(9, 1, task=2, last=True))
    case.finish()
    assert [(rows.task, [row.i for row in rows.rows]) for rows in case.wire.of(Rows)] == [(2, [9])]


def test_rows_of_a_cancelled_attempt_name_that_attempt(case: LocalCase) -> None:
    case.loop.add_records(records(0, 8))
    case.turn()
    case.loop.cancel()
    assert not case.loop.can_step()
    case.loop.add_records(records(0, 4, attempt=2, last=True))
    case.captioner.open_gate(0)
    case.captioner.open_gate(1)
    case.woken.wait()
    case.woken.wait()
    case.turn()
    assert [rows.attempt for rows in case.wire.of(Rows)] == [1, 1]


def test_a_suspect_is_captioned_alone_even_by_a_worker_that_was_cancelled(case: LocalCase) -> None:
    case.loop.add_records(records(0, 4))
    case.turn()
    case.loop.cancel()
    case.loop.add_records(records(9, 1, attempt=2, alone=True))
    case.turn()
    assert len(case.lanes.running) == 1
    case.finish()
    assert [rows.attempt for rows in case.wire.of(Rows)] == [1, 2]


def test_each_record_is_prepared_with_its_own_texts(case: LocalCase) -> None:
    message = replace(records(2, 3, first_id=100), texts=((3, {"caption": "a dog"}),))
    case.loop.add_records(message)
    case.decode_ahead()
    assert case.images.asked == {
        i: PromptRecord(record_id=100 + i, texts={"caption": "a dog"} if i == 3 else {})
        for i in (2, 3, 4)
    }
    case.loop.add_records(records(0, 1, attempt=2, probe=True, alone=True))
    case.decode_ahead()
    assert case.images.asked[0] is None, "the probe image is no record's"


def test_the_probe_image_is_captioned_like_a_record(case: LocalCase) -> None:
    case.captioner.open_all()
    case.loop.add_records(records(9, 1, attempt=2, alone=True, probe=True))
    case.finish()
    assert case.wire.kinds() == ["Decoding", "Generating", "Rows"]
    image = open_image_bytes(case.images.received_files[9])
    assert (image.image.format, image.width, image.height) == ("JPEG", 320, 240)
    assert case.loop.missing_images.witness is None, "it shows nothing of the image root"
    case.loop.add_records(records(3, 1, attempt=2, alone=True))
    case.finish()
    assert case.loop.missing_images.witness == "image 3"


def test_a_closed_loop_has_freed_the_model(case: LocalCase) -> None:
    case.loop.add_records(records(0, 8))
    case.turn()
    case.captioner.open_all()
    case.loop.close()
    assert case.images.captioner is None and case.loop.attempt is None
    assert all(batch.answers.done() for batch in case.lanes.running)


def test_a_batch_has_prompts_of_similar_length(
    case: LocalCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third image has a prompt ten times as long as the others."""

    def length(image: str) -> int:
        return 10 if int(image.split()[1]) % 3 == 0 else 1

    monkeypatch.setattr(case.captioner, "prompt_length", length)
    case.images.problems = {"image 4": "corrupt"}
    case.loop.add_records(records(0, 24, last=True))
    case.finish()
    batches = [set(message.records) for message in case.wire.of(Generating)]
    assert batches[0] == {0}, "as many tokens as four of mean length"
    assert batches[1] == {1, 2, 5, 7}
    assert case.wire.rows() == {i: f"image {i}" if i != 4 else "corrupt" for i in range(24)}


def test_half_of_the_long_prompts_that_did_not_fit_is_tried_next(
    case: LocalCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two long prompts are a batch of four: its half is one of them, or two short ones."""
    lengths = {"image 0": 2, "image 1": 2, "image 2": 1}
    monkeypatch.setattr(case.captioner, "prompt_length", lambda image: lengths.get(image, 1))
    case.lanes.use_single_lane()
    case.captioner.largest = 1
    case.loop.add_records(records(0, 6, last=True))
    case.finish()
    assert case.captioner.refused[0] == 2
    assert case.wire.of(BatchChanged)[0].size == 2
    assert case.wire.rows() == {i: f"image {i}" for i in range(6)}


# The batch size


def test_what_does_not_fit_beside_another_batch_is_tried_alone_before_it_is_halved(
    case: LocalCase,
) -> None:
    case.captioner.largest = 3
    case.loop.add_records(records(0, 8, last=True))
    case.finish()
    assert case.wire.rows() == {i: f"image {i}" for i in range(8)}
    assert case.captioner.refused[:2] == [4, 4]
    changed = BatchChanged(model=7, size=2, fits=2, cause="out_of_memory", text="out of memory")
    assert case.wire.of(BatchChanged) == [changed]
    assert case.lanes.max_lanes == 1


def test_a_batch_size_that_did_not_fit_is_not_searched_any_more(case: LocalCase) -> None:
    case.captioner.largest = 1
    case.loop.tuner = BatchTuner(SIZE)
    case.loop.add_records(records(0, 8, last=True))
    case.finish()
    assert case.wire.rows() == {i: f"image {i}" for i in range(8)}
    assert [change.size for change in case.wire.of(BatchChanged)] == [2, 1]
    assert case.loop.tuner is None


def test_a_single_image_that_does_not_fit_ends_the_worker(case: LocalCase) -> None:
    case.captioner.largest = 0
    case.loop.add_records(records(0, 1, last=True))
    with pytest.raises(MemoryError):
        case.finish()
    assert case.wire.rows() == {}


def test_another_error_of_the_model_ends_the_worker(
    case: LocalCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(inputs: object, record_ids: object) -> None:
        raise RuntimeError("the model is broken")

    monkeypatch.setattr(case.captioner, "caption", broken)
    case.loop.add_records(records(0, SIZE, last=True))
    with pytest.raises(RuntimeError, match="the model is broken"):
        case.finish()


def test_a_batch_size_that_captions_faster_is_reported_with_its_cause(case: LocalCase) -> None:
    case.loop.tuner = BatchTuner(SIZE)
    for number in range(TIMED_BATCHES + 1):
        case.now = float(number)
        case.loop.tune_batch_size(SIZE, SIZE)
    (change,) = case.wire.of(BatchChanged)
    assert (change.model, change.size, change.fits) == (7, 2 * SIZE, SIZE)
    assert change.cause == "throughput"
    assert case.loop.batch_size == 2 * SIZE


def test_the_time_between_two_attempts_does_not_count(case: LocalCase) -> None:
    case.loop.tuner = tuner = BatchTuner(SIZE)
    case.loop.add_records(records(0, 1, attempt=1))
    for number in range(TIMED_BATCHES):
        case.now = float(number)
        case.loop.tune_batch_size(SIZE, SIZE)
    case.now += 1000.0
    case.loop.add_records(records(0, 1, attempt=2))
    case.now += 1.0
    case.loop.tune_batch_size(SIZE, SIZE)
    assert tuner.rate == SIZE


def test_images_that_fail_do_not_keep_the_batch_from_growing(case: LocalCase) -> None:
    case.loop.tuner = BatchTuner(SIZE)
    case.images.problems = {f"image {i}": "missing" for i in range(0, 400, SIZE)}
    case.loop.add_records(records(0, 100, last=True))
    case.finish()
    assert case.loop.batch_size > SIZE or case.loop.tuner is None


def test_a_model_on_the_cpu_gets_the_threads_that_decoding_leaves(case: LocalCase) -> None:
    case.loop.thread_budget = ThreadBudget(8, process_time=lambda: case.now)
    case.now, case.images.cpu_seconds = 10.0, 5.0
    case.loop.add_records(records(0, SIZE, last=True))
    case.finish()
    assert case.lanes.torch_threads == 2


def test_the_last_batch_of_a_shard_has_all_cores_if_it_runs_alone(case: LocalCase) -> None:
    case.loop.thread_budget = ThreadBudget(8, process_time=lambda: 0.0)
    case.loop.add_records(records(0, SIZE + 1))
    case.turn()
    assert case.lanes.torch_threads == 4
    case.loop.add_records(records(SIZE + 1, 0, last=True))
    case.turn()
    case.finish()
    assert [len(images) for images, _ in case.captioner.gates] == [SIZE, 1]
    assert case.lanes.torch_threads == 4, "the first batch was still running"
    case.loop.add_records(records(0, 1, attempt=2, last=True))
    case.finish()
    assert case.lanes.torch_threads == 8


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(20, [1, 4, 16, 20, 19]), (3, [1, 3, 3]), (1, [1, 1])]
)
def test_the_first_batches_are_small_and_grow(
    case: LocalCase, batch_size: int, sizes: list[int]
) -> None:
    case.lanes.use_single_lane()
    case.loop.growing_size, case.loop.batch_size = FIRST_BATCH, batch_size
    case.loop.add_records(records(0, sum(sizes), last=True))
    case.finish()
    assert [len(images) for images, _ in case.captioner.gates] == sizes
    assert not case.wire.of(BatchChanged), "the batch size is the same"


def test_a_first_batch_that_does_not_fit_is_halved_itself(case: LocalCase) -> None:
    case.lanes.use_single_lane()
    case.loop.growing_size, case.loop.batch_size = 4, 48
    case.captioner.largest = 3
    case.loop.add_records(records(0, 9, last=True))
    case.finish()
    assert case.captioner.refused == [4]
    assert case.wire.rows() == {i: f"image {i}" for i in range(9)}
    assert [change.size for change in case.wire.of(BatchChanged)] == [2]


# Images that fail


def test_an_image_that_fails_has_its_row_at_once_and_holds_up_no_other(case: LocalCase) -> None:
    case.images.problems = {"image 1": "corrupt"}
    case.loop.add_records(records(0, SIZE))
    case.finish()
    assert case.wire.rows() == {0: "image 0", 1: "corrupt", 2: "image 2", 3: "image 3"}
    assert case.wire.kinds() == ["Decoding", "Rows", "Generating", "Rows"]
    assert case.wire.of(Generating)[0].records == (0, 2, 3)


def test_an_image_at_which_the_model_fails_is_a_row_and_no_end_of_the_worker(
    case: LocalCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def caption_each(inputs: list[str], record_ids: object) -> list[Caption | ImageProblem]:
        refused = ImageProblem("refused", "the model fails at this image")
        return [refused if it == "image 1" else Caption(it, 1, "stop") for it in inputs]

    monkeypatch.setattr(case.captioner, "caption_each", caption_each)
    case.loop.add_records(records(0, SIZE, last=True))
    case.finish()
    assert case.wire.rows() == {0: "image 0", 1: "refused", 2: "image 2", 3: "image 3"}


def test_a_batch_without_a_single_image_is_not_captioned(case: LocalCase) -> None:
    case.images.problems = {f"image {i}": "corrupt" for i in range(SIZE)}
    case.loop.add_records(records(0, SIZE, last=True))
    case.finish()
    assert not case.captioner.gates and not case.wire.of(Generating)
    assert case.wire.rows() == dict.fromkeys(range(SIZE), "corrupt")


def test_rows_of_missing_images_are_sent_when_the_end_comes_by_itself(case: LocalCase) -> None:
    """Rows are withheld while more may come; a shard may end with a message without records."""
    case.images.problems = {f"image {i}": "missing" for i in range(4)}
    case.loop.add_records(records(0, 4))
    case.turn()
    assert case.wire.rows() == {}
    case.loop.add_records(records(4, 0, last=True))
    case.turn()
    assert case.wire.rows() == dict.fromkeys(range(4), "missing")


def test_a_lost_image_root_fails_no_record_and_ends_the_attempt(case: LocalCase) -> None:
    case.loop.missing_images.paths = ImagePaths(str(case.folder / "unmounted"))
    case.images.problems = {f"image {i}": "missing" for i in range(4)}
    case.loop.add_records(records(0, 4, task=3, attempt=2, last=True))
    case.turn()
    (lost,) = case.wire.of(RootLost)
    assert (lost.task, lost.attempt) == (3, 2) and "unmounted is not there" in lost.text
    assert case.wire.rows() == {}
    assert case.loop.attempt is None and not case.loop.missing_images.withheld


def test_decoding_that_is_stuck_ends_the_worker_after_it_has_said_so(case: LocalCase) -> None:
    def stuck() -> None:
        raise DecodingStuck("reading image 0 does not end")

    case.images.late, case.images.on_wait = {0}, stuck
    case.loop.add_records(records(0, 1, last=True))
    with pytest.raises(FatalWorkerError):
        case.turn()
    assert case.wire[-1] == Stuck(text="reading image 0 does not end")


def test_records_with_settings_of_their_own_are_asked_with_them(case: LocalCase) -> None:
    """A batch that was begun before goes on as it was asked."""
    case.captioner.gated = False
    case.loop.add_records(records(0, 2, last=True))
    case.finish()
    case.loop.add_records(replace(records(2, 2, last=True), settings={"seed": 7}))
    case.finish()
    case.loop.add_records(records(4, 1, last=True))
    case.finish()
    assert case.wire.rows() == {
        0: "image 0",
        1: "image 1",
        2: "image 2 by 7",
        3: "image 3 by 7",
        4: "image 4",
    }


def test_settings_that_the_model_cannot_take_fail_these_records_alone(case: LocalCase) -> None:
    case.captioner.gated = False
    case.loop.add_records(replace(records(0, 2, last=True), settings={"seed": 0}))
    case.loop.add_records(records(2, 1, last=True))
    case.finish()
    assert case.wire.rows() == {0: "refused", 1: "refused", 2: "image 2"}
