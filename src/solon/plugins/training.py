"""The door for authors of trainers, beside ``solon.plugins``: what solon's own training loops are made of.

Import it inside ``train``: most of its names need torch and the rest of the ``train`` extra. Each is imported when it
is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solon.doors import door

if TYPE_CHECKING:
    from solon.trainers.backend.breaking_off import leaving_the_last_good
    from solon.trainers.backend.generate import generated
    from solon.trainers.backend.kept import STATE, Kept, random_state, read_state, restore_random, write_state
    from solon.trainers.backend.length import fitted
    from solon.trainers.backend.loop import Loop
    from solon.trainers.backend.network import adapters, load_policy
    from solon.trainers.backend.pairwise import train_pairs
    from solon.trainers.backend.resuming import Resumable
    from solon.trainers.backend.rewards import curves, open_rewards
    from solon.trainers.backend.runtime import deterministic, memory_boundary
    from solon.trainers.backend.saving import Configuration, save_trained
    from solon.trainers.backend.trl import Prepared, described, train_with_trl

__all__ = [
    "STATE",
    "Configuration",
    "Kept",
    "Loop",
    "Prepared",
    "Resumable",
    "adapters",
    "curves",
    "described",
    "deterministic",
    "fitted",
    "generated",
    "leaving_the_last_good",
    "load_policy",
    "memory_boundary",
    "open_rewards",
    "random_state",
    "read_state",
    "restore_random",
    "save_trained",
    "train_pairs",
    "train_with_trl",
    "write_state",
]

__getattr__, __dir__ = door(
    __name__,
    {
        "solon.trainers.backend.breaking_off": "leaving_the_last_good",
        "solon.trainers.backend.generate": "generated",
        "solon.trainers.backend.kept": "STATE Kept random_state read_state restore_random write_state",
        "solon.trainers.backend.length": "fitted",
        "solon.trainers.backend.loop": "Loop",
        "solon.trainers.backend.network": "adapters load_policy",
        "solon.trainers.backend.pairwise": "train_pairs",
        "solon.trainers.backend.resuming": "Resumable",
        "solon.trainers.backend.rewards": "curves open_rewards",
        "solon.trainers.backend.runtime": "deterministic memory_boundary",
        "solon.trainers.backend.saving": "Configuration save_trained",
        "solon.trainers.backend.trl": "Prepared described train_with_trl",
    },
)
