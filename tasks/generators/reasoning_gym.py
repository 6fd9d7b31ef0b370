"""Problems of reasoning-gym's procedural data sets, for tasks that are judged by its own scorers.

The verifier `reasoning_gym` scores answers to them. Needs the extra `markscheme[reasoning-gym]`.
"""

from collections.abc import Iterator
from typing import Any

from ...sandbox.errors import TaskError, did_you_mean

OTHER_SEED = 1_000_003
"""Added to the seed for the split `test`."""


class ReasoningGym:
    """A generator of one of reasoning-gym's data sets, such as `zebra_puzzles`.

    In a task: `{generator: reasoning_gym, dataset: basic_arithmetic, size: 500, seed: 0}`

    Args:
        dataset: the data set's name in reasoning-gym.
        size: problems per split (default 500); a task with `size` needs no `limit`.
        config: the data set's own settings, such as `min_terms: 2`.
    """

    def __init__(self, *, dataset: str, size: int = 500, **config: Any):
        factory = reasoning_gym()
        if dataset not in factory.DATASETS:
            near = did_you_mean(str(dataset), list(factory.DATASETS))
            raise TaskError(f"reasoning_gym: there is no data set {dataset!r}{near}")
        if not isinstance(size, int) or size < 1:
            raise TaskError(f"reasoning_gym: size must be a whole number from 1 up (given: {size!r})")
        self._dataset, self._size, self._config = dataset, size, config
        self._make(0, 1)

    def _make(self, seed: int, size: int) -> Any:
        try:
            return reasoning_gym().create_dataset(self._dataset, seed=seed, size=size, **self._config)
        except (AssertionError, TypeError, ValueError) as error:
            raise TaskError(f"reasoning_gym: {self._dataset} cannot be made: {error}") from error

    def problems(self, seed: int, split: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of the split `train` or `test`, which have no question in common.

        Columns: prompt (the question), reference (an accepted answer, of possibly several), question, answer,
        metadata, dataset.

        Raises:
            TaskError: there is no such split.
        """
        if split not in ("train", "test"):
            raise TaskError(f"reasoning_gym has the splits train and test (given: {split!r})")
        taken: set[str] = set()
        if split == "test":
            taken = {entry["question"] for entry in self._make(seed, self._size)}
            seed += OTHER_SEED
        for entry in self._make(seed, self._size):
            if entry["question"] not in taken:
                yield {
                    **entry,
                    "prompt": entry["question"],
                    "reference": None if entry["answer"] is None else str(entry["answer"]),
                    "dataset": self._dataset,
                }


def reasoning_gym() -> Any:
    """Return reasoning-gym's module that knows its data sets.

    Raises:
        TaskError: reasoning-gym is not installed.
    """
    try:
        from reasoning_gym import factory
    except ImportError as error:
        raise TaskError(
            f"reasoning-gym is not installed ({error}); pip install 'markscheme[reasoning-gym]'"
        ) from error
    return factory
