"""Preference pairs as the inputs of an outcome reward model."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...rewards.models.readable import Unreadable, readable
from ...rewards.models.rm_inputs import RmInput
from ...rewards.models.rm_torch import Rm
from ...rewards.rows.preferences import Preference
from .fitting import Examples


@dataclass
class Ranked:
    """The completions of one prompt as inputs of a model, and which is better than which."""

    key: str
    """Of the prompt; see `Preference.key`."""
    inputs: list[RmInput] = field(default_factory=list)
    better: list[int] = field(default_factory=list)
    """The place of the better completion of each pair."""
    worse: list[int] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    ties: list[bool] = field(default_factory=list)
    """Whether the two of a pair are equally good, so that it is learned from but not measured on."""

    @property
    def decided(self) -> list[tuple[int, int]]:
        """The places of the better and the worse completion of each pair that is no tie."""
        pairs = zip(self.better, self.worse, self.ties, strict=True)
        return [(better, worse) for better, worse, tie in pairs if not tie]

    @property
    def tokens(self) -> int:
        """The tokens of its inputs, padding included."""
        return padded_tokens(self.inputs)


def padded_tokens(inputs: Sequence[RmInput]) -> int:
    """Return the tokens of inputs in one batch, padding included."""
    return max(len(one.ids) for one in inputs) * len(inputs)


def encode(rm: Rm, pairs: Sequence[Preference]) -> Examples[Ranked]:
    """Return pairs as a model's inputs, those of a prompt together, without those that it cannot read.

    A prompt with more completions than fit into one forward pass is split into several.
    """
    by_prompt: dict[str, list[Preference]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.key, []).append(pair)
    examples: Examples[Ranked] = Examples()
    for key, group in by_prompt.items():
        ranked, places = Ranked(key), {}
        for pair in group:
            sides = (pair.chosen, pair.rejected)
            try:
                new = {
                    text: readable(rm.encoder, pair.prompt, text, rm.context)
                    for text in sides
                    if text not in places
                }
            except Unreadable as error:
                examples.leave_out(error)
                continue
            if ranked.better and padded_tokens([*ranked.inputs, *new.values()]) > rm.batch_tokens:
                examples.items.append(ranked)
                ranked, places = Ranked(key), {}
                new = {text: readable(rm.encoder, pair.prompt, text, rm.context) for text in sides}
            for text, encoded in new.items():
                places[text] = len(ranked.inputs)
                ranked.inputs.append(encoded)
            ranked.better.append(places[pair.chosen])
            ranked.worse.append(places[pair.rejected])
            ranked.margins.append(pair.margin)
            ranked.ties.append(pair.tie)
        if ranked.better:
            examples.items.append(ranked)
    return examples
