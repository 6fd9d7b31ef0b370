"""The two kinds of reward models that learn along in a run, behind one interface.

An outcome model learns from preference pairs, a process model from labelled steps; both as rows of the
buffer.
"""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from ...rewards.composition.entries import Entry
from ...rewards.models.prm import scorer_of as prm_scorer
from ...rewards.models.prm_formats import find_format
from ...rewards.models.prm_torch import Prm, load_prm
from ...rewards.models.readable import Unreadable, readable
from ...rewards.models.rm_torch import Rm, load_rm, read_about
from ...rewards.offline.step_metrics import step_metrics
from ...rewards.rows.labelled_steps import LabelledSteps, labelled
from ...rewards.rows.preferences import Preference, preferences_of
from ...sandbox.errors import TaskError
from ...tasks.problem import Prompt, asked_in
from ...verifiers.steps.split import split_steps
from .acceptance import FEWEST, Measured
from .prm_training import backward as step_backward
from .prm_training import check_trainable, examples_of, marked, save_prm
from .quality import calibration_of, measure
from .rm_examples import Ranked, encode
from .rm_training import RmTraining, save_rm
from .rm_training import backward as pair_backward

Rows = Sequence[Mapping[str, Any]]


class Trainee(Protocol):
    """A reward model that can be trained on, measured, and saved."""

    model: Any
    """The torch module."""

    def items(self, rows: Rows) -> list[Any]:
        """Return rows of the buffer as examples to draw batches from."""
        ...

    def backward(self, batch: Sequence[Any]) -> float:
        """Compute the gradients of a batch of examples, and return its loss."""
        ...

    def measured(self, rows: Rows) -> Measured:
        """Return how good the model is on rows that it is not trained on."""
        ...

    def worth(self, texts: Sequence[tuple[Prompt, str]]) -> list[float | None]:
        """Return the model's score of completions; None where it cannot read one."""
        ...

    def save(self, folder: Path, held: Rows) -> None:
        """Write the model as a plain Hugging Face folder, calibrated on held-out rows."""
        ...


class PairTrainee:
    """An outcome reward model."""

    def __init__(self, folder: str, entry: Entry):
        parameters = entry.parameters
        self._folder = folder
        self._rm = load_rm(
            folder,
            form=parameters["form"],
            pooling=parameters["pooling"],
            device=parameters["device"],
            batch_tokens=parameters["batch_tokens"],
        )
        self.model = self._rm.model
        self._settings = RmTraining(batch_tokens=parameters["batch_tokens"])

    def items(self, rows: Rows) -> list[Ranked]:
        """Return the pairs of each prompt as the model's inputs."""
        return encode(self._rm, _preferences(rows)).items

    def backward(self, batch: Sequence[Ranked]) -> float:
        """Compute the gradients of some prompts, and return their loss."""
        return pair_backward(self._rm, batch, self._settings)

    def measured(self, rows: Rows) -> Measured:
        """Return the accuracy on pairs."""
        quality = measure(self._rm, _preferences(rows))
        enough = quality.pairs >= FEWEST
        figures = {
            name: getattr(quality, name) for name in ("prompts", "auroc", "ece", "length", "mean", "std")
        }
        return Measured(quality.accuracy if enough else None, quality.pairs, quality.by_prompt, figures)

    def worth(self, texts: Sequence[tuple[Prompt, str]]) -> list[float | None]:
        """Return the raw scores of completions."""
        return _scores(self._rm, texts)

    def save(self, folder: Path, held: Rows) -> None:
        """Write the model with its tokenizer and rm.json; what the rows cannot calibrate stays as it was."""
        calibration = calibration_of(self._rm, _preferences(held)) or read_about(self._folder).get(
            "calibration", {}
        )
        save_rm(self._rm, folder, {"calibration": calibration})


def _preferences(rows: Rows) -> list[Preference]:
    return [pair for row in rows for pair in preferences_of(row)]


