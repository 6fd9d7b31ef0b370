r"""The table of lead-ins: the words after which an answer is stated, in several languages.

`The answer is`, `Final answer:`, `答案是`, `Antwort:`. A lead-in is matched as a regular expression, up to
the place where the answer starts. `places.py` reads that place.
"""

import re
from typing import NamedTuple

# After a noun such as `answer`: closing emphasis, then a verb or a mark.
_MARK = r"(?:[:：=]|(?<= )[—–-](?= )|—)"
_IS = (
    rf"(?:[ *_'\")\]]{{0,4}}{_MARK}| (?:is|are|was|will be|would be|should be|must be|has to be|turns "
    rf"out to be|comes out to be"
    rf"|comes to|becomes|equals)(?: (?:thus|therefore|then|hence|indeed|simply|just|clearly|again|still"
    rf"|now|going to be))?[ ]?{_MARK}?)"
)
_ADJECTIVE = (
    r"(?:final |correct |right |best |required |exact |simplified |numerical |complete |my |our |the )*"
)

LEAD_INS: dict[str, str] = {
    "English": (
        rf"\b{_ADJECTIVE}(?:answers?|ans|solutions?|roots)(?:(?: choice| option)|(?: to| of| for| in) "
        rf"(?:\$[^$\n]{{1,60}}\$|[^\n.:?!$=]){{1,80}}?)?{_IS}"
        rf"|\b(?:final|my|correct|best|right) (?:choice|pick|selection|option){_IS}"
        rf"|\b(?:correct|right|best|appropriate) (?:option|choice|letter|statement)(?: here)?{_IS}"
        r"|\*\*(?:final |the )?(?:answer|solution|result)\.\*\*"
        rf"|(?:^|\n)[ #*_>]*(?:result|conclusion|final result){_IS}"
    ),
    "Chinese": (
        r"(?:最终|最后|正确|标准|本题|此题|所以|因此)?的?(?:答案|选项|結果|答復)[】\]]?"
        r"(?:应该|應該)?(?:选择|选|選|是|为|為|应为|應為|等于|即|就是)?[ *_]{0,4}[:：]?"
        r"|(?:一共|总共|共计|共)有?(?=[\d一二三四五六七八九十两百])"
        r"|(?:方程|不等式)?(?:组|式)?的?(?:解集?|根|取值范围|值|[化分最]?[学子简]?式|坐标)(?:集)?"
        r"(?:为|為|是)[ *_]{0,4}[:：]?(?=[\s*_]{0,4}[$\\\d(（\[{A-Z-])"
        r"|(?:是|为|等于)(?=[零一二三四五六七八九十百千万分之点半]{2,}[^\w\s]{0,3}\s*$)"
        r"|(?:故|应|應|则|所以|因此|综上|综上所述|于是)?[,，]?(?:本题|此题|正确的?)?(?:应)?"
        r"(?<![不非没勿误错])(?:选择|選擇|选|選)[ *_]{0,4}[:：]?(?=[\s*_【（(]{0,6}[A-J])"
        r"|(?:^|\n)[ #*_>]*答[ *_]{0,4}[:：]"
    ),
    "Japanese": r"(?:最終的な)?(?:答え|解答|正解|回答)(?:は|:|：|が)[、,]?",
    "Korean": r"(?:정답|답)(?:은|:|：)",
    "Spanish": (
        r"\brespuestas?(?: final| correcta)?(?: es| son|:)(?: entonces)?(?: la)?:?"
        r"|\bopción correcta es(?: la)?:?"
    ),
    "Portuguese": (
        r"\brespostas?(?: final| correta)?(?: é| são|:)(?: então)?:?"
        r"|\b(?:alternativa|opção) correta é(?: a)?:?"
    ),
    "Italian": (
        r"\brispost[ae](?: finale| corretta)?(?: è| sono|:)(?: quindi)?:?|\bopzione corretta è(?: la)?:?"
    ),
    "French": (
        r"\bréponses?(?: finale| correcte)?(?: est| sont| ?:)(?: donc)?(?: ?:)?"
        r"|\b(?:option|proposition) correcte est(?: la)?(?: ?:)?"
    ),
    "German": (
        r"\b(?:antwort|lösung|ergebnis)(?: lautet| ist| beträgt|:)(?: also| daher| somit)?:?"
        r"|\brichtig(?:e (?:antwort|option))? ist(?: also)?:?"
    ),
    "Russian": r"\bответ(?:ом)?(?: равен| будет| является| —| –| -|:)(?: число)?:?",
}
"""By language; the languages are tried together, and case does not count."""

_HEADING = (
    r"(?:^|\n)[ #*_>\d.]{0,8}(?:the )?(?:final |correct |my )?(?:answer|solution|result|respuesta(?: "
    r"final)?|réponse(?: finale)?"
    r"|antwort|ответ|答案|最终答案|答え)s?[ *_:：]{0,6}(?=\n)"
)
"""A heading on a line of its own, with the answer under it."""
_CHOSEN_AFTER = (
    r"\b(?i:option|choice|answer|statement) \(?(?P<chosen>[A-J])\)?(?: is|'s| must be| would be| seems) "
    r"(?:the )?"
    r"(?:only )?(?i:correct|right|best|true)\b"
)
_LEAD_IN = re.compile(
    rf"(?i:{'|'.join(LEAD_INS.values())}|{_HEADING})(?P<space>[\s*_:：\"'“「>#]{{0,12}})|{_CHOSEN_AFTER}"
)
_CUE = re.compile(
    r"ans|antw|sol|roots|correct|right|best|appropr|final|result|conclu|答|选|選|共|解|根|值|式|标|是|结|結|정답|답|resp|risp|rép|lös|erg|rich|opc|opç|opz|отв",
    re.IGNORECASE,
)


class LeadIn(NamedTuple):
    """One lead-in: where its words start, and where its answer starts."""

    start: int
    place: int
    chosen: tuple[int, int] | None = None
    """The span of the letter, for `option C is correct`, whose answer comes before the verb."""


def lead_ins(text: str) -> list[LeadIn]:
    """Return all lead-ins of a text, in order."""
    if not _CUE.search(text):
        return []
    found = []
    for match in _LEAD_IN.finditer(text):
        chosen = match.span("chosen") if match["chosen"] else None
        found.append(LeadIn(match.start(), match.end(), chosen))
    return found
