"""Normalising the spelling of an answer: every tier reads texts that `normalise` returned.

Unicode becomes LaTeX or ASCII, commands and notations that mean the same become one (the tables are in
`normalise_tables.py`), and everything that only decorates a value is removed: math mode, boxes, emphasis,
`the answer is`. Nothing is judged here, and differences that may change a meaning are kept: 2² does not
become 22, and MW stays apart from mW.
"""

import re
import unicodedata
from functools import lru_cache

from .east_asian import IS_EAST_ASIAN, in_ascii
from .lexicon import DENIALS, is_plain, words_of
from .normalise_tables import CHARACTERS, COMMAND_SPELLINGS, CYRILLIC_UNITS, REWRITES, VULGAR_FRACTIONS

_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|in|approx)")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4}")
_VULGAR = re.compile(f"(\\d?)([{''.join(VULGAR_FRACTIONS)}])")
_WRAPPED = re.compile(
    r"\$\$?(.*?)\$?\$|\\\((.*)\\\)|\\\[(.*)\\\]|\\(?:f?boxed|f(?:rame)?box) ?\{(.*)\}|\*\*?([^*]+)\*?\*"
    r"|`+([^`]+)`+"
    r"|\"([^\"]+)\"|'([^']+)'|\\begin\{(?P<env>align|aligned|equation|gather|split)\*?\}(.*)\\end\{(?P=env)\*?\}",
    re.DOTALL,
)
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")
_MARKED = re.compile(r"[\\{!<>~&*_']|\.\.|  |[a-z]{3} ?\(|perc|p[eo]u?r c|pct|Proz|проц")
"""Matches every text to which one of `COMMAND_SPELLINGS` or `REWRITES` could apply; other texts skip them."""
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_TWO_LINES = re.compile(r"(?<=[\d$])[ \t]*[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*(?=[\d$])")
_LEAD_IN = re.compile(
    r"(?:(?:the )?(?:final |correct |best |right )?ans(?:wer)?(?: is|:| =)|(?:therefore|thus|hence"
    r"|(?-i:[Ss]o))(?:,| )|(?:it|this) is"
    r"|there (?:is|are)|(?:in )?(?:the )?year (?=\d)|in (?=\d{4}$|\d+ ?B)|approximately|approx\.?|about"
    r"|roughly|exactly|only|just|\\approx|\\therefore"
    r"|\\Rightarrow|\\implies|=|~)\s*(?=\S)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"(?P<subject>[A-Za-z][A-Za-z' -]{0,60}) (?:is|are|equals|is equal to|was)(?: approximately| about"
    r"| exactly)?:? (?=[-+\d\\$({\[])"
)
_TAIL = re.compile(
    r",? (?:is (?:the |our |my )?(?:final |correct |right )?(?:answer|correct|right)|only|in total"
    r"|in all|altogether)$",
    re.IGNORECASE,
)
_APPROXIMATION = re.compile(
    r" ?\((?:\\approx|approximately|approx\.?|about|or about|or approximately"
    r"|roughly) ?([-\d\\$][^()]{0,30})\)$"
)


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    r"""Return an answer in one spelling: LaTeX and ASCII, nothing wrapped around it, single spaces.

    >>> normalise(r"The answer is $\dfrac12$.")
    '\\frac{1}{2}'
    >>> normalise("3½ ≤ x²")
    '3 1/2 \\le x^{2}'
    """
    if _PLAIN.fullmatch(text):
        return text  # the commonest answer: a plain number
    if "," in text and ("R$" in text or not text.isascii()):
        text = _PRICE.sub(lambda price: price[0].replace(".", "").replace(",", "."), text)
    if not text.isascii():
        text = _ascii(text)
    if text == "{}":
        return r"\emptyset"
    if "\n" in text:
        text = _one_line(unwrapped(text.strip()))
    text = unwrapped(_without_end(" ".join(text.split())))
    if _MARKED.search(text):
        text = _COMMAND.sub(lambda match: COMMAND_SPELLINGS.get(match[1], match.group()), text)
        for needle, pattern, replacement in REWRITES:
            if needle in text:
                text = pattern.sub(replacement, text)
        text = unwrapped(text.strip())
    if not text.isascii() and IS_EAST_ASIAN.search(text):
        text = unwrapped(in_ascii(text))
    return _without_words(_without_end(text.strip()))


def _one_line(text: str) -> str:
    """Return a text in one line, with semicolons between numbers or relations on lines of their own."""
    text = re.sub(r"(?m)^\s*\([1-9a-e]\) ?(?=\S*[=<>$\d])|[;.。；]$", "", text)
    lines = [line.strip(" \t\r,;") for line in text.split("\n") if line.strip(" \t\r$")]
    if all(line.startswith(("- ", "* ", "• ")) for line in lines):
        lines = [line[2:] for line in lines]
    if len(lines) > 1 and all(
        _RELATION.search(line) and not _WORD.search(line) and "\\begin" not in text for line in lines
    ):
        return "; ".join(lines)
    return _TWO_LINES.sub("; ", text)


def _ascii(text: str) -> str:
    """Return a text with Unicode as LaTeX or ASCII, as far as the tables and NFKC can convert it."""
    text = _VULGAR.sub(_spelt_fraction, text)
    text = "".join(map(_written_out, text)).translate(CHARACTERS)
    text = re.sub(r"(?<=\d\)), (?=\s*(?:,|and\b|or\b|$))", "", text)  # no comma after the last ③
    text = _SUPERSCRIPTS.sub(_joined, text)  # x²³ has one exponent
    text = _SUBSCRIPTS.sub(_joined, text)
    text = unicodedata.normalize("NFKC", text)
    return _CYRILLIC.sub(lambda unit: CYRILLIC_UNITS.get(unit[0], unit[0]), text)


_CYRILLIC = re.compile(r"(?:(?<=[\d}/])|(?<=[\d}] ))[А-Яа-я]{1,4}(?![А-Яа-я])")
_SUPERSCRIPTS = re.compile(r"(?:\^\{[-+\dA-Za-z()]+\}){2,}")
_SUBSCRIPTS = re.compile(r"(?:_\{[-+\dA-Za-z()]+\}){2,}")


def _joined(match: re.Match[str]) -> str:
    mark = match[0][0]
    return match[0].replace("}" + mark + "{", "")


def _spelt_fraction(match: re.Match[str]) -> str:
    """Return `3 1/2` for `3½`, with a space: 31/2 would be another number."""
    return f"{match[1]} {VULGAR_FRACTIONS[match[2]]}".lstrip()


def _written_out(character: str) -> str:
    """Return a character, written out if NFKC would flatten it: `2²` is not 22, and `①③` is not 13.

    Characters without a glyph (category Cf, such as a zero-width space) are removed.
    """
    if character < "\x80":
        return character
    decomposed = unicodedata.decomposition(character)
    plain = unicodedata.normalize("NFKC", character).replace("−", "-")
    if decomposed.startswith("<super>") and character not in "ºª":
        return f"^{{{plain}}}"
    if decomposed.startswith("<sub>"):
        return f"_{{{plain}}}"
    if decomposed.startswith("<circle>"):
        return f"({plain}), "
    return "" if unicodedata.category(character) == "Cf" else character


_NEXT_LINE_EQUALS = re.compile(r"\\\\\s*(?==)")
_MATH = re.compile(r"(?<!\\)\$\$?([^$]*[^$\\])\$\$?|\\\(((?:(?!\\[()]).)*)\\\)")


def unwrapped(text: str) -> str:
    """Return a text without anything that is wrapped around all of it: math mode, a box, emphasis, quotes."""
    for _ in range(4):
        match = _WRAPPED.fullmatch(text)
        if match is None:
            break
        inner = match[match.lastindex or 0].strip()
        if not _balanced(inner) or ("$" in inner.replace(r"\$", "") and text[0] == "$"):
            break  # `$a$ and $b$` starts and ends with a dollar sign, but is not one formula
        text = inner
        if match["env"]:
            text = _NEXT_LINE_EQUALS.sub(
                " ", inner.replace("&", " ")
            )  # lines that are aligned mean the same without it
    if text[:1] + text[-1:] == "{}" and not re.search(r"^\{ ?[a-z] ?[|:]|,", text) and _balanced(text[1:-1]):
        text = text[1:-1].strip()  # with a comma, the braces are those of a set
    if text.count("$") > text.count(r"\$") + 1 or r"\(" in text:
        text = _MATH.sub(lambda match: match[match.lastindex or 0], text)  # `odd $n$` is `odd n`
    return text


def _balanced(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"\\.|[{}]", text):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            return False
    return depth == 0


def _without_words(text: str) -> str:
    """Return a value without the words around it: `the answer is`, `The number of ways is`, `in total`."""
    if text[:1] == "(":
        text = _without_labels(text)
    if not any(character.isalpha() or character in "=~\\" for character in text):
        return text
    if text[:1] == "S":
        text = _SOLUTION_SET.sub("", text)
    if ";" in text and text[0] == "(":
        text = _NAMES.sub(lambda names: names[0].replace(";", ","), text)
    if match := _LEAD_IN.match(text):
        text = text[match.end() :]
    sentence = _SENTENCE.match(text)
    if sentence is not None and is_plain(sentence["subject"]):
        text = text[sentence.end() :]
    if " " in text:
        text = _AND.sub(" and ", text)
        if "B" in text:
            text = _BEFORE_CHRIST.sub(" BC", text)
        if "than" in text or "st " in text:
            text = _BOUND.sub(_in_signs, text)
        text = _without_other_words(text)
    ordinal = _ORDINAL.fullmatch(text)
    return ordinal[1] if ordinal else text


_SOLUTION_SET = re.compile(r"^S ?= ?(?=[(\[].*\\infty|\\\{)")
_NAMES = re.compile(r"^\([a-z](?:; ?[a-z])+\)(?= ?=)")
_LABELS = (("1", "2", "3", "4"), ("a", "b", "c", "d"), ("i", "ii", "iii", "iv"))
_LABELLED_CHARS = 200


def _without_labels(text: str) -> str:
    """Return `3; 5` for `(1) 3; (2) 5`."""
    for labels in _LABELS:
        if text.startswith(f"({labels[0]}) ") and len(text) <= _LABELLED_CHARS:
            parts = re.split("|".join(rf"[;,.]? ?\({label}\) " for label in labels), text)[1:]
            found = re.findall(r"\(([1-4a-d]|i{1,3}|iv)\) ", text)
            if len(parts) > 1 and found == list(labels[: len(parts)]) and all(parts):
                return "; ".join(part.strip(" ;,.") for part in parts)
    return text


_AND = re.compile(r"(?<=[\d$}]) (?:и|und|et|y) (?=[-\d$\\])")
_BEFORE_CHRIST = re.compile(r"(?<=\d) B\.? ?C\.?(?: ?E\.?)?$")
_BOUND = re.compile(
    r"([A-Za-z]) (?:is |must be |has to be |can be )?(?:(at least|no less than)|(at most|no more than)"
    r"|((?:strictly )?(?:greater|more|larger) than(?! or))|((?:strictly )?(?:less|smaller) than(?! or)))"
    r" (?=[-\d\\])"
)
"""Matches an inequality in words up to its bound: `x is at least 3`."""
_PRICE = re.compile(
    r"(?<![\d.,])\d{1,3}(?:\.?\d{3})*,\d{2}(?= ?€)|(?:(?<=R\$)|(?<=[R€£][$ ])|(?<=R\$ )"
    r"|(?<=€))\d{1,3}(?:\.?\d{3})*,\d{2}(?![\d,])"
)
"""Matches a price with a decimal comma, which can be no list: `R$ 1.250,00`, `12,50 €`."""


def _in_signs(match: re.Match[str]) -> str:
    sign = next(
        sign for sign, words in zip((r"\ge", r"\le", ">", "<"), match.groups()[1:], strict=True) if words
    )
    return f"{match[1]} {sign} "


def _without_other_words(text: str) -> str:
    text = _COMPARED.sub(lambda match: f"{match['letter']} {_sign_of(match)} ", text)
    text = _MINUS.sub("-", _PLUS.sub("", text))
    if "not " in text or " of " in text or " than " in text:
        another = _NOT_ANOTHER.fullmatch(text)
        if another is not None and not words_of(another[another.lastgroup or 0]) & DENIALS:
            text = another[another.lastgroup or 0]
    return _APPROXIMATION.sub(r" \\approx \1", _TAIL.sub("", text))


_MINUS = re.compile(r"^(?:negative|minus) (?=[\d\\]|infinity\b)")
_PLUS = re.compile(r"^(?:positive|plus) (?=infinity\b|\\infty)")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)(?: (?:place|position|floor|grade|row|term))?")


_NAMED = r"(?:[-+]?\\?[\w$({\[][^,;()]{0,60}?|\([A-Z]\))"
_NOT_ANOTHER = re.compile(
    rf"(?P<first>{_NAMED})(?:(?:,| \(| and|, and|, but| but|(?<=\d)) ?not|,? (?:rather than|instead of)) "
    rf"(?!(?P=first)\)?$)(?!(?:a |the )?(?:certain|sure|correct|right|final|true|possible|confident"
    rf"|answer)\b)"
    rf"[-\d\\$(A-Za-z][^,;()]{{0,30}}\)?"
    rf"|not [^,;()]{{1,30}}?,? but(?: rather)? (?P<second>{_NAMED})"
)
"""Matches `5, not 6` and `not 6 but 5`, which are 5."""
_COMPARED = re.compile(
    r"^(?P<letter>[A-Za-z]) (?:is )?(?:strictly )?(?P<word>greater|larger|more|less|smaller) than"
    r"(?P<equal> or equal to)? (?=[-\d\\])"
)


def _sign_of(match: re.Match[str]) -> str:
    r"""Return the sign of a comparison in words: `\ge` for `x is greater than or equal to 3`."""
    is_more = match["word"] in ("greater", "larger", "more")
    if match["equal"]:
        return r"\ge" if is_more else r"\le"
    return ">" if is_more else "<"


def _without_end(text: str) -> str:
    """Return a text without the punctuation at its end; an ellipsis stays."""
    while text and (text[-1] in ",;\\" or (text[-1] == "." and not text.endswith(".."))):
        text = text[:-1].rstrip()
    return text


_POINTS_IN_COMMA_NUMBER = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+|\d+),(\d+)(?![\d,]|\.\d)")


def with_decimal_points(text: str) -> str:
    """Return a text in which `3,5` is written `3.5`, and `1.234,5` is `1234.5`.

    >>> with_decimal_points("1.234,5 kg"), with_decimal_points("1,2,3"), with_decimal_points("(3, 5)")
    ('1234.5 kg', '1,2,3', '(3, 5)')
    """
    return _POINTS_IN_COMMA_NUMBER.sub(lambda match: f"{match[1].replace('.', '')}.{match[2]}", text)
