"""Run in an environment with TRL: its advantages, losses and gradients on one batch; prints JSON.

    python tests/scripts/trl_losses.py > tests/data/trl_losses.json

TRL's trainer samples a batch from a small random model and computes its loss on it, once for each kind of
loss, with and without KL, from old and reference log-probabilities that are moved by fixed noise (so that
ratios are clipped). `apart` is how far our whole update's gradients are from TRL's, parameter by parameter.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from markscheme.tasks import Completion
from markscheme.trainer.config.run_config import PolicyConfig, RunConfig
from markscheme.trainer.loop.learner import Learner
from markscheme.trainer.models.batch import Sampled, for_each_token
from markscheme.trainer.models.load_policy import load_policy
from support import small_policy

REWARDS = [1.0, 0.0, 0.25, 0.7, 0.1, 0.1, 0.1, 0.2]
AGGREGATES = {"grpo": "sequence_mean", "bnpo": "token_mean", "dr_grpo": "constant", "dapo": "token_mean"}
KL = {"none": (0.0, False), "k3": (0.04, False), "k3_ratio": (0.04, True)}
LENGTH = 12


def noise(like: torch.Tensor, seed: int) -> torch.Tensor:
    return 0.3 * torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


class Watched(GRPOTrainer):
    """Keeps the batch, and what its own loss makes of it."""

    def _generate_and_score_completions(self, inputs):
        found = super()._generate_and_score_completions(inputs)
        self.advantages = found["advantages"].tolist()  # in the order of the rewards; shuffled later
        return found

    def _get_per_token_logps_and_entropies(self, *args, **kwargs):
        found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self.logprobs = found[0]
        return found

    def _compute_loss(self, model, inputs):
        with torch.no_grad():
            super()._compute_loss(model, inputs)
        plain = self.logprobs.detach()
        inputs = {
            **inputs,
            "old_per_token_logps": plain + noise(plain, 1),
            "ref_per_token_logps": plain + noise(plain, 2),
        }
        loss = super()._compute_loss(model, inputs)
        (by_token,) = torch.autograd.grad(loss, self.logprobs, retain_graph=True)
        parameters = dict(model.named_parameters())
        self.gradients = dict(
            zip(
                parameters,
                torch.autograd.grad(loss, list(parameters.values()), retain_graph=True),
                strict=True,
            )
        )
        self.kept = {"loss": loss.item(), "gradient": (by_token * inputs["completion_mask"]).tolist()}
        self.inputs = inputs
        return loss


def trl(folder: Path, loss_type: str, beta: float, corrected: bool) -> Watched:
    """Let TRL do one step."""
    config = GRPOConfig(
        str(folder / "out"), num_generations=4, per_device_train_batch_size=8, max_completion_length=LENGTH,
        max_steps=1, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no",
        disable_tqdm=True, loss_type=loss_type, beta=beta, use_bias_correction_kl=corrected, seed=3,
        shuffle_dataset=False, top_k=0,
    )  # fmt: skip
    trainer = Watched(
        str(folder), reward_funcs=[lambda completions, **more: REWARDS], args=config,
        train_dataset=Dataset.from_list([{"prompt": "1+1="}, {"prompt": "what is 20?"}]),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )  # fmt: skip
    with contextlib.redirect_stdout(sys.stderr):
        trainer.train()
    return trainer


def ours(folder: Path, trainer: Watched, aggregate: str, beta: float, kl: str) -> float:
    """Return how far our gradients are from TRL's, relative to the largest of each parameter's norms."""
    inputs = trainer.inputs
    lengths = inputs["completion_mask"].sum(-1).tolist()

    def rows(name: str) -> list[list]:
        return [row[:n] for row, n in zip(inputs[name].tolist(), lengths, strict=True)]

    prompts = [
        [t for t, real in zip(ids, mask, strict=True) if real]
        for ids, mask in zip(inputs["prompt_ids"].tolist(), inputs["prompt_mask"].tolist(), strict=True)
    ]
    completions = [
        Completion("", token_ids=ids, prompt_token_ids=prompt, logprobs=[0.0] * len(ids))
        for ids, prompt in zip(rows("completion_ids"), prompts, strict=True)
    ]
    algorithm = {"preset": "trl", "aggregate": aggregate, "kl_coef": beta, "kl": kl, "max_grad_norm": 1e9}
    config = RunConfig.model_validate(
        {"tasks": ["x"], "algorithm": algorithm, "sampling": {"max_new_tokens": LENGTH}}
    )
    policy = load_policy(PolicyConfig(), folder, torch.device("cpu"))
    reference = AutoModelForCausalLM.from_pretrained(folder) if beta else None
    learner = Learner(policy, reference, config)
    found: dict[str, torch.Tensor] = {}
    learner.optimizer.step = lambda: found.update(
        (n, p.grad.clone()) for n, p in policy.model.named_parameters()
    )
    sampled = Sampled(
        completions, for_each_token(completions, inputs["advantages"].tolist()), rows("old_per_token_logps"),
        rows("ref_per_token_logps") if beta else None, exact=True,
    )  # fmt: skip
    learner.update(sampled, range(8), 1, first=False)
    total = max(float(g.norm()) for g in trainer.gradients.values())
    return max(
        float((found[name] - theirs).norm()) / max(float(theirs.norm()), 1e-3 * total)
        for name, theirs in trainer.gradients.items()
    )


def main() -> None:
    cases = []
    with tempfile.TemporaryDirectory() as place:
        folder = small_policy(Path(place))
        for loss_type, aggregate in AGGREGATES.items():
            for kl, (beta, corrected) in KL.items():
                trainer = trl(folder, loss_type, beta, corrected)
                apart = ours(folder, trainer, aggregate, beta, "k3" if kl == "none" else kl)
                case = {"loss_type": loss_type, "aggregate": aggregate, "kl": kl, "kl_coef": beta}
                cases.append({**case, "apart": apart, **trainer.kept})
        inputs = trainer.inputs
    shared = {
        "source": "trl 1.16.0, tests/scripts/trl_losses.py", "rewards": REWARDS, "max_length": LENGTH,
        "group_advantages": trainer.advantages, "advantages": inputs["advantages"].tolist(), "mask": inputs["completion_mask"].tolist(),
        "logprobs": trainer.logprobs.detach().tolist(), "old_logprobs": inputs["old_per_token_logps"].tolist(),
        "ref_logprobs": inputs["ref_per_token_logps"].tolist(),
    }  # fmt: skip
    print(json.dumps({**shared, "cases": cases}))


if __name__ == "__main__":
    main()
