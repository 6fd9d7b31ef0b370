"""Run in an environment with verl: our scheme as compute_score of its reward manager; prints JSON."""

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

folder = small_policy(Path(sys.argv[1]))
tokenizer = AutoTokenizer.from_pretrained(folder)
scheme = MarkScheme(load_task("gsm8k"))
texts = [boxed("4").text, boxed("5").text, "no box", boxed("x+1").text]
ids = [tokenizer(text)["input_ids"] for text in texts]
width = max(map(len, ids))
responses = torch.tensor([row + [0] * (width - len(row)) for row in ids])
prompts = torch.tensor([tokenizer("2+2=")["input_ids"]] * 4)
data = DataProto.from_dict(
    tensors={
        "prompts": prompts,
        "responses": responses,
        "attention_mask": torch.cat([torch.ones_like(prompts), (responses != 0).long()], dim=1),
    },
    non_tensors={
        "data_source": np.array(["gsm8k"] * 4, dtype=object),
        "reward_model": np.array([{"style": "rule", "ground_truth": "4"}] * 4, dtype=object),
        "extra_info": np.array([{"split": "train", "index": i} for i in range(4)], dtype=object),
    },
)
manager = NaiveRewardManager(tokenizer, num_examine=0, compute_score=as_verl(scheme))
found = manager(data, return_dict=True)
ours = scheme.score([Problem(prompt="2+2=", reference="4")] * 4, [Completion(text) for text in texts])
print(
    json.dumps(
        {
            "theirs": found["reward_tensor"].sum(-1).tolist(),
            "extra": {key: list(values) for key, values in found["reward_extra_info"].items()},
            "ours": [score.value for score in ours],
        }
    )
)
