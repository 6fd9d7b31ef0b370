"""Write a log of Inspect, in its .eval format: twelve sums in two epochs, answered by a mock model.

Usage: logs_inspect.py FOLDER
"""

import os
import re
import sys

os.environ.update(INSPECT_DISPLAY="none", HF_HUB_OFFLINE="1", INSPECT_LOG_LEVEL="error")

from inspect_ai import Task, eval  # noqa: A004
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, accuracy, match, scorer
from inspect_ai.solver import generate, solver

SUMS = [(12 + 7 * i, 30 + 11 * i) for i in range(12)]


def mock():
    """A model that answers right, wrong, right in the middle of a sentence, and not at all, in turn."""
    asked = {}

    def reply(messages, tools, tool_choice, config):
        text = messages[-1].text
        a, b = map(int, re.findall(r"\d+", text))
        count = asked[text] = asked.get(text, -1) + 1
        options = [f"The sum is {a + b}", f"It is {a + b + 1}", f"{a + b}, since I added them.", "no idea"]
        output = ModelOutput.from_content("mockllm/model", options[(SUMS.index((a, b)) + count) % 4])
        # Without usage, Inspect would count tokens, with a vocabulary from the network.
        output.usage = ModelUsage(input_tokens=1, output_tokens=1)
        return output

    return get_model("mockllm/model", custom_outputs=reply)


@solver
def fails_once():
    async def solve(state, generate):
        if state.sample_id == "sum-3" and state.epoch == 2:
            raise RuntimeError("The tool was not there.")
        return state

    return solve


@scorer(metrics=[accuracy()])
def grade():
    """C where the sum ends the text, P elsewhere; one sample is not scored."""

    async def score(state, target):
        text = state.output.completion
        if state.sample_id == "sum-5":
            return Score.unscored(reason="grader_failed")
        return Score(value="C" if text.endswith(target.text) else "P" if target.text in text else "I")

    return score


def main():
    samples = [
        Sample(input=f"What is {a}+{b}?", target=str(a + b), id=f"sum-{i}") for i, (a, b) in enumerate(SUMS)
    ]
    task = Task(
        dataset=MemoryDataset(samples, name="sums"),
        solver=[fails_once(), generate()],
        scorer=[match(), grade()],
    )
    options = {"log_dir": sys.argv[1], "max_samples": 1, "display": "none", "log_format": "eval"}
    eval(task, model=mock(), epochs=2, fail_on_error=False, **options)


if __name__ == "__main__":
    main()
