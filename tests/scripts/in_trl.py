"""A mark scheme as the reward of TRL's GRPOTrainer, beside the scheme's own scores; prints JSON.

    python tests/scripts/in_trl.py FOLDER_FOR_A_MODEL

Runs in an environment that has TRL.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from markscheme.rewards import MarkScheme, as_trl
from markscheme.tasks import Completion, load_problems, load_task
from support import small_policy

# A random policy gives no right answer, but often a digit: so completions differ in their marks.
OVERRIDES = ['rewards.digits={use: regex, pattern: "[0-9]", weight: 0.5}', "extract=lenient"]


def train_with(scheme, problems, folder):
    """Train a random policy for three steps; return TRL's log, and each call of the reward with its values."""
    (function,) = as_trl(scheme)
    calls = []

    def watched(prompts, completions, **columns):
        values = function(prompts, completions, **columns)
        calls.append((prompts, completions, columns["completion_ids"], values))
        return values

    watched.__name__ = function.__name__
    small_policy(folder)
    rows = [
        {"prompt": problem.prompt, "reference": problem.reference, "solution": problem.solution}
        for problem in problems
    ]
    config = GRPOConfig(
        str(folder / "out"),
        num_generations=4,
        per_device_train_batch_size=8,
        max_completion_length=12,
        max_steps=3,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        AutoModelForCausalLM.from_pretrained(folder),
        reward_funcs=[watched],
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )
    trainer.train()
    return [row for row in trainer.state.log_history if "reward" in row], calls


def main():
    task = load_task("addition", overrides=OVERRIDES)
    scheme = MarkScheme(task)
    problems = load_problems(task, limit=8)
    logged, calls = train_with(scheme, problems, Path(sys.argv[1]))
    by_prompt = {problem.prompt: problem for problem in problems}
    own_values = []
    for prompts, texts, all_ids, _ in calls:
        completions = [
            Completion(text, token_ids=list(ids), finish_reason="length")
            for text, ids in zip(texts, all_ids, strict=True)
        ]
        scores = scheme.score([by_prompt[prompt] for prompt in prompts], completions)
        own_values.append([score.value for score in scores])
    result = {
        "theirs": [values for *_, values in calls],
        "ours": own_values,
        "logged": [row["reward"] for row in logged],
        "parts_logged": sorted(key for row in logged for key in row if key.startswith("addition/")),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
