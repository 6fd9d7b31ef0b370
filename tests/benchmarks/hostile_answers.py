r"""Families of hostile texts for `answers_hostile.py`: deep, long, malformed, or expensive to evaluate.

Each function takes a seeded generator and returns a text that may stand where an answer or a completion is expected.
"""

import string
from collections.abc import Callable
from random import Random

from support import LABELLED_ANSWERS

Family = Callable[[Random], str]
LONGEST = 1_000_000
DEEPEST = 100_000
COMPLETIONS = [row["completion"] for row in LABELLED_ANSWERS if "completion" in row]
NESTINGS = [
    ("{", "}"), ("[", "]"), ("(", ")"), ("|", "|"), ("$", "$"), ("**", "**"), (r"\{", r"\}"), (r"\left(", r"\right)"),
    (r"\boxed{", "}"), (r"\text{", "}"), (r"\frac{", "}{2}"), (r"\frac{1}{1+", "}"), (r"\sqrt{", "}"), (r"\sqrt[3]{", "}"),
    ("2^{", "}"), ("x_{", "}"), ("sin(", ")"), ("f(", ")"), ("-", ""), ("not ", ""), ("", "!"), ("2**", ""), ("~", ""),
    (r"\binom{", "}{2}"), (r"\begin{pmatrix}", r"\end{pmatrix}"), (r"\{x : ", r"\}"), ("<think>", "</think>"),
    ("<answer>", "</answer>"), ("(1,", ")"), ("[0,1]\\cup(", ")"), ("1 or (", ")"), ("1/(1+", ")"), ("\\lnot\\left\\{", "\\right\\}"),
]  # fmt: skip
"""What opens and what closes one level."""
PIECES = [
    "1", "9", "0", "a", " ", "\n", ",", ".", "-", "+", "=", "^", "_", "/", "!", "?", ":", ";", "|", "%", "$", "\\", "'", '"', "`", "*", "#", "&",
    "{", "}", "(", ")", "[", "]", "<", ">", "\t", "\x00", "é", "²", "½", "√", "π", "∞", "一", "\\boxed{", "\\boxed{1}", "<answer>", "</answer>", "<think>", "</think>",
    "\\text{", "\\frac", "\\sqrt", "\\left(", "\\\\", "\\,", "$$", "\\(", "\\[", " or ", " and ", "not ", "answer is ", "The answer is 4. ", "Answer: 5\n",
    "wait, ", "x+", "1,", "1, ", "{,}000", ",000", "10^", "9^", "2*", "1/", "1.", "0x", "1e9", "\\cup ", "(1,2),", "x=1,", "x<", "cm ", "5 km ", "one hundred ",
    "twenty-", "3 1/2 ", "1:", "- ", "1 - ", "# ", "| 1 | 2 |\n", "A: ", "(A) ", "**Step 1: x**\n", "\\pm 1 ", "f(x)=", "= 1 = ", "12:30 ",
]  # fmt: skip
"""What is repeated."""
TAGS = [
    "<think>", "</think>", "<answer>", "</answer>", "<think", "</think", "<answer", "</answer", "<Answer>", "< answer >", "<answer/>", "<think/>", "</ think>",
    "<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|channel|>", "<|message|>", "<|end|>", "<|start|>assistant", "<|return|>", "<|im_end|>",
    "[THINK]", "[/THINK]", "<thinking>", "</thinking>", "<reasoning>", "◁think▷", "◁/think▷", "<final>", "</final>", "<answer>4</answer>", r"\boxed{4}", r"\boxed{",
    r"\fbox{4}", "}", "```", "```python\n", "4", "5", " so ", "\n", "The answer is 4.", "wait", "Final answer:", "#### 4", "$", "**", "> ",
]  # fmt: skip
LATEX = [
    r"\frac", r"\dfrac", r"\sqrt", r"\left", r"\right", r"\text", r"\mathrm", r"\begin{pmatrix}", r"\end{pmatrix}", r"\begin{cases}", r"\end{cases}", r"\cup", r"\cap",
    r"\in", r"\le", r"\ge", r"\ne", r"\pm", r"\cdot", r"\times", r"\div", r"\log", r"\ln", r"\sin", r"\tan", r"\arcsin", r"\pi", r"\infty", r"\int", r"\sum", r"\prod",
    r"\lim", r"\to", r"\circ", r"\{", r"\}", r"\\", r"\,", r"\%", r"\$", r"\binom", r"\overline", r"\mathbb{R}", r"\setminus", r"\emptyset", r"\ldots", r"\mid", r"\mod",
    r"\boxed", r"\operatorname", r"\rfloor", r"\lfloor", r"\angle", r"\vec", r"\hat", r"\color", r"\def", r"\newcommand", r"\unknown",
    "{", "}", "(", ")", "[", "]", "|", "^", "_", "&", ",", ";", ":", "=", "<", ">", "+", "-", "*", "/", "!", "%", "$", ".", "'", "~", "0", "1", "2", "12", "3.5", "x", "y", "n",
    "e", "i", "f", "cm", "or", "and", "if", "k", "1e5", "0.1", "A", "B", " ",
]  # fmt: skip


