r"""One spelling for answers that mean the same: the ground of every tier.

Unicode becomes LaTeX or ASCII, synonyms become one command, what only decorates falls away.
Nothing here decides: what could change a meaning (2² and 22, MW and mW) stays apart.
"""

import re
import unicodedata
from functools import lru_cache

VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
    "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip
"""Fractions that are one character."""

_SYMBOLS = {
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "÷": r"\div ", "∕": "/", "⁄": "/",
    "√": r"\sqrt ", "∛": r"\sqrt[3] ", "∜": r"\sqrt[4] ", "∞": r"\infty ", "±": r"\pm ", "∓": r"\mp ",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≅": r"\cong ",
    "≡": r"\equiv ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∉": r"\notin ", "∅": r"\emptyset ",
    "⊂": r"\subset ", "⊆": r"\subseteq ", "∖": r"\setminus ", "→": r"\to ", "⇒": r"\Rightarrow ",
    "∴": r"\therefore ", "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ",
    "∠": r"\angle ", "△": r"\triangle ", "°": r"^\circ ", "º": r"^\circ ", "℃": r"^\circ C", "℉": r"^\circ F",
    "′": "'", "″": '"', "∣": "|", "‖": r"\| ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ",
    "⌉": r"\rceil ", "∑": r"\sum ", "∫": r"\int ", "∏": r"\prod ", "∂": r"\partial ", "∧": r"\wedge ",
    "∨": r"\vee ", "¬": r"\neg ", "…": r"\ldots ", "⋯": r"\ldots ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "𝑖": "i", "ℓ": "l", "‰": r"\permil ",
    "−": "-", "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "﹣": "-", "－": "-", "∼": "~",
    "，": ",", "、": ", ", "；": ";", "：": ":", "’": "'", "‘": "'", "“": '"', "”": '"', "µ": "u", "μ": "u",
    "Ω": r"\Omega ", "Ω": r"\Omega ",
}  # fmt: skip
_GREEK = dict(
    zip(
        "αβγδεζηθικλνξπρστυφχψωΓΔΘΛΞΠΣΦΨ",
        r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \nu \xi \pi \rho"
        r" \sigma \tau \upsilon \phi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Phi"
        r" \Psi".split(),
        strict=True,
    )
)
_ONE_BY_ONE = str.maketrans(
    {**_SYMBOLS, **{letter: f"{name} " for letter, name in _GREEK.items()}, "ϕ": r"\phi ", "ϵ": r"\epsilon "}
)

