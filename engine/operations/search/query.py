"""What a person searches in captions, as terms that are typed: `otter:standing words<5 -dup`.

A caption is found if it meets all terms, of which `original:dog` and `path:0001` are of its record.
A term with a model is of that model's caption, so that `otter:standing llava:sitting` finds records
of which both is true, and a negated one is of the record: `dog -otter:dog` finds captions with
"dog" where otter's has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from db.filter_terms import FilterError, Term, parse_terms
from engine.quality.defect_names import DEFECT_NAMES
from engine.utils.errors import BadInput

DISAGREE_BELOW = 0.1
"""The support by the other captions of the image below which a caption disagrees with them. Right
captions have 0.3, those of another image 0.0, those with wrong details 0.03 to 0.15 (medians, see
docs/quality.md)."""
DUPLICATE, SAME, FAILED = "dup", "same", "failed"
"""What is no defect of a caption by itself: an earlier caption of the model is the same; another
model's caption of the image is the same; there is no caption, but a failure."""
FLAGGED, GOOD, BAD = "flagged", "rated:good", "rated:bad"
"""What a person says of captions: the record is flagged or the caption is bad; what it is rated."""
BY_PERSON = (FLAGGED, GOOD, BAD)
WORDS, SCORE, AGREEMENT = "words", "score", "agree"
"""What a search compares with a number: the words of the sheared caption, its score, and its
support by the other captions of the image."""
DEFECT_WORDS = {
    "loop": "loops",
    "cut": "truncated",
    "refusal": "refusals",
    "leak": "leaks",
    "lead_in": "lead_ins",
} | {name: name for name in DEFECT_NAMES}
"""The words of a search for captions with a defect, each with the defect's name."""
MARKS = {
    "duplicate": DUPLICATE,
    "duplicates": DUPLICATE,
    "same_as_other": SAME,
} | {name: name for name in (DUPLICATE, SAME, FAILED, FLAGGED)}
"""The same for what is no defect of a caption by itself."""
COUNTED_ONLY = ("near_duplicate", "near_duplicates")
"""Words of what is counted among all captions of a model, and not kept of each caption."""
RECORD_KEYS = {"original": "caption", "path": "image"}
"""The words of a search for texts of the record, each with the key that the text has there."""
SYNTAX = (
    ('dog "a red car"', "words or texts of the raw caption"),
    ("otter:standing otter:loop", "the same for one model"),
    ("original:dog path:0001", "the original caption, the image path"),
    ("words<5 words>20", "words after shearing"),
    ("dup loop cut refusal empty leak", "defects, as Quality counts them"),
    ("flagged rated:bad rated:good", "flags and ratings"),
    ("failed", "the model failed at the image"),
    ("score<0.2 clip>0.3", "the score, by a scorer"),
    ("agree<0.3 disagree", "support by captions of other models"),
    ("-dog, not loop", "captions that do not match"),
)
"""What can be searched, each with what it means."""


class SearchError(BadInput):
    """Raised for what cannot be searched; says what can."""

    def __init__(self, problem: str) -> None:
        terms = ", ".join(term for term, _ in SYNTAX)
        super().__init__(f"{problem}. A search is made of: {terms}")
        self.problem = problem
        """The same without what can be searched."""


@dataclass(frozen=True, slots=True)
class HasText:
    """The raw caption holds a text, in upper or lower case; of a failure, the error does."""

    text: str


@dataclass(frozen=True, slots=True)
class HasRecordText:
    """A text of the record holds another one, in upper or lower case; an empty one: it has any."""

    key: str
    """The key of the text in the record, one of those of `RECORD_KEYS`."""
    text: str


@dataclass(frozen=True, slots=True)
class HasDefect:
    """The caption has a defect, which is one of `DEFECT_NAMES`."""

    name: str


@dataclass(frozen=True, slots=True)
class HasMark:
    """The caption is a duplicate, failed, flagged and so on."""

    mark: str
    """One of the constants above."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A number of the caption lies above, below or at another one."""

    what: str
    """`WORDS`, `AGREEMENT`, or the name of a scorer."""
    operator: str
    """`<`, `<=`, `>`, `>=` or `=`."""
    number: float