def _levels(rng: Random, most: int) -> int:
    """Return a number of levels or items whose logarithm is uniform."""
    return round(most ** rng.uniform(0.1, 1))


def depth(rng: Random) -> str:
    """One or two kinds of brackets nested to 100,000 levels; some are not closed, or only closed."""
    kinds = rng.sample(NESTINGS, rng.choice((1, 1, 2)))
    levels = _levels(rng, DEEPEST // len(kinds))
    opening = "".join(opens for opens, _ in kinds) * levels
    closing = "".join(closes for _, closes in reversed(kinds)) * levels
    closed = rng.choice((1, 1, 1, 0.5, 0))
    opened = rng.choice((1, 1, 1, 1, 0))
    middle = rng.choice(("1", "x", "", "4", "1,2", "=", "or"))
    return opening[: round(len(opening) * opened)] + middle + closing[: round(len(closing) * closed)]


def size(rng: Random) -> str:
    """A piece, or a sequence of pieces, repeated to between 100 kB and 1 MB, at times with something around it."""
    piece = "".join(rng.sample(PIECES, rng.choice((1, 1, 1, 2, 3))))
    length = round(LONGEST / 10 * 10 ** rng.random())
    text = piece * (length // len(piece))
    before, after = rng.choice(
        (("", ""), ("", ""), ("4", "4"), ("The answer is ", "."), (r"\boxed{4}", r"\boxed{4}"))
    )
    return before + text + after


def medium_size(rng: Random) -> str:
    """As `size`, but of 100 to 20,000 characters, which pass the limits of length that the largest fail."""
    piece = "".join(rng.sample(PIECES, rng.choice((1, 1, 2, 3))))
    return piece * (round(100 * 200 ** rng.random()) // len(piece) + 1)


def unicode(rng: Random) -> str:
    """Code points of one or several blocks, surrogates, combining and invisible marks, and other digits."""
    alphabets: list[Callable[[], str]] = [
        lambda: chr(rng.randrange(0x110000)),
        lambda: chr(block + rng.randrange(256)),
        lambda: chr(rng.randrange(0xD800, 0xE000)),
        lambda: chr(rng.randrange(0x300, 0x370)),
        lambda: rng.choice("\u200b\u200c\u200d\u2060\ufeff\u00ad\u202e\u202d\u2066\u2069\u200f\u061c"),
        lambda: rng.choice("٣०๓３③⅓㊿Ⅻ➂𝟛𝟘²₂½⑴一二三百万零〇"),
        lambda: rng.choice("−–—‐×÷⋅·∕⁄∞√∛∪∩∈∅≤≥≠≈±°′″π𝑥𝐱ℝ"),
        lambda: rng.choice("0123456789abcx+-=(),. {}\\$"),
    ]
    block = rng.randrange(0x1100) * 256
    chosen = rng.sample(alphabets, rng.randint(1, 3))
    return "".join(rng.choice(chosen)() for _ in range(_levels(rng, 3000)))


def tags(rng: Random) -> str:
    """Tags of thinking and answering, channels, boxes and halves of these, in any order and nesting."""
    chosen = rng.sample(TAGS, rng.randint(2, 12))
    return "".join(rng.choice(chosen) for _ in range(_levels(rng, 20_000)))


def bombs(rng: Random) -> str:
    """Numbers and powers that are short to write and huge to evaluate."""

    def number(digits: int = 12) -> str:
        return str(rng.randrange(1, 10 ** rng.randint(1, digits)))

    digits = "".join(rng.choices(string.digits, k=_levels(rng, 5000)))
    a, b, c = number(), number(), number()
    return rng.choice(
        [
            f"{a}^{{{b}^{{{c}}}}}", f"{a}**{b}**{c}", "9^9^9^9", f"{a}^{b}", f"{a}!", f"{a}!!", f"({number(4)}!)!", f"{a}^{{-{b}}}",
            rf"\binom{{{a}}}{{{b}}}", rf"C({a},{b})", f"10^{{{a}}}+1", f"1e{a}", f"{a}e-{b}", f"1.5 \\times 10^{{{a}}}",
            rf"\sqrt[{a}]{{{b}}}", rf"\log_{{{a}}} {b}", f"{digits}/{digits[::-1]}", rf"\frac{{{digits}}}{{{a}}}", rf"0.\overline{{{digits}}}",
            rf"{a}.{b}\overline{{{digits[:200]}}}", f"{a}.{digits}", f"{digits}_{{{number(2)}}}", f"0x{digits}", f"{a} mod {b}", rf"{a}^{{{b}}} \bmod {c}",
            f"({a}+x)^{{{number(5)}}}", f"(x+y+z)^{{{number(3)}}}", f"x^{{{a}}}", f"\\sin({digits})", f"e^{{{a}}}", f"e^{{e^{{{number(4)}}}}}",
            rf"\tan(10^{{{number(4)}}})", rf"\exp({a})", f"{number(3)}^{{x^{{{number(3)}}}}}", "-".join([a] * 50) + "!", "*".join([a] * 400),
            "^".join([number(2)] * rng.randint(2, 30)), f"({a}^{number(3)})^{{{number(4)}}}", f"{a}^{{1/{b}}}", f"\\sqrt{{{digits}}}",
            f"{a} km {b} m", f"{a}^{{{b}}} cm", f"{a}!%", rf"{a} \frac{{{b}}}{{{c}}}", f"{a}:{digits}", rf"\lfloor {a}^{{{number(3)}}} \rfloor",
        ]
    )  # fmt: skip


def soup(rng: Random) -> str:
    """Tokens of LaTeX in random order."""
    tokens = rng.choices(LATEX, k=_levels(rng, 400))
    return rng.choice(("", " ")).join(tokens)


def completions(rng: Random) -> str:
    """A labelled completion or two, cut, spliced, repeated, and with characters deleted or inserted."""
    one, other = rng.sample(COMPLETIONS, 2)
    one, other = one * rng.choice((1, 1, 1, 50)), other * rng.choice((1, 1, 20))
    cut, other_cut = rng.randrange(len(one) + 1), rng.randrange(len(other) + 1)
    text = rng.choice(
        (one[:cut], one[cut:], one[:cut] + other[other_cut:], (one + "\n") * rng.randint(2, 200))
    )
    for _ in range(rng.randrange(6)):
        place = rng.randrange(len(text) + 1)
        dropped = rng.choice((0, 1, 5))
        text = text[:place] + rng.choice(["", *PIECES]) + text[place + dropped :]
    return text


def collections(rng: Random) -> str:
    """Sets, lists, tuples, matrices, unions, sums and systems of up to 5,000 items."""
    count = _levels(rng, 5000)
    item = rng.choice(
        [
            lambda i: str(i), lambda i: f"x_{{{i}}}", lambda i: rf"\frac{{{i}}}{{{i + 1}}}", lambda i: rf"\sqrt{{{i}}}", lambda i: f"({i},{i + 1})",
            lambda i: f"x={i}", lambda i: f"{i}x^{{{i}}}", lambda i: rf"{i}\pm 1", lambda i: f"{i} cm", lambda i: rf"\{{{i}\}}", lambda i: f"a{i}",
            lambda i: f"{i}.5", lambda i: rf"[{2 * i},{2 * i + 1}]", lambda i: f"word{i}", lambda i: f"x<{i}", lambda i: f"{chr(97 + i % 26)}", lambda i: f"x_{i}+{i}y={i}",
        ]
    )  # fmt: skip
    opens, between, closes = rng.choice(
        [
            (r"\{", ",", r"\}"), ("", ", ", ""), ("(", ",", ")"), ("[", ",", "]"), ("", "+", ""), ("", "-", ""), ("", "*", ""), ("", r"\cup ", ""), ("", " or ", ""),
            (r"\begin{pmatrix}", "&", r"\end{pmatrix}"), (r"\begin{pmatrix}", r"\\", r"\end{pmatrix}"), (r"\begin{cases}", r"\\", r"\end{cases}"),
            ("", ":", ""), ("", ";", ""), ("", "=", ""), ("", "<", ""), ("", "\n", ""), ("", " and ", ""), ("", "/", ""), ("", "^", ""), ("", r"\cap ", ""),
        ]
    )  # fmt: skip
    items = [item(i) for i in range(count)]
    if rng.random() < 0.3:
        rng.shuffle(items)
    return opens + between.join(items) + closes


def giants(rng: Random) -> str:
    """Integers, decimals, fractions and other numbers of up to 200,000 digits."""
    digits = "".join(rng.choices(string.digits, k=_levels(rng, 200_000)))
    return rng.choice(
        (
            digits,
            f"-{digits}",
            f"{digits}.0",
            f"0.{digits}",
            f"{digits[: len(digits) // 2 + 1]}.{digits}",
            f"{digits}/{digits[1:] or 7}",
            rf"\frac{{{digits}}}{{{digits[:100]}}}",
            f"1{digits.translate(str.maketrans('', '', '1'))},000",
            f"{digits} cm",
            rf"{digits}\%",
            rf"{digits}\sqrt{{2}}",
            f"{digits}x+1",
            f"({digits},{digits})",
            f"{digits} or {digits}",
            f"{digits}e{digits[:3]}",
            ",".join(digits[i : i + 3] for i in range(0, len(digits), 3)),
        )
    )


def last_tier(rng: Random) -> str:
    """Integrals, sums, products and limits, which only math-verify can read; some take sympy minutes."""
    n, m = rng.randint(2, 40), rng.randint(2, 10 ** rng.randint(1, 9))
    return rng.choice(
        (
            rf"\int_0^1 \frac{{\ln(1+x+x^5)}}{{1+x^{{{n}}}}} dx",
            rf"\int_0^{{{m}}} x^{{{n}}} dx",
            rf"\int \sin^{{{n}}}(x) e^{{x^2}} dx",
            rf"\sum_{{k=1}}^{{{m}}} \frac{{1}}{{k^{{{n}}}}}",
            rf"\sum_{{k=0}}^\infty \frac{{{n}}}{{k!}}",
            rf"\prod_{{k=1}}^{{{m}}} k",
            rf"\lim_{{x\to 0}} \frac{{\sin {n}x}}{{x}}",
            rf"\lim_{{x\to\infty}} (1+\frac{{{n}}}{{x}})^x",
            rf"\int_0^1 \int_0^1 x^{{{n}}} y dx dy",
            rf"\int_0^1 {m}^{{{m}}} dx",
            rf"\sum_{{k=1}}^{{{n}}} {m}!",
            rf"\frac{{d}}{{dx}} x^{{{n}}}",
        )
    )


FAMILIES: dict[str, tuple[Family, float]] = {
    "depth": (depth, 1),
    "size": (size, 0.4),
    "medium size": (medium_size, 1),
    "unicode": (unicode, 1),
    "tags": (tags, 1),
    "bombs": (bombs, 1.5),
    "soup": (soup, 1.5),
    "completions": (completions, 1),
    "collections": (collections, 1),
    "giants": (giants, 1),
    "last tier": (last_tier, 0.1),
}
"""The families with their shares. The last tier may use its whole limit for every call, so it has a small one."""
ORDINARY = [
    "42", "-3", "0.75", "10^{20}", r"\frac{1}{2}", r"2\sqrt{3}", "(1, 2)", r"\{1, 2, 3\}", "[0, 1)", "x^2+1", "y=2x+1", "x>3", "12 km", "50%", "$4.50", "B", "Paris",
    "yes", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "2, 5", "3:45", "2:3", r"\pi", "1+2i", "1202_3", r"\int_0^1 x^2 dx", "no solution",
]  # fmt: skip
"""What hostile texts are compared with."""
WRAPPINGS = [
    "%s",
    "%s",
    r"\boxed{%s}",
    "<answer>%s</answer>",
    "The answer is %s.",
    "<think>so</think>\n**Answer:** $%s$",
    "so\n%s\n4",
]
"""How hostile texts stand in completions."""


def hostile_text(rng: Random) -> tuple[str, str]:
    """Return the name of a family and a text of it."""
    names = list(FAMILIES)
    name = rng.choices(names, [share for _, share in FAMILIES.values()])[0]
    return name, FAMILIES[name][0](rng)


def counterpart(rng: Random, text: str) -> str:
    """Return what a hostile text is compared with: an ordinary answer, or nearly the same text."""
    if rng.random() < 0.6:
        return rng.choice(ORDINARY)
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice("17x+") + text[place + rng.randrange(2) :]


def wrapped(rng: Random, text: str) -> str:
    """Return a completion with a hostile text in it."""
    before, _, after = rng.choice(WRAPPINGS).partition("%s")
    return before + text + after
