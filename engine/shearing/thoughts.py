"""How models begin to reason in plain sentences: "Okay, let me see"."""

from __future__ import annotations

from engine.shearing.phrases import any_of

TASK_VERBS = any_of("""
    describe | write | generate | caption | provide | create | look | analy[sz]e | figure |
    come up | produce | think | identify | determine | focus | mention | keep | give | respond |
    output
""")
PLANS = any_of("""
    let'?s | let me | the user | i need to | i(?:'ll| will) (?:start|need|look) |
    i(?:'m| am) (?:supposed|asked|looking|going) | i should | i have to | first | looking at
""")
THOUGHT = (
    r"(?:okay|ok|alright|all right|hmm+|so|now|right|got it)[,.]? (?:(?:so|now) )?" rf"{PLANS}\b"
)
"""A model's plan, with the word that tells it from a sentence of a caption."""
MY_TASK = (
    r"(?:let'?s|let me|i(?:'ll| will| can| could| should)) "
    r"(?:write|generate|provide|create|produce|give|craft|compose|draft|come up with)"
)
"""What a model says that it will do, before what it makes."""
