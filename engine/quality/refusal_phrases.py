"""Refusals in other languages than English: how each says "I am sorry" and "I cannot".

What an English text says is told by its words (`engine.quality.refusal_features`). In other
languages captions are few, so that only the first person's "I cannot" and the excuses with which a
text begins are known.
"""

# ruff: noqa: RUF001 (letters of many languages)
from __future__ import annotations

import re

from engine.shearing.phrases import any_of

EXCUSES = {
    "es": "lo siento | disculp[ae] | lamento | perd[oó]n,",
    "fr": "je suis désolée? | désolée? | je suis navrée? | je regrette",
    "de": "es tut mir leid | tut mir leid | entschuldigung | ich bedauere",
    "it": "mi dispiace | sono spiacente | spiacente",
    "pt": "desculpe | sinto muito | lamento",
    "nl": "het spijt me | mijn excuses",
    "pl": "przepraszam | przykro mi",
    "sv": "jag beklagar | jag är ledsen",
    "da": "jeg beklager | beklager",
    "cs": "omlouvám se | je mi líto",
    "ro": "îmi pare rău",
    "hu": "sajnálom",
    "tr": "üzgünüm | maalesef",
    "id": "maaf",
    "vi": "xin lỗi | rất tiếc",
    "el": "λυπάμαι | συγγνώμη",
    "ru": "извините | простите | к сожалению, я",
    "uk": "вибачте | на жаль, я",
    "ar": "آسف | عذر[اًا] | أعتذر",
    "hi": "क्षमा करें | माफ़ करें | मुझे खेद है",
    "zh": "(?:很|非常|十分)?抱歉 | 对不起 | 對不起 | 很遗憾",
    "ja": "申し訳 | すみません | ごめんなさい | 恐れ入りますが",
    "ko": "죄송 | 미안",
}
"""Excuses with which a refusal begins, by language."""
CANNOT = {
    "es": r"\bno (?:puedo | soy capaz | me es posible | tengo acceso | veo ninguna) |"
    r" \bno ninguna imagen",
    "fr": r"\bje ne (?:peux | suis pas en mesure | parviens pas | vois (?:pas|aucune)) |"
    r" \bje n'ai pas (?:la capacité | accès | reçu) |"
    r" \baucune image n['e]",
    "de": r"\b(?:ich kann | kann ich | ich darf)\b.{0,40}\b(?:nicht\w* | kein\w* | niemand\w*)\b |"
    r" \bich bin nicht in der lage | \bich sehe kein | \bes wurde kein bild",
    "it": r"\bnon (?:posso | sono in grado | riesco a | vedo alcuna | ho accesso) |"
    r" \bnessuna immagine è",
    "pt": r"\bnão (?:posso | consigo | sou capaz | vejo nenhuma | tenho acesso | é possível)",
    "nl": r"\b(?:ik kan | kan ik)\b.{0,40}\b(?:niet | geen)\b | \bik ben niet in staat |"
    r" \bik zie geen",
    "pl": r"\bnie (?:mogę | jestem w stanie | widzę obraz | mam dostępu | potrafię)",
    "sv": r"\b(?:jag kan | kan jag)\b.{0,20}\b(?:inte | ingen)\b",
    "da": r"\b(?:jeg kan | kan jeg)\b.{0,20}\b(?:ikke | ingen)\b",
    "cs": r"\b(?:nemohu | nemůžu | nejsem schopen)\b",
    "ro": r"\bnu pot\b",
    "hu": r"\bnem tudom (?:leírni | megjeleníteni | feldolgozni)",
    "id": r"\b(?:saya | kami) tidak (?:dapat | bisa)",
    "vi": r"\btôi không thể",
    "el": r"\bδεν μπορώ",
    "ru": r"\bя не (?:могу | вижу | в состоянии) | \bне могу (?:описать | увидеть | просмотреть)",
    "uk": r"\bя не (?:можу | бачу)",
    "ar": r"\bلا (?:يمكنني | أستطيع | أرى)",
    "hi": r"मैं .{0,40}(?:नहीं कर सकत | नहीं देख सकत | असमर्थ)",
    "zh": r"(?:无法 | 無法 | 不能 | 没法)"
    r"(?:查看 | 看到 | 描述 | 识别 | 識別 | 提供 | 访问 | 显示 | 生成 | 处理 | 回答 | 为 | 為) |"
    r" 看不到(?:图 | 圖 | 您 | 你) | 没有(?:看到 | 收到)(?:任何)?(?:图 | 您 | 你)",
    "ja": r"(?:でき | 見え | 見られ | いたしかね)ません | ことができない",
    "ko": r"(?:볼 | 할 | 드릴 | 확인할 | 제공할 | 설명할) 수(?:가)? 없",
}
"""What the first person cannot do, anywhere in a text, by language."""
FOREIGN_CUES = frozenset(
    """
    acceso aucune bedauere beklager bild darf desculpe disculpa disculpe dispiace désolé désolée
    entschuldigung excuses grado imagen immagine jag jeg kan kann không lage lamento ledsen leid
    líto maaf maalesef mogę navré navrée nemohu nemůžu není nessuna nie niet nu não omlouvám pas
    perdón peux posso potrafię przepraszam przykro puedo purtroppo regrette riesco sajnálom sehe
    siento sinto soy spiacente spijt suis tidak tiếc tudom vois xin zie îmi üzgünüm δεν λυπάμαι
    συγγνώμη вибачте жаль извините не простите сожалению آسف أعتذر عذرا لا क ख नह ご す な ん 不
    对 對 恐 憾 抱 无 没 無 申 看 미안하지만 미안합니다 수 죄송하지만 죄송합니다 죄송해요
    """.split()  # noqa: SIM905
)
"""One of these words is in each of these refusals; in Chinese and Japanese, one character."""
REFUSAL_ELSEWHERE = re.compile(
    rf"\W*{any_of(' | '.join(EXCUSES.values()))}|.*?(?:{'|'.join(map(any_of, CANNOT.values()))})",
    re.DOTALL,
)
"""A refusal in another language, in lower case."""
