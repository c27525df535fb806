"""A PPO on tiny networks of random weights: three episodes, and actors on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from solon.models.backend.loading import load
from solon.testing.tiny import tiny_llama, tiny_t5
from solon.trainers.backend.ppo.episodes import Episodes
from solon.trainers.backend.ppo.policy import Actor
from solon.trainers.backend.runtime import switch_dropout_off
from solon.trainers.base import Lora
from solon.trainers.ppo import PPO

EPISODES = Episodes([[5, 6, 7], [8, 9], [10, 11, 12, 13]], [[20, 21, 1], [22, 1], [23, 24, 25, 26, 27]])
SCORES = [1.0, -0.5, 0.25]
NETWORKS = ("decoder", "encoder-decoder", "encoder-decoder, scaled")
SMALL, OWN = Lora(r=4), Lora(r=2, alpha=4)


def made(folder: Path, network: str) -> Path:
    """A network's folder; the scaled T5 ends with states times its width to the power of -1/2."""
    if network == "decoder":
        return tiny_llama(folder, seed=1)
    path = tiny_t5(folder, seed=1)
    if network.endswith("scaled"):
        config = path / "config.json"
        config.write_text(config.read_text().replace('"d_model"', '"scale_decoder_outputs": true,\n  "d_model"', 1))
    return path


def settings(**changes: Any) -> PPO:
    """Those of a PPO whose rewards nobody asks for here."""
    return PPO(reward={"kind": "rules", "rules": {"any": {"pattern": ".*"}}}, **changes)


def actor(base: Path, lora: Lora | None = None, *, double: bool = False, moved: float = 0.0, **options: Any) -> Actor:
    """A fresh actor; ``moved`` changes what is trained by noise of that size, the value too."""
    torch.manual_seed(0)
    loaded = load(str(base), threads=1)
    switch_dropout_off(loaded.model)
    if double:
        loaded.model.double()
    made = Actor(loaded, lora, **{"temperature": 1.0, **options})
    if double:  # adapters are made in single precision
        for each in (made.roles.policy, made.roles.frozen):
            each.model.double()
    move(made, moved)
    return made


def move(actor: Actor, size: float, seed: int = 5) -> None:
    """Adds noise to all that is trained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in moving(actor) if size else ():
            weight += size * torch.randn(weight.shape, generator=generator, dtype=torch.float64).to(weight.dtype)


def moving(actor: Actor) -> list[torch.nn.Parameter]:
    """All that is trained: of the policy, and of the value."""
    return [*actor.trained.values(), *actor.valued.values(), *actor.head.parameters()]
