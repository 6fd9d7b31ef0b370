"""Run in an environment with TRL: our scheme as the reward of its GRPOTrainer; prints JSON."""

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

folder = Path(sys.argv[1])
task = load_task(
    "addition", overrides=['rewards.digits={use: regex, pattern: "[0-9]", weight: 0.5}', "extract=lenient"]
)
scheme = MarkScheme(task)
problems = load_problems(task, limit=8)
by_prompt = {problem.prompt: problem for problem in problems}
(function,) = as_trl(scheme)
seen = []


def watched(prompts, completions, **more):
    values = function(prompts, completions, **more)
    seen.append((prompts, completions, more["completion_ids"], values))
    return values


watched.__name__ = function.__name__
small_policy(folder)
rows = [{"prompt": p.prompt, "reference": p.reference, "solution": p.solution} for p in problems]
arguments = GRPOConfig(
    str(folder / "out"), num_generations=4, per_device_train_batch_size=8, max_completion_length=12, max_steps=3,
    report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, logging_steps=1, save_strategy="no",
    disable_tqdm=True,
)  # fmt: skip
trainer = GRPOTrainer(
    AutoModelForCausalLM.from_pretrained(folder), reward_funcs=[watched], args=arguments,
    train_dataset=Dataset.from_list(rows), processing_class=AutoTokenizer.from_pretrained(folder),
)  # fmt: skip
trainer.train()
ours = [
    [
        score.value
        for score in scheme.score(
            [by_prompt[prompt] for prompt in prompts],
            [Completion(text, token_ids=list(ids)) for text, ids in zip(completions, all_ids, strict=True)],
        )
    ]
    for prompts, completions, all_ids, _ in seen
]
logged = [row for row in trainer.state.log_history if "reward" in row]
print(
    json.dumps(
        {
            "theirs": [values for *_, values in seen],
            "ours": ours,
            "logged": [row["reward"] for row in logged],
            "parts_logged": sorted(key for row in logged for key in row if key.startswith("addition/")),
        }
    )
)
