"""How many tokens a text can have at most, and so what a request can cost at most, without any tokenizer.

A reservation must never be too small, or a budget could be overrun: every token of the tokenizers in use covers at
least one byte of UTF-8, so bytes are a bound where "four characters a token" is an average.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from solon.data.records import Message
from solon.models.base import ChatModel, Request

TOKENS_OF_A_TURN = 16
"""What a chat template adds to a message at most: its role, and the marks of its beginning and end."""

TOKENS_OF_A_PROMPT = 64
"""What it adds to a conversation at most: a default system line, a date, the opening of the reply."""

TOKENS_OF_A_SCHEMA = 512
"""What a provider says at most to a model that has to answer by a schema, besides the schema itself."""

BYTES_OF_A_TOKEN = 3.5
"""What a token covers of English on average; no bound."""


def most_tokens(text: str) -> int:
    """Tokens that ``text`` has at most: its bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def most_prompt_tokens(messages: Iterable[Message]) -> int:
    """Tokens that a conversation has at most, its chat template included."""
    return TOKENS_OF_A_PROMPT + sum(most_tokens(message.content) + TOKENS_OF_A_TURN for message in messages)


def most_input_tokens(request: Request) -> int:
    """Tokens that a request has at most: its conversation, and the schema that its reply has to fulfil."""
    tokens = most_prompt_tokens(request.messages)
    if request.json_schema is not None:
        tokens += TOKENS_OF_A_SCHEMA + most_tokens(json.dumps(request.json_schema))
    return tokens


def likely_tokens(request: Request, reply_tokens: float | None) -> float:
    """Tokens that a request will take, read and written, about: 3.5 bytes a token, and a reply as others like it.

    Args:
        request: what is asked.
        reply_tokens: how long replies were so far; ``None`` counts one as long as is allowed.
    """
    read = sum(most_tokens(message.content) for message in request.messages) / BYTES_OF_A_TOKEN
    return read + (request.max_tokens if reply_tokens is None else min(reply_tokens, request.max_tokens))


def most_usd(model: ChatModel, request: Request, *, batched: bool = False) -> float:
    """What the request can cost at most, in US dollars: an input as long as can be, and a reply of ``max_tokens``.

    ``batched`` counts the batch price. 0 when the model's price is not known.
    """
    read = most_input_tokens(request)
    price = model.price_at(read)
    if price is None:
        return 0.0
    return price.most(read, request.max_tokens, batched=batched)
