"""The phrases of refusals, as patterns of regular expressions.

They are those of released instruction-tuned models (LLaVA, Qwen-VL, InternVL, Gemma, GPT-4V and
others), as their users report them; the list of "test prefixes" by which GCG finds refusals (Zou et
al. 2023, arXiv 2307.15043) holds the same kind. Quotes in alternative texts begin alike ("i can't
find my glasses"), so that a common verb counts only with what a model says of its task ("I can't
find the image").
"""

from __future__ import annotations

from engine.shearing.phrases import any_of

ADVERBS = (
    rf"(?:{any_of('actually | currently | really | directly | just | simply | also | yet')} )*"
)
PICTURE = any_of("""
    images? | pictures? | photos? | photographs? | visual content | attachments? | files?
""")
GIVEN = rf"""(?:{
    any_of(
        "provided | attached | uploaded | given | shared | linked | requested | original |"
        " actual | visible | visual | corresponding"
    )
} )*"""
"""What may stand before `PICTURE`."""
NOT = any_of("""
    can'?t | cannot | can not | could(?:n'?t| not) | won'?t | will not | do(?:n'?t| not) |
    did(?:n'?t| not) | should(?:n'?t| not)
""")
OWN_VERBS = any_of("""
    analy[sz](?:e|ing) | assist(?:ing)? | caption(?:ing)? | comply(?:ing)? | describ(?:e|ing) |
    discern(?:ing)? | fulfil(?:l(?:ing)?)? | generat(?:e|ing) | identify(?:ing)? |
    interpret(?:ing)? | process(?:ing)?
""")
"""Verbs of the task of a captioner."""
COMMON_VERBS = any_of("""
    access(?:ing)? | answer(?:ing)? | comment(?:ing)? | complet(?:e|ing) | creat(?:e|ing) |
    detect(?:ing)? | determin(?:e|ing) | discuss(?:ing)? | display(?:ing)? | engag(?:e|ing) |
    find(?:ing)? | giv(?:e|ing) | help(?:ing)? | know | load(?:ing)? | look(?:ing)? |
    mak(?:e|ing) out | nam(?:e|ing) | open(?:ing)? | perceiv(?:e|ing) | produc(?:e|ing) |
    provid(?:e|ing) | read(?:ing)? | recogni[sz](?:e|ing) | respond(?:ing)? | say(?:ing)? |
    see(?:ing)? | shar(?:e|ing) | show(?:ing)? | support(?:ing)? | talk(?:ing)? | tell(?:ing)? |
    understand(?:ing)? | verify(?:ing)? | view(?:ing)? | writ(?:e|ing)
""")
"""Verbs that are said of other things, too."""
OBJECTS = any_of(rf"""
    {PICTURE} | visuals? | vision | information | context | contents? | captions? |
    descriptions? | requests? | scene | pixels
""")
WITH_WHAT = any_of("the | any | an | enough | sufficient | direct | visual | necessary")
HAVING = any_of(rf"""
    eyes |
    (?:{WITH_WHAT} )*(?:abilit(?:y|ies)|capabilit(?:y|ies)|access|permission|vision|information) |
    (?:a|an|any) {GIVEN}{PICTURE}(?: to| attached| available| here| yet|\W*$)
""")
"""What a model has not."""
TASK = (
    rf"(?:{OWN_VERBS}\b|have {HAVING}|(?:{COMMON_VERBS}|do)\b(?:"
    r"(?: with| you| it| on| to| for)*(?: (?:that|this|it))?\W*$|"
    r" (?:what|who) (?:this|that|it|they|you)\b|"
    rf".{{0,40}}?\b{OBJECTS}\b|"
    r" .{0,30}?\b(?:(?:this|the|that|their|real|specific|any) )+"
    r"(?:person|people|individuals?|identity)\b))"
)
"""What a model can or cannot do: one of its own verbs, or a common one with what it speaks of."""
WITHIN_ABILITY = any_of("""
    (?:un|not )able to | (?:incapable|not capable) of | not (?:allowed|permitted|programmed) to |
    not (?:designed|equipped|trained|authori[sz]ed) (?:to|for) | not in a position to |
    not going to | only able to | not comfortable(?: to| with| in)? | (?:prohibited|forbidden) from
""")
NEGATION = any_of("""
    is not | isn'?t | was not | wasn'?t | could not be | couldn'?t be | cannot be | can'?t be |
    is no longer | failed to | did not | didn'?t | does not | doesn'?t | has not | hasn'?t
""")
NEGATED_PICTURE = (
    rf"(?:(?:\bnot?\b|n't|\bcannot|unable|fail|missing|without).{{0,60}}?\b{PICTURE}\b"
    rf"|\b{PICTURE}\b(?: you \w+)? (?:{NEGATION}|cannot|can't|(?:is|was|seems|appears)\b.{{0,20}}?"
    r"(?:missing|unavailable|corrupt|blank|broken)))"
)
EXCUSES = any_of("""
    (?:i'?m|i am|we'?re|we are)(?: (?:so|very|truly|really|terribly))? (?:sorry|afraid)\\b |
    (?:(?:oh|oops),? )?sorry\\b | (?:(?:my|i offer my) )?apologies\\b |
    (?:i|we) (?:(?:do|must|sincerely) )?apologi[sz]e | pardon me | forgive me
""")
EXCUSED = any_of(rf"""
    \b(?:{NOT}|{WITHIN_ABILITY}) {ADVERBS}(?:be able to |seem to )?{TASK} |
    {NEGATED_PICTURE} | (?:can'?t|cannot|unable)\W*$ | not something (?:i|we)\b | \bfor me to\b |
    \b(?:must|have to) (?:(?:respectfully|politely) )?(?:decline|refrain|refuse) |
    \ban ai\b | \blanguage model\b | \b(?:this|that|your|the) request\b | \binappropriate\b
""")
"""What is excused where a model refuses, and hardly elsewhere: a shop, a card or a shirt is sorry
for other things."""
READING = any_of("have access to | process | understand | read | handle | work with | support")
REFUSING = any_of(rf"""
    lack the (?:abilit|capabilit|context|information|tools|means) |
    do(?:n't| not) feel comfortable |
    (?:must|have to|should|need to) (?:(?:respectfully|politely) )?(?:decline|refrain|refuse) |
    have no (?:way (?:of|to)|abilit|means|eyes|access|visual|image|information) |
    (?:(?:respectfully|politely) )?(?:decline|refuse) to {TASK} |
    (?:rather|prefer)(?: to)? not(?: to)? {TASK} | (?:cannot|can't)\W*$ |
    (?:can )?only {READING}\b.{{0,25}}\b(?:text|texts|language|words|written)
""")
MACHINE = any_of("""
    ai | artificial intelligence | language model | llm | chatbot | virtual assistant |
    assistant(?=,| i\\b)
""")
SIZE = rf"(?:{any_of('large | text-based | text based | text-only | visual | responsible')} )*"
NOT_THERE = any_of("""
    available | attached | provided | uploaded | load(?:ed)? | displayed? | shown |
    viewed | accessible | seen(?! (?:until|before|in|at|by|since)\\b) | processed | opened |
    described | analy[sz]ed | appear | (?:come|came) through | upload | detected |
    retrieved | included | visible | given | shared | found | here | received | supported |
    to (?:describe|caption|display|show|see|analy[sz]e)
""")
RULES = any_of("""
    (?:(?:may|might|could|would) )?(?:violates? | goes? against | is against) |
    (?:is|contains) inappropriate | (?:has been|was) (?:blocked|filtered|removed|flagged)
""")
ASK = any_of("(?:re-?)?upload | attach | share | (?:re)?send | provide | include")
ASKED = any_of("""
    attach(?:ed)? | provided? | upload(?:ed)? | shared? | sen[dt] | included? | given?
""")
ONE = any_of("an? | the | your | another | it | that | any | more | me")
OTHER_LANGUAGES = any_of("""
    lo siento\\b | disculpa | je suis désolé | désolée?\\b | (?:es )?tut mir leid |
    entschuldigung | mi dispiace | desculpe\\b | sinto muito | przepraszam | извините | простите |
    к сожалению | (?:很|非常)?抱歉 | 对不起 | 對不起 | 申し訳 | すみません | 죄송
""")
BEGIN_WITH_ME = (
    rf"{EXCUSES}(?=\W*(?:no\W*)?$|.{{0,120}}?{EXCUSED})",
    rf"(?:i|we) {ADVERBS}{NOT} {ADVERBS}(?:be able to |seem to )?{TASK}",
    rf"(?:i|we)(?:'m| am|'re| are| was| were| remain)? {ADVERBS}{WITHIN_ABILITY} {TASK}",
    rf"(?:i|we) (?:was|were|are|am)(?:n't| not) able to {TASK}",
    r"i(?:'m| am) not sure what you\b",
    rf"(?:i|we)(?:'m| am|'re| are) having (?:trouble|difficulty) {TASK}",
    rf"(?:i|we)(?:'m| am|'re| are) not equipped\b.{{0,25}}\b(?:vision|visual|see|{PICTURE})\b",
    rf"(?:i|we)(?:'m going to| will| would|'d)? {REFUSING}",
    r"(?:i|we)(?:'d| would)? need (?:to see|more|you to|the|additional)\b.{0,40}"
    rf"\b(?:{PICTURE}|information|context)\b",
    r"(?:i|we) (?:have not|haven't|did not|didn't) (?:yet )?"
    rf"(?:been (?:given|sent|provided|shown)\b|receive|get (?:any|your)\b).{{0,25}}?\b{PICTURE}\b",
    rf"(?:i|we) (?:was|were)(?: not|n't) (?:given|sent|provided|shown)\b.{{0,25}}?\b{PICTURE}\b",
    rf"(?:i|we) (?:see|find|received?|detect) no {GIVEN}{PICTURE}\b",
    rf"let me know (?:when|once|if) you\b.{{0,40}}?\b{PICTURE}\b",
    rf"as an? {SIZE}{MACHINE}\b(?![ -](?:generated|powered|art|image|robot|company|concept)\b)",
    rf"(?:i'?m|i am) (?:(?:just|only|merely) )?an? (?:{SIZE}{MACHINE}|text-(?:based|only)\b)",
    r"my (?:(?:safety|content|usage|privacy) )?(?:programming|guidelines|policy|policies|training) "
    r"(?:do|prohibit|prevent|forbid)",
    r"my (?:capabilit|abilit)(?:y|ies) (?:is|are|do|does)\b.{0,20}?(?:limited|\bnot\b|n't)",
)
BEGIN_WITH_THE_PICTURE = (
    rf"(?:there(?:'s| is| was| seems to be| appears to be| are) )?no {GIVEN}{PICTURE} "
    rf"(?:(?:is|was|were|has been|have been) )?{NOT_THERE}\b",
    r"there (?:is not|isn't|are not|aren't|was not|wasn't|do(?:es)?(?:n't| not) "
    rf"(?:seem|appear) to be) an?y? {GIVEN}{PICTURE}\b(?: {NOT_THERE}\b| in your\b|\W*$)",
    r"no (?:visual|image) (?:input|data|information)s? (?:was|is|has been) (?:received|provided)",
    r"(?:there(?:'s| is) )?nothing (?:(?:was|is|has been) )?"
    r"(?:attached|uploaded|provided|shared|sent)\b",
    rf"(?:error[:,]? )?(?:no |the )?{PICTURE} (?:(?:is|was) )?"
    rf"(?:(?:not|{NEGATION}) (?:be )?{NOT_THERE}\b|unavailable|failed to (?:load|open|upload))",
    rf"no {PICTURE}\W*$",
    rf"{PICTURE} (?:processing|loading|upload|analysis|retrieval|generation) failed\b",
    rf"(?:the|your|this) (?:link|url)\b(?: you \w+)? {NEGATION} (?:work|lead|open|point|contain)",
    rf"the contents? of (?:the|this|your) {PICTURE} (?:{NEGATION}|cannot|can't)\b",
    rf"(?:the|this|your|that) {GIVEN}{PICTURE}"
    r"(?: (?:that )?you(?:'ve| have)? (?:sent|provided|uploaded|shared|attached|linked))? "
    rf"(?:{NEGATION} (?:been )?(?:be )?{NOT_THERE}\b"
    r"|(?:is|was) (?:missing|corrupted|inaccessible|unavailable)"
    r"|(?:appears|seems) to be (?:missing|corrupted|broken|blank|unavailable)\b)",
    r"no (?:caption|description|content|alt text)s? (?:(?:can|could) be|(?:is |was )?(?:available|"
    r"possible|provided|generated))\b",
    r"(?:the )?(?:caption|description|content|alt text)s? (?:is |was )?"
    r"(?:not (?:available|possible|provided)|unavailable|"
    r"(?:cannot|can't|could not|couldn't) be (?:generated|provided|created|produced))\b",
    rf"{PICTURE} (?:input|upload|attachment)s? (?:is|are) not (?:supported|enabled|available)",
    r"(?:this|the) (?:model|system|assistant|version|chat|chatbot) (?:does not|doesn't|cannot|"
    rf"can't|is not able to|is unable to) (?:{OWN_VERBS}|{COMMON_VERBS}|accept|handle)\b"
    rf".{{0,30}}\b(?:{PICTURE}|visuals?)\b",
    rf"error (?:while |when |in )?(?:load|process|open|read|display|access)ing\b.{{0,15}}{PICTURE}",
    r"without (?:actually )?(?:(?:seeing|viewing|having|(?:direct )?access to|being able to)\b"
    rf".{{0,30}}?\b(?:{PICTURE}|it|context|information)"
    rf"|(?:an?|the|any|your) {GIVEN}{PICTURE})\W+(?:i|we)\b",
)
BEGIN_WITH_A_REQUEST = (
    rf"(?:unable|not able|failed) to {TASK}",
    rf"(?:cannot|can'?t|can not|could not) {TASK}",
    r"it(?:'s| is| was| would be) (?:not possible|impossible|not appropriate|inappropriate) "
    rf"(?:for me to|to (?:describe|identify|provide|caption|process|access|analy[sz]e)) ?{TASK}?",
    r"(?:(?:this|the|your) )?request (?:(?:can'?t|cannot|could not) be|(?:(?:was|is|has been) )?"
    r"(?:declined|denied|refused|blocked|rejected))\b",
    rf"{ASK} (?:me )?(?:an?|the|your|another|it|that) ?{GIVEN}(?:{PICTURE})?\b.{{0,20}}?"
    r"\b(?:and i|so i|so that i|then i|for me to)\b",
    rf"(?:please|could you|can you|kindly|would you)(?: (?:please|kindly))? "
    rf"(?:{ASK} (?:me )?{ONE}|try)\b.{{0,40}}\b(?:{PICTURE}|again)\b",
    r"try (?:re-?)?(?:upload|attach|send|shar|load)ing\b",
    rf"(?:if|once|when|after) (?:you|(?:the|an?|your) {PICTURE})\b.{{0,30}}?"
    rf"\b(?:{ASKED}|describe)\b.{{0,50}}?\bi(?:'ll| can| could| will|'d| would)\b",
    rf"(?:which|what) {PICTURE} (?:are|do|would) you (?:refer|mean|talk|want|like)",
    r"you (?:have not|haven't|did not|didn't|have yet to|forgot to|need to|do(?:n't| not) seem to"
    rf" have) (?:yet |actually )?{ASKED}\b.{{0,25}}?\b{PICTURE}\b",
    r"your (?:message|prompt|request|conversation) (?:does|did)(?:n't| not) (?:contain|include)",
    rf"(?:this|the|your) (?:content|request|prompt|question|image) {RULES}",
    r"\[?content (?:warning\W*$|(?:was |is |has been )?(?:removed|filtered|blocked))",
    r"safety (?:warning\W*$|policy|filters?\b)",
    r"(?:that|this)(?:'s| is) something (?:i|we) (?:can't|cannot|won't)\b",
    r"(?:for (?:privacy|safety|security|ethical|legal) reasons|to (?:protect|respect) .{0,20}?"
    rf"privacy|(?:due to|because of|under) .{{0,30}}?(?:polic|guideline|restriction)\w+)\W+"
    rf"(?:i|we|this {PICTURE}|the {PICTURE})\b",
)
STARTS = (*BEGIN_WITH_ME, *BEGIN_WITH_THE_PICTURE, *BEGIN_WITH_A_REQUEST, OTHER_LANGUAGES)
"""Patterns of the beginning of a refusal."""
OPENINGS = any_of("""
    unfortunately | regrettably | sadly | however | hmm+ | oh | uh | well | hello | hi | hey |
    there | thank you | thanks | no | at this time | honestly | but | while |
    it (?:seems|appears|looks)(?: (?:like|that|as if|as though))?
""")
"""What may stand before it, each with its punctuation."""
LATER = (
    r"\bas an? (?:large )?(?:ai|artificial intelligence)"
    r"(?: language)?(?: (?:model|assistant|system)|,)",
    rf"\bas a {SIZE}language model\b",
    rf"\bi(?: am|'m) (?:(?:just|only) )?an? (?:ai|{SIZE}language model)\b",
    rf"\b(?:i|we) {ADVERBS}(?:(?:can'?t|can ?not|won't|will not) {ADVERBS}|"
    rf"(?:am|'m|are) {ADVERBS}{WITHIN_ABILITY} )(?!say\b|know\b){TASK}",
    rf"\bi(?:'m|'re| am| are) {ADVERBS}{WITHIN_ABILITY} {OWN_VERBS}\b",
    r"\bagainst (?:(?:my|our)|the (?:safety|content|usage|privacy)) "
    r"(?:guidelines|policy|policies|programming|rules|principles)\b",
    r"\bbeyond (?:my (?:capabilit|abilit|scope)|what i can\b)",
    r"\bnot something (?:i|we)(?:'m| am|'re| are)? (?:able|can|allowed|permitted|comfortable)\b",
    r"\bi have nothing to (?:describe|caption|look at|work with)\b",
    r"\bfor me to (?:describe|caption|identify|analy[sz]e|provide)\b",
    r"\b(?:but|because|since) i (?:do not|don't|can't|cannot) see (?:one|any|it|an image)\b",
    r"\b(?:unable|not able) to (?:view|see|access|process|open|display|analy[sz]e) "
    rf"(?:(?:the|this|any|your|an|actual|attached) )*{PICTURE}\b",
)
"""Patterns of a refusal that may come later, such as "Unfortunately, ... I cannot describe"."""
