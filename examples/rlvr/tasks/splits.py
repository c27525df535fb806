"""Which tasks the base has read, which are trained on by GRPO, and which are only measured: no task is in two."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["base", "prompts", "held_out"]


def split_of(task: str) -> Split:
    """By the hash of the task, however worded: a tenth is held out, a tenth is for GRPO, the rest is for the base."""
    match hashlib.blake2b(task.encode(), digest_size=4).digest()[0] % 10:
        case 0:
            return "held_out"
        case 1:
            return "prompts"
        case _:
            return "base"
