"""How much memory PPO's models take: parameters, gradients and optimizer state, counted tensor by tensor.

    python benchmarks/ppo_memory.py                            # on the quickstart's base, in a few seconds
    python benchmarks/ppo_memory.py --model MODEL --rank 16 --value-rank 8

Each layout is built, and takes one optimizer step; then every tensor that its models and its optimizer hold is counted
once. That is the peak of what is counted: gradients are there until the next step begins. The four models are the usual
layout of PPO: policy and value, all of whose weights are trained, and a frozen reference and reward model. solon's
reward is a labeler: rules need no model, a reward model that was trained as an adapter on the base is one more adapter
there, and any other is a model of its own (the last row).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pages import table
from peft import get_peft_model

from solon.models.backend.loading import load
from solon.trainers.backend.network import Trainable, adapters
from solon.trainers.backend.ppo.episodes import Episodes
from solon.trainers.backend.ppo.policy import Actor
from solon.trainers.backend.ppo.rewarding import RewardAdapter, on_the_base
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.reward import load_with_head
from solon.trainers.base import Lora, Policy
from solon.trainers.memory import GIB, Training, estimate
from solon.trainers.ppo import PPO, USUAL_VALUE_RANK, value_adapter
from solon.trainers.shapes import shape_of

BASE = Path(__file__).parents[1] / "examples" / "quickstart" / "models" / "policy"
PARTS = ("weights", "gradients", "optimizer")
EPISODES = Episodes([[5, 6, 7], [8, 9]], [[10, 11, 12], [13, 14]])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(BASE), help="a model folder")
    parser.add_argument("--rank", type=int, default=16, help="of the policy's adapters")
    parser.add_argument("--value-rank", type=int, default=USUAL_VALUE_RANK, help="of the value's; 0 for none")
    parser.add_argument("--json", action="store_true", help="bytes in place of a table")
    chosen = parser.parse_args()
    found = measured(chosen.model, Lora(r=chosen.rank), value_rank=chosen.value_rank or None)
    print(json.dumps(found) if chosen.json else in_mib(found))


def measured(model: str, lora: Lora, *, value_rank: int | None) -> dict[str, dict[str, int]]:
    """Bytes of each layout, by part."""
    value = value_adapter(value_rank, lora)
    ppo, alone = _ppo(model, lora, value), _frozen(model)
    return {
        "DPO, LoRA": _dpo(model, lora),
        "PPO, LoRA": ppo,
        "PPO, LoRA, value on the policy": _ppo(model, lora, None),
        "PPO, all weights": _ppo(model, None, value_adapter(value_rank, None)),
        "four models": _four(model),
        "PPO, LoRA, and a reward on its base": _ppo(model, lora, value, rewarded=True),
        "PPO, LoRA, and a reward model": {part: ppo[part] + alone[part] for part in PARTS},
    }


def predicted(model: str, lora: Lora, *, value_rank: int | None) -> float:
    """Bytes that ``solon doctor`` says of "PPO, LoRA"."""
    training = Training("ppo", lora=lora, weights="float32", value=value_adapter(value_rank, lora))
    return estimate(shape_of(model), training).static * GIB


def in_mib(found: dict[str, dict[str, int]]) -> str:
    """A table of Markdown, each layout against DPO and against the four models."""
    sums = {name: sum(parts.values()) for name, parts in found.items()}
    rows = []
    for name, parts in found.items():
        cells = [f"{size / 2**20:.2f}" for size in (*(parts[part] for part in PARTS), sums[name])]
        of = f"{sums[name] / sums['DPO, LoRA']:.2f}", f"{sums['four models'] / sums[name]:.2f} times"
        rows.append([name, *cells, *of])
    return table(["layout, MiB", *PARTS, "together", "of DPO's", "four models are"], rows)


def _dpo(model: str, lora: Lora) -> dict[str, int]:
    """The base and one adapter; its reference is the base with the adapter off."""
    loaded = load(model)
    task = "SEQ_2_SEQ_LM" if loaded.apart else "CAUSAL_LM"
    network = get_peft_model(loaded.model, adapters(lora, task=task))
    tokens = torch.tensor([[*EPISODES.prompts[0], *EPISODES.responses[0]]])
    return _after_a_step([network], lambda: network(input_ids=tokens, labels=tokens).loss.backward())


def _ppo(model: str, lora: Lora | None, value: Lora | None, *, rewarded: bool = False) -> dict[str, int]:
    """As ``solon.trainers.backend.ppo`` builds it, with or without a reward model that is an adapter on the base."""
    loaded = load(model)
    loaded.model.requires_grad_(lora is None)
    with tempfile.TemporaryDirectory() as folder:
        rewards = _reward_model(model, lora or Lora(), folder, Trainable(loaded, adapted=False)) if rewarded else []
        fixed = [reward.fixed for reward in rewards]
        actor = Actor(loaded, lora, value_lora=value, rewards=fixed, temperature=1.0)

    def learn() -> None:
        read = actor.read(EPISODES)
        actor.backward(read.log_probs.sum() + (0.0 if read.values is None else read.values.sum()))
        if read.values is None:
            actor.backward_of_values(EPISODES, lambda values: values.sum())

    found = _after_a_step([actor.roles.policy.model, actor.roles.frozen.model, actor.head], learn)
    return {**found, "weights": found["weights"] + sum(_bytes(reward.head.values()) for reward in rewards)}


def _reward_model(model: str, lora: Lora, folder: str, trainable: Trainable) -> list[RewardAdapter]:
    """One as the trainer ``reward`` leaves it, and as PPO takes it for its base."""
    scorer = load_with_head(Policy(model=model), full=False).model
    get_peft_model(scorer, adapters(lora, task="SEQ_CLS")).save_pretrained(folder, save_embedding_layers=False)
    judge = {"kind": "classifier", "model": model, "adapter": folder, "text": "conversation", "value": "logit"}
    found = on_the_base(PPO(reward=judge), Policy(model=model), trainable, Processes())
    assert len(found) == 1
    return found


def _four(model: str) -> dict[str, int]:
    """Policy and value with all weights in training, reference and reward model as they are; two scalar heads."""
    trained, frozen = [load(model).model for _ in range(2)], [load(model).model for _ in range(2)]
    width = trained[0].get_output_embeddings().weight.shape[1]
    heads = [torch.nn.Linear(width, 1) for _ in range(2)]
    tokens = torch.tensor([[*EPISODES.prompts[0], *EPISODES.responses[0]]])
    for each in frozen:
        each.requires_grad_(False)
    heads[1].requires_grad_(False)

    def learn() -> None:
        for network in trained:
            network(input_ids=tokens, labels=tokens).loss.backward()
        heads[0](torch.ones(1, width)).sum().backward()

    return _after_a_step([*trained, *frozen, *heads], learn)


def _frozen(model: str) -> dict[str, int]:
    return {"weights": _bytes(load(model).model.parameters()), "gradients": 0, "optimizer": 0}


def _after_a_step(networks: list[Any], learn: Any) -> dict[str, int]:
    weights = [weight for network in networks for weight in network.parameters()]
    moving = list({id(weight): weight for weight in weights if weight.requires_grad}.values())
    optimizer = torch.optim.AdamW(moving, lr=1e-6)
    learn()
    optimizer.step()
    state = [value for kept in optimizer.state.values() for value in kept.values() if isinstance(value, torch.Tensor)]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    return {"weights": _bytes(weights), "gradients": _bytes(gradients), "optimizer": _bytes(state)}


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Each piece of memory once, however many names it has."""
    return sum({each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}.values())


if __name__ == "__main__":
    main()
