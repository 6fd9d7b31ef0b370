r"""The tables of `normal_form.py`: characters that stand for LaTeX, and commands that mean the same."""

import re
from collections.abc import Callable

VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
    "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip
"""Fractions that are one character."""

_SYMBOLS = {
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "÷": r"\div ", "∕": "/", "⁄": "/",
    "√": r"\sqrt ", "∛": r"\sqrt[3] ", "∜": r"\sqrt[4] ", "∞": r"\infty ", "±": r"\pm ", "∓": r"\mp ",
    "≤": r"\le ", "⩽": r"\le ", "≦": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≧": r"\ge ", "≠": r"\ne ",
    "≈": r"\approx ", "≅": r"\cong ", "≡": r"\equiv ", "∼": r"\sim ", "⊥": r"\perp ", "∥": r"\parallel ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∉": r"\notin ", "∅": r"\emptyset ", "⊂": r"\subset ",
    "⊆": r"\subseteq ", "∖": r"\setminus ", "→": r"\to ", "⇒": r"\Rightarrow ", "∴": r"\therefore ",
    "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ", "∠": r"\angle ",
    "△": r"\triangle ", "°": r"^\circ ", "º": r"^\circ ", "℃": r"^\circ C", "℉": r"^\circ F", "′": "'",
    "″": '"', "∣": "|", "‖": r"\| ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
    "∑": r"\sum ", "∫": r"\int ", "∏": r"\prod ", "∂": r"\partial ", "∇": r"\nabla ", "∧": r"\wedge ",
    "∨": r"\vee ", "¬": r"\neg ", "…": r"\ldots ", "⋯": r"\ldots ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "ħ": r"\hbar ", "ℏ": r"\hbar ", "ℓ": "l",
    "\xc5": "angstrom ", "\u212b": "angstrom ", "−": "-", "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-",
    "﹣": "-", "－": "-", "，": ",", "、": ", ", "；": ";", "：": ":", "∶": ":", "’": "'", "‘": "'", "“": '"',
    "”": '"', "µ": r"\mu ", "Ω": r"\Omega ", "或": " or ", "和": " and ", "且": " and ", "与": " and ",
    "✓": " ", "✔": " ", "✅": " ", "。": ".", "‰": "%/10",
}  # fmt: skip
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi \pi \rho"
        r" \sigma \tau \upsilon \phi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Phi"
        r" \Psi \Omega".split(),
        strict=True,
    )
)
ONE_BY_ONE = str.maketrans(
    {**_SYMBOLS, **{letter: f"{name} " for letter, name in _GREEK.items()}, "ϕ": r"\phi ", "ϵ": r"\epsilon "}
)
"""One character each; a space ends a command."""

_IN = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_TEXT = (
    r"\\(?:text(?:normal|rm|bf|it|sf|tt|up|md)?|mbox|hbox|math(?:rm|bf|it|sf|tt)|emph|bm|ensuremath"
    r"|underline|rm|bf)"
)


_SAME = {
    r"\frac": "dfrac tfrac cfrac sfrac xfrac nicefrac flatfrac", r"\binom": "dbinom tbinom",
    r"\le ": "leq leqslant leqq", r"\ge ": "geq geqslant geqq", r"\ne ": "neq", "<": "lt", ">": "gt",
    r"\emptyset ": "varnothing empty", r"\ldots ": "dots cdots dotsc dotsb vdots ldotp",
    r"\cup ": "bigcup union", r"\setminus ": "backslash", r"\{": "lbrace", r"\}": "rbrace",
    "|": "lvert rvert vert mid", ":": "colon", " or ": "lor vee", " and ": "land wedge",
    r"^\circ ": "degree deg", "£": "pounds textsterling", "€": "euro", "¥": "yen textyen",
    " ": "hfil hfill par newline centering enspace thinspace medspace thickspace checkmark",
    "": "displaystyle textstyle scriptstyle limits nolimits"
        " tiny small normalsize large Large LARGE huge Huge",
}  # fmt: skip
COMMANDS = {name: same for same, names in _SAME.items() for name in names.split()} | {
    f"var{name}": rf"\{name}" for name in "epsilon phi theta rho sigma pi".split()
}
"""LaTeX commands that another one, or a character, stands for."""

Replacement = str | Callable[[re.Match[str]], str]


def _pattern(pattern: str, template: str) -> tuple[re.Pattern[str], Replacement]:
    """Compile both; a template with a backslash would be read anew in every text, match or not."""
    return re.compile(pattern), (lambda match: match.expand(template)) if "\\" in template else template


