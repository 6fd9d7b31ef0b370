"""TRL's advantages, losses and gradients on one batch, and how far ours are from them; prints JSON.

    python tests/scripts/trl_losses.py > tests/data/trl_losses.json

Runs in an environment that has TRL. TRL's trainer samples a batch from a small random model and computes its
loss on it, once for each kind of loss, with and without KL. Old and reference log-probabilities are the
model's own plus fixed noise, so that ratios are clipped. `apart` is the largest relative distance between the
gradients of our whole update and TRL's, over the model's parameters.
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
"""Of two groups of four completions."""
AGGREGATES = {"grpo": "sequence_mean", "bnpo": "token_mean", "dr_grpo": "constant", "dapo": "token_mean"}
"""TRL's kinds of loss, and what we call the way in which each aggregates tokens."""
KL = {"none": (0.0, False), "k3": (0.04, False), "k3_ratio": (0.04, True)}
"""Kinds of KL: TRL's settings `beta` and `use_bias_correction_kl`."""
LENGTH = 12
"""The most tokens of a completion."""


def noise(like: torch.Tensor, seed: int) -> torch.Tensor:
    return 0.3 * torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


class WatchedTrainer(GRPOTrainer):
    """Keeps the batch that TRL samples, its loss, and the loss's gradients."""

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        self.advantages = batch["advantages"].tolist()  # in the order of the rewards; TRL shuffles later
        return batch

    def _get_per_token_logps_and_entropies(self, *args, **kwargs):
        result = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self.logprobs = result[0]
        return result

    def _compute_loss(self, model, inputs):
        with torch.no_grad():
            super()._compute_loss(model, inputs)  # only for its log-probabilities, which get the noise
        own = self.logprobs.detach()
        self.inputs = {
            **inputs,
            "old_per_token_logps": own + noise(own, 1),
            "ref_per_token_logps": own + noise(own, 2),
        }
        loss = super()._compute_loss(model, self.inputs)
        (by_token,) = torch.autograd.grad(loss, self.logprobs, retain_graph=True)
        parameters = dict(model.named_parameters())
        gradients = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True)
        self.gradients = dict(zip(parameters, gradients, strict=True))
        self.result = {
            "loss": loss.item(),
            "gradient": (by_token * inputs["completion_mask"]).tolist(),
        }
        return loss


def step_of_trl(folder: Path, loss_type: str, beta: float, bias_correction: bool) -> WatchedTrainer:
    """Let TRL take one step, and return its trainer."""
    config = GRPOConfig(
        str(folder / "out"),
        num_generations=4,
        per_device_train_batch_size=8,
        max_completion_length=LENGTH,
        max_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        disable_tqdm=True,
        loss_type=loss_type,
        beta=beta,
        use_bias_correction_kl=bias_correction,
        seed=3,
        shuffle_dataset=False,
        top_k=0,
    )

    def rewards(completions, **_):
        return REWARDS

    trainer = WatchedTrainer(
        str(folder),
        reward_funcs=[rewards],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": "1+1="}, {"prompt": "what is 20?"}]),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )
    with contextlib.redirect_stdout(sys.stderr):  # TRL prints its metrics; ours is the JSON alone
        trainer.train()
    return trainer


def sampled_by_trl(inputs: dict, with_reference: bool) -> Sampled:
    """Return TRL's batch as our learner takes it."""
    lengths = inputs["completion_mask"].sum(-1).tolist()

    def rows(name: str) -> list[list]:
        return [row[:length] for row, length in zip(inputs[name].tolist(), lengths, strict=True)]

    prompts = []
    for ids, mask in zip(inputs["prompt_ids"].tolist(), inputs["prompt_mask"].tolist(), strict=True):
        prompts.append([token_id for token_id, is_real in zip(ids, mask, strict=True) if is_real])
    completions = [
        Completion("", token_ids=ids, prompt_token_ids=prompt, logprobs=[0.0] * len(ids))
        for ids, prompt in zip(rows("completion_ids"), prompts, strict=True)
    ]
    return Sampled(
        completions,
        for_each_token(completions, inputs["advantages"].tolist()),
        rows("old_per_token_logps"),
        rows("ref_per_token_logps") if with_reference else None,
        exact=True,
    )


def our_gradients(folder: Path, sampled: Sampled, aggregate: str, beta: float, kl: str) -> dict:
    """Return the gradients of our update on a batch, by parameter."""
    algorithm = {"preset": "trl", "aggregate": aggregate, "kl_coef": beta, "kl": kl, "max_grad_norm": 1e9}
    config = RunConfig.model_validate(
        {"tasks": ["x"], "algorithm": algorithm, "sampling": {"max_new_tokens": LENGTH}}
    )
    policy = load_policy(PolicyConfig(), folder, torch.device("cpu"))
    reference = AutoModelForCausalLM.from_pretrained(folder) if beta else None
    learner = Learner(policy, reference, config)
    gradients: dict[str, torch.Tensor] = {}

    def keep_gradients() -> None:
        for name, parameter in policy.model.named_parameters():
            gradients[name] = parameter.grad.clone()

    learner.optimizer.step = keep_gradients
    learner.update(sampled, range(8), 1, first=False)
    return gradients


def distance(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """Return the largest relative distance between two gradients of a parameter.

    A gradient far smaller than the largest one is compared with a thousandth of that.
    """
    largest = max(float(gradient.norm()) for gradient in theirs.values())
    return max(
        float((ours[name] - gradient).norm()) / max(float(gradient.norm()), 1e-3 * largest)
        for name, gradient in theirs.items()
    )


def main() -> None:
    cases = []
    with tempfile.TemporaryDirectory() as name:
        folder = small_policy(Path(name))
        for loss_type, aggregate in AGGREGATES.items():
            for kl, (beta, bias_correction) in KL.items():
                trainer = step_of_trl(folder, loss_type, beta, bias_correction)
                sampled = sampled_by_trl(trainer.inputs, with_reference=beta > 0)
                our_kl = "k3" if kl == "none" else kl  # with the coefficient 0, the kind has no effect
                gradients = our_gradients(folder, sampled, aggregate, beta, our_kl)
                case = {"loss_type": loss_type, "aggregate": aggregate, "kl": kl, "kl_coef": beta}
                cases.append({**case, "apart": distance(gradients, trainer.gradients), **trainer.result})
    inputs = trainer.inputs  # the batch is the same in every case
    shared = {
        "source": "trl 1.16.0, tests/scripts/trl_losses.py",
        "rewards": REWARDS,
        "max_length": LENGTH,
        "group_advantages": trainer.advantages,
        "advantages": inputs["advantages"].tolist(),
        "mask": inputs["completion_mask"].tolist(),
        "logprobs": trainer.logprobs.detach().tolist(),
        "old_logprobs": inputs["old_per_token_logps"].tolist(),
        "ref_logprobs": inputs["ref_per_token_logps"].tolist(),
    }
    print(json.dumps({**shared, "cases": cases}))


if __name__ == "__main__":
    main()