@dataclass(frozen=True, slots=True)
class IsAny:
    """Every caption meets this; the models of its term alone restrict the search."""


@dataclass(frozen=True, slots=True)
class IsOfModels:
    """The caption is of one of these models."""

    names: tuple[str, ...]


Condition = HasText | HasRecordText | HasDefect | HasMark | Compared | IsAny | IsOfModels


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """A condition of captions."""

    condition: Condition
    models: tuple[str, ...] | None = None
    """The names of the models of whose captions it is; None: of any."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """All that a caption must meet to be found."""

    terms: tuple[SearchTerm, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions of all terms, each once."""
        return tuple(dict.fromkeys(term.condition for term in self.terms))

    @property
    def of_failures(self) -> bool:
        """True if failures are searched, in the place of captions."""
        failed = HasMark(FAILED)
        return any(term.condition == failed and not term.negated for term in self.terms)

    @property
    def free(self) -> tuple[SearchTerm, ...]:
        """The terms that every caption must meet by which a record is found."""
        return tuple(term for term in self.terms if term.models is None)

    @property
    def by_models(self) -> dict[tuple[str, ...], tuple[SearchTerm, ...]]:
        """The terms that a caption of a model must meet, by the models of which one must have it.

        A record is found if there is such a caption for each of them; without any, by a caption of
        any model.
        """
        groups: dict[tuple[str, ...], tuple[SearchTerm, ...]] = {}
        for term in self.terms:
            if term.models is not None and not term.negated:
                groups[term.models] = (*groups.get(term.models, ()), term)
        return groups

    @property
    def exclusions(self) -> tuple[SearchTerm, ...]:
        """The terms that no caption of their models may meet."""
        return tuple(term for term in self.terms if term.models is not None and term.negated)

    @property
    def needs_presence(self) -> bool:
        """True if what meets the terms may be no caption, such as what has no word "dog"."""

        def is_clear(condition: Condition) -> bool:
            unclear = (IsAny(), *map(HasMark, BY_PERSON))
            return condition not in unclear and not isinstance(condition, HasRecordText)

        def shows_a_caption(terms: Iterable[SearchTerm]) -> bool:
            return any(not term.negated and is_clear(term.condition) for term in terms)

        groups = self.by_models.values()
        of_groups = bool(groups) and all(map(shows_a_caption, groups))
        return not shows_a_caption(self.free) and not of_groups

    @property
    def models(self) -> frozenset[str] | None:
        """The names of the models whose captions are looked at; None is all."""
        if not self.by_models or HasMark(SAME) in self.conditions:
            return None
        named = (term.models for term in self.terms if term.models is not None)
        return frozenset(chain.from_iterable(named))

    @property
    def scorers(self) -> tuple[str, ...]:
        """The names of the scorers whose scores must be known."""
        compared = (each for each in self.conditions if isinstance(each, Compared))
        names = (each.what for each in compared if each.what not in (WORDS, AGREEMENT))
        return tuple(dict.fromkeys(names))

    @property
    def of_records(self) -> tuple[HasRecordText, ...]:
        """The conditions that are of the records themselves."""
        return tuple(each for each in self.conditions if isinstance(each, HasRecordText))

    @property
    def needs_agreement(self) -> bool:
        """True if the agreement of captions must be known."""
        return any(
            isinstance(each, Compared) and each.what == AGREEMENT for each in self.conditions
        )

    @property
    def needs_comparison(self) -> bool:
        """True if scores or the agreement of captions must be known."""
        return self.needs_agreement or bool(self.scorers)


def parse_query(text: str, models: Sequence[str], scorers: Sequence[str]) -> SearchQuery:
    """Return the query that a person typed, for a project with these models and scorers.

    Raises `SearchError`.
    """
    try:
        terms = parse_terms(text)
    except FilterError as error:
        raise SearchError(str(error)) from error
    if not terms:
        raise SearchError("the search is empty")
    return SearchQuery(tuple(search_term(term, models, scorers) for term in terms))


