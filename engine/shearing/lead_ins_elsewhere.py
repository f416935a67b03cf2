"""Lead-ins in other languages than English, in lower case."""

from __future__ import annotations

from engine.shearing.phrases import any_of

POLITE_WORDS = any_of("""
    ¡?claro(?: que s[ií]m?)? | ¡?por supuesto | desde luego | con gusto | natürlich | gerne? |
    klar | selbstverständlich | na klar | bien s[uû]r | avec plaisir | certainement | d'accord |
    com certeza | certo | certamente | volentieri | zeker | natuurlijk |
    当然(?:可以)? | 好的 | 可以 | 没问题 | конечно
""")
"""What a model says before a mark, such as "Claro," and "Natürlich!"."""
THERE = any_of(r"""
    aqu[ií] (?:tienes?|está|va|tem|vai) | hier (?:ist|sind|is|zijn) (?:eine?|die|der|een|het) |
    voici (?:une?|la|le|les|ma|votre) | ecco (?:una?|la|il|le|qui|a) | eis (?:uma?|a) |
    (?:voici|ecco|eis|hier ist|aqu[ií] est[áa])(?=\s*:) | 以下是 | 下面是 | 这是 | вот
""")
"""What stands before the name of the caption and a colon: "Aquí tienes una descripción:"."""
LABELS = any_of("""
    (?:bild)?beschreibung | bildunterschrift | descripción | leyenda | légende | descrizione |
    didascalia | descrição | legenda | beschrijving | onderschrift |
    (?:图片|图像)?(?:描述|标题|说明)(?:如下)? | 答案? | 回答 | описание
""")
"""The words for a caption or a description, before a colon."""
