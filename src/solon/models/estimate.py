"""How many tokens a text can have at most, and so what a request can cost at most, without any tokenizer.

A reservation must never be too small, or a budget could be overrun: every token of the tokenizers in use covers at
least one byte of UTF-8, so bytes are a bound where "four characters a token" is an average.
"""

from __future__ import annotations

from collections.abc import Iterable

from solon.data.records import Message, Usage
from solon.models.base import ChatModel, Request

TOKENS_OF_A_TURN = 16
"""What a chat template adds to a message at most: its role, and the marks of its beginning and end."""

TOKENS_OF_A_PROMPT = 64
"""What it adds to a conversation at most: a default system line, a date, the opening of the reply."""


def most_tokens(text: str) -> int:
    """Tokens that ``text`` has at most: its bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def most_prompt_tokens(messages: Iterable[Message]) -> int:
    """Tokens that a conversation has at most, its chat template included."""
    return TOKENS_OF_A_PROMPT + sum(most_tokens(message.content) + TOKENS_OF_A_TURN for message in messages)


def most_usd(model: ChatModel, request: Request) -> float:
    """What the request can cost at most, in US dollars: an input as long as can be, and a reply of ``max_tokens``.

    0 when the model's price is not known.
    """
    price = model.cost()
    if price is None:
        return 0.0
    usage = Usage(input_tokens=most_prompt_tokens(request.messages), output_tokens=request.max_tokens)
    return price.of(usage)
