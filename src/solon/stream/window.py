"""How many things to work on at once."""

from __future__ import annotations

from solon.models.base import ChatModel

MOST_IN_A_BATCH = 20_000
"""Prompts at work at once when a judge goes by batches of its provider. Two questions about each are nearly as much as
OpenAI takes in one batch, and all of them are held in memory until it comes back."""


def window(*models: ChatModel) -> int:
    """How many prompts to work on at once: enough to keep a server's connections or a local model's batches full.

    Where a judge goes by batches of its provider, a whole stage, or as much of it as memory should hold.
    """
    most = MOST_IN_A_BATCH if any(model.provider_batches() is not None for model in models) else 16
    return max([most, *(max(model.requests_in_a_batch, 2 * model.max_in_flight) for model in models)])
