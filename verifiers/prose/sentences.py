r"""Sentences of a completion: where they start and end, and what in them does not state a value.

Remarks behind a value and remarks in brackets do not change it. Words that doubt it, deny it or give up do.
"""

import re
from collections import deque
from collections.abc import Sequence

from ..spelling.east_asian import CHARACTERS

_MATH = (
    r"\$\$(?:(?!\$\$).){1,400}?\$\$|\\\[(?:(?!\\\]).){1,400}?\\\]|\\\((?:(?!\\\)).){1,300}?\\\)"
    r"|(?<![\\$])\$(?!\s)[^$\n]{1,300}?(?<![\s\\])\$(?!\d)|\\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\}"
)
_SENTENCE_PART = re.compile(
    rf"(?P<math>{_MATH})|(?P<end>\n|[.!?](?=[*_\"'”)\]]{{0,4}}(?:\s|$))|[。！？；])", re.DOTALL
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(*$])(?:[A-Ja-z]|[ap]\.m|approx|e\.g|i\.e|vs|St|Mrs?|Dr|No|ca)$|(?:^|\n)[ *]*\d$"
)


def sentence_end(text: str, start: int, stop: int) -> int:
    """Return where the sentence that starts at `start` ends; formulas in math mode are skipped whole."""
    for part in _SENTENCE_PART.finditer(text, start, stop):
        if part["math"]:
            continue
        goes_on = text.startswith(". ", part.start())
        if goes_on and _ABBREVIATION.search(text, max(start, part.start() - 8), part.start()):
            continue  # the point of `B. Paris` or `3 p.m.`
        return part.start()
    return stop


