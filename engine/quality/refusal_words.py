"""Kinds of words that refusals are made of.

A model that refuses speaks of few things: of itself, of who asks, of the image as something that
was or was not given to it, of its task, of what it can do, and of rules.
"""

from __future__ import annotations

from functools import lru_cache

import snowballstemmer

CUE_KINDS = """
speaker: i we im ive
own: my me our us myself
machine: ai assistant chatbot bot llm gpt chatgpt claude gemini
user: you your yours
not: not t no cannot cant dont wont didnt doesnt isnt couldnt wasnt nor none nope neither never
not: nothing without unable inability incapable impossible unsuccessful fail fails failed failing
not: failure lack lacks lacked lacking
missing: missing unavailable inaccessible unreadable invalid unsupported corrupt corrupted null
missing: unanswerable undefined undetermined
error: error errors aborted exception timeout timed crashed
hard: unclear unsure uncertain ambiguous illegible
refuse: refuse refuses refused refusing refusal decline declines declined declining refrain refrains
refuse: refraining avoid avoids abstain skip skipped skipping reluctant unwilling hesitant
refuse: uncomfortable prefer prohibited forbidden prohibit prohibits prohibiting forbid forbids
refuse: barred
block: flagged rejected denied filtered censored removed withheld suppressed restricted disabled
block: cancelled canceled
beyond: violate violates violating violated violation breach breaches exceed exceeds unsuitable
beyond: inappropriate unethical irresponsible
rule: policy policies guideline guidelines privacy safety ethical ethics confidentiality moderation
rule: sensitive explicit nsfw harmful offensive
excuse: sorry apology apologies apologize apologise apologizes apologises apologizing unfortunately
excuse: regrettably regretfully regret afraid pardon forgive alas sadly oops whoops
ask: please kindly try retry mind could upload reupload resend attach provide submit need needs
ask: needed require required requires
what: what which
"""
"""Kinds of words of which nearly each refusal has one, in the forms in which they are written."""
WEAK_CUE_KINDS = """
missing: damaged blank empty broken na expired lost deleted unknown dead offline
error: problem problems issue issues trouble difficulty difficulties wrong
hard: hard difficult blurry blurred
refuse: rather
block: blocked hidden stopped filter
beyond: beyond against conflicts outside terms
where: where
only: only
too: too enough insufficient
"""
"""Kinds of words that speak for a refusal in a text that has one of `OBJECTS`, too."""
OTHER_KINDS = """
model: model system service tool software program machine computer server version api
textual: text language word vision visual multimodal artificial intelligence
able: able ability capability capable comfortable position permission permit allow authorize
able: authorise design equip train possible access way mean feature function willing appropriate
able: suppose instruct
task: describe identify analyze analyse interpret comply fulfill fulfil process assist generate
task: discuss summarize transcribe respond help speculate elaborate classify annotate recognize
task: recognise name guess judge complete engage fulfilment analysis
perceive: see seen saw view look open load display read find found detect perceive discern inspect
perceive: examine tell told know say determine retrieve fetch render decode observe verify confirm
perceive: download understand handle visible evaluate idea sure certain parse viewable show
deliver: attach send sent share receive give given gave arrive include link supply paste available
deliver: come came get got provided insert
given: image picture photo photograph pic file attachment img jpg jpeg png url media snapshot pixel
given: input screenshot link imagery
output: caption description answer output summary comment reply title interpretation
request: request prompt question message content conversation chat query material context detail
request: information instruction task response topic
when: if once when until before unless after
what: who whom whose how whether why anything something anyone else
joined: but so because since therefore thus while although though however
too: sufficient
as: as being
again: again instead first later
carrier: sign poster mug shirt tee sticker icon vector symbol placeholder logo banner label meme
carrier: print quote cartoon screen laptop monitor website page browser doormat card lyrics lyric
carrier: typography lettering letter slogan template cover tote button pin illustration concept
carrier: hoodie sweatshirt sweater apron cushion pillow magnet plaque tattoo sleeve vinyl cup tub
carrier: jar bottle blanket towel embroidery mural hat bag note wall art game reads message written
carrier: says album song movie film book painting
life: believe wait stop live love keep stand sleep eat drink dance sing run play walk grow swim fly
life: jump win dream laugh cry smile buy sell wear forget remember touch fight fit finish leave stay
article: a an the
person: person people individual man woman child minor face identity
"""
"""Further kinds, by the base form of their words."""
FILLERS = """
be is are was were been am have has had having do does did can could will would may might shall
should to of with for at in on from by and or that this these those it its them one there here very
really actually currently directly just simply also yet still even any some such seem appear like s
m re ve ll d ca wo feel anymore now yes well oh hi hello hey honestly then either both all actual
kind type sort
"""
"""Words that say nothing of a kind."""
STEMMER = snowballstemmer.stemmer("english")
OTHER = "other"


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """Return the stem of a word in lower case, by which its forms are one."""
    stemmed: str = STEMMER.stemWord(word)
    return stemmed


def read_kinds(*tables: str) -> dict[str, str]:
    """Return the kind of each word of the tables, and of its stem."""
    kinds: dict[str, str] = {}
    for line in "".join(tables).strip().splitlines():
        kind, _, words = line.partition(": ")
        for word in words.split():
            kinds.setdefault(word, kind)
            kinds.setdefault(stem(word), kind)
    return kinds


KINDS = {**read_kinds(CUE_KINDS, WEAK_CUE_KINDS, OTHER_KINDS), **dict.fromkeys(FILLERS.split(), "")}


def words_in(table: str) -> frozenset[str]:
    """Return the words of a table."""
    lines = table.strip().splitlines()
    return frozenset(word for line in lines for word in line.partition(": ")[2].split())


CUES = words_in(CUE_KINDS)
WEAK_CUES = words_in(WEAK_CUE_KINDS)
OBJECTS = frozenset(
    """
    image images picture pictures photo photos photograph photographs file files attachment
    attachments link url input upload caption captions description answer output response request
    prompt question content chat conversation n model system information context detail data
    """.split()  # noqa: SIM905
)
"""What a model that refuses speaks of."""


def kind_of(word: str, stemmed: str) -> str:
    """Return the kind of a word with this stem: `OTHER` if it has none, empty for a filler."""
    kind = KINDS.get(word)
    return KINDS.get(stemmed, OTHER) if kind is None else kind
