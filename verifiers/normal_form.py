r"""One spelling for answers that mean the same: tier 1's ground.

Nothing here decides: what could change a meaning (2² and 22, MW and mW, \frac{1+2}{3} and 1+2/3)
stays apart.
"""

import re
import unicodedata
from functools import lru_cache

from .exact_number import VULGAR

_TERM = r"[-+]?(?:\d+|[A-Za-z]|\\[A-Za-z]+)"
_SYNONYMS = [
    (re.compile(r"\\[dtc]frac"), r"\\frac"),
    # Without brackets only where both parts are one term: \frac{1+2}{3} is not 1+2/3.
    (re.compile(rf"\\frac {{0,9}}\{{ ?({_TERM}) ?\}} {{0,9}}\{{ ?({_TERM}) ?\}}"), r" \1/\2 "),
    (re.compile(r"\\frac {0,9}(\d) {0,9}(\d)(?!\d)"), r" \1/\2 "),
    (re.compile(r"\\frac {0,9}(\d) {0,9}\{ ?(\d+) ?\}"), r" \1/\2 "),
    (re.compile(r"(?<=\d)(?:\{,\}|\\,|\\!)(?=\d{3}(?!\d))"), ","),
    (re.compile(r"\\[,;: !]|~(?!\d)|\\quad|\\qquad"), " "),
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|mbox) {0,9}\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\left(?![a-z])|\\right(?![a-z])|\\displaystyle(?![a-z])"), ""),
    (re.compile(r"\\([%$#&])"), r"\1"),
    (re.compile(r"[−‐‑–﹣－]"), "-"),
    (re.compile(r" +"), " "),
]
_VULGAR = re.compile(f"([{''.join(VULGAR)}])")
_WRAPPED = re.compile(r"\$\$?(.*?)\$?\$|\\\((.*)\\\)|\\\[(.*)\\\]", re.DOTALL)


@lru_cache(maxsize=65536)
def normalise(text: str) -> str:
    """Return the answer in one spelling: NFKC, plain fractions, nothing wrapped around, one space."""
    text = _VULGAR.sub(lambda match: " " + VULGAR[match[1]], text)  # before NFKC: 3½ is not 31/2
    text = "".join(map(_raised, text)) if not text.isascii() else text
    text = re.sub(
        r"(?<=\d)[ \t]*\n\s*(?=\d)", "; ", unicodedata.normalize("NFKC", text)
    )  # two lines, two numbers
    text = " ".join(text.split())
    for _ in range(2):
        if match := _WRAPPED.fullmatch(text):
            inner = next(group for group in match.groups() if group is not None).strip()
            text = inner if "$" not in inner.replace(r"\$", "") else text
    for pattern, replacement in _SYNONYMS:
        text = pattern.sub(replacement, text)
    return text.strip().removesuffix(".").strip()


def _raised(character: str) -> str:
    """Keep what NFKC would flatten: 2² is not 22. Invisible characters fall away."""
    decomposed = unicodedata.decomposition(character)
    if decomposed.startswith(("<super>", "<sub>")):
        plain = unicodedata.normalize("NFKC", character)
        return f"^{{{plain}}}" if decomposed.startswith("<super>") else f"_{{{plain}}}"
    return "" if unicodedata.category(character) == "Cf" else character
