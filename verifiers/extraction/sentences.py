r"""Sentences of a completion: where they start and end, and what in them does not state a value.

Remarks behind a value and remarks in brackets do not change it. Words that doubt it, deny it or give up do.
"""

import re
from collections import deque

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


_SUPPOSED = re.compile(
    r"(?<!\bi )(?<!\bwe )\b(?:think|thinks|thought|would say|tempt\w*|mistakenly|common (?:mistake"
    r"|error))\b[^,]*$"
    r"|\bmy (?:original|earlier|previous|initial|first) (?:answer|result)\b"
    r"|\bof (?:the|this|my|our) (?:final |correct )?answer\b[^,]*$|\banswer['’]s\b"
    r"|\b(?:suppose|assume)\b[^,]*$|\bpart \(?[a-h1-9]\b|\bif\b[^.\n]*\bwould be\s*$"
    r"|误认|误以为|常见错误|错误答案",
    re.IGNORECASE,
)
"""Matches in a sentence that states a value which is not the answer: `many people think the answer is`."""


_OTHERWISE = re.compile(
    r"\bif\b|\bcase\b|\bwould\b|rounded|numerically|general|extension|try it|\b(?:other|next|second) part\b|nearest"
    r"|\bfor \$?[a-z]\b(?!=)|\bwith \d|如果|假如|若",
    re.IGNORECASE,
)
"""Matches in a sentence that states what holds in another case, or in another form."""


def is_supposed(text: str, place: int, *, after: int = 0, otherwise: bool = False) -> bool:
    """Return whether the sentence before a place says that what it states is not the answer.

    `Many people think the answer is 43`; with `otherwise`, also what holds in another case: `if we count 0,
    the answer is 43`. Text before `after` is not read.
    """
    before = text[max(place - 100, after) : place]
    sentence = re.split(r"[.!?。\n](?=\s|$)|。", before)[-1]
    if _SUPPOSED.search(sentence) is not None:
        return True
    if otherwise and re.search(r"\btry it\b|\bwhat if\b", text[max(place - 160, after) : place], re.IGNORECASE):
        return True
    return (
        otherwise
        and _OTHERWISE.search(sentence) is not None
    )


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
    r"(?<=[\s,])(?:giving|leaving|obtaining|yielding|leaves|gives|to (?:get|obtain|give|yield)|we"
    r" get)(?: us)? "
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
    r"\b(?:could not|couldn['’]t|cannot|can['’]t|unable|do not know|don['’]t know|not sure|no idea|give "
    r"up|not possible to|not able|was unable|failed to|ran out of"
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
DOUBTED_BEFORE = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|could)(?: be| have| the| it| is| equal| to){0,3}[\s*$\\(]*$"
    r"|\b(?:guess|(?:a|one) possible answer)(?: is| would be|:)[\s*$\\(]*$"
    r"|\b(?:could not|couldn['’]t|cannot|can['’]t|unable to) (?:solve|determine|answer)\b[^.\n]*\.[\s*$\\(]*$"
    r"|\b(?:placeholder|dummy|for (?:example|instance),?|e\.g\.,?|ignore this|format(?: is)?|(?:final )?answer in|options? [2-9]"
    r"|(?:guess|attempt|possibility|candidate) (?:[1-9]|one|two)|(?:differs|different) from|unequal to|everything but"
    r"|wrong answers? (?:include|would be)|second guess|vs\.?|between \S{1,12} and|(?:don['’]t|do not) know\b[^.\n]*"
    r"|(?:many|some(?:one)?|people|students|you|one) (?:would|might|may|could) (?:answer|say|write|guess)"
    r"|tempt(?:ed|ing) to (?:answer|write|say)):?[\s*$\\(]*$"
    r"|(?:可能|也许)是?\s*$|\bif\b[^.!?\n]*\bwere[\s*$\\(]*$",
    re.IGNORECASE,
)
"""Matches right before a value that is doubted."""
SUPPOSES = re.compile(r"\b(?:if|suppose|assum\w+|imagine)\b(?:(?!\bthen\b)[^,.=\n])*$", re.IGNORECASE)
"""Matches before a value that is only supposed: `Suppose the total is 42.`"""
REJECTED_BEFORE = re.compile(r"(?:不是|并非|\bnot|\brather than|\binstead of)[\s$]*$", re.IGNORECASE)
"""Matches before a value that is rejected."""
_LINK = (
    r"(?: (?:that|if|whether|to|say|think|guess|believe|conclude|it|its?|it['’]s|is|be|was|are|has|have|the|a"
    r"|my|correct|right|final|only|answer|value|result|total|number|sum|solution|case|possibly|really|actually"
    r"|simply|just|exactly|necessarily|going|equal|equals)){0,6}"
)
"""Words that may stand between a denial and the value it denies: `cannot possibly be`."""
_DENIED = re.compile(
    rf"(?:(?:\b(?:not (?:sure|clear|certain|true|likely|possible)|can(?:no|['’])t (?:tell|say)|not|never"
    rf"|cannot|no longer|no way|nobody|no one|(?<!no )doubt|refuse|unlikely|unsure|far from"
    r"|anything but|impossible|mistake|instead of|rather than|unless"
    r"|(?<!true )(?<!correct )(?<!valid )except"
    r"|(?:we|i|must|can|should|so|thus) (?:reject|exclude|rule out))|n['’]t)"
    rf"{_LINK}(?: [a-z] ?=)?:?|\bneither"
    r"|\b(?:wrong|incorrect|false|rejected|invalid)(?: (?:first|initial|previous|common))?"
    rf"(?: (?:answer|value|result|choice|option|guess|attempt|solution|number|one))?{_LINK}:?"
    r"|错误的是|\\n(?:e|eq|ot ?=)(?![a-z])|[≠]|!=|\b(?:no es|non è|não é|nicht|n['’]est pas|не)"
    r"|(?<!是)不是|并非|不等于|排除|舍去)[\s$*(\\\[{]{0,6}$",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:that|which|who)(?: \$?[a-z]+\$?)? $", re.IGNORECASE)
