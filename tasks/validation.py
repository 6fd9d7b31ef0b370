"""pydantic's validation errors as one line per mistake: its place, what was expected, and what was given."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..sandbox.errors import did_you_mean

_UNION_BRANCH = re.compile(r"[\[\](){}]|^(constrained-str|str|int|float|bool|list|dict|tuple|none)$")
"""Matches the names of union branches, which pydantic puts between the keys of a path; no key does."""


_PLAIN = {
    "dict_type": "expected a mapping of keys",
    "list_type": "expected a list",
    "model_type": "expected a mapping of keys",
    "tuple_type": "expected a list",
}
"""Plain words for some of pydantic's kinds of mistakes, which name Python's types."""


@dataclass(frozen=True)
class Fault:
    """One mistake in a file or a row."""

    keys: tuple[str | int, ...]
    """The keys that lead to it, from the outermost to the innermost."""
    kind: str
    """pydantic's name for this kind of mistake, such as `missing` or `extra_forbidden`."""
    message: str
    """What was expected."""
    given: Any

    @property
    def rule(self) -> str:
        """What was expected, and what was given instead, cut to 80 characters."""
        given = repr(self.given)
        if len(given) > 80:
            given = f"{given[:77]}..."
        return f"{self.message} (given: {given})"

    def __str__(self) -> str:
        place = ".".join(map(str, self.keys))
        return f"{place}: {self.rule}" if place else self.rule


def faults_of(error: ValidationError) -> Iterator[Fault]:
    """Yield the mistakes, one per place, because pydantic reports one for every branch of a union."""
    seen: set[tuple[str | int, ...]] = set()
    for detail in error.errors(include_url=False):
        *outer, last = detail["loc"] or ("",)
        # The last one is the user's own key where that is the mistake, whatever it looks like.
        kept = detail["type"] in ("extra_forbidden", "missing") or not _is_union_branch(last)
        keys = (
            *(key for key in outer if not _is_union_branch(key)),
            *([last] if kept and last != "" else []),
        )
        if keys not in seen:
            seen.add(keys)
            message = _PLAIN.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
            if detail.get("ctx", {}).get("class_name") == "RewardEntry" and isinstance(detail["input"], str):
                message += f", such as {{use: {detail['input']}}}"
            if detail["type"] == "literal_error":
                known = re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))
                message += did_you_mean(str(detail["input"]), known)
            yield Fault(keys, detail["type"], message, detail["input"])


def _is_union_branch(key: str | int) -> bool:
    return isinstance(key, str) and _UNION_BRANCH.search(key) is not None


def first_fault(error: ValidationError) -> Fault:
    """Return the mistake that pydantic lists first, where one message is enough."""
    return next(faults_of(error))
