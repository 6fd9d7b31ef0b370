"""Whether a reward model can judge a completion: one rule for both kinds, in scoring and training."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from ...sandbox.errors import RewardError
from ...tasks.problem import Prompt, asked_in
from ..score import Score, Status

MOST_UNREAD = 0.1
"""The highest share of unknown tokens in an input; with more, the model would not judge the text itself."""


class UnfitCompletion(RewardError):
    """The completion cannot be an input, by its own fault."""


class Unreadable(RewardError):
    """A reward model cannot judge a completion."""

    def __init__(self, reason: str, status: Status, *, too_long: bool = False):
        super().__init__(reason)
        self.status, self.too_long = status, too_long

    @property
    def score(self) -> Score:
        """The completion's score: a status with a reason, and no value."""
        return Score(None, self.status, reason=str(self))


class Encoded(Protocol):
    """An input of a model."""

    @property
    def ids(self) -> list[int]:
        """The token ids."""
        ...


EncodedT = TypeVar("EncodedT", bound=Encoded, covariant=True)


class InputEncoder(Protocol[EncodedT]):
    """Makes a model's input from a prompt, and the completion's text or those of its steps."""

    tokenizer: Any

    def __call__(self, prompt: Any, answer: Any, /) -> EncodedT:
        """Return the input for an answer to a prompt."""
        ...


def readable(
    encoder: InputEncoder[EncodedT], prompt: Prompt, answer: Sequence[str], context: int | None
) -> EncodedT:
    """Return the input for an answer, if the model can judge it.

    Args:
        encoder: makes the model's inputs.
        prompt: as the encoder takes it.
        answer: as the encoder takes it: the completion's text, or those of its steps.
        context: the most tokens that the model reads; None = no limit.

    Raises:
        Unreadable: the completion is unfit (status `unparsable`) or too long (`too_large`), or it is not the
            completion's fault (`abstain`): the prompt is unfit, or leaves no room for any completion, or the
            tokenizer has no tokens for the text.
    """
    try:
        encoded = encoder(prompt, answer)
    except UnfitCompletion as error:
        raise Unreadable(str(error), Status.UNPARSABLE) from error
    except RewardError as error:
        raise Unreadable(str(error), Status.ABSTAIN) from error
    unknown = encoder.tokenizer.unk_token_id
    unread = 0.0 if unknown is None else encoded.ids.count(unknown) / max(len(encoded.ids), 1)
    if unread > MOST_UNREAD:
        raise Unreadable(
            f"the reward model's tokenizer has no tokens for {unread:.0%} of the input; is the text in a"
            " language that the model does not know?",
            Status.ABSTAIN,
        )
    if context is not None and len(encoded.ids) > context:
        # A completion must not be punished for its prompt, but one that is long must not escape being marked.
        start = answer[:1]
        no_room = len(encoder(prompt, start).ids) > context and len(asked_in(prompt)) > len("".join(start))
        raise Unreadable(
            f"the input has {len(encoded.ids)} tokens; the reward model reads {context}",
            Status.ABSTAIN if no_room else Status.TOO_LARGE,
            too_long=True,
        )
    return encoded


def fault_of(text: str, special: Sequence[str]) -> str:
    """Return why a text cannot be part of an input; empty if it can.

    With a special token a completion could end its turn, or one of its steps, and write another.
    """
    found = next((token for token in special if token in text), None)
    if found is not None:
        return f"contains {found!r}, which is a mark or a special token of the reward model"
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode (it has a lone surrogate)"
    return ""