_TEXT = r"\\(?:text(?:normal|rm|bf|it|sf|tt|up|md)?|mbox|hbox|mathrm|mathbf|mathit|mathsf|mathtt|rm|bf)"
_SYNONYMS = [
    (re.compile(r"\\(?:[dtc]|s|x)frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\[dt]binom(?![a-z])"), r"\\binom"),
    (re.compile(r"\\frac ?(\d) ?(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac ?(\d) ?\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac ?\{\d+\}) ?(\d)(?!\d)"), r"\1{\2}"),
    # Thousands: 1{,}234  1\,234  1\!,234  1,\! 234; a comma with a thin space behind it is a list's.
    (re.compile(r"(?<=\d) ?\{, ?\} ?(?=\d{3}(?!\d))"), ","),
    (re.compile(r"(?<=\d),? ?\\! ?,? ?(?=\d{3}(?!\d))"), ","),
    (re.compile(r"(?<=\d)\\[,:; ](?=\d{3}(?!\d))"), ","),
    (re.compile(r"(?<!\\)\\(?:[,;:! ]|(?:thin|med|thick)space|(?:q?quad|hfill|enspace)(?![a-z]))|~(?=\S)|~$"), " "),
    (re.compile(r"\\(?:hspace|vspace|phantom|label|tag)\*?\{[^{}]*\}"), " "),
    (re.compile(r"\\(?:mathbf|boldsymbol|vec|hat|bm) ?\{? ?([ijk])(?:math)? ?\}?(?![A-Za-z}])"), r"\\vec{\1}"),
    (re.compile(rf"{_TEXT} ?\{{([^{{}}]*)\}}"), r" \1 "),
    (re.compile(r"\\operatorname\*? ?\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\math(?:cal|frak|scr) ?\{([^{}]*)\}|\\boldsymbol ?\{([^{}]*)\}"), r"\1\2"),
    (re.compile(r"\\(?:[Bb]igg?|left|right|middle)[lmr]?(?![a-z])\.?"), ""),
    (re.compile(r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits)(?![a-z])"), ""),
    (re.compile(r"\\(?:leq|leqslant|leqq)(?![a-z])|(?<![<=])<=(?!=)"), r"\\le "),
    (re.compile(r"\\(?:geq|geqslant|geqq)(?![a-z])|(?<![>=])>=(?!=)"), r"\\ge "),
    (re.compile(r"\\(?:neq|not ?=)(?![a-z])|(?<![\d)])!=|<>"), r"\\ne "),
    (re.compile(r"\\lt(?![a-z])"), "<"),
    (re.compile(r"\\gt(?![a-z])"), ">"),
    (re.compile(r"\\(?:varnothing|empty)(?![a-z])|\\\{ ?\\\}"), r"\\emptyset "),
    (re.compile(r"\\var(epsilon|phi|theta|rho|sigma|pi)(?![a-z])"), r"\\\1"),
    (re.compile(r"\\(?:dots|cdots|dotsc|dotsb|vdots|ldotp)(?![a-z])|\.{3,}"), r"\\ldots "),
    (re.compile(r"\\(?:lbrace)(?![a-z])"), r"\\{"),
    (re.compile(r"\\(?:rbrace)(?![a-z])"), r"\\}"),
    (re.compile(r"\\(?:lvert|rvert|vert|mid)(?![a-z])"), "|"),
    (re.compile(r"\\(?:bigcup|union)(?![a-z])"), r"\\cup "),
    (re.compile(r"\\(?:lor|vee)(?![a-z])"), " or "),
    (re.compile(r"\\(?:land|wedge)(?![a-z])"), " and "),
    (re.compile(r"\^ ?\{ ?\\circ ?\}|\^ ?\\circ|\^ ?\{ ?o ?\}|\\degree(?![a-z])|\\deg(?![a-z])"), r"^\\circ "),
    (re.compile(r"\\(?:hfil|par|newline|centering)(?![a-z])"), " "),
    (re.compile(r"(?<!\\)\\([%$#&_])"), r"\1"),
    (re.compile(r" {2,}"), " "),
]  # fmt: skip
_VULGAR = re.compile(f"(\\d?)([{''.join(VULGAR)}])")
_WRAPPED = re.compile(
    r"\$\$?(.*?)\$?\$|\\\((.*)\\\)|\\\[(.*)\\\]|\\f?boxed ?\{(.*)\}|\*\*([^*]+)\*\*|`+([^`]+)`+"
    r"|\"([^\"]+)\"|\\begin\{(?:align|equation|gather)\*?\}(.*)\\end\{(?:align|equation|gather)\*?\}",
    re.DOTALL,
)
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")
_MARKED = re.compile(r"[\\{!<>~]|\.\.|  ")
"""What a synonym may start from."""
_LEAD_IN = re.compile(
    r"(?:(?:the )?(?:final |correct )?answer(?: is|:| =)|(?:therefore|thus|hence|so)(?:,| )|(?:it|this) is"
    r"|approximately|approx\.?|about|roughly|exactly|only|\\approx|\\therefore|\\Rightarrow|\\implies|=|~)\s*"
    r"(?=\S)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """Return the answer in one spelling: LaTeX and ASCII, nothing wrapped around, one space."""
    if _PLAIN.fullmatch(text):
        return text
    if not text.isascii():
        text = _ascii(text)
    text = re.sub(r"(?<=[\d$])[ \t]*\n\s*(?=[\d$])", "; ", text)  # two lines, two numbers
    text = _unwrapped(" ".join(text.split()))
    if _MARKED.search(text):
        for pattern, replacement in _SYNONYMS:
            text = pattern.sub(replacement, text)
    text = _unwrapped(text.strip())
    text = _LEAD_IN.sub("", text, count=1) if _LEAD_IN.match(text) else text
    return _without_end(text.strip())


def _ascii(text: str) -> str:
    text = _VULGAR.sub(lambda match: f"{match[1]} {VULGAR[match[2]]}".lstrip(), text)  # 3½ is not 31/2
    text = "".join(map(_raised, text)).translate(_ONE_BY_ONE)
    text = re.sub(r"\}\^\{(?=[-+\dA-Za-z()]+\})", "", text)  # x²³: one exponent
    text = re.sub(r"\}_\{(?=\d+\})", "", text)
    return unicodedata.normalize("NFKC", text)


def _raised(character: str) -> str:
    """Keep what NFKC would flatten: 2² is not 22. Invisible characters fall away."""
    if character < "\x80":
        return character
    decomposed = unicodedata.decomposition(character)
    if decomposed.startswith(("<super>", "<sub>")) and character not in "ºª":
        plain = unicodedata.normalize("NFKC", character).replace("−", "-")
        return f"^{{{plain}}}" if decomposed.startswith("<super>") else f"_{{{plain}}}"
    return "" if unicodedata.category(character) == "Cf" else character


def _unwrapped(text: str) -> str:
    """Take away what stands around the whole: math mode, a box, emphasis, quotes."""
    for _ in range(4):
        match = _WRAPPED.fullmatch(text)
        if match is None:
            break
        inner = next(group for group in match.groups() if group is not None).strip()
        if match[4] is not None and not _balanced(inner):
            break
        if "$" in inner.replace(r"\$", "") and text[0] == "$":
            break
        text = inner
    if text.count("$") > text.count(r"\$") + 1 or r"\(" in text:
        text = _inner_math(text)
    return text


_MATH = re.compile(r"(?<!\\)\$\$?([^$]*[^$\\])\$\$?|\\\((.*?)\\\)")


def _inner_math(text: str) -> str:
    """Drop the math mode within a text: `odd $n$` is `odd n`."""
    return _MATH.sub(lambda match: next(g for g in match.groups() if g is not None), text)


def _balanced(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"\\.|[{}]", text):
        depth += (brace == "{") - (brace == "}")
        if depth < 0:
            return False
    return depth == 0


def _without_end(text: str) -> str:
    """Take the sentence's punctuation off the end; an ellipsis is none."""
    while text and (text[-1] in ",;\\" or (text[-1] == "." and not text.endswith(".."))):
        text = text[:-1].rstrip()
    return text[1:-1].strip() if len(text) > 2 and text[0] == text[-1] == '"' else text
