"""The tables with which `normalise.py` rewrites answers: characters, LaTeX commands, and patterns.

Each table maps several spellings of one meaning to a single one, the only one that the other files read.
"""

import re
from collections.abc import Callable

VULGAR_FRACTIONS = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
    "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip
"""Fractions that are a single character."""

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
    "✓": " ", "✔": " ", "✅": " ", "。": ".", "．": ".", "‰": "%/10",
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
CHARACTERS = str.maketrans(
    {**_SYMBOLS, **{letter: f"{name} " for letter, name in _GREEK.items()}, "ϕ": r"\phi ", "ϵ": r"\epsilon "}
)
"""For `str.translate`: a single character to LaTeX or ASCII; the space ends the name of a command."""

_BRACED = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_TEXT = (
    r"\\(?:text(?:normal|rm|bf|it|sf|tt|up|md)?|mbox|hbox|math(?:rm|bf|it|sf|tt)|emph|bm|ensuremath"
    r"|underline|rm|bf)"
)
_COMMANDS_OF = {
    r"\frac": "dfrac tfrac cfrac sfrac xfrac nicefrac flatfrac", r"\binom": "dbinom tbinom",
    r"\le ": "leq leqslant leqq", r"\ge ": "geq geqslant geqq", r"\ne ": "neq", "<": "lt", ">": "gt",
    r"\emptyset ": "varnothing empty", r"\ldots ": "dots cdots dotsc dotsb vdots ldotp",
    r"\cup ": "bigcup union", r"\setminus ": "backslash", r"\{": "lbrace", r"\}": "rbrace",
    "[": "lbrack", "]": "rbrack",
    "|": "lvert rvert vert mid", ":": "colon", " or ": "lor vee", " and ": "land wedge",
    r"^\circ ": "degree deg", "£": "pounds textsterling", "€": "euro", "¥": "yen textyen",
    " ": "hfil hfill par newline centering enspace thinspace medspace thickspace checkmark",
    "angstrom ": "AA angstrom", "": "displaystyle textstyle scriptstyle limits nolimits"
        " tiny small normalsize large Large LARGE huge Huge",
}  # fmt: skip
COMMAND_SPELLINGS = {name: spelling for spelling, names in _COMMANDS_OF.items() for name in names.split()} | {
    f"var{name}": rf"\{name}" for name in "epsilon phi theta rho sigma pi".split()
}
"""The name of a LaTeX command (without its backslash) to the text that replaces the command."""

Replacement = str | Callable[[re.Match[str]], str]


def _rewrite(needle: str, pattern: str, template: Replacement) -> tuple[str, re.Pattern[str], Replacement]:
    """Compile a pattern and its template; every text that the pattern matches contains the needle.

    `Pattern.sub` parses a template with a backslash on every call, even if nothing matches, so such a
    template becomes a function.
    """
    if isinstance(template, str) and "\\" in template:
        return needle, re.compile(pattern), lambda match: match.expand(template)
    return needle, re.compile(pattern), template


CYRILLIC_UNITS: dict[str, str] = dict(
    zip(
        "Н кН мН Дж кДж МДж Вт кВт МВт В кВ А мА Ом Па кПа МПа Гц кГц моль м см мм км кг г мг т л мл с мин"
        " ч К Кл".split(),
        r"N kN mN J kJ MJ W kW MW V kV A mA \Omega Pa kPa MPa Hz kHz mol m cm mm km kg g mg t L mL s min"
        " h K C".split(),
        strict=True,
    )
)
"""The symbols of units in Russian texts, in Latin letters."""


def _quantity(match: re.Match[str]) -> str:
    r"""Return `5 m/s` for siunitx's `\SI{5}{\metre\per\second}` and `\qty{5}{m/s}`."""
    unit = match[2].replace(r"\per", "/").replace(r"\squared", "^2").replace(r"\cubed", "^3")
    return f"{match[1]} " + re.sub(r"[\\.~ ]", "", unit)


