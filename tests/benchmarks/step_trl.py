"""TRL's side of `step.py`: its GRPO trainer, timed step by step. Needs trl==1.16.0 and datasets."""

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer  # pyright: ignore[reportMissingImports]

from step_inputs import LEARNING_RATE, TimedStep, digit_share, make_prompts


class StepTimer(TrainerCallback):
    """A callback that times TRL's steps, and calls a function after each, which the times leave out."""

    def __init__(self, after_each_step: Callable[[], None] | None):
        self.steps: list[TimedStep] = []
        self.tokens = 0
        """Completion tokens of the step in progress."""
        self._after_each_step = after_each_step
        self._began: float | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # Only for the first step. A later one begins where the previous one ended, so that the loading of
        # its prompts counts too.
        if self._began is None:
            self._began = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        assert self._began is not None
        self.steps.append(TimedStep(time.process_time() - self._began, self.tokens))
        if self._after_each_step is not None:
            self._after_each_step()
        self._began = time.process_time()


def train_with_trl(
    folder: Path, shape: dict[str, Any], steps: int, after_each_step: Callable[[], None] | None
) -> list[TimedStep]:
    """Run TRL's loop on the model in `folder / "model"`, and return the cost of each step."""
    timer = StepTimer(after_each_step)

    def digits(completions: list[str], completion_ids: list[list[int]], **columns: Any) -> list[float]:
        timer.tokens = sum(map(len, completion_ids))
        return [digit_share(text) for text in completions]

    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder / "model"),
        args=_trl_config(folder / "trl", shape, steps),
        reward_funcs=[digits],
        processing_class=AutoTokenizer.from_pretrained(folder / "model"),
        callbacks=[timer],
        train_dataset=Dataset.from_dict({"prompt": make_prompts(shape)}),
    )
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for the result
        trainer.train()
    return timer.steps


def _trl_config(output: Path, shape: dict[str, Any], steps: int) -> GRPOConfig:
    return GRPOConfig(
        output_dir=str(output),
        per_device_train_batch_size=shape["groups"] * shape["group_size"],
        gradient_accumulation_steps=1,
        num_generations=shape["group_size"],
        max_completion_length=shape["new_tokens"],
        learning_rate=shape.get("lr", LEARNING_RATE),
        lr_scheduler_type="constant",
        max_steps=steps,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        logging_steps=10**6,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        shuffle_dataset=False,
        bf16=False,
        gradient_checkpointing=False,
    )
