"""Reward models that are adapters on PPO's own base: as labelers, as PPO takes them, and what they say."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model
from safetensors.torch import load_file, save_file

from solon.data.records import Message
from solon.models.base import Request
from solon.models.classifier import SequenceClassifier
from solon.trainers.backend.network import Trainable, adapters, load_policy
from solon.trainers.backend.ppo.policy import Actor
from solon.trainers.backend.ppo.rewarding import RewardAdapter, lending, on_the_base
from solon.trainers.backend.processes import Processes
from solon.trainers.backend.reward import load_with_head
from solon.trainers.base import Lora, Policy
from solon.trainers.ppo import PPO
from tiny_ppo import move

WEIGHTS = "adapter_model.safetensors"
SMALL = Lora(r=4)
LAYOUTS: dict[str, dict[str, Any]] = {
    "lora": {"lora": SMALL},
    "lora, value on the policy": {"lora": SMALL, "value_rank": None},
    "full": {},
    "full, value on the policy": {"value_rank": None},
}
ANSWERS = ("yes", "nay", "", "a longer answer, in words")


def classifier(model: Path, adapter: Path, **settings: Any) -> dict[str, Any]:
    """The labeler, as a recipe has it."""
    reads = {"text": "conversation", "value": "logit", **settings}
    return {"kind": "classifier", "model": str(model), "adapter": str(adapter), **reads}


def untrained(base: Path, folder: Path) -> Path:
    """An adapter of random numbers and a head of ones on a base, in the files that the trainer ``reward`` writes."""
    torch.manual_seed(0)
    scorer = load_with_head(Policy(model=str(base), threads=1), full=False).model
    torch.nn.init.ones_(scorer.score.weight)
    model = get_peft_model(scorer, adapters(SMALL, task="SEQ_CLS"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


def changed(
    reward: Path,
    to: Path,
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]] = dict,
    **configuration: Any,
) -> Path:
    """A copy of a reward's folder with other weights, or another configuration."""
    shutil.copytree(reward, to)
    save_file(change(load_file(reward / WEIGHTS)), to / WEIGHTS)
    settings = json.loads((reward / "adapter_config.json").read_text()) | configuration
    (to / "adapter_config.json").write_text(json.dumps(settings))
    return to


def taken(settings: PPO, base: Path, **policy: Any) -> tuple[Policy, Trainable, list[RewardAdapter]]:
    """The policy, its network, and what PPO would put onto its base."""
    torch.manual_seed(0)
    chosen = Policy(model=str(base), threads=1, **policy)
    trainable = load_policy(chosen, settings.choose_backend(chosen), lora=settings.lora, seed=0)
    return chosen, trainable, on_the_base(settings, chosen, trainable, Processes())


@contextmanager
def lent(settings: PPO, base: Path, **policy: Any) -> Iterator[Actor]:
    """The actor, policy and value moved away from where they begin, while its base is lent to its rewards."""
    chosen, trainable, rewards = taken(settings, base, **policy)
    fixed = [reward.fixed for reward in rewards]
    actor = Actor(trainable.loaded, settings.lora, value_lora=settings.value_lora, rewards=fixed, temperature=1.0)
    move(actor, 0.1)
    with lending(rewards, actor.roles, chosen):
        yield actor


def model_of(settings: PPO) -> SequenceClassifier:
    """Who answers for the first reward."""
    (model,) = settings.reward[0].labeler.models()
    assert isinstance(model, SequenceClassifier)
    return model


def logits(settings: PPO) -> list[float]:
    """What the first reward's model says of ``ANSWERS``."""
    asked = Message(role="user", content="Is 9?")
    requests = [
        Request(messages=(asked, Message(role="assistant", content=answer)), max_tokens=1) for answer in ANSWERS
    ]
    replies = asyncio.run(model_of(settings).complete_batch(requests))
    return [logit for reply in replies for logit in (reply.logits or {}).values()]