REWRITES = [
    # HTML.
    _rewrite("</sup", r"<sup>([^<>]*)</sup>", r"^{\1}"),
    _rewrite("</sub", r"<sub>([^<>]*)</sub>", r"_{\1}"),
    _rewrite("</", r"<(b|i|strong|em|u|span|p)>([^<>]*)</\1>", r" \2 "),
    _rewrite("", r"<br ?/?>|&nbsp;", " "),
    _rewrite("**", r"(?<![\w)])\*\*([^*]{1,200})\*\*(?![\w(])", r" \1 "),
    _rewrite("{,}", r"(?<=\d) ?\{,\} ?(?=\d)(?!\d{3}(?!\d))", "."),  # 3{,}5 is LaTeX's decimal comma
    _rewrite("SI", r"\\SI(?:\[[^\]]*\])? ?\{([^{}]*)\} ?\{([^{}]*)\}", _quantity),
    _rewrite("qty", r"\\qty(?:\[[^\]]*\])? ?\{([^{}]*)\} ?\{([^{}]*)\}", _quantity),
    _rewrite("num", r"\\num ?\{([^{}]*)\}", r"\1"),
    _rewrite("quad", r"(?<=\d) ?(?:\\q?quad ?)+(?=\d)", "; "),  # a wide space separates two numbers
    _rewrite("\\", r"(?<=\S)(?: |\\q?quad)+\\(?:blacksquare|square|qed|Box|checkmark)$", ""),
    _rewrite("\\", r"\(\\(?:text|textbf|mathrm) ?\{ ?([A-J]) ?\}\)", r"(\1)"),
    _rewrite(
        "array",
        r"(?:\\left)? ?\\\{ ?\\begin ?\{array\}(?: ?\{[^{}]*\})?(.*)\\end ?\{array\}(?: ?\\right ?\.)?",
        r"\\begin{cases}\1\\end{cases}",
    ),
    # Colours, and fractions without braces.
    _rewrite("color", r"\\(?:text)?color ?\{[^{}]*\}", ""),
    _rewrite("\\frac", r"\\frac ?(\d) ?(\d)(?![\d,])", r"\\frac{\1}{\2}"),
    _rewrite("\\frac", r"\\frac ?(\d) ?\{", r"\\frac{\1}{"),
    _rewrite("\\frac", r"(\\frac ?\{\d+\}) ?(\d)(?![\d,])", r"\1{\2}"),
    # Thousands: 1{,}234  1\,234  1\!,234  1,\! 234. A comma and a thin space, `1,\,234`, make a list.
    _rewrite("{", r"(?<=\d) ?\{, ?\} ?(?=\d{3}(?!\d))", ","),
    _rewrite("\\!", r"(?<=\d),? ?\\! ?,? ?(?=\d{3}(?!\d))", ","),
    _rewrite("\\", r"(?<=\d)\\[,:; ](?=\d{3}(?!\d))", ","),
    # Colons, spacing, unit vectors, subscripts, moduli, degrees, primes, percent.
    _rewrite(":", r"\{:\}|\\text ?\{ ?: ?\}", ":"),
    _rewrite("", r"(?<!\\)\\(?:[,;:! ]|q?quad(?![a-z]))|(?<!~)~(?!~)", " "),
    _rewrite("\\", r"\\(?:hspace|vspace|phantom|label|tag)\*?\{[^{}]*\}", " "),
    _rewrite(
        "\\", r"\\(?:mathbf|boldsymbol|vec|hat|bm) ?\{? ?\\?([ijk])(?:math)? ?\}?(?![A-Za-z}])", r"\\vec{\1}"
    ),
    _rewrite("\\", r"\\(?:vec|hat) ?\{ ?\\(?:mathbf|boldsymbol|bm|vec) ?\{? ?([ijk]) ?\}? ?\}", r"\\vec{\1}"),
    _rewrite("\\", r"\\(vec|hat|bar|tilde) ([A-Za-z])(?![A-Za-z])", r"\\\1{\2}"),
    _rewrite("\\in", r"\\in ?\\(?:mathbf|mathrm|Bbb) ?\{? ?([NZQRC]) ?\}?(?![A-Za-z])", r"\\in \\mathbb{\1}"),
    _rewrite("_", rf"_ ?{_TEXT} ?\{{ ?([^{{}}]*?) ?\}}", r"_{\1}"),
    _rewrite(
        "mod",
        r"\(? ?\\(?:pmod|bmod|mod) ?\{? ?(\w+) ?\}? ?\)?|\( ?(?:\\(?:text"
        r"|mathrm) ?\{ ?)?mod ?\}? ?(\w+) ?\}? ?\)",
        r" \\pmod{\1\2}",
    ),
    _rewrite("^", r"\^ ?\{ ?\\circ ?\}|\^ ?\\circ|\^ ?\{ ?o ?\}", r"^\\circ "),
    _rewrite("^", r"\^ ?\{? ?\\prime ?\}?", "'"),
    _rewrite("p", r"(?<=\d) ?(?:percent(?:age)?|per cent|pct\.?)(?![A-Za-z]| points)", "%"),
    _rewrite("", r"(?<=\d) ?(?:po[ru]r? cent[oi]?|por ciento|per cento|Prozent|процент(?:ов|а)?)(?!\w)", "%"),
    # A prefix in a font of its own belongs to its unit: \\text{k}\\Omega.
    _rewrite(
        "\\", rf"{_TEXT} ?\{{ ?([kMGTmcdnpµ]) ?\}} ?{_TEXT} ?\{{ ?([A-Za-z]{{1,3}}) ?\}}", r"\\text{\1\2}"
    ),
    _rewrite("Omega", rf"{_TEXT} ?\{{ ?([kMGTmnp]) ?\}} ?\\Omega", r"\1\\Omega"),
    # One upright letter after a number is a unit: `5\text{ m}` is not a product.
    _rewrite("\\", rf"(?<=[\d}})]) ?{_TEXT} ?\{{ ?(?![eixyzR])([A-Za-z]) ?\}}(?! ?[_}}])", r" \\unit{\1}"),
    # Text and fonts, and the sizes of brackets.
    _rewrite("\\", rf"{_TEXT} ?{_BRACED}", r" \1 "),
    _rewrite("\\", rf"{_TEXT} ?{_BRACED}", r" \1 "),  # again, for one inside another
    _rewrite("\\", r"\\(?:bf|rm|it|sf|tt|bfseries)(?![a-z])", ""),
    _rewrite("\\math", r"\\math(?:bf|rm|it|sf) ([A-Za-z])(?![A-Za-z])", r"\1"),
    _rewrite("operator", r"\\operatorname\*? ?\{([^{}]*)\}", r" \1 "),
    _rewrite("\\", r"\\math(?:cal|frak|scr) ?\{([^{}]*)\}|\\boldsymbol ?\{([^{}]*)\}", r"\1\2"),
    _rewrite("overline", r"\\overline ?\{ ?([A-Z]{2,}) ?\}", r"\1"),
    _rewrite("\\", r"\\(?:[Bb]igg?|left|right|middle)[lmr]?(?![a-z])\.?", ""),
    # Plain-text signs, escapes, and what Python and sympy print.
    _rewrite("<=", r"(?<![<=])<=(?!=)", r"\\le "),
    _rewrite(">=", r"(?<![>=])>=(?!=)", r"\\ge "),
    _rewrite("", r"\\not ?=|(?<![\d)])!=|<>", r"\\ne "),
    _rewrite("!=", r"(?<=[\d)])!=(?=[^=])", "! = "),  # 5!=120 is a factorial and its value
    _rewrite("\\}", r"\\\{ ?\\\}", r"\\emptyset "),
    _rewrite("...", r"\.{3,}", r"\\ldots "),
    _rewrite("\\", r"(?<!\\)\\([%$#&_])", r"\1"),
    _rewrite("(", r"\b(?:Matrix|np\.array|array|matrix|vector|Point|FiniteSet) ?\((.*)\)", r"\1"),
    _rewrite("", r"(?<![^\W\d_])(?:oder|ou|или)(?![^\W\d_])", "or"),
    _rewrite("  ", r" {2,}", " "),
]
"""Needles (texts without one are skipped), patterns and replacements, in the order in which they are applied:
later ones build on earlier ones."""