"""Matches before a denial in a relative clause, which says something about a value: `that x cannot`."""
_CUES = frozenset(
    "not no nobody never neither none cannot nicht pas != instead rather unless except longer anything than"
    " incorrect wrong false invalid impossible mistake unlikely unsure refuse doubt far possible guess"
    " reject rejected rule avoid exclude discard eliminate possibly probably perhaps maybe might could"
    " exceeds divides twice negative minus whose were placeholder dummy example, instance, example instance format in"
    " ignore this: this e.g. e.g., differs different unequal everything include vs vs. between many someone people students tempting tempted 2 second attempt option possibility"
    " candidate know".split()
)
"""Words of which one is in almost every text that denies, changes or doubts the value after it."""
_CUES_AT_END = (" of", "log", "ln", " or", " else", " es", " è", " é")
"""Ends of the other such texts."""


def may_speak_against(before: str) -> bool:
    """Return whether the words before a value may deny, change or doubt it; the other patterns are slow."""
    end = before[-40:].replace("*", "").lower().rstrip(" \n$(\\[{:")
    return (
        not _CUES.isdisjoint(end.split())
        or end.endswith(_CUES_AT_END)
        or "n't" in end
        or "\\n" in end
        or not end.isascii()
    )


def is_denied(before: str) -> bool:
    """Return whether the words right before a value deny it: `it cannot possibly be`.

    A relative clause does not: `the value that x cannot have is 3` states 3.
    """
    denied = _DENIED.search(before)
    if denied is None:
        return False
    is_relative = _RELATIVE.search(before, 0, denied.start()) is not None
    return not (is_relative and re.search(r" (?:is|are|was)[:\s$*(\\\[{]*$", denied[0]) is not None)


_CHANGED = (
    r"(?:more|less|greater|fewer|other|larger|smaller|higher|lower) than|exceeds|divides|twice"
    r"|negative|minus|log|ln"
    r"|(?:reciprocal|square|root|double|half|inverse|negative|opposite|multiple|factor) of"
    r"|whose [a-z]+ (?:is|equals)"
    r"|(?:square|cube|double|half|root) of (?:the|this|that|my) (?:answer|result|value|solution) is"
)
CHANGED_BEFORE = re.compile(rf"\b(?:{_CHANGED})\s*[$(*]{{0,3}}$", re.IGNORECASE)
"""Matches before any answer, also one in a box, that is not the value itself: `the reciprocal of`."""
MODIFIED_BEFORE = re.compile(
    rf"\b(?:{_CHANGED}|rather than|at (?:most|least)|over|under|above|below|up to|but|except|excluding"
    r"|half|not|no|never|either|neither|beyond|nearly|almost|close to|the number)\s*[$(*]{0,3}$",
    re.IGNORECASE,
)
"""Matches before a number in a sentence that is not the value itself."""
