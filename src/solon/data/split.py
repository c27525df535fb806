"""Which prompts are held out: decided for each by its own hash, so that no other prompt has a say in it.

Adding, removing or reordering prompts never moves one from one side to the other, and a larger share only adds to the
held-out side. Prompts that differ only in case, spacing or Unicode form are one to the split, whatever their topic
or reference answer, so that none is trained on and tested on in a slightly different spelling.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from solon.data.folding import folded
from solon.data.records import Prompt


def split_key(prompt: Prompt) -> str:
    """The conversation with its spelling evened out: equal for prompts that must be on the same side."""
    return json.dumps([[message.role, _even(message.content)] for message in prompt.messages])


def _even(text: str) -> str:
    return " ".join(folded(text, "NFKC").split())


def is_held_out(prompt: Prompt, share: float, seed: int) -> bool:
    """Whether the prompt is in the held-out share, in [0, 1]: of many prompts, about that share is."""
    sha = hashlib.sha256(f"{seed}:{split_key(prompt)}".encode("ascii")).digest()
    # 53 bits are what a float holds exactly, so that a share of 1 holds out everything
    return int.from_bytes(sha[:8], "big") >> 11 < share * 2**53


def split(prompts: Iterable[Prompt], share: float, seed: int) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """The prompts to train on and the held-out ones, each in the order in which they came."""
    train: list[Prompt] = []
    held_out: list[Prompt] = []
    for prompt in prompts:
        (held_out if is_held_out(prompt, share, seed) else train).append(prompt)
    return tuple(train), tuple(held_out)
