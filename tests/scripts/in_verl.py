"""A mark scheme as `compute_score` of verl's NaiveRewardManager, beside the scheme's own scores; prints JSON.

    python tests/scripts/in_verl.py FOLDER_FOR_A_TOKENIZER

Runs in an environment that has verl.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from transformers import AutoTokenizer
from verl import DataProto
from verl.workers.reward_manager import NaiveRewardManager

from markscheme.rewards import MarkScheme, as_verl
from markscheme.tasks import Completion, Problem, load_task
from support import boxed, small_policy


def batch_of(texts, tokenizer):
    """Return completions of the same prompt as verl's rollout hands them to a reward manager."""
    ids = [tokenizer(text)["input_ids"] for text in texts]
    width = max(map(len, ids))
    responses = torch.tensor([row + [0] * (width - len(row)) for row in ids])  # 0 is the padding's id
    prompts = torch.tensor([tokenizer("2+2=")["input_ids"]] * len(texts))
    return DataProto.from_dict(
        tensors={
            "prompts": prompts,
            "responses": responses,
            "attention_mask": torch.cat([torch.ones_like(prompts), (responses != 0).long()], dim=1),
        },
        non_tensors={
            "data_source": np.array(["gsm8k"] * len(texts), dtype=object),
            "reward_model": np.array([{"style": "rule", "ground_truth": "4"}] * len(texts), dtype=object),
            "extra_info": np.array([{"split": "train", "index": i} for i in range(len(texts))], dtype=object),
        },
    )


def main():
    tokenizer = AutoTokenizer.from_pretrained(small_policy(Path(sys.argv[1])))
    # The verifier `doubtful` leaves the last text undecided, so that its row is left out.
    scheme = MarkScheme(load_task("gsm8k", overrides=["rewards.correct.use=doubtful"]))
    texts = [boxed("4").text, boxed("5").text, "no box", boxed("x+1").text]
    manager = NaiveRewardManager(tokenizer, num_examine=0, compute_score=as_verl(scheme))
    rewards = manager(batch_of(texts, tokenizer), return_dict=True)
    problem = Problem(prompt="2+2=", reference="4")
    scores = scheme.score(
        [problem] * len(texts), [Completion(text, finish_reason="length") for text in texts]
    )
    result = {
        "theirs": rewards["reward_tensor"].sum(-1).tolist(),
        "extra": {key: list(values) for key, values in rewards["reward_extra_info"].items()},
        "ours": [score.value for score in scores],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
