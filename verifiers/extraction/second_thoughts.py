r"""Finding another value that a text gives after its answer, as in `\boxed{42}. Wait, it is 17`.

Three kinds of sentences give one: those that say nothing but a value (`Or maybe 17.`), those that take the
answer back and end with a value (`Oops, I forgot one, so there are 17.`), and those that object to it and
conclude with a value (`But one was counted twice, giving 17.`). Sentences that check the answer, speak of
other cases, or give facts from which it follows end otherwise.
"""

import re
from collections.abc import Iterator, Sequence

from ..completion import AnswerSpan
from ..prose.sentences import sentence_end, sentence_start
from ..spelling.lexicon import BELOW_TWENTY, TENS

_NUMERAL = f"(?:{'|'.join([*BELOW_TWENTY, *TENS])})(?:-(?:{'|'.join(list(BELOW_TWENTY)[1:10])}))?"
_FORMULA = (
    r"(?!\$+\s*\\(?:blacksquare|square|qed|Box|checkmark))(?:\$\$[^$]{1,120}\$\$|\$(?:\\\$|[^$\n]){1,120}\$"
    r"|\\\((?:(?!\\\)).){1,120}\\\)|\\\[(?:(?!\\\]).){1,120}\\\])"
)
_NUMBER = (
    rf"{_FORMULA}|\\\$\d[\d.,]*(?<![.,])|[$€£]?[-−]?\d[\d.,/:]*(?<![.,:])%?(?: ?[a-z°²³/^]{{1,12}})?"
    rf"|{_NUMERAL}\b"
)
_LETTER = r"\(?(?-i:[A-J])\)?(?![A-Za-z'’])"
_WORD = r"(?-i:[A-Z])[a-zà-ÿ]+|yes|no|true|false"
_LOWER = r"(?!unique|clear|exact|simple|known|verified|confirmed|complete|consistent|reasonable)[a-z]{3,20}"
# Words that say nothing about a value but that it is one.
_EMPTY_WORDS = [
    *(
        "or alternatively also actually so thus therefore hence but however and it its it's it’s is was"
        " that this that's should must be read would could might may maybe perhaps possibly probably well"
        " just as else instead rather final finally answer the ans solution result correct right real true"
        " truth reality value number desired required requested wanted we want what get gives have recount"
        " recounting recheck rechecking a an i checking double-checking again review after upon on"
        " reflection second thought choice option fallback runner-up kidding bad my to conclude conclusion"
        " hedge nope wait oops sorry hmm hm meant make strike scratch never mind disregard correction"
        " corrected edit update revised then if wrong marked use thinking looking at no jk fixed erratum in"
        " fact actual count let me now say ok okay better best apologies mistake attempt try guess bet said"
        " text richtig ist es c'est son"
    ).split(),
    "i mean",
    "total count",
]
_START = r"(?:\\text ?\{)?[\s*_#>=∴(\[})]*"
_GAP = r"[\s,:;.!*_#—–…=}\"'?]*"


_AFTER_BARE = (
    r" it is| as well| too|, too| is (?:right|correct|it|the (?:right|correct|better|best|real|actual)?"
    r" ?(?:answer|choice|one))| fits better"
    r"| is better|, not [\w-]+|, (?:which|as|since|because) [^.\n]{1,80}"
)


def _bare(value: str, *, values: Sequence[str] = ()) -> re.Pattern[str]:
    """Return a pattern for a sentence that says nothing but a value; `values` are no empty words there."""
    words = "|".join(word for word in _EMPTY_WORDS if word not in values)
    return re.compile(
        rf"{_START}(?:(?:(?:{words})(?![\w'’-]){_GAP})++(?:(?<!then )[a-z] ?="
        rf" ?)?)?\**(?P<value>{value})(?:{_AFTER_BARE})?[\s.!*)\]}}]*",
        re.IGNORECASE,
    )