def _scores(model: Rm | Prm, answers: Sequence[tuple[Prompt, Any]]) -> list[Any]:
    """Return a model's score of each answer to a prompt; None where it cannot read one."""
    inputs: dict[int, Any] = {}
    for i, (prompt, answer) in enumerate(answers):
        with suppress(Unreadable):
            inputs[i] = readable(model.encoder, prompt, answer, model.context)
    scores = dict(zip(inputs, model.score(list(inputs.values())), strict=True))
    return [scores.get(i) for i in range(len(answers))]


class StepTrainee:
    """A process reward model; a completion's score is its lowest mark."""

    def __init__(self, folder: str, entry: Entry):
        parameters = entry.parameters
        assert entry.steps is not None
        self._form, self._split = find_format(parameters["form"]), entry.steps.split
        self._budget = parameters["batch_tokens"]
        self._prm = load_prm(folder, self._form, device=parameters["device"], batch_tokens=self._budget)
        self.model = self._prm.model

    def items(self, rows: Rows) -> list[Any]:
        """Return labelled completions as the model's inputs."""
        return examples_of(self._prm, _labelled(rows)).items

    def backward(self, batch: Sequence[Any]) -> float:
        """Compute the gradients of some completions, and return their loss."""
        return step_backward(self._prm, batch, self._budget)

    def measured(self, rows: Rows) -> Measured:
        """Return the accuracy on steps, balanced over right and wrong ones of each prompt."""
        examples, marks, labels = marked(self._prm, _labelled(rows))
        figures = step_metrics(marks, labels, threshold=self._form.threshold)
        hits: dict[str, dict[bool, list[bool]]] = defaultdict(lambda: defaultdict(list))
        for example, row_marks, row_labels in zip(examples, marks, labels, strict=True):
            for mark, label in zip(row_marks, row_labels, strict=True):
                if label is not None:
                    hits[example.prompt][label].append((mark >= self._form.threshold) == label)
        by_prompt = {
            prompt: statistics.fmean(statistics.fmean(own) for own in kinds.values())
            for prompt, kinds in hits.items()
        }
        accuracy = statistics.fmean(by_prompt.values()) if figures.steps >= FEWEST else None
        shown = ("balanced_accuracy", "first_error_f1", "auroc", "ece")
        return Measured(accuracy, figures.steps, by_prompt, {name: getattr(figures, name) for name in shown})

    def worth(self, texts: Sequence[tuple[Prompt, str]]) -> list[float | None]:
        """Return the lowest mark of each completion."""
        answers = [
            (asked_in(prompt), [text[step.start : step.end] for step in split_steps(text, self._split)])
            for prompt, text in texts
        ]
        return [min(marks) if marks else None for marks in _scores(self._prm, answers)]

    def save(self, folder: Path, held: Rows) -> None:
        """Write the model with its tokenizer and prm.json; its marks are probabilities as they are."""
        save_prm(self._prm, folder, {})


def _labelled(rows: Rows) -> list[LabelledSteps]:
    return [labelled(row) for row in rows]


def trainee_of(folder: str, entry: Entry) -> Trainee:
    """Return the reward model of an entry that uses `rm` or `prm`, loaded from a folder for training."""
    return (PairTrainee if entry.steps is None else StepTrainee)(folder, entry)


def check_trainee(entry: Entry) -> None:
    """Check that the model of an entry, which is loaded for scoring already, can be trained.

    Raises:
        TaskError: it is scored on another engine than torch.
        RewardError: its format is for scoring only.
    """
    names = ("model", "form", "engine", "device", "dtype", "batch_tokens")
    parameters = {name: entry.parameters[name] for name in names}
    if parameters["engine"] != "torch":
        raise TaskError(
            f"{entry.where}: a model that learns along is scored on torch, because every update would start"
            f" another engine (given: engine: {parameters['engine']}); drop `engine`"
        )
    if entry.steps is not None:
        check_trainable(prm_scorer(**parameters))
