"""Which providers keep the beginning of a prompt, so that the next request that begins alike reads it for less.

Whether one did is only known from its reply; this is for estimates. The instructions of a judge with the principles in
them are such a beginning: every question under the same principles opens with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from solon.models.anthropic import Anthropic
from solon.models.base import ChatModel
from solon.models.openai import OpenAI

_DATED = re.compile(r"-\d{8}$")

OPENAI_LEAST = 1024
"""https://developers.openai.com/api/docs/guides/prompt-caching"""

_ANTHROPIC_LEAST = {
    512: (
        "claude-fable-5", "claude-fable-5-1", "claude-mythos-5", "claude-mythos-5-1", "claude-opus-5",
        "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5",
    ),
    1024: ("claude-opus-4-8", "claude-sonnet-5", "claude-sonnet-4-6", "claude-sonnet-4-5"),
    2048: ("claude-opus-4-7",),
    4096: ("claude-opus-4-6", "claude-opus-4-5", "claude-haiku-4-5"),
}  # fmt: skip
"""By model, as the price map inside litellm 1.106.2 has it (``prompt_cache_min_tokens``), read on 2026-11-21."""

_ANTHROPIC_UNKNOWN = max(_ANTHROPIC_LEAST)


@dataclass(frozen=True, slots=True)
class Caching:
    """What a provider does with the beginnings of prompts.

    Attributes:
        least: tokens that a beginning must have to be kept.
        on: whether the model's settings ask for it, or the provider does it unasked.
    """

    least: int
    on: bool = True


def caching_of(model: ChatModel) -> Caching | None:
    """How a model's provider caches; ``None`` where it does not, or where nothing is known of it.

    OpenAI's models up to GPT-5.5 keep beginnings unasked and at no charge. Later ones charge for writing, and keep what
    ends at a breakpoint, which ``cache`` sets.
    """
    match model:
        case Anthropic():
            name = _DATED.sub("", model.model)
            least = next((tokens for tokens, names in _ANTHROPIC_LEAST.items() if name in names), _ANTHROPIC_UNKNOWN)
            return Caching(least, on=model.cache)
        case OpenAI() if model.base_url == model.home:
            return Caching(OPENAI_LEAST, on=model.cache or not model.takes_breakpoints)
        case _:
            return None
