r"""The lower half of the parser: numbers, names, brackets, functions and LaTeX commands.

Sums, products and powers are in `parser.py`.
"""

from fractions import Fraction

from ..spelling.latex_names import CONSTANTS, FUNCTIONS, GREEK, INVERSE, MARKS
from .tokens import Node, Tokens, Unreadable

_ONE = Node("num", value=Fraction(1))
_PI = Node("const", value="pi")
_ENDS_ARGUMENT = ("sqrt", r"\cdot", r"\times", r"\ast", r"\div")
r"""Tokens that end the argument of a function without brackets: `\sin x \cdot 2` is `2\sin(x)`."""
_OF_SEVERAL = ("min", "max", "gcd", "lcm")
"""Functions of more than one argument."""
_NUMBER_THEORETIC = ("phi", "tau", "sigma", "mu")
r"""Greek letters that are functions before a bracket with one letter or number in it: `\phi(n)`."""


class Atoms(Tokens):
    """Reads one atom: whatever comes between two operators.

    An atom may contain a whole formula, so this class calls methods for sums, products and powers. They are
    declared here without a body, and `parser.py` defines them.
    """

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0
        """How many brackets and signs are open."""
        self.bars = 0
        """How many bars are open in the innermost bracket."""

    def whole(self) -> Node:
        """Return the contents of a group in braces."""
        raise NotImplementedError

    def sum(self) -> Node:
        """Return terms joined by signs."""
        raise NotImplementedError

    def power(self) -> Node:
        """Return an atom with the exponents, factorials, primes and percent signs that follow it."""
        raise NotImplementedError

    def signed(self) -> Node:
        """Return a power, with a sign before it or without."""
        raise NotImplementedError

    def exponent(self) -> Node:
        """Return what follows `^`: a braced group, or a single token with its sign."""
        raise NotImplementedError

    def juxtaposed(self, left: Node) -> Node:
        """Return `left` times the factor that follows it without a sign."""
        raise NotImplementedError

    def starts_factor(self, kind: str, token: str) -> bool:
        """Return whether a token can start a factor without a sign before it."""
        raise NotImplementedError

    def atom(self) -> Node:
        """Return a number, a name, a bracket or a command."""
        kind, token = self.peek()
        if kind == "num":
            return Node("num", value=self.take_number())
        if kind == "word":
            return self.word()
        if kind == "cmd":
            return self.command()
        if token in ("(", "[", "{"):
            return self.group()
        if token == "|":
            return self.absolute("|")
        raise Unreadable(f"unexpected {token!r}" if token else "the formula ends too early")

    def group(self) -> Node:
        """Return the contents of a bracket."""
        opening = self.take()
        bars, self.bars = self.bars, 0
        node = self.whole() if opening == "{" else self.sum()
        self.bars = bars
        self.expect({"(": ")", "[": "]", "{": "}"}[opening])
        return node

    def absolute(self, closing: str) -> Node:
        """Return the absolute value between two bars."""
        self.take()
        self.bars += 1
        node = self.sum()
        self.bars -= 1
        self.expect(closing)
        return Node("abs", (node,))

    def word(self) -> Node:
        """Return a function, a constant or a name; `xy` is a product, `apples` is one name."""
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
        if token[1:].isdigit():  # x2 is x_2
            return Node("sym", value=f"{token[0]}_{token[1:]}")
        if len(token) > 3:
            return Node("sym", value=token)
        if token[-1] == "g" and self.peek()[1] == "(":  # mg(R + h) is a product, unlike g(R + h)
            return Node("mul", tuple(Node("sym", value=letter) for letter in token))
        self.tokens.append(("word", token[1:]))
        self.tokens.append(("word", token[0]))
        return self.atom()

    def is_function(self, letter: str) -> bool:
        r"""Return whether a letter before a bracket is a function: `f(2x)`, `P(2)`, not `g(\sin a + 1)`."""
        if letter in "hpqFGHPQ":
            return self.one_letter()
        return letter == "f" or (letter == "g" and not self.has_function())

    def named(self, name: str, *, always: bool = False) -> Node:
        r"""Return a name, or the call of an unknown function: `f(x)`, `\phi(n)`; `C(n, k)` is a binomial.

        A bracket that follows the name is its argument if it holds a list, or `always`; else it is a factor.
        """
        if self.peek()[1] != "(" or not (always or self.has_comma()):
            return Node("sym", value=name)
        arguments = self.arguments()
        if name == "C" and len(arguments) == 2:
            return Node("binom", arguments)
        return Node("call", arguments, f"{name}()")

    def command(self) -> Node:
        """Return the meaning of a LaTeX command."""
        token = self.take()
        name = token[1:]
        if token == r"\frac":
            top = self.latex_argument(digits=True)
            return Node("div", (top, self.latex_argument(digits=True)))
        if token == r"\sqrt":
            return self.root()
        if token == r"\binom":
            top = self.latex_argument(digits=True)
            return Node("binom", (top, self.latex_argument(digits=True)))
        if name in FUNCTIONS:
            return self.function(FUNCTIONS[name])
        if name in CONSTANTS:
            return Node("const", value=CONSTANTS[name])
        if token == r"\lfloor":
            return self.enclosed("floor", r"\rfloor")
        if token == r"\lceil":
            return self.enclosed("ceil", r"\rceil")
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
            raise Unreadable(f"the command {token} is not part of the grammar")
        is_function = name == "zeta" or (name in _NUMBER_THEORETIC and self.one_letter())
        return self.named(name, always=is_function)

    def root(self) -> Node:
        r"""Return a root, whose `\sqrt` has been taken; it may have a degree, `\sqrt[3]{x}`."""
        degree = 2
        if self.peek()[1] == "[":
            self.take()
            given = self.sum()
            self.expect("]")
            if given.op != "num" or given.value.denominator != 1 or not given.value:
                return Node("root", (self.latex_argument(), given))
            degree = int(given.value)
        return Node("root", (self.latex_argument(),), degree)

    def enclosed(self, function: str, closing: str) -> Node:
        """Return a call of a function that is written as a pair of brackets; the opening one is taken."""
        node = self.sum()
        self.expect(closing)
        return Node("call", (node,), function)

    def latex_argument(self, *, digits: bool = False) -> Node:
        r"""Return what LaTeX takes as one argument: a group, or one letter.

        With `digits`, it may be one digit too, as in LaTeX (`\binom52`). Without, all digits are taken,
        because `\sqrt12` nearly always means the root of 12.
        """
        kind, token = self.peek()
        if token in ("{", "("):
            return self.group()
        is_name = kind == "word" and token not in FUNCTIONS and token not in CONSTANTS
        if len(token) > 1 and (is_name or (digits and token.isdigit())):
            self.take()
            self.tokens.append((kind, token[1:]))
            self.tokens.append((kind, token[0]))
        if digits and kind == "num":
            return Node("num", value=self.take_number())
        return self.atom()

    def function(self, name: str) -> Node:
        r"""Return a call: `\sin x`, `\sin^2 x`, `\sin^{-1} x`, `\log_2 8`, `\gcd(a, b)`."""
        base: Node | None = None
        power: Node | None = None
        for _ in range(2):  # the base and the power come in either order
            if self.peek()[1] == "_" and name in ("log", "ln"):
                self.take()
                base = self.latex_argument() if self.peek()[1] == "{" else self.atom()
            elif self.peek()[1] in ("^", "**"):
                self.take()
                power = self.exponent()
        if name in _OF_SEVERAL:
            return Node("call", self.arguments(), name)
        argument = self.argument()
        is_inverse = power is not None and power.op == "neg" and power.args[0] == _ONE and name in INVERSE
        if base is not None:
            node = Node("div", (Node("call", (argument,), "ln"), Node("call", (base,), "ln")))
        elif name == "abs":
            node = Node("abs", (argument,))
        else:
            node = Node("call", (argument,), INVERSE[name] if is_inverse else name)
        return node if power is None or is_inverse else Node("pow", (node, power))

    def is_exponential(self) -> bool:
        r"""Return whether `e^` comes next, which ends an argument: `\cos y e^{-x}` is `\cos(y) e^{-x}`."""
        return len(self.tokens) > 1 and self.tokens[-1][1] == "e" and self.tokens[-2][1] in ("^", "**")

    def arguments(self) -> tuple[Node, ...]:
        """Return the items of the list in a bracket."""
        self.expect("(", r"\{")
        items = [self.sum()]
        while self.peek()[1] == ",":
            self.take()
            items.append(self.sum())
        self.expect(")", r"\}")
        return tuple(items)

    def argument(self) -> Node:
        r"""Return a function's argument: one bracket, or the factors up to a sign, a dot or a function."""
        kind, token = self.peek()
        if token in ("(", "[", "{", "|"):
            return self.atom()
        node = self.signed() if token == "-" else self.power()
        while True:
            kind, token = self.peek()
            ends = token.removeprefix("\\") in FUNCTIONS or token in _ENDS_ARGUMENT or self.is_exponential()
            if kind in ("num", "word", "cmd") and self.starts_factor(kind, token) and not ends:
                node = self.juxtaposed(node)
            elif token == "/" and _PI in (node, *node.args):  # sin 3pi/2 is sin(3pi/2)
                self.take()
                node = Node("div", (node, self.power()))
            else:
                return node
