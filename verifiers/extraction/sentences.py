r"""Sentences of a completion: where one ends, and the remarks behind its value, which do not change it."""

import re

from ..spelling.east_asian import CHARACTERS

_MATH = (
    r"\$\$(?:(?!\$\$).){1,400}?\$\$|\\\[(?:(?!\\\]).){1,400}?\\\]|\\\((?:(?!\\\)).){1,300}?\\\)"
    r"|(?<![\\$])\$(?!\s)[^$\n]{1,300}?(?<![\s\\])\$(?!\d)|\\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\}"
)
_SENTENCE_PART = re.compile(
    rf"(?P<math>{_MATH})|(?P<end>\n|[.!?](?=[*_\"'”)\]]{{0,4}}(?:\s|$))|[。！？；])", re.DOTALL
)
_ABBREVIATION = re.compile(r"(?:^|[\s(*$])(?:[A-Ja-z]|[ap]\.m|approx|e\.g|i\.e|vs|St|Mrs?|Dr|No|ca|\d)$")


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


# Words that start a remark; after a comma, and in brackets, more words do than in running text.
_REMARK = re.compile(
    r",? (?:because|since|due to|given that|which|whereas|while|making|leaving|attained|reached|achieved"
    r"|obtained|directed|measured|pointing|of (?:which|whom)"
    r"|depending|I (?:think|believe|guess)|as (?:the|it|we|this|there|required|shown|expected|desired|was)"
    r"|when rounded|if we|rounded)\b"
    r"|, (?:and|but|so|as|it|this|that|they|he|she|we|not|with|in|for|out of|hence|thus|therefore|also"
    r"|corresponding|the)\b"
    r"| ?\((?:since|because|as|about|approximately|approx|roughly|around|which|equivalently|that is|i\.e"
    r"|note|see|in|for|the"
    r"|rounded|by"
    r"|nearly|to|using|from|it|this|we|not|check|≈|\\approx)"
    rf"|; [a-z]{{2}}| (?:[—–]|-{{1,3}}) [A-Za-z]{{2}}| (?:—|–) a "
    rf"|，(?!而是|而非)[{CHARACTERS}]{{2}}|（(?:因为|约|即|舍|注|而)",
)
_SWAYING = re.compile(
    r"可能|也许|或者|\b(?:maybe|perhaps|possibly|probably|alternatively|unless|might|could (?:also )?be|may "
    r"(?:also )?be"
    r"|or (?:else|maybe|perhaps|possibly|even)|also (?:works|possible|valid|correct)|depending)\b",
    re.IGNORECASE,
)
HAS_VALUE = re.compile(r"[\d$\\√π∞²³]|(?<![A-Za-z])[A-HJ-Zb-hj-z](?![A-Za-z'’])|\*\*|^[^\s,]+$")


def without_remark(sentence: str) -> str:
    """Return a sentence without the remarks behind its value; one that sways the answer stays."""
    for match in _REMARK.finditer(sentence):
        head = sentence[: match.start()]
        is_open = any(head.count(pair[0]) > head.count(pair[1]) for pair in ("()", "[]", "{}"))
        in_math = (head.count("$") - head.count(r"\$")) % 2 == 1 and head.count("$") > 1
        if is_open or in_math or not HAS_VALUE.search(head):
            continue
        return sentence if _SWAYING.search(sentence, match.start()) else head
    return sentence
