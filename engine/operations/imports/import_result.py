"""What an import did, and what it left out: counted, with examples, and listed where asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from engine.datasets.inputs.input_report import InputReport
from engine.utils import jsonlines
from engine.utils.plurals import plural

EXAMPLES = 3
"""Examples of a reason that a message gives: the list has all."""
REASONS = {
    "no_record": "of images that no record of the project has",
    "another": "that are not the one to take of their image: --which N takes the Nth in a file",
    "there": "of records that have a caption already: --replace replaces it",
    "same": "that exist already, word for word",
    "excluded": "of excluded records: 'exclude --undo' includes them again",
    "no_text": "without a text",
    "too_long": "longer than a million characters",
}
"""Why a caption of the files is in no caption log, each to complete "N captions"."""
TWINS = "twins"
"""The reason under which captions are listed that several records of one image have got."""
FEWER = "fewer"
"""The reason under which records are listed of which a file has fewer captions than the number of
the one to take."""
NO_CAPTION = "no_caption"
"""The reason under which records are listed for which the files have no caption."""


@dataclass(kw_only=True)
class Counts:
    """The counts of an import while it goes on."""

    listing: IO[bytes] | None = None
    """Takes all that is counted here, one JSON object a line."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Captions that were not taken, by key of `REASONS`, captions of `TWINS`, records of `FEWER`
    and, where all are listed, of `NO_CAPTION`."""
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The first of each of them."""

    def add(self, reason: str, names: Sequence[str], **values: Any) -> None:
        """Count captions, which `names` names by image or record key; `values` go into the list."""
        self.reasons[reason] += len(names)
        examples = self.examples[reason]
        examples += names[: EXAMPLES - len(examples)]
        if self.listing is not None:
            self.listing.writelines(
                jsonlines.dumps({"why": reason, "of": name} | values) + b"\n" for name in names
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What an import did."""

    model: str
    is_new: bool
    """True if the model was added to the project."""
    runs: bool
    """True if a run goes on with the records that have no caption."""
    files: int
    captions: int
    """Captions of all files."""
    appended: int
    """Captions that were appended to the caption logs."""
    replaced: int
    """Those of them that took the place of another caption."""
    counts: Counts
    without: int
    """Records of the project for which no file has a caption."""
    missing: int
    """Records that are left to a run; of a model without a family, those that failed."""
    report: InputReport
    """What reading the files showed."""
    cut: tuple[str, ...]
    """For each file that ends in the middle, what is wrong with it and how far it was read."""

    def lines(self) -> Iterator[str]:
        """Yield what was done, and then what was left out, as sentences."""
        new = " (a new model)" if self.is_new else ""
        replaced = f", {self.replaced:,} of them in the place of others" if self.replaced else ""
        yield (
            f"{self.model}{new}: {plural(self.appended, 'caption')} imported of"
            f" {self.captions:,} in {plural(self.files, 'file')}{replaced}"
        )
        twins = self.counts.reasons[TWINS]
        if twins:
            yield (
                f"  {plural(twins, 'caption')} of images of several records, given to each of these"
                f" records{self.such_as(TWINS)}"
            )
        for reason, text in REASONS.items():
            if count := self.counts.reasons[reason]:
                yield f"  left out: {plural(count, 'caption')} {text}{self.such_as(reason)}"
        if fewer := self.counts.reasons[FEWER]:
            yield (
                f"  {plural(fewer, 'record')} with fewer captions in a file than --which asks"
                f" for{self.such_as(FEWER)}"
            )
        yield from self.unreadable_lines()
        if self.without:
            then = "left to a run" if self.runs else "counted as failed (not_imported)"
            yield (
                f"  {plural(self.without, 'record')} of the project without a caption in the"
                f" file{'s' if self.files > 1 else ''}; {then}: {self.missing:,}"
            )

    def unreadable_lines(self) -> Iterator[str]:
        """Yield what of the files could not be read."""
        for text in self.cut:
            yield f"  cut off at its end: {text}"
        skipped = self.report.skipped
        if skipped.count:
            yield f"  left out as unreadable: {plural(skipped.count, 'record')}"
            yield from (f"    {why}" for why in skipped.messages)
        for reason, passed in self.report.passed_over.items():
            advice = f": {passed.advice}" if passed.advice else ""
            yield f"  passed over: {passed.count:,} {reason}, such as {passed.example}{advice}"

    def such_as(self, reason: str) -> str:
        """Return the examples of a reason as they end a sentence."""
        return f", such as {', '.join(self.counts.examples[reason])}"
