r"""The table of lead-ins: the words after which an answer is stated, in several languages.

`The answer is`, `Final answer:`, `答案是`, `Antwort:`. A lead-in ends where the answer starts; `places.py`
reads that place.
"""

import re
from typing import NamedTuple

# After a noun such as `answer`: closing emphasis, then a verb or a mark.
_MARK = r"(?:[:：=]|(?<= )[—–-](?= )|—)"
_IS = (
    rf"(?:[ *_'\")\]]{{0,4}}{_MARK}"
    r"| (?:is|are|was|will be|would be|should be|must be|has to be|turns out to be|comes out to be|comes to"
    r"|becomes"
    r"|equals)(?: (?:thus|therefore|then|hence|indeed|simply|just|clearly|again|still|now|going to be))?"
    r"(?: ?[:：=]|—(?! ?\d)| [–—](?= [^\d\s]))?)"
)
_COMPLEMENT = r"(?: choice| option)|(?: to| of| for| in) (?:\$[^$\n]{1,60}\$|[^\n.:?!$=]){1,80}?"
_HEADING = r"(?:^|\n)[ #*_>\d.]{0,8}(?:%s)s?[ *_:：]{0,6}(?=\n)"
"""A heading on a line of its own, with the answer under it."""

LEAD_INS: dict[str, tuple[str, str]] = {
    "English": (
        "answer solution root option choice letter statement pick selection result conclusion chang"
        " switch ans: ans="
        " ans_ ans.",
        rf"\b(?:answers?|ans|solutions?|roots)(?:{_COMPLEMENT})?{_IS}"
        rf"|\b(?:final|my|correct|best|right) (?:choice|pick|selection|option){_IS}"
        rf"|\b(?:correct|right|best|appropriate) (?:option|choice|letter|statement)s?(?: here)?{_IS}"
        r"|\b(?:chang(?:e|ing)|switch(?:ing)?) (?:my|the) (?:final )?answer to(?: option| choice)?"
        rf"|(?:^|\n)[ #*_>]*(?:result|conclusion|final result){_IS}"
        r"|\*\*(?:final |the )?(?:answer|solution|result|ans)\.\*\*"
        rf"|{_HEADING % '(?:the |my )?(?:final |correct )?(?:answer|solution|result)'}",
    ),
    "Chinese": (
        "答 选 選 共 解 根 值 式 标 是 为",
        r"(?:(?:答案|結果|答復)[】\]]?|选项(?=[是为為应應:：]))(?:应该|應該)?(?:选择|选|選|是|为|為|应为|應為|等于|即|就是)?"
        r"[ *_]{0,4}[:：]?"
        r"|(?:一共|总共|共计|共)有?(?=[\d一二三四五六七八九十两百]+[^\d，,]{0,9}(?:[。.！\n]|$))"
        r"|(?:解集?|根|取值范围|值|[化分最]?[学子简]?式|坐标|序号|结论|命题)"
        r"集?(?:为|為|是)[ *_]{0,4}[:：]?"
        r"(?=[\s*_]{0,4}[$\\\d(（\[{A-Z①-⑩-])"
        r"|(?:是|为|等于)(?=负?[零一二三四五六七八九十百千万分之点半]{2,}[^\w\s]{0,3}\s*$)"
        r"|(?<![不非没勿误错])(?:选择|選擇|选|選)[ *_]{0,4}[:：]?(?=[\s*_【（(]{0,6}[A-J])"
        r"|(?:^|\n)[ #*_>]*答[ *_]{0,4}[:：]"
        rf"|{_HEADING % '(?:最终|正确)?答案'}",
    ),
    "Japanese": ("答 解 正", rf"(?:答え|解答|正解|回答)(?:は|:|：|が)[、,]?|{_HEADING % '答え'}"),
    "Korean": ("답", r"(?:정답|답)(?:은|:|：)"),
    "Spanish": (
        "resp opci",
        r"\brespuestas?(?: final| correcta)?(?: es| son|:)(?: entonces)?(?: la)?:?"
        rf"|\bopción correcta es(?: la)?:?|{_HEADING % 'respuesta(?: final)?'}",
    ),
    "Portuguese": (
        "resp alternativa opç",
        r"\brespostas?(?: final| correta)?(?: é| são|:)(?: então)?:?|\b(?:alternativa|opção) correta "
        r"é(?: a)?:?",
    ),
    "Vietnamese": ("đáp án", r"\bđáp án(?: đúng| cuối cùng)?(?: là|:):?"),
    "Indonesian": ("jawab", r"\bjawaban(?:nya)?(?: akhir(?:nya)?)?(?: yang benar)?(?: adalah|:):?"),
    "Polish": ("odpowied", r"\bodpowied(?:ź|zią)(?: końcowa)?(?: to| jest|:):?"),
    "Turkish": ("cevap", r"\b(?:doğru )?cevap(?: ise)?:?"),
    "Hindi": ("उत्तर", r"उत्तर(?: है|:)?(?= ?[(\d$A-J\\-])"),
    "Arabic": ("الإجابة الجواب", r"(?:الإجابة|الجواب)(?: الصحيحة| الصحيح| النهائية| النهائي)?(?: هي| هو|:)"),
    "Italian": (
        "risp opzi",
        r"\brispost[ae](?: finale| corretta)?(?: è| sono|:)(?: quindi)?(?: la(?= [A-J]\b))?:?"
        r"|\bopzione corretta è(?: la)?:?",
    ),
    "French": (
        "répons option proposition",
        r"\bréponses?(?: finale| correcte)?(?: est| sont| ?:)(?: donc)?(?: ?:)?(?: (?:l['’]option"
        r"|la proposition)(?= [A-J]\b))?"
        rf"|\b(?:option|proposition) correcte est(?: la)?(?: ?:)?|{_HEADING % 'réponse(?: finale)?'}",
    ),
    "German": (
        "antw lösu ergeb richtig",
        r"\b(?:antwort|lösung|ergebnis)(?: lautet| ist| beträgt|:)(?: also| daher| somit)?:?"
        rf"|\brichtig(?:e (?:antwort|option))? ist(?: also)?:?|{_HEADING % 'antwort'}",
    ),
    "Ukrainian": ("відповід", r"\bвідповід(?:ь|дю)(?: є| —| –| -|:)?:?"),
    "Russian": (
        "ответ",
        rf"\bответ(?:ом)?(?: равен| будет| является| —| –| -|:)(?: число)?:?|{_HEADING % 'ответ'}",
    ),
}
"""By language: cues, of which every lead-in contains one (`_` is a space), and the lead-ins."""
_TABLE = [
    (
        tuple(cues.replace("_", " ") for cues in words.split()),
        re.compile(rf"(?:{lead_in})[\s*_:：\"'“「>#}}]{{0,12}}", re.IGNORECASE),
    )
    for words, lead_in in LEAD_INS.values()
]
_CHOSEN = re.compile(
    r"\b(?i:option|choice|answer|statement) \(?([A-J])\)?(?: is|'s| must be| would be| seems) (?:the "
    r")?(?:only )?"
    r"(?i:correct|right|best|true)\b(?! (?:answer |choice |option )?(?:only|if|in general|when|but|for"
    r"|under|unless)\b)"
    r"|([①-⑩A-J])(?:번|가|이|는|은)* ?정답"
)