def search_term(term: Term, models: Sequence[str], scorers: Sequence[str]) -> SearchTerm:
    """Return what a term asks for. Raises `SearchError`."""
    is_of_a_model = term.operator == ":" and not has_own_colon(term)
    if term.key is None or not is_of_a_model:
        return SearchTerm(condition_of(term, models, scorers), None, term.negated)
    if term.key.casefold() == "model":
        names = named_models(term.value, models)
        if term.negated:
            return SearchTerm(IsOfModels(names), None, True)
        return SearchTerm(IsAny(), names)
    names = named_models(term.key, models)
    if term.quoted or not term.value:
        condition: Condition = HasText(term.value) if term.value else IsAny()
    else:
        (of_model,) = parse_terms(term.value)
        condition = condition_of(of_model, models, scorers)
        if of_model.negated:  # otter:-dog, which is the caption of otter, without a dog
            return SearchTerm(HasText(term.value), names, term.negated)
    return SearchTerm(condition, names, term.negated)


def has_own_colon(term: Term) -> bool:
    """Return True if what stands before the colon of a term is no model."""
    return str(term.key).casefold() in RECORD_KEYS or term.text.casefold() in BY_PERSON


def named_models(name: str, models: Iterable[str]) -> tuple[str, ...]:
    """Return the model with this name, or all with it in their names. Raises `SearchError`."""
    models, wanted = list(models), name.casefold()
    exact = tuple(each for each in models if each.casefold() == wanted)
    found = exact or tuple(each for each in models if wanted in each.casefold())
    if not found:
        known = ", ".join(models)
        raise SearchError(
            f"there is no model {name!r}: the project has {known}; put a text with a colon in"
            ' quotation marks, such as "a sign: stop"'
        )
    return found


def condition_of(term: Term, models: Sequence[str], scorers: Sequence[str]) -> Condition:
    """Return the condition of a term without a model. Raises `SearchError`."""
    if term.key is not None and term.operator != ":":
        return comparison_of(term, scorers)
    word = term.value.casefold()
    if term.key is not None and term.key.casefold() in RECORD_KEYS:
        return HasRecordText(RECORD_KEYS[term.key.casefold()], term.value)
    if term.text.casefold() in BY_PERSON:
        return HasMark(term.text.casefold())
    if term.quoted or term.key is not None:
        return HasText(term.text if term.key else term.value)
    if word == "disagree":
        return Compared(AGREEMENT, "<", DISAGREE_BELOW)
    if word in MARKS:
        return HasMark(MARKS[word])
    if word in COUNTED_ONLY:
        raise SearchError(
            f"{term.text}: near duplicates are counted in a sample of a model's captions and not"
            " kept for each caption (on Quality, enter on near duplicates shows them); put the word"
            " in quotation marks to search for it"
        )
    if word in DEFECT_WORDS:
        return HasDefect(DEFECT_WORDS[word])
    return HasText(term.value)


def comparison_of(term: Term, scorers: Sequence[str]) -> Compared:
    """Return the comparison that a term such as `words<5` asks for. Raises `SearchError`."""
    what = str(term.key)
    if what not in (WORDS, SCORE, AGREEMENT, *scorers):
        also = "".join(f", {name}" for name in scorers)
        raise SearchError(
            f"{term.text}: only {WORDS}, {SCORE}, {AGREEMENT}{also} have a number; put a text with"
            " such a sign in quotation marks"
        )
    try:
        number = float(term.value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        example = f"{what}<{5 if what == WORDS else 0.2}"
        raise SearchError(f"{term.text}: {what} needs a number, such as {example}")
    if what == SCORE and len(scorers) != 1:
        from engine.quality.quality_filter import describe_scorers  # slow: the commands' help waits

        problem = f"by which score? Write {scorers[0]}<0.2" if scorers else "no caption has a score"
        raise SearchError(f"{term.text}: {problem}: {describe_scorers(scorers)}")
    if what == SCORE:
        what = scorers[0]
    return Compared(what, term.operator, number)