_REASON = (
    r",? (?:because|since|due to|given that|as (?:the|it|we|this|there|she|he|they|each|required|shown"
    r"|expected|desired|was))\b"
    r"| ?\((?:since|because|as|check|see|note)\b|（(?:因为|注)"
)
"""Matches where a reason starts; a reason may say anything but that the value is wrong."""
# Words that start a remark; after a comma, and in brackets, more words do than in running text.
_REMARK = re.compile(
    rf"(?P<reason>{_REASON})"
    r"|,? (?:which|whereas|while|making|leaving|attained|reached|achieved|obtained|measured"
    r"|(?:directed|pointing)(?! (?:to the|due|(?:up|down)ward|(?:nor|sou)th|(?:ea|we)st))"
    r"|of (?:which|whom)|depending|I (?:think|believe|guess)|when rounded|if we|rounded)\b"
    r"|, (?:even though|though|although|that is|and|but|so|as|it|this|that|they|he|she|we|with|in|for|out of"
    r"|hence|thus|therefore|also|corresponding|the|such|only)\b|, i\.e\.|, ?¡"
    r"| ?\((?:confidence|certainty)\b| ?\((?:about|approximately|approx|roughly|around|which"
    r"|equivalently|that is|i\.e|in|for|the"
    r"|rounded|by|nearly|to|using|from|it|this|we|≈|\\approx|[a-z]+ [a-z]+ [a-z]+"
    r"|(?=(?>[^()]*?[A-Za-z]{2})(?>[^()]*? )[^()]*?[A-Za-z]{3})(?=\d|[A-J] ?\)?(?:,|and)|choices?|options?))"
    rf"|; [a-z]{{2}}| (?:[—–]|-{{1,3}}) [A-Za-z]{{2}}| (?:—|–) a "
    rf"|，(?!而是|而非|不)[{CHARACTERS}]{{2}}|（(?:约|即|舍|而)",
)
"""Matches where a remark starts."""
_TAKES_BACK = (
    r"可能|也许|不对|错|\b(?:maybe|perhaps|possibly|probably|wrong|incorrect|false|wait|actually|sorry|oops|correction"
    r"|not (?:right|correct|the answer)|doubt)\b"
)
SWAYING = re.compile(
    rf"{_TAKES_BACK}|或者|\b(?:alternatively|unless|might|could (?:also )?be|may (?:also )?be|or|depending"
    r"|also (?:works|possible|valid|correct)|equally|both|should be|must be|instead|fails?|reject(?:ed)?"
    r"|squared|cubed|in (?:hundreds|thousands|millions|billions))\b",
    re.IGNORECASE,
)
"""Matches in a remark that sways the value before it; a reason sways it only if it takes it back."""
_REASON_SWAYS = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|wait|actually|sorry|oops|correction|doubt)\b"
    r"|\b(?:it|this|that|answer)(?:['’]s| is) (?:wrong|incorrect|false|not (?:right|correct))\b|不对|是错",
    re.IGNORECASE,
)
_OTHER_VALUE = re.compile(r"\d|\$|\\[a-z]|\b[A-HJ]\b(?!['’])|\bnot\b|n['’]t\b|\bno\b")
"""Matches in a remark that may give another value; a reason may do so."""
_MAY_SAY_MORE = re.compile(
    rf"{_REASON}|, (?:with|as|i\.e\.|that is|even though|though|although)\b"
    rf"|[,，](?:满足|符合|其中|此时|因为|由于|比)|,? (?:of )?wh(?:ich|om)\b|,? out of\b|; earlier\b|"
    rf" ?\((?:confidence"
    rf"|certainty)\b"
    rf"|,? (?:so|thus|hence|therefore) (?=[$\\(\d-])| ?[(（]"
)
"""Matches at the start of a remark that may give other values; those after `so` are read as later answers."""
_NOT_OTHER = re.compile(
    r"(?:[,，] ?| )(?:(?:and|but|et|y|e|und|а) )?\*{0,2}"
    r"(?:not|rather than|instead of|non|nicht|而?不是|而非|不选)\*{0,2} ?(?P<other>[^,，;；]{1,40})$"
)
"""Matches at the end of a sentence that rejects another value: `12, not 18`."""
_REJECTS_OTHERS = re.compile(
    r"[,;]? ?(?:and |so )?(?:it |that )?(?:can['’]?t|cannot|is not|isn['’]t|could not) (?:be )?\(?[A-J]\)?"
    r"(?:(?:,|,? or|,? nor|,? and) \(?[A-J]\)?)*[.]?$"
)
"""Matches a remark that rejects other letters: `it can't be A or D`."""
HAS_VALUE = re.compile(r"[\d$\\√π∞²³]|(?<![A-Za-z])[A-HJ-Zb-hj-z](?![A-Za-z'’])|\*\*|^[^\s,]+$")
"""Matches in a text that may hold a value: a digit, a formula, a single letter, emphasis, a single word."""


def without_remark(sentence: str) -> str:
    """Return a sentence without the remarks behind its value; one that may change the answer stays."""
    rejected = _NOT_OTHER.search(sentence)
    if rejected is not None and _is_another(sentence[: rejected.start()], rejected["other"]):
        sentence = sentence[: rejected.start()]
    for match in _REMARK.finditer(sentence):
        head, remark = sentence[: match.start()], sentence[match.start() :]
        is_open = any(head.count(pair[0]) > head.count(pair[1]) for pair in ("()", "[]", "{}"))
        in_math = (head.count("$") - head.count(r"\$")) % 2 == 1 and head.count("$") > 1
        if is_open or in_math or not HAS_VALUE.search(head):
            continue
        rejected = _REJECTS_OTHERS.fullmatch(remark)
        if rejected is not None and not set(re.findall(r"\b[A-J]\b", head)) & set(
            re.findall(r"\b[A-J]\b", remark)
        ):
            return head
        if (_REASON_SWAYS if match["reason"] else SWAYING).search(remark):
            return sentence
        if not _OTHER_VALUE.search(remark) or _MAY_SAY_MORE.match(remark):
            return without_remark(head)
    return sentence