class LeadIn(NamedTuple):
    """One lead-in."""

    place: int
    """Where its answer starts."""
    chosen: tuple[int, int] | None = None
    """The span of the letter, for `option C is correct`, whose answer comes before the verb."""


def lead_ins(text: str) -> list[LeadIn]:
    """Return all lead-ins of a text, in the order of their places."""
    found, lowered = [], text.lower()  # searching for words in it is much quicker than the patterns are
    for cues, pattern in _TABLE:
        if any(map(lowered.__contains__, cues)):
            found += [LeadIn(match.end()) for match in pattern.finditer(text)]
    if "correct" in lowered or "right" in lowered or "best" in lowered or "true" in lowered or "정답" in text:
        found += [
            LeadIn(match.end(match.lastindex or 0), match.span(match.lastindex or 0))
            for match in _CHOSEN.finditer(text)
        ]
    return sorted(found, key=lambda lead_in: lead_in.place)


_ANSWER_WORD = re.compile(
    r"answ|\bans\b|result|conclusion|solution (?:is|:)|correct|final|答|选|respuesta|resposta|risposta"
    r"|réponse|antwort|ответ|відпов|정답|đáp án|jawab|odpow|cevap|उत्तर|إجابة|جواب",
    re.IGNORECASE,
)


def names_answer(text: str, place: int, *, after: int = 0) -> bool:
    """Return whether a lead-in names the answer; `the roots are` may lead to facts of a check too."""
    return _ANSWER_WORD.search(text, max(place - 40, after), place) is not None
