"""Write the tables of completions of a real run of TRL's trainer: two steps of a tiny model, with scripted answers.

Usage: logs_trl.py FOLDER
"""

import contextlib
import io
import os
import re
import sys
from pathlib import Path

os.environ.update(CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", TRL_EXPERIMENTAL_SILENCE="1")

import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

GROUP = 4
SUMS = [(12, 30), (7, 5), (100, 23), (6, 6)]


def tokenizer_of_characters():
    vocabulary = ["<pad>", "<bos>", "<eos>", "<unk>", *map(chr, range(32, 127)), "\n"]
    ids = {token: i for i, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    special = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side="left", **special)


def scripted(prompts, trainer):
    """Answer each prompt of a group in another way: right, wrong, right in a sentence, and not at all."""
    tokenizer = trainer.processing_class
    columns = {"prompt_ids": [], "completion_ids": [], "logprobs": []}
    for i, prompt in enumerate(prompts):
        a, b = map(int, re.findall(r"\d+", prompt))
        text = [f"{a + b}", f"{a + b + 1}", f"{a} plus {b} makes {a + b}.", "no idea"][i % GROUP]
        ids = tokenizer(text, add_special_tokens=False)["input_ids"] + [2]
        columns["prompt_ids"].append(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        columns["completion_ids"].append(ids)
        columns["logprobs"].append([-1.0] * len(ids))
    return columns


def exact(prompts, completions, answer, **_):
    """1 for a completion that is the answer and nothing else, None for one without a number."""
    return [
        float(text == right) if re.search("[0-9]", text) else None
        for text, right in zip(completions, answer, strict=True)
    ]


def main():
    folder = Path(sys.argv[1])
    torch.manual_seed(0)
    tokenizer = tokenizer_of_characters()
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **shape))
    config = GRPOConfig(
        str(folder),
        per_device_train_batch_size=2 * GROUP,
        num_generations=GROUP,
        max_completion_length=24,
        max_steps=2,
        log_completions=True,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        disable_tqdm=True,
        shuffle_dataset=False,
    )
    rows = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a, b in SUMS]
    trainer = GRPOTrainer(
        model,
        reward_funcs=[exact],
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        rollout_func=scripted,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # TRL prints the tables too
        trainer.train()


if __name__ == "__main__":
    main()
