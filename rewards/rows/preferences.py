"""Preference rows, from which an outcome reward model learns: ours, and those of TRL, RewardBench and HH."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...sandbox.errors import DataError, first_of
from ...tasks.problem import Message, Prompt, content_id, said_by
from ...tasks.rows.row_files import OnBad, read_rows
from ...tasks.validation import first_fault
from .scores import refuse_kind

SCHEMA = 1
Split = Literal["train", "held"]


class Preference(BaseModel):
    """A pair of completions of one prompt, of which the first is better."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    prompt: Prompt
    """Text or chat messages."""
    chosen: str
    rejected: str
    margin: float = Field(default=0.0, allow_inf_nan=False)
    """By how much the score of the better one should be higher."""
    problem: str = ""
    """The problem's id; pairs of the same problem are averaged before they are averaged over problems."""
    split: Split | None = None
    """`held` = for measuring only; None = not split yet."""
    iteration: int | None = None
    """The iteration of the run whose policy wrote the completions."""
    policy: int | None = None
    """How many updates that policy had had."""
    tie: bool = False
    """Whether the two are equally good, so that the pair says nothing about accuracy."""
    tokens: tuple[int | None, int | None] | None = None
    """The number of sampled token ids of the two, where they are known."""

    @property
    def key(self) -> str:
        """What pairs of the same prompt share: a hash of the problem's id and the prompt."""
        return content_id(self.prompt, self.problem)

    def row(self) -> dict[str, Any]:
        """Return the pair as a line of a file, in columns that TRL's trainers read as they are."""
        shown = self.model_dump(mode="json", exclude_none=True)
        if not self.tie:
            del shown["tie"]
        if not isinstance(self.prompt, str):
            for side in ("chosen", "rejected"):
                shown[side] = [{"role": "assistant", "content": shown[side]}]
        return {"schema": SCHEMA, **shown}


def read_preferences(path: Path, *, on_bad: OnBad | None = None) -> list[Preference]:
    """Read a file of preferences. The format of each row is recognised by its columns.

    Args:
        path: a .jsonl file, or any other that a task's `data:` can read.
        on_bad: takes the errors of rows that are not preferences, so that the others are read; None = raise.

    Raises:
        DataError: the file is missing or empty, or some rows are not preferences; all of them are named.
    """
    if not path.exists() and str(path) != "-":
        raise DataError(f"{path}: there is no such file of preferences; `markscheme pairs` writes one")
    pairs: list[Preference] = []
    errors: list[str] = []
    for place, row in read_rows(path, on_bad=on_bad):
        if "header" in row:
            refuse_kind(row["header"], place, "`markscheme pairs SCORES -o FILE` makes pairs of scores")
            continue
        try:
            pairs += preferences_of(row)
        except DataError as error:
            if on_bad is not None:
                on_bad(DataError(f"{place}: {error}"))
            errors.append(f"{place}: {error}")
    if errors and on_bad is None:
        raise DataError(f"{len(errors)} row(s) cannot be read as preferences:\n{first_of(errors)}")
    if not pairs:
        raise DataError(f"{path}: the file has no pairs; expected a better and a worse completion per line")
    return pairs


def preferences_of(row: Mapping[str, Any]) -> Iterator[Preference]:
    """Yield the pairs of a row.

    It has `chosen` and `rejected`, each a text, chat messages, or a list of texts of which every combination
    is a pair (RewardBench 2); and `prompt`, a text or chat messages, unless that is the start of both, as in
    HH's transcripts. Or it has `prompt` and `ranked`, a list of texts with the best first: a ranking of K has
    K(K-1)/2 pairs.

    Raises:
        DataError: the row has neither form, or one side only, or two equal sides.
    """
    schema = row.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise DataError(f"schema {schema} is not known to this version, which reads up to {SCHEMA}")
    if isinstance(row.get("ranked"), list) and "prompt" in row:
        ranked = [_text(one, "ranked") for one in row["ranked"]]
        if len(ranked) < 2:
            raise DataError(f"`ranked` needs two or more completions, the best first (given: {len(ranked)})")
        pairs = list(combinations(ranked, 2))
        yield from (_preference(row, row["prompt"], a, b) for a, b in pairs if a != b)
        return
    missing = [name for name in ("chosen", "rejected") if row.get(name) in (None, "", [])]
    if missing:
        only_ids = any(name.endswith("_ids") for name in row)
        advice = "tokenised pairs cannot be read; give the texts" if only_ids else f"it has {', '.join(row)}"
        raise DataError(f"the row has no `{missing[0]}`; expected a better and a worse completion ({advice})")
    chosen, rejected = row["chosen"], row["rejected"]
    if _are_texts(chosen) or _are_texts(rejected):
        sides = [one if isinstance(one, list) else [one] for one in (chosen, rejected)]
        yield from (_preference(row, row.get("prompt", ""), *pair) for pair in product(*sides))
    elif "prompt" in row and isinstance(chosen, str):
        yield _preference(row, row["prompt"], chosen, rejected)
    elif isinstance(chosen, list) and isinstance(rejected, list):
        prompt, chosen, rejected = _split_messages(chosen, rejected)
        yield _preference(row, _whole_prompt(row.get("prompt"), prompt), chosen, rejected)
    else:
        yield _preference(row, *_split_transcripts(_text(chosen, "chosen"), _text(rejected, "rejected")))


