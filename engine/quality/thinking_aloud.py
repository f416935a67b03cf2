"""How models reason in plain words, without the tags that mark it: the patterns of leaks.

`engine.shearing.reasoning` knows the tags, which shearing cuts.
"""

from __future__ import annotations

from engine.shearing.phrases import any_of
from engine.shearing.thoughts import MY_TASK, TASK_VERBS, THOUGHT

TEXTS = any_of("captions? | descriptions? | sentences? | summary | summaries")
NOTICE = any_of("notice | see | observe | look at | identify")
CHECK = any_of("check | think | look | see | count | verify | re-?(?:check|read|think|examine)")
DOUBT = any_of("""
    i (?:think|guess|believe|suppose|need to|should|can't) | i'm not sure | wait | hmm+ | let me |
    actually | maybe | probably
""")
STEPS = any_of("""
    identify | describe | analy[sz]e | observe | examine | determine | recogni[sz]e | summari[sz]e
""")
LENGTHS = any_of(r"""
    under | below | within | at most | no (?:more|longer) than | (?:less|fewer|shorter) than |
    up to | between | about | around | exactly | brief | short | concise | (?:a|one) single | \d+
""")
"""How long a caption is to be."""
LABELS = any_of(r"""
    reasoning | think(?:s|ing)? | (?:thinking|thought) process | thoughts? |
    chain[ -]of[ -]thought | analysis | rationale | internal monologue | scratchpad |
    step-by-step | observations? | key (?:elements?|details?|objects?|points?|observations?) |
    main (?:subjects?|elements?|objects?|focus) | draft(?: ?\d+)? | self-(?:correction|check) |
    refin(?:ing|ement)
""")
"""What stands before a colon, at the beginning of a line or sentence."""
HEADINGS = (
    r"(?:(?:analy[sz]ing|analysis of|examining|considering|crafting|drafting|refining|formulating) "
    rf"(?:the|this|a|my) (?:\w+ ){{0,2}}(?:image|picture|photo|scene|{TEXTS})"
    r"|reasoning|analysis|(?:thought|thinking) process)\W*\Z"
)
"""Headings of reasoning, if nothing else is there."""
NAMES = any_of("think(?:ing)? | thoughts? | reason(?:ing)? | reflection | scratchpad | analysis")
MARKS = (
    rf"\[/?(?i:{NAMES})\]",
    r"(?:\.\.\.|\u2026)done thinking\b",
    r"\*\*(?:Thinking|Analy[sz]ing|Reasoning)\b",
    r"(?:[.,;\u2026\u2014\u2013]|\s-)\s?(?:no, )?(?i:wait|hmm+|actually),? "
    r"(?:is|are|was|maybe|could|that|it|this)\b[^?\n]{0,80}\?",
    rf"[.?!]\s[Ll]et me {CHECK}\b",
)
"""Patterns of what stands anywhere in a text."""
STARTS = (
    THOUGHT,
    HEADINGS,
    r"thinking\s?(?:\.{3}|\u2026)\s*\n",
    r"thought for (?:about )?(?:\d+|a few|a couple of|several) ?(?:s|secs?|seconds?|minutes?)\b",
    r"(?:first|to begin|to start)[,.]? i(?:'ll| will| need| should| have)\b",
    rf"(?:first|to begin|to start), (?:i|we) {NOTICE}\b",
    rf"(?:let'?s|let me) (?:{CHECK}|break|analy[sz]e|start|describe|examine)\b",
    r"the user (?:wants|asks|is asking|asked|has|provided|would like|needs|uploaded|requested|sent|"
    r"(?:has|did|does|is)n't|did not|said|says|specified|mentioned|expects|seems|might|probably)\b",
    rf"(?:(?:i|we) need to|i should|i have to|my task is to|(?:i(?:'m| am)|we are) asked to|"
    rf"i(?:'ve| have) been asked to) {TASK_VERBS}\b",
    r"(?:wait|alternatively|hold on|hmm+),(?! (?:what|an?)\b)",
    r"(?:so,? )?(?:the|my) (?:caption|description|answer|response) "
    r"(?:should(?! be\s*:)|must|needs? to|has to)\b",
    rf"(?:the|your) (?:text|output|reply|alt text|{TEXTS}) (?:should|must|needs? to|has to) "
    rf"(?:not )?(?:be (?:{LENGTHS})\b|(?:mention|include|contain|describe|exceed|avoid)\b)",
    r"so,? the caption (?:could|might|will)\b",
    r"given the (?:\w+ ){0,2}(?:constraints?|limits?|limitations?|instructions?|requirements?)\b",
    r"to (?:caption|describe|summari[sz]e) (?:this|the|it|that)\b[^.!?\n]{0,30}, "
    r"i(?:'d| would|'ll| will) (?:mention|note|focus|include|start|write|need|highlight)\b",
    r"the (?:prompt|instructions?|question|task) (?:asks?|says?|is to|wants|requires?|tells?)\b",
    r"in this task\b",
    r"i(?:'m| am) (?:currently|now) (?:focus|work|look|examin|analy[sz]|consider|refin|craft|zero)"
    r"\w*\b",
    r"i(?:'m| am) going to (?:describe|caption|write|analy[sz]e)\b",
    r"analysis(?:the|we|i|it|user|okay|need|a)\b",
    rf"step ?\d+ ?[:.] {STEPS}\b",
    rf"is (?:it|that|this) [^.!?\n]{{1,60}}\? {DOUBT}\b",
    rf"{MY_TASK} (?:me )?(?:a|an|the|one|this|my)\b.{{0,40}}\b{TEXTS}\b",
    r"(?:looking at|examining) (?:the|this) (?:image|picture|photo), (?:i|we|it)\b",
)
"""Patterns of the beginning of a text in lower case."""
