"""What pydantic found wrong, as one line for the author of a file: place, rule, and what was given."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

_BRANCH = re.compile(r"[\[\](){}]|^(constrained-str|str|int|float|bool|list|dict|tuple|none)$")
"""Pydantic puts the name of a union's branch into the path; no key of ours looks like one."""


@dataclass(frozen=True)
class Fault:
    """One mistake in a value."""

    keys: tuple[str | int, ...]
    """Where it is, from the outermost key to the innermost."""
    kind: str
    """Pydantic's name of the mistake, such as `missing` or `extra_forbidden`."""
    message: str
    """What was expected."""
    given: Any

    @property
    def rule(self) -> str:
        """What was expected, and what was given instead."""
        given = repr(self.given)
        return f"{self.message} (given: {given if len(given) <= 80 else given[:77] + '...'})"

    def __str__(self) -> str:
        return ": ".join(filter(None, (".".join(map(str, self.keys)), self.rule)))


def faults_of(error: ValidationError) -> Iterator[Fault]:
    """Yield the mistakes, one per place: the other branches of a union have nothing to add."""
    seen: set[tuple[str | int, ...]] = set()
    for detail in error.errors(include_url=False):
        keys = tuple(key for key in detail["loc"] if not (isinstance(key, str) and _BRANCH.search(key)))
        if keys not in seen:
            seen.add(keys)
            yield Fault(keys, detail["type"], detail["msg"].removeprefix("Value error, "), detail["input"])


def first_fault(error: ValidationError) -> Fault:
    """Return the first mistake."""
    return next(faults_of(error))