def _are_texts(side: Any) -> bool:
    return isinstance(side, list) and all(isinstance(one, str) for one in side)


def _preference(row: Mapping[str, Any], prompt: Any, chosen: Any, rejected: Any) -> Preference:
    chosen, rejected = _text(chosen, "chosen"), _text(rejected, "rejected")
    if chosen == rejected:
        raise DataError("`chosen` and `rejected` are equal, so nothing can be learned from the pair")
    prompt = tuple(prompt) if isinstance(prompt, list) else prompt
    if prompt in ("", ()):
        raise DataError("the row has no prompt; expected `prompt`, or messages that both sides begin with")
    own = Preference.model_fields if row.get("schema") == SCHEMA else ("margin",)
    rest = {name: row[name] for name in own if row.get(name) is not None}
    try:
        return Preference.model_validate(rest | {"prompt": prompt, "chosen": chosen, "rejected": rejected})
    except ValidationError as error:
        raise DataError(first_fault(error)) from error


def _text(side: Any, name: str) -> str:
    """Return a completion's text; of chat messages, what the assistant says last."""
    if isinstance(side, list) and side and all(isinstance(one, Mapping) for one in side):
        side = said_by("assistant", side[-1:])
    if not isinstance(side, str) or not side:
        raise DataError(f"`{name}` must be a text or chat messages that end with the assistant's")
    return side


def _whole_prompt(given: Any, shared: list[Message]) -> Any:
    """Return a row's prompt with the messages that both sides begin with, unless these have it already."""
    if given in (None, "", []) or not shared:
        return shared or given or ""
    asked = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    return shared if shared[: len(asked)] == asked else [*asked, *shared]


def _split_messages(chosen: Sequence[Message], rejected: Sequence[Message]) -> tuple[list[Message], Any, Any]:
    """Return the messages that both begin with, and what follows in each."""
    same = [a == b for a, b in zip(chosen[:-1], rejected[:-1], strict=False)]
    shared = same.index(False) if False in same else len(same)
    if not len(chosen) == len(rejected) == shared + 1:
        raise DataError("the two conversations must be equal but for their last message, the assistant's")
    return list(chosen[:shared]), list(chosen[shared:]), list(rejected[shared:])


_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def _split_transcripts(chosen: str, rejected: str) -> tuple[list[Message], str, str]:
    """Return the messages of two transcripts of HH up to their last answer, and the two answers."""
    pieces = [_TURN.split(text) for text in (chosen, rejected)]
    if any(len(one) < 5 or one[0].strip() or one[-2] != "Assistant" for one in pieces):
        raise DataError(
            "the row has no `prompt`, and its texts are not transcripts (Human: ... Assistant: ...)"
        )
    if pieces[0][:-1] != pieces[1][:-1]:
        raise DataError("the two transcripts must be equal but for the assistant's last answer")
    roles = {"Human": "user", "Assistant": "assistant"}
    turns = zip(pieces[0][1:-2:2], pieces[0][2:-2:2], strict=True)
    prompt = [{"role": roles[who], "content": said.strip()} for who, said in turns]
    return prompt, pieces[0][-1].strip(), pieces[1][-1].strip()
