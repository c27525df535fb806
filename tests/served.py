"""Every kind of model behind a network, at a ``FaultServer`` that speaks its provider's wire format."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from solon.data.records import Message
from solon.models.anthropic import Anthropic
from solon.models.base import Reply, Request
from solon.models.endpoint import Endpoint
from solon.models.litellm import LiteLLM
from solon.models.openai import OpenAI
from solon.models.remote import RemoteModel
from solon.testing import FaultServer

FREE = {"input": 0, "output": 0}

# importing litellm takes seconds and 300 MB
KINDS = ("endpoint", "openai", "anthropic", pytest.param("litellm", marks=pytest.mark.slow))


def model_at(server: FaultServer, kind: str, **settings: Any) -> RemoteModel:
    """A model of this kind that asks the server; free of charge and without a key unless the settings say otherwise."""
    settings = {"model": "served", "timeout_s": 10, "price": FREE, "api_key_env": None, **settings}
    match kind:
        case "endpoint":
            return Endpoint(base_url=server.base_url, **settings)
        case "openai":
            return OpenAI(base_url=server.base_url, **settings)
        case "anthropic":
            return Anthropic(base_url=server.root, **settings)
        case "litellm":
            return LiteLLM(base_url=server.base_url, **{**settings, "model": f"openai/{settings['model']}"})
        case _:
            raise ValueError(kind)


@asynccontextmanager
async def served(server: FaultServer, kind: str, **settings: Any) -> AsyncIterator[RemoteModel]:
    """The model while its server is open."""
    async with server:
        model = model_at(server, kind, **settings)
        try:
            yield model
        finally:
            await model.aclose()


def request(text: str = "hello", *, system: str | None = None, **fields: Any) -> Request:
    """A request of one user turn, after a system message if there is one."""
    messages = (Message(role="user", content=text),)
    if system is not None:
        messages = (Message(role="system", content=system), *messages)
    return Request(messages=messages, **{"max_tokens": 8, **fields})


async def reply_to(asked: Request, server: FaultServer, kind: str, **settings: Any) -> Reply:
    """What the model answers to a single request."""
    async with served(server, kind, **settings) as model:
        return await model.complete(asked)
