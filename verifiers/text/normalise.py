r"""One spelling for answers that mean the same: the ground of every tier.

Unicode becomes LaTeX or ASCII, synonyms become one command (`spelling.py`), what only decorates
falls away: math mode, boxes, emphasis, `the answer is`. Nothing here decides, and what could
change a meaning (2² and 22, MW and mW) stays apart.
"""

import re
import unicodedata
from functools import lru_cache

from .lexicon import is_plain
from .spellings import COMMANDS, ONE_BY_ONE, SYNONYMS, VULGAR

_VULGAR = re.compile(f"(\\d?)([{''.join(VULGAR)}])")
_WRAPPED = re.compile(
    r"\$\$?(.*?)\$?\$|\\\((.*)\\\)|\\\[(.*)\\\]|\\(?:f?boxed|f(?:rame)?box) ?\{(.*)\}|\*\*?([^*]+)\*?\*"
    r"|`+([^`]+)`+"
    r"|\"([^\"]+)\"|'([^']+)'|\\begin\{(?P<env>align|aligned|equation|gather|split)\*?\}(.*)\\end\{(?P=env)\*?\}",
    re.DOTALL,
)
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")
_MARKED = re.compile(r"[\\{!<>~&*_']|\.\.|  |[a-z]{3} ?\(|perc|per c|pct")
"""What a synonym may start from."""
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_TWO_LINES = re.compile(r"(?<=[\d$])[ \t]*[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*(?=[\d$])")
_LEAD_IN = re.compile(
    r"(?:(?:the )?(?:final |correct |best |right )?ans(?:wer)?(?: is|:| =)|(?:therefore|thus|hence"
    r"|so)(?:,| )|(?:it|this) is"
    r"|there (?:is|are)|approximately|approx\.?|about|roughly|exactly|only|just|\\approx|\\therefore"
    r"|\\Rightarrow|\\implies|=|~)\s*(?=\S)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"(?P<subject>[A-Za-z][A-Za-z' -]{0,60}) (?:is|are|equals|is equal to|was)(?: approximately| about"
    r"| exactly)?:? (?=[-+\d\\$({\[])"
)
_TAIL = re.compile(
    r",? (?:is (?:the |our |my )?(?:final |correct |right )?(?:answer|correct|right)|only|in total"
    r"|altogether)$",
    re.IGNORECASE,
)
_APPROXIMATION = re.compile(
    r" ?\((?:\\approx|approximately|approx\.?|about|or about|or approximately"
    r"|roughly) ?([-\d\\$][^()]{0,30})\)$"
)


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """Return the answer in one spelling: LaTeX and ASCII, nothing wrapped around, one space."""
    if _PLAIN.fullmatch(text):
        return text
    if not text.isascii():
        text = _ascii(text)
    if text == "{}":
        return r"\emptyset"
    text = _TWO_LINES.sub("; ", text)  # two lines, two numbers
    text = unwrapped(" ".join(text.split()))
    if _MARKED.search(text):
        text = _COMMAND.sub(lambda match: COMMANDS.get(match[1], match.group()), text)
        for pattern, replacement in SYNONYMS:
            text = pattern.sub(replacement, text)
        text = unwrapped(text.strip())
    return _without_words(_without_end(text.strip()))


def _ascii(text: str) -> str:
    text = _VULGAR.sub(lambda match: f"{match[1]} {VULGAR[match[2]]}".lstrip(), text)  # 3½ is not 31/2
    text = "".join(map(_raised, text)).translate(ONE_BY_ONE)
    text = re.sub(r"(?<=\d\)), (?=\s*(?:,|and\b|or\b|$))", "", text)  # (1), , (3)
    text = re.sub(r"\}\^\{(?=[-+\dA-Za-z()]+\})", "", text)  # x²³: one exponent
    text = re.sub(r"\}_\{(?=\d+\})", "", text)
    return unicodedata.normalize("NFKC", text)


def _raised(character: str) -> str:
    """Keep what NFKC would flatten: 2² is not 22, ①③ is not 13. Invisible characters fall away."""
    if character < "\x80":
        return character
    decomposed = unicodedata.decomposition(character)
    plain = unicodedata.normalize("NFKC", character).replace("−", "-")
    if decomposed.startswith(("<super>", "<sub>")) and character not in "ºª":
        return f"^{{{plain}}}" if decomposed.startswith("<super>") else f"_{{{plain}}}"
    if decomposed.startswith("<circle>"):
        return f"({plain}), "
    return "" if unicodedata.category(character) == "Cf" else character


def unwrapped(text: str) -> str:
    """Take away what stands around the whole: math mode, a box, emphasis, quotes."""
    for _ in range(4):
        match = _WRAPPED.fullmatch(text)
        if match is None:
            break
        inner = match[match.lastindex or 0].strip()
        if not _balanced(inner) or ("$" in inner.replace(r"\$", "") and text[0] == "$"):
            break
        text = inner.replace("&", " ") if match["env"] and "\\\\" not in inner else inner
    if text[:1] + text[-1:] == "{}" and "," not in text and _balanced(text[1:-1]):
        text = text[1:-1].strip()
    if text.count("$") > text.count(r"\$") + 1 or r"\(" in text:
        text = _MATH.sub(lambda match: match[match.lastindex or 0], text)  # `odd $n$` is `odd n`
    return text


_MATH = re.compile(r"(?<!\\)\$\$?([^$]*[^$\\])\$\$?|\\\(((?:(?!\\[()]).)*)\\\)")


def _balanced(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"\\.|[{}]", text):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            return False
    return depth == 0


def _without_words(text: str) -> str:
    """Take away what announces the value: `the answer is`, `x is`, `The number of ways is`."""
    if not any(character.isalpha() or character in "=~\\" for character in text):
        return text
    if match := _LEAD_IN.match(text):
        text = text[match.end() :]
    if (match := _SENTENCE.match(text)) and is_plain(match["subject"]):
        text = text[match.end() :]
    text = _COMPARED.sub(lambda match: f"{match['letter']} {_signs_of(match)} ", text)
    text = re.sub(r"^(?:negative|minus) (?=[\d\\]|infinity\b)", "-", text)
    text = re.sub(r"^(?:positive|plus) (?=infinity\b|\\infty)", "", text)
    if (match := _NOT_ANOTHER.fullmatch(text)) is not None:
        text = match[1]
    return _APPROXIMATION.sub(r" \\approx \1", _TAIL.sub("", text))


_NOT_ANOTHER = re.compile(
    r"([-+\d\\$(][^,;()]{0,60}?)(?:,| \(| and|, and|, but| but) ?not (?!\1\)?$)[-\d\\$][^,;()]{0,20}\)?"
)
"""`5, not 6` is 5."""
_COMPARED = re.compile(
    r"^(?P<letter>[A-Za-z]) (?:is )?(?:strictly )?(?P<word>greater|larger|more|less|smaller) than"
    r"(?P<equal> or equal to)? (?=[-\d\\])"
)


def _signs_of(match: re.Match[str]) -> str:
    """Return the sign of `x is greater than or equal to 3`."""
    more = match["word"] in ("greater", "larger", "more")
    return (r"\ge" if more else r"\le") if match["equal"] else (">" if more else "<")


def _without_end(text: str) -> str:
    """Take the sentence's punctuation off the end; an ellipsis is none."""
    while text and (text[-1] in ",;\\" or (text[-1] == "." and not text.endswith(".."))):
        text = text[:-1].rstrip()
    return text