_TAKES_BACK = re.compile(
    rf"{_START}(?:(?:but|hm+|oh|ah|well|yes|ok),? )*(?:wait(?=[,.:!…—]|$| (?:no\b|actually|a (?:minute"
    rf"|second)))|hold on|w?hoops"
    r"|oops|nope|no(?=,? (?:it|that|the answer|wait|[\d$\\-]))|corrected|correction(?=[:,.]|$)"
    r"|sorry(?=[,.:]|$)"
    r"|apologies(?=[,.:]|$)|my (?:bad|mistake)|edit(?=:)|update(?=:)|revised(?=:)|(?:scratch|strike"
    r"|disregard) that"
    r"|never ?mind|make that|or rather|after review|upon review|thinking again|just kidding"
    r"|looking (?:at it )?again"
    r"|(?:up)?on (?:second thought|(?:further )?re(?:flection|view|consideration))|i take (?:that|it) back"
    r"|let me (?:correct|re-?(?:read|consider|think))|re-?reading|actually,? (?=the question)"
    r"|(?:we|you) (?:still )?(?:must|need to|should|have to) (?:subtract|add|exclude|remove|multiply"
    r"|divide|double|halve)"
    r"|don['’]t forget to (?:subtract|add|exclude|remove|multiply|divide|double|halve)"
    r"|i (?:apologize|made (?:a|an) (?:\w+ )?(?:mistake|error)|mean|meant|forgot(?! to)|missed|overlooked"
    r"|double-?counted|mis(?:read|counted|calculated))"
    r"|(?:but |however,? )?(?:the|this) (?:question|problem|task) (?:actually )?(?:asks?|wants?)"
    r"|en fait|perdón|pardon|eigentlich|moment(?=[,.:]|$)|espera|attendez|je me suis trompé|errei"
    r"|me equivoqué"
    r"|(?:нет|подождите)(?=,)|不对|等一下|等等|抱歉|更正|哦不|但是?(?:题目|问题)|いや|間違え)",
    re.IGNORECASE,
)
"""Matches at the start of a sentence that takes back what was said."""
_OBJECTS = re.compile(
    rf"{_START}(?:but|however|hm+|actually|in fact|let me (?:re-?)?(?:check|double[- ]check|verify"
    rf"|count)|其实)\b",
    re.IGNORECASE,
)
"""Matches at the start of a sentence that may object to what was said, or only check it."""
_CONCLUDES = re.compile(
    r"\b(?:so|thus|therefore|hence|giving|(?:which|it|this|that) (?:is|gives|makes|leaves)|it['’]s"
    r"|(?:should|must|has to) be)\b|:\s*$|应为|应该是|应是|改为|而是|所以",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    r"\s*(?:where|with|since|because|as|when|if|unless|for|which (?:we|includes)|although|though"
    r"|while)\b",
    re.IGNORECASE,
)


def _ending(value: str) -> re.Pattern[str]:
    """Return a pattern for the value with which a sentence ends, and what states it."""
    return re.compile(
        r"(?:^|[=:：,，—–…]|是|为|有|得|\b(?:is|are|was|be|gives?|giving|becomes?|makes?|get|have|has|leaves?|need|wants?"
        r"|asks? for|so|then|write|i\.e\.,?|ответ|быть"
        r"|it['’]s|c['’]est|sind|es|son|é|actually|meant?|no|that|rather|respuesta|pick|choose|option|answer)\b|です)"
        r"[\s*]*(?:(?:only|really|actually|exactly|just|in fact|the|option|choice|answer|ответ"
        r"|there (?:are|is)) )*"
        rf"(?P<value>{value})(?:,? (?:and|which|so) (?:that|this|it)?(?:['’]s| is) (?:my|the) (?:final "
        rf"|new )?answer"
        r"| (?:in total|altogether|in all|[a-z]+ in total)|, (?:not|since|because"
        rf"|as) [^,]{{1,60}}|です)?"
        r"[\s.!*)\]}。]*$",
        re.IGNORECASE,
    )


_PATTERNS = {
    "letter": (_bare(_LETTER), _ending(_LETTER)),
    "word": (_bare(_WORD, values=("true", "no")), _ending(_WORD)),
    "lower": (_bare(_LOWER), _ending(_LOWER)),
    "number": (_bare(_NUMBER), _ending(_NUMBER)),
}
_LETTERS = re.compile(r"\W{0,4}(?:\\text ?\{ ?)?[A-J](?:[^A-Za-z]+[A-J])*\W{0,4}")
_WORDS = re.compile(r"(?:\\text(?:bf|rm|it)? ?\{)?[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ'’ -]+\}?")
LATER_CHARS = 1100
"""How many characters after an answer are read for other values or a retraction."""
_TALKS, _OBJECTING, _TAKING_BACK = range(3)
"""What the sentences after an answer have done so far."""
MAX_SENTENCES = 64
"""At most this many sentences after an answer are read."""


def second_thought(text: str, start: int, stop: int, value: str) -> AnswerSpan | None:
    """Return the span of the last other value that text[start:stop], after the answer `value`, gives.

    None if it gives none, or ends with the answer again.
    """
    kind = _kind(value)
    bare, ending = _PATTERNS[kind]
    found, mood = None, _TALKS
    for low, high in _sentences(text, start, stop):
        if text.startswith(("?", "？"), high) or _LIST_MARK.match(text, low):
            continue
        sentence = text[low:high]
        if _TAKES_BACK.match(sentence):
            mood = _TAKING_BACK
        elif mood == _TALKS and _OBJECTS.match(sentence):
            mood = _OBJECTING
        match = bare.fullmatch(sentence)
        if match is None and (mood != _TALKS or (high >= stop - 1 and _SUMS_UP.match(sentence))):
            match = ending.search(sentence)
            if match is not None and not _states(sentence, match, mood, value):
                match = None
        if match is not None and (kind != "lower" or _NAMES.search(sentence)):
            found = _result(low + match.start("value"), match["value"])
    if found is None:
        return None
    end = _REJECTED.sub("", _END_OF_FORMULA.sub("", text[max(len(text) - 300, found.end) :]))
    return None if _restates(end[sentence_start(end, len(end)) :], value) else found


