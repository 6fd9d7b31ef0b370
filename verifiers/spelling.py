r"""The tables of `normal_form.py`: characters that stand for LaTeX, and commands that mean the same."""

import re

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


def _pattern(pattern: str, replacement: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern), replacement


SYNONYMS = [
    _pattern(r"<sup>([^<>]*)</sup>", r"^{\1}"),
    _pattern(r"<sub>([^<>]*)</sub>", r"_{\1}"),
    _pattern(r"<(b|i|strong|em|u|span|p)>([^<>]*)</\1>", r" \2 "),
    _pattern(r"<br ?/?>|&nbsp;|\\checkmark(?![a-z])", " "),
    _pattern(r"(?<=\d) ?(?:\\q?quad ?)+(?=\d)", "; "),  # two numbers
    _pattern(r"\\(?:text)?color ?\{[^{}]*\}|\\(?:tiny|small|normalsize|[lL]arge|LARGE|[hH]uge)(?![a-z])", ""),
    _pattern(r"\\(?:[dtc]|s|x|nice|flat)frac(?![a-z])", r"\\frac"),
    _pattern(r"\\[dt]binom(?![a-z])", r"\\binom"),
    _pattern(r"\\frac ?(\d) ?(\d)(?![\d,])", r"\\frac{\1}{\2}"),
    _pattern(r"\\frac ?(\d) ?\{", r"\\frac{\1}{"),
    _pattern(r"(\\frac ?\{\d+\}) ?(\d)(?![\d,])", r"\1{\2}"),
    # Thousands: 1{,}234  1\,234  1\!,234  1,\! 234; a comma with a thin space behind it is a list's.
    _pattern(r"(?<=\d) ?\{, ?\} ?(?=\d{3}(?!\d))", ","),
    _pattern(r"(?<=\d),? ?\\! ?,? ?(?=\d{3}(?!\d))", ","),
    _pattern(r"(?<=\d)\\[,:; ](?=\d{3}(?!\d))", ","),
    _pattern(r"\{:\}|\\text ?\{ ?: ?\}|\\colon(?![a-z])", ":"),
    _pattern(
        r"(?<!\\)\\(?:[,;:! ]|(?:thin|med|thick)space|(?:q?quad|hfill|enspace)(?![a-z]))|(?<!~)~(?!~)", " "
    ),
    _pattern(r"\\(?:hspace|vspace|phantom|label|tag)\*?\{[^{}]*\}", " "),
    _pattern(r"\\(?:mathbf|boldsymbol|vec|hat|bm) ?\{? ?\\?([ijk])(?:math)? ?\}?(?![A-Za-z}])", r"\\vec{\1}"),
    _pattern(rf"_ ?{_TEXT} ?\{{ ?([^{{}}]*?) ?\}}", r"_{\1}"),
    _pattern(
        r"\(? ?\\(?:pmod|bmod|mod) ?\{? ?(\w+) ?\}? ?\)?|\( ?(?:\\(?:text"
        r"|mathrm) ?\{ ?)?mod ?\}? ?(\w+) ?\}? ?\)",
        r" \\pmod{\1\2}",
    ),
    _pattern(r"\^ ?\{ ?\\circ ?\}|\^ ?\\circ|\^ ?\{ ?o ?\}|\\degree(?![a-z])|\\deg(?![a-z])", r"^\\circ "),
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
    _pattern(r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits)(?![a-z])", ""),
    _pattern(r"\\(?:leq|leqslant|leqq)(?![a-z])|(?<![<=])<=(?!=)", r"\\le "),
    _pattern(r"\\(?:geq|geqslant|geqq)(?![a-z])|(?<![>=])>=(?!=)", r"\\ge "),
    _pattern(r"\\(?:neq|not ?=)(?![a-z])|(?<![\d)])!=|<>", r"\\ne "),
    _pattern(r"(?<=[\d)])!=(?=[^=])", "! = "),  # 5!=120
    _pattern(r"\\lt(?![a-z])", "<"),
    _pattern(r"\\gt(?![a-z])", ">"),
    _pattern(r"\\(?:varnothing|empty)(?![a-z])|\\\{ ?\\\}", r"\\emptyset "),
    _pattern(r"\\var(epsilon|phi|theta|rho|sigma|pi)(?![a-z])", r"\\\1"),
    _pattern(r"\\(?:dots|cdots|dotsc|dotsb|vdots|ldotp)(?![a-z])|\.{3,}", r"\\ldots "),
    _pattern(r"\\lbrace(?![a-z])", r"\\{"),
    _pattern(r"\\rbrace(?![a-z])", r"\\}"),
    _pattern(r"\\(?:lvert|rvert|vert|mid)(?![a-z])", "|"),
    _pattern(r"\\(?:bigcup|union)(?![a-z])", r"\\cup "),
    _pattern(r"\\backslash(?![a-z])", r"\\setminus "),
    _pattern(r"\\(?:lor|vee)(?![a-z])", " or "),
    _pattern(r"\\(?:land|wedge)(?![a-z])", " and "),
    _pattern(r"\\(?:pounds|textsterling)(?![a-z])", "£"),
    _pattern(r"\\euro(?![a-z])", "€"),
    _pattern(r"\\(?:yen|textyen)(?![a-z])", "¥"),
    _pattern(r"\\(?:hfil|par|newline|centering)(?![a-z])", " "),
    _pattern(r"(?<!\\)\\([%$#&_])", r"\1"),
    _pattern(r"\b(?:Matrix|np\.array|array|matrix|vector|Point|FiniteSet) ?\((.*)\)", r"\1"),
    _pattern(r" {2,}", " "),
]
"""In order; later ones build on earlier ones."""
