"""What can be wrong with a caption by itself, as bits of one number."""

from __future__ import annotations

from collections.abc import Sequence

from engine.quality.clip_tokens import is_beyond_clip
from engine.quality.defect_names import DEFECT_NAMES as DEFECT_NAMES
from engine.quality.defect_names import Defect as Defect
from engine.quality.languages import is_other_language
from engine.quality.leaks import MIN_PROMPT, begins_with_leak, is_leak
from engine.quality.loops import is_loop
from engine.quality.refusals import is_refusal
from engine.quality.words import head_of
from engine.shearing.lead_ins import is_lead_in
from engine.shearing.reasoning import has_reasoning

CUT_WORDS = frozenset(
    ("a", "an", "the", "and", "or", "of", "its", "their", "whose", "which", "while", "because")
)
CUT_SIGNS = (",", ";", "(", "-", "\u2013", "\u2014")
"""Words and signs with which no sentence ends."""


def breaks_off(raw: str) -> bool:
    """Return True if a text ends within a sentence."""
    last = raw[-16:].rpartition(" ")[2] if raw[-1:].isalpha() else raw[-16:].rstrip()
    return last.lower() in CUT_WORDS or (last[:-1].strip() != "" and last.endswith(CUT_SIGNS))


class DefectFinder:
    """Finds the defects of the captions of one model."""

    def __init__(self, language: str, prompts: Sequence[str] = ()) -> None:
        """`language` is the code of the language asked for, `prompts` what the model was asked."""
        self.language = language
        self.prompts = [prompt for prompt in prompts if len(prompt) >= MIN_PROMPT]

    def find(
        self, raw: str, finish: str, sheared: str, words: Sequence[str], distinct: frozenset[str]
    ) -> int:
        """Return the defects of a caption, as bits.

        `words` are those of the sheared text (`words_of`), `distinct` the same as a set.
        """
        defects = 0
        if finish == "length" or breaks_off(raw):
            defects = Defect.TRUNCATED.value
        head = head_of(raw)
        if is_leak(raw, head, self.prompts):
            defects |= Defect.LEAK.value
            if has_reasoning(raw):
                defects |= Defect.REASONING.value
        if is_lead_in(head) and not begins_with_leak(raw, head):
            defects |= Defect.LEAD_IN.value
        if is_loop(sheared, words, distinct):
            defects |= Defect.LOOP.value
        if not words:
            return defects | Defect.EMPTY.value
        if is_refusal(sheared, words, distinct):
            defects |= Defect.REFUSAL.value
        if is_other_language(sheared, distinct, self.language):
            defects |= Defect.OTHER_SCRIPT.value
        if is_beyond_clip(sheared):
            defects |= Defect.BEYOND_CLIP.value
        return defects
