"""Words before a value that deny it, doubt it, change it, or only suppose it."""

import re

DOUBTED_BEFORE = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|could)(?: be| have| the| it| is| equal| to){0,3}[\s*$\\(]*$"
    r"|\b(?:guess|(?:a|one) possible answer)(?: is| would be|:)[\s*$\\(]*$"
    r"|\b(?:could not|couldn['’]t|cannot|can['’]t|unable to) (?:solve|determine|answer)\b[^.\n]*\.[\s*$\\(]*$"
    r"|\b(?:placeholder|dummy|for (?:example|instance),?|e\.g\.,?|ignore this|format(?: is)?"
    r"|(?:final )?answer in|options? [2-9]"
    r"|(?:guess|attempt|possibility|candidate) (?:[1-9]|one|two)|(?:differs|different) from|unequal to"
    r"|everything but"
    r"|wrong answers? (?:include|would be)|second guess|vs\.?|between \S{1,12} and|(?:don['’]t|do not)"
    r" know\b[^.\n]*"
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
    " exceeds divides twice negative minus whose placeholder dummy example, instance, example instance"
    " format ignore e.g. e.g., unequal everything include vs vs."
    " tempting tempted attempt option possibility candidate know".split()
)
"""Words of which one is in almost every text that denies, changes or doubts the value after it."""
_CUES_AT_END = (
    " of",
    "log",
    "ln",
    " or",
    " else",
    " es",
    " è",
    " é",
    " answer in",
    " answer",
    " say",
    " write",
    " guess",
    " from",
    " and",
    " were",
)
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


_SUPPOSED = re.compile(
    r"(?<!\bi )(?<!\bwe )\b(?:think|thinks|thought|would say|tempt\w*|mistakenly|common (?:mistake"
    r"|error))\b[^,]*$"
    r"|\bmy (?:original|earlier|previous|initial|first) (?:answer|result)\b"
    r"|\bof (?:the|this|my|our) (?:final |correct )?answer\b[^,]*$|\banswer['’]s\b"
    r"|\b(?:suppose|assume)\b[^,]*$|\bpart \(?[a-h1-9]\b|\bif\b[^.\n]*\bwould be\s*$"
    r"|[（(]\s*(?:若|如果|注|if\b|note\b)[^()（）]*$"
    r"|误认|误以为|常见错误|错误答案",
    re.IGNORECASE,
)
"""Matches in a sentence that states a value which is not the answer: `many people think the answer is`."""


_OTHERWISE = re.compile(
    r"\bif\b|\bcase\b|\bwould\b|rounded|numerically|general|extension|try it|\b(?:other|next|second)"
    r" part\b|nearest"
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
    if otherwise and re.search(
        r"\btry it\b|\bwhat if\b", text[max(place - 160, after) : place], re.IGNORECASE
    ):
        return True
    return otherwise and _OTHERWISE.search(sentence) is not None
