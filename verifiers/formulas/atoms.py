r"""Tier 4, reading: what stands between operators: numbers, names, groups, functions, LaTeX commands.

The lower half of the parser; sums, products and powers are in `expression.py`.
"""

from fractions import Fraction

from ..text.latex_names import CONSTANTS, FUNCTIONS, GREEK, INVERSE, MARKS
from .tokens import Node, Tokens, Unreadable

_ONE, _PI = Node("num", value=Fraction(1)), Node("const", value="pi")
_ENDS_ARGUMENT = ("sqrt", r"\cdot", r"\times", r"\ast", r"\div")
_SEVERAL = ("min", "max", "gcd", "lcm")
"""Functions of more than one argument."""


class Atoms(Tokens):
    """Reads one atom; what an atom holds is read by the levels above, which a subclass has."""

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0
        self.bars = 0

    def whole(self) -> Node:
        """Return what a group holds."""
        raise NotImplementedError

    def sum(self) -> Node:
        """Return terms joined by signs."""
        raise NotImplementedError

    def power(self) -> Node:
        """Return an atom with what stands behind it: exponents, factorials, percent."""
        raise NotImplementedError

    def signed(self) -> Node:
        """Return a power behind an optional sign."""
        raise NotImplementedError

    def exponent(self) -> Node:
        """Return an exponent."""
        raise NotImplementedError

    def juxtaposed(self, left: Node) -> Node:
        """Return a product without a sign."""
        raise NotImplementedError

    def starts_factor(self, kind: str, token: str) -> bool:
        """Whether a token may be a factor without a sign."""
        raise NotImplementedError

    def atom(self) -> Node:
        """Return a number, a name, a group or a command."""
        kind, token = self.peek()
        if kind == "num":
            return Node("num", value=Fraction(self.take().replace(",", "")))
        if kind == "word":
            return self.word()
        if kind == "cmd":
            return self.command()
        if token in ("(", "[", "{"):
            return self.group()
        if token == "|":
            return self.absolute("|")
        raise Unreadable(f"unexpected {token!r}" if token else "it ends too early")

    def group(self) -> Node:
        """Return what a bracket holds."""
        opening = self.take()
        bars, self.bars = self.bars, 0
        node = self.whole() if opening == "{" else self.sum()
        self.bars = bars
        self.expect({"(": ")", "[": "]", "{": "}"}[opening])
        return node

    def absolute(self, closing: str) -> Node:
        """Return what stands between bars."""
        self.take()
        self.bars += 1
        node = self.sum()
        self.bars -= 1
        self.expect(closing)
        return Node("abs", (node,))

    def word(self) -> Node:
        """Return a function, a constant or a name; `xy` is a product, `apples` one name."""
        token = self.take()
        if token in FUNCTIONS:
            return self.function(FUNCTIONS[token])
        if token in ("sqrt", "cbrt"):
            return Node("root", (self.argument(),), 2 if token == "sqrt" else 3)
        if token in CONSTANTS:
            return Node("const", value=CONSTANTS[token])
        if token in GREEK:
            return Node("sym", value=token)
        if len(token) == 1:
            return self.named(token, always=self.is_function(token))
        if token[1:].isdigit() and token[0] == "i":  # i4 is 4i
            self.tokens.append(("num", token[1:]))
            return Node("const", value="i")
        if token[1:].isdigit():
            return Node("sym", value=f"{token[0]}_{token[1:]}")
        if len(token) > 3:
            return Node("sym", value=token)
        self.tokens.append(("word", token[1:]))
        self.tokens.append(("word", token[0]))
        return self.atom()

    def is_function(self, letter: str) -> bool:
        r"""Whether a letter before a bracket is a function: `f(2x)`, `P(2)`, not `g(\sin a - \cos a)`."""
        if letter in "hpqFGHPQ":
            return self.one_letter()
        return letter == "f" or (letter == "g" and not self.has_function())

    def named(self, name: str, *, always: bool = False) -> Node:
        r"""Return a name, or the call of an unknown function: `f(x)`, `C(n, k)`, `\phi(n)`."""
        if self.peek()[1] != "(" or not (always or self.has_comma()):
            return Node("sym", value=name)
        arguments = self.arguments()
        if name == "C" and len(arguments) == 2:
            return Node("binom", arguments)
        return Node("call", arguments, f"{name}()")

    def command(self) -> Node:
        """Return what a LaTeX command means."""
        token = self.take()
        name = token[1:]
        if token == r"\frac":
            top = self.latex_argument(digits=True)
            return Node("div", (top, self.latex_argument(digits=True)))
        if token == r"\sqrt":
            degree = 2
            if self.peek()[1] == "[":
                self.take()
                degree = self.sum()
                self.expect("]")
                if degree.op != "num" or degree.value.denominator != 1 or not degree.value:
                    return Node("root", (self.latex_argument(), degree))
                degree = int(degree.value)
            return Node("root", (self.latex_argument(),), degree)
        if token == r"\binom":
            top = self.latex_argument(digits=True)
            return Node("binom", (top, self.latex_argument(digits=True)))
        if name in FUNCTIONS:
            return self.function(FUNCTIONS[name])
        if name in CONSTANTS:
            return Node("const", value=CONSTANTS[name])
        if token in (r"\lfloor", r"\lceil"):
            node = self.sum()
            self.expect(r"\rfloor" if token == r"\lfloor" else r"\rceil")
            return Node("call", (node,), "floor" if token == r"\lfloor" else "ceil")
        if token == r"\{":
            node = self.sum()
            self.expect(r"\}")
            return node
        if token == r"\|":
            self.tokens.append(("cmd", token))
            return self.absolute(r"\|")
        if token in MARKS:
            return Node("sym", value=f"{token}{{{self.raw_argument()}}}")
        if token == r"\unit":
            return Node("sym", value=f"unit {self.raw_argument()}")
        if name not in GREEK:
            raise Unreadable(f"{token} is not read here")
        return self.named(
            name, always=name == "zeta" or (name in ("phi", "tau", "sigma", "mu") and self.one_letter())
        )

    def latex_argument(self, *, digits: bool = False) -> Node:
        r"""Return what LaTeX takes as one argument: a group, or one letter.

        With `digits` one digit, as LaTeX does (`\binom52`); `\sqrt12` is nearly always meant as 12.
        """
        kind, token = self.peek()
        if token in ("{", "("):
            return self.group()
        word = kind == "word" and token not in FUNCTIONS and token not in CONSTANTS
        if len(token) > 1 and (word or (digits and token.isdigit())):
            self.take()
            self.tokens.append((kind, token[1:]))
            self.tokens.append((kind, token[0]))
        if digits and kind == "num":
            return Node("num", value=Fraction(self.take().replace(",", "")))
        return self.atom()

    def function(self, name: str) -> Node:
        r"""Return a call: `\sin x`, `\sin^2 x`, `\sin^{-1} x`, `\log_2 8`, `\gcd(a, b)`."""
        base: Node | None = None
        power: Node | None = None
        for _ in range(2):
            if self.peek()[1] == "_" and name in ("log", "ln"):
                self.take()
                base = self.latex_argument() if self.peek()[1] == "{" else self.atom()
            elif self.peek()[1] in ("^", "**"):
                self.take()
                power = self.exponent()
        if name in _SEVERAL:
            return Node("call", self.arguments(), name)
        argument = self.argument()
        inverse = power is not None and power.op == "neg" and power.args[0] == _ONE and name in INVERSE
        node = Node("call", (argument,), INVERSE[name] if inverse else name)
        if name == "abs":
            node = Node("abs", (argument,))
        if base is not None:
            node = Node("div", (Node("call", (argument,), "ln"), Node("call", (base,), "ln")))
        return node if power is None or inverse else Node("pow", (node, power))

    def is_exponential(self) -> bool:
        r"""Whether `e^` comes next, a function of its own: `\cos y e^{-x}`."""
        return [pair[1] for pair in self.tokens[:-3:-1]] in (["e", "^"], ["e", "**"])

    def arguments(self) -> tuple[Node, ...]:
        """Return the list in a bracket."""
        self.expect("(", r"\{")
        found = [self.sum()]
        while self.peek()[1] == ",":
            self.take()
            found.append(self.sum())
        self.expect(")", r"\}")
        return tuple(found)

    def argument(self) -> Node:
        r"""Return a function's argument: one bracket, or the factors up to a sign, a dot or a function."""
        kind, token = self.peek()
        if token in ("(", "[", "{", "|"):
            return self.atom()
        node = self.power() if token not in ("-",) else self.signed()
        while True:
            kind, token = self.peek()
            ends = token.removeprefix("\\") in FUNCTIONS or token in _ENDS_ARGUMENT or self.is_exponential()
            if kind in ("num", "word", "cmd") and self.starts_factor(kind, token) and not ends:
                node = self.juxtaposed(node)
            elif token == "/" and _PI in (node, *node.args):  # sin 3pi/2
                self.take()
                node = Node("div", (node, self.power()))
            else:
                return node