def _is_another(text: str, other: str) -> bool:
    """Return whether a value that a sentence rejects is another than the value that it states."""
    values = [re.findall(r"[-\w.\\/]+", part) for part in (text, other)]
    return HAS_VALUE.search(text) is not None and not set(values[1]) <= set(values[0])


ADJUSTED = re.compile(
    r"\b(?:minus|plus|subtract\w*|add|halve|double\w*|divid\w+|multipl\w+|remov\w+|exclud\w+)\b[^.!?\n$=]{0,60}?"
    r"(?<=[\s,])(?:giving|leaving|obtaining|yielding|leaves|gives|to (?:get|obtain|give|yield)"
    r"|we get)(?: us)? "
    r"(?=[-$\\\d])"
    r"|\b(?:halved|doubled|tripled) to (?=[-$\\\d])|(?:减去?|除去|扣除|加上?|乘以?|除以)[^。；\n$=]{0,20}?"
    r"(?:得到?|还?剩下?|所以有|就是)\s*(?=[-$\\\d])"
)
"""Matches what changes the first value of a sentence, up to the result: `minus 2 of them, giving 40`."""
_STARTS = re.compile(r"(?:[.!?](?=\s)|[。！？\n])[\s*_>]*")


def sentence_start(text: str, at: int) -> int:
    """Return where the sentence around an index starts."""
    starts = deque(_STARTS.finditer(text, 0, at), maxlen=1)
    return starts[0].end() if starts else 0


_ASIDE = re.compile(
    r"(?<=[\s*])\((?=[^()\n]*[A-Za-z]{3}|≈|\\approx)[^()\n]*\)|（(?=[^（）\n]*[^（）\d\s%])[^（）\n]*）"
    r"|[（(](?:注|若|如果)[^()（）\n]*[)）]"
)
"""Matches a remark in brackets, whose numbers are not the answer."""


_REJECTED_ITEM = re.compile(
    r"(?:[,，或、] ?| or | and )?\$?(?:[a-z](?:_\d)?\s?=\s?)?[-−]?[\d./√]{1,12}\$? ?"
    r"[(（][^（）()\n\d]{0,30}(?:舍|reject|extraneous|invalid|discard|not valid)[^（）()\n\d]{0,30}[)）]"
)
"""Matches one of several values that is rejected in brackets: `或x=-1（舍去）`."""


def without_asides(text: str) -> str:
    """Return a text with spaces in place of the remarks in brackets and of the values that they reject.

    All spans stay right.
    """
    if "(" not in text and "（" not in text:
        return text
    for pattern in (_REJECTED_ITEM, _ASIDE):
        text = pattern.sub(lambda aside: " " * len(aside[0]), text)
    return text


GIVES_UP = re.compile(
    r"\b(?:could not|couldn['’]t|cannot|can['’]t|unable|do not know|don['’]t know|not sure|no idea|give up"
    r"|not possible to|not able|was unable|failed to|ran out of"
    r"|is unknown|only an? (?:upper|lower) bound)\b",
    re.IGNORECASE,
)
"""Matches words with which a text gives up: what stands before them is no answer."""
NO_SOLUTION = re.compile(
    r"\b(?:has|have|there (?:is|are)) ((?:no|infinitely many)(?: real| integer)? solutions?)\b[^\w\n]*$"
    r"|(无(?:实数)?解|不存在)[^\w\n]*$|\b(?:limit|it|value|integral) (does not exist)[^\w\n]*$",
    re.IGNORECASE,
)
"""Matches a sentence, at the end of a text, with the conclusion that there are no solutions."""
DOUBTS = re.compile(r"\b(?:maybe|perhaps|possibly|probably|might|could be|may be)\b|可能|也许", re.IGNORECASE)
"""Matches words of doubt about a value."""


def has_any(lowered: str, words: Sequence[str]) -> bool:
    """Return whether a text has any of some words, which is much quicker than to search for a pattern."""
    return any(map(lowered.__contains__, words))
