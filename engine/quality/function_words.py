"""The most frequent function words of some languages, by which a text's language is told.

Articles, prepositions, conjunctions, pronouns and forms of "to be", as grammars of each language
list them; written by hand for this program. Most words of one letter are left out.
"""

# ruff: noqa: RUF001 (letters of many languages)
from __future__ import annotations

_LISTS = {
    "en": """
        a about above across after against all along also am among an and another any are around
        as at away back be because been before behind being below beneath beside between both
        but by can could did do does down during each few for from had has have he her here him
        his how i if in inside into is it its itself just like many may me might more most my
        near next no nor not of off on one onto or other our out outside over own she should so
        some such than that the their them then there these they this those through to together
        toward towards under until up upon us very was we were what when where which while who
        whose will with within without would you your two several
    """,
    "de": """
        in an so was der die das den dem des ein eine einen einem einer eines und oder aber ist
        sind war waren wird werden hat haben mit von vom zu zum zur im am auf aus bei durch für
        gegen hinter neben ohne über unter vor zwischen nach nicht sich er sie es ihr ihre ihren
        seine seinen seinem während als wie auch noch zwei drei steht sitzt liegt
    """,
    "fr": """
        a on le la les un une des du de et ou mais est sont était avec dans sur sous pour par en
        au aux ce cette ces il elle ils elles son sa ses leur leurs qui que dont où entre
        derrière devant chez sans vers pas ne plus très deux trois d l
    """,
    "es": """
        a no me el la los las un una unos unas y o pero es son está están era con en sobre bajo
        para por de del al su sus que se lo como más muy entre detrás delante junto desde hasta
        hacia sin dos tres hay mientras este esta estos estas ese esa
    """,
    "it": """
        a i il lo la gli le un uno una e ed o ma è sono era con in nel nella nei nelle sul sulla
        sulle sull per da dal dalla dall di del della dell dei delle al alla all che si suo sua
        suoi loro tra fra non questo questa questi queste alcun alcuna
        alcuni alcune dietro davanti accanto mentre sotto sopra due tre
    """,
    "pt": """
        a o os as um uma uns umas e ou mas é são está estão era com em no na nos nas num numa
        sobre sob para por pelo pela de do da dos das ao à que se seu sua seus suas mais muito
        entre atrás frente enquanto dois duas três
    """,
    "nl": """
        in is over de het een en of maar zijn was waren wordt heeft hebben met van voor naar bij
        uit aan op onder tussen achter naast door om te niet zich hij zij ze haar hun die dat
        deze dit terwijl als ook nog twee drie staat zit
    """,
    "pl": """
        i w we z ze na do od po za pod nad przed przy przez dla o oraz lub ale jest są był była
        było nie się jego jej ich który która które to ten ta te dwa dwie trzy obok siedzi stoi leży
    """,
    "sv": """
        en ett och eller men är var som i med av på för till från under över vid bakom framför
        mellan den det de han hon sin sitt sina inte har två tre sitter står
    """,
    "da": """
        en et og eller men er var som i med af på for til fra under over ved bag foran mellem den
        det de han hun sin sit sine ikke har to tre sidder står
    """,
    "tr": """
        bir ve ile bu şu o için gibi kadar daha çok üzerinde üstünde altında yanında içinde arasında
        önünde arkasında karşısında tarafından doğru olan olarak var ama veya hem her iki üç
    """,
    "fi": """
        ja on ovat oli eli tai mutta että joka jotka jossa kun kuin hän se ne tämä nämä sen hänen
        heidän ei myös vieressä edessä takana alla päällä keskellä kanssa yksi kaksi kolme
        istuu seisoo makaa
    """,
    "cs": """
        a i v ve na se je jsou byl byla s z ze do od po pod nad před při pro za k ke u o nebo ale
        který která které jeho její jejich si že vedle mezi dva dvě tři sedí stojí leží
    """,
    "hu": """
        a az egy és vannak volt hogy nem is mellett előtt mögött alatt fölött között felett aki
        amely ami akik vagy de két három ül áll fekszik
    """,
    "id": """
        yang dan di ke dari dengan untuk pada dalam atas bawah sebuah seorang seekor ini itu
        adalah sedang oleh atau tidak dua tiga depan belakang samping antara orang ekor buah saat
        sambil bersama
    """,
    "vi": """
        một và của trên dưới trong với là có được cho các những này đó đang bên cạnh người con
        cái chiếc hai ba
    """,
    "ro": """
        un o și sau dar este sunt era cu în pe sub pentru de din la lângă care se lui ei lor
        dintre două doi trei stă
    """,
    "no": """
        en ei et og eller men er som i med av på for til fra under over ved bak foran mellom den det
        de han hun sin sitt sine ikke har to tre sitter står
    """,
    "hr": """
        i u na se je su s sa od do iz za po pod nad pred kod pored ispred iza između ili ali koji
        koja koje njegov njezin ovaj ta to dva dvije tri jedan jedna sjedi stoji leži
    """,
    "sk": """
        a i v vo na sa je sú bol bola so z zo do od po pod nad pred pri za k ku u o alebo ale ktorý
        ktorá ktoré jeho jej ich si že vedľa medzi dva dve tri sedí stojí leží
    """,
    "sl": """
        in v na se je so bil bila s z iz do od po pod nad pred pri za k o ali pa ki njegov njena
        njen ta to da ob med dva dve tri sedi stoji leži
    """,
    "lt": """
        ir į iš su ant prie po už be nuo iki per yra buvo kad kuris kuri kurie kas bet ar jo jos jų
        jis ji jie šis ši tai du dvi trys sėdi stovi guli šalia
    """,
    "lv": """
        un uz ar no pie pa zem virs aiz pēc bez līdz ir bija ka kas kurš kura bet vai viņa viņš
        viņi šis šī tas tā divi divas trīs sēž stāv guļ blakus
    """,
    "et": """
        ja on oli ei et kes mis ning või aga see ta tema nad oma üks kaks kolm juures kõrval ees
        taga all peal vahel istub seisab lamab
    """,
    "is": """
        og á er eru var í við með að af til frá sem um fyrir undir yfir hjá en eða ekki hann hún það
        þau þeir sinn sína sitt ein einn eitt tveir tvær tvö þrír situr stendur liggur
    """,
    "ca": """
        el la els les un una uns unes i o però és són era amb en sobre sota per de del dels al als
        pel pels que es seu seva seus seves més molt entre darrere davant fins sense dos dues tres
        mentre
    """,
    "sw": """
        na ya wa za la kwa katika kwenye ni hii hiyo huyo yake wake juu chini mbele nyuma karibu
        ndani mbili moja mmoja wawili
    """,
    "tl": """
        ang ng mga sa na isang ay at si ni kay may nasa ito iyan niya kanyang kanilang habang
        dalawang tatlong
    """,
    "hi-Latn": """
        mein hai hain ek aur ka ki ke ko do is us jo raha rahi rahe hua hui wala wali saath paas
        upar neeche andar bahar saamne peeche kinare lekar liye teen yeh woh nahi nahin
    """,
}
FUNCTION_WORDS = {language: frozenset(words.split()) for language, words in _LISTS.items()}
"""The function words of each language, by its code (ISO 639-1); "hi-Latn" is Hindi that is written
in Latin letters."""