def _result(start: int, value: str) -> AnswerSpan:
    """Return the span of a value that starts at an index; of a calculation, that of its result."""
    at = value.rfind("=") + 1
    return AnswerSpan(start + at, start + (len(_END_OF_FORMULA.sub("", value)) if at else len(value)))


_END_OF_FORMULA = re.compile(r"(?:\\[\])]|[$.\s*])+$")
_REJECTED = re.compile(r"\b(?:not|rather than|instead of) \S+")


_LIST_MARK = re.compile(r"\s*[*_]{0,2}(?:\d{1,2}|[A-Ja-z])\.[ \t]+[*_]{0,2}\S")
"""Matches the mark of a list's item, which is no sentence: `2. Subtract 3`."""


def _restates(sentence: str, value: str) -> bool:
    """Return whether a sentence has the answer in it, perhaps as another numeral: `$75.00` for 75."""
    numbers = [_FIGURES.findall(text) for text in (value, sentence)]
    if len(numbers[0]) != 1:
        return has_value(sentence.replace(" ", ""), value.replace(" ", ""))
    figure, *_ = _as_floats(numbers[0])
    return figure in _as_floats(numbers[1])


_FIGURES = re.compile(r"\d[\d,]{0,30}(?:\.\d{1,30})?")


def _as_floats(figures: list[str]) -> list[float]:
    return [float(figure.replace(",", "")) for figure in figures]


def _kind(value: str) -> str:
    """Return which values can be given instead of an answer: those of its own kind."""
    if _LETTERS.fullmatch(value):
        return "letter"
    if not _WORDS.fullmatch(value):
        return "number"
    word = re.sub(r"\\text\w* ?\{|\}", "", value).strip()
    return "lower" if word.islower() and word not in ("yes", "no", "true", "false") else "word"


_SUMS_UP = re.compile(
    rf"{_START}(?:so|thus|therefore|hence|in (?:conclusion|summary|total)|altogether),? (?:there are|we have"
    r"|the (?:total|number|sum|count|result) is)\b",
    re.IGNORECASE,
)
"""Matches at the start of a last sentence that sums up."""
_NAMES = re.compile(r"\b(?:answer|actually|alternatively|no|wait)\b", re.IGNORECASE)
_GOES_ON = re.compile(r"[})$*\]\\]{0,6} (?!(?:or|but|alternatively|however|wait)\b)[^\W_]", re.IGNORECASE)
"""Matches after an answer whose sentence goes on: `26 inches in 13 years`."""


def _sentences(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Return the spans of the sentences in text[start:stop]; the first is left out if it only goes on."""
    if _GOES_ON.match(text, start, stop):
        start = sentence_end(text, start, stop) + 1
    for _ in range(MAX_SENTENCES):
        if start >= stop:
            return
        end = sentence_end(text, start, stop)
        if end == stop < len(text):
            return  # cut off
        yield start, end
        start = end + 1


def _states(sentence: str, match: re.Match[str], mood: int, value: str) -> bool:
    """Return whether a sentence that ends with a value states it, rather than a fact or a case."""
    before = sentence[: match.start("value")]
    clause = before[max(before.rfind(mark) for mark in ",;:—(") + 1 :]
    if _SUBORDINATE.match(clause) or re.search(r"\b(?:and|not) (?:[a-z] ?= ?)?$|[<>≤≥]\s*$|n['’]t\b", clause):
        return False
    if mood != _TAKING_BACK and _is_formula(value) and match["value"].isdigit():
        return False  # `let me verify with n = 3: so it gives 7`
    _, *rest = re.split(r"=\s*[$€£]?\d", before)
    if mood != _TAKING_BACK and rest and not _CONCLUDES.search(rest[-1]):
        return False  # `so it is 360/30 = 12 days for a height of 600`
    return mood != _OBJECTING or _CONCLUDES.search(before) is not None


def _is_formula(value: str) -> bool:
    return re.search(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", value) is not None


def has_value(text: str, value: str) -> bool:
    """Return whether a value stands in a text, and not as a piece of another one."""
    return value != "" and re.search(rf"(?<![\w.−-]){re.escape(value)}(?![\w/]|\.\d)", text) is not None
