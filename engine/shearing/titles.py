"""Titles and labels in Markdown before the caption: "# Harvest", "**Subject:**"."""

from __future__ import annotations

from engine.shearing.phrases import any_of

NO_CAPTION = any_of(r"""
    \#{1,6}\s | \*\*[^*\n]*\*\*[^\S\n]*(?:\n|\Z) |
    [*_"]*(?:this|the) (?:caption|title|description|sentence)\b | [*_]*note\b | i hope | let me know
""")
"""What tells a line before it from a title: another line like it, or a comment on it."""
BEHIND = rf"[^\S\n]*\n\s*(?!{NO_CAPTION})(?=[^\W_]|[\"'*_\u201c\u2018])"
SMALL_WORDS = any_of("a | an | the | and | or | of | in | on | at | by | to | for | with | from")
TITLE = (
    rf"(?:#{{1,6}}\s+[^\n]{{0,79}}[^.\n]{BEHIND}"
    rf"|[*_]{{2,3}}(?-i:[A-Z])[^\s*_]*(?:\s(?:(?:{SMALL_WORDS})\s)*(?-i:[A-Z])[^\s*_]*){{0,7}}"
    rf"(?<![.:!?])[*_]{{2,3}}{BEHIND})"
)
"""A line of its own, without a full stop, with the caption behind it: after `#`, or bold with
capitals, as titles have."""
NO_NAME = any_of("""
    reasoning | thinking | thoughts? | analysis | rationale | warning | the | this | in | an? |
    left | right | top | bottom | cent(?:er|re) | before | after
""")
BOLD_LABEL = rf"\*\*(?!{NO_NAME}\b)[^\W\d_][^*:\n]{{0,40}}(?::\*\*|\*\*[^\S\n]*:)\s*(?=\S)"
"""A name with a colon in bold type, whatever it says: "**Option 1 (Short):**"."""
OTHER_LABEL = any_of("""
    title | headline | subject | topic | photo(?: by)? | photographer | credits? | source | image |
    file(?:name)? | alt | location | date
""")
BEFORE_CAPTION = (
    rf"[*_#\s]*{OTHER_LABEL}\s*[*_]*\s*:(?:[^\n]{{0,100}}(?:\n|\.\s)\s*){{1,3}}?"
    r"(?=[*_#]*(?:(?:short|image|photo) )?(?:caption|description)\s*[*_]*\s*:)"
)
"""Other labels with their values, up to the label of the caption."""