SYNONYMS = [
    _pattern(r"<sup>([^<>]*)</sup>", r"^{\1}"),
    _pattern(r"<sub>([^<>]*)</sub>", r"_{\1}"),
    _pattern(r"<(b|i|strong|em|u|span|p)>([^<>]*)</\1>", r" \2 "),
    _pattern(r"<br ?/?>|&nbsp;", " "),
    _pattern(r"(?<=\d) ?(?:\\q?quad ?)+(?=\d)", "; "),  # two numbers
    _pattern(r"\\(?:text)?color ?\{[^{}]*\}", ""),
    _pattern(r"\\frac ?(\d) ?(\d)(?![\d,])", r"\\frac{\1}{\2}"),
    _pattern(r"\\frac ?(\d) ?\{", r"\\frac{\1}{"),
    _pattern(r"(\\frac ?\{\d+\}) ?(\d)(?![\d,])", r"\1{\2}"),
    # Thousands: 1{,}234  1\,234  1\!,234  1,\! 234; a comma with a thin space behind it is a list's.
    _pattern(r"(?<=\d) ?\{, ?\} ?(?=\d{3}(?!\d))", ","),
    _pattern(r"(?<=\d),? ?\\! ?,? ?(?=\d{3}(?!\d))", ","),
    _pattern(r"(?<=\d)\\[,:; ](?=\d{3}(?!\d))", ","),
    _pattern(r"\{:\}|\\text ?\{ ?: ?\}", ":"),
    _pattern(r"(?<!\\)\\(?:[,;:! ]|q?quad(?![a-z]))|(?<!~)~(?!~)", " "),
    _pattern(r"\\(?:hspace|vspace|phantom|label|tag)\*?\{[^{}]*\}", " "),
    _pattern(r"\\(?:mathbf|boldsymbol|vec|hat|bm) ?\{? ?\\?([ijk])(?:math)? ?\}?(?![A-Za-z}])", r"\\vec{\1}"),
    _pattern(rf"_ ?{_TEXT} ?\{{ ?([^{{}}]*?) ?\}}", r"_{\1}"),
    _pattern(
        r"\(? ?\\(?:pmod|bmod|mod) ?\{? ?(\w+) ?\}? ?\)?|\( ?(?:\\(?:text"
        r"|mathrm) ?\{ ?)?mod ?\}? ?(\w+) ?\}? ?\)",
        r" \\pmod{\1\2}",
    ),
    _pattern(r"\^ ?\{ ?\\circ ?\}|\^ ?\\circ|\^ ?\{ ?o ?\}", r"^\\circ "),
    _pattern(r"\^ ?\{? ?\\prime ?\}?", "'"),
    _pattern(r"(?<=\d) ?(?:percent(?:age)?|per cent|pct\.?)(?![A-Za-z])", "%"),
    # One upright letter behind a number is a unit: `5\text{ m}` is no product.
    _pattern(rf"(?<=[\d}})]) ?{_TEXT} ?\{{ ?(?![eixyzR])([A-Za-z]) ?\}}(?! ?_)", r" \\unit{\1}"),
    _pattern(rf"{_TEXT} ?{_IN}", r" \1 "),
    _pattern(rf"{_TEXT} ?{_IN}", r" \1 "),  # one within another
    _pattern(r"\\(?:bf|rm|it|sf|tt|bfseries)(?![a-z])", ""),
    _pattern(r"\\operatorname\*? ?\{([^{}]*)\}", r" \1 "),
    _pattern(r"\\math(?:cal|frak|scr) ?\{([^{}]*)\}|\\boldsymbol ?\{([^{}]*)\}", r"\1\2"),
    _pattern(r"\\overline ?\{ ?([A-Z]{2,}) ?\}", r"\1"),
    _pattern(r"\\(?:[Bb]igg?|left|right|middle)[lmr]?(?![a-z])\.?", ""),
    _pattern(r"(?<![<=])<=(?!=)", r"\\le "),
    _pattern(r"(?<![>=])>=(?!=)", r"\\ge "),
    _pattern(r"\\not ?=|(?<![\d)])!=|<>", r"\\ne "),
    _pattern(r"(?<=[\d)])!=(?=[^=])", "! = "),  # 5!=120
    _pattern(r"\\\{ ?\\\}", r"\\emptyset "),
    _pattern(r"\.{3,}", r"\\ldots "),
    _pattern(r"(?<!\\)\\([%$#&_])", r"\1"),
    _pattern(r"\b(?:Matrix|np\.array|array|matrix|vector|Point|FiniteSet) ?\((.*)\)", r"\1"),
    _pattern(r" {2,}", " "),
]
"""In order; later ones build on earlier ones."""
