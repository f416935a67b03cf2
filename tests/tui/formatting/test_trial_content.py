"""What a prompt trial of the workshop looks like, as text."""

from __future__ import annotations

from dataclasses import replace

from db.rows import Rating
from engine.operations.prompt_workshop import PromptTrial
from engine.operations.tryout import TryoutEvent
from tests.engine.operations.test_pilot_table import make_findings
from tui.formatting.trial_content import caption_content, head_content


def make_trial(*texts: str) -> PromptTrial:
    """Return a trial whose model says these texts of the first images, and fails at the fifth."""
    findings = make_findings()
    name, job = findings.plan.jobs[0]
    findings.plan = replace(findings.plan, jobs=((name, job),))
    for i, raw in enumerate(texts):
        findings.add_event(name, TryoutEvent(record=i, raw=raw, tokens=5, finish="stop"))
    findings.add_event(name, TryoutEvent(record=4, error="missing: [/x].png"))
    return PromptTrial(prompt="What?", job=job, settings_hash="a", findings=findings)


def test_the_head_says_what_counts() -> None:
    assert head_content(None, ["enter tries it"]).plain == "enter tries it"
    trial = make_trial("A [red] dog.", "A [red] dog.", "Sorry, I cannot describe this image.")
    assert head_content(trial, []).plain == "3 captions, 1 failed, 1 duplicate, 1 refuse"
    trial.findings.rate("one", 0, Rating(True, ""))
    trial.findings.rate("one", 1, Rating(False, ""))
    assert head_content(trial, ["stale"]).plain.startswith("stale\n3 captions, 1 failed")
    assert head_content(trial, []).plain.endswith("1 of 2 good")


def test_a_caption_with_its_rating_and_difference() -> None:
    trial = make_trial("A [/x] dog. It barks.", "A cat.")
    trial.findings.rate("one", 1, Rating(False, "no [cat]"))
    assert caption_content(trial, 0, chosen=True).plain == ">1 A [/x] dog//. It barks.//"
    assert caption_content(trial, 1, chosen=False).plain == " 2 bad (no [cat]) A cat//.//"
    assert caption_content(trial, 2, chosen=False).plain == " 3 ..."
    assert caption_content(trial, 4, chosen=False).plain == " 5 FAIL missing: [/x].png"
    other = make_trial("A red dog.")
    shown = caption_content(trial, 0, chosen=False, first=other).plain
    assert shown == " 1 A [-red-] {+[/x]+} dog"
