"""A chat model for solon: speaks the wire format of a server, here one like Ollama's ``/api/chat``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import aiohttp
from pydantic import Field

from solon.plugins import FREE, ModelRejected, ModelUnavailable, Price, RemoteModel, Reply, Request, Usage
from solon.plugins.testing import Served


def pretended(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the server answers, near enough for the tests: they need no network."""
    if path != "/api/chat":
        raise LookupError(f"no {path} here")
    text = f"You said {body['messages'][-1]['content'][:20]}"
    written = min(4, body["options"]["num_predict"])
    reason = "length" if written < 4 else "stop"
    answer = {"role": "assistant", "content": text}
    return {"message": answer, "done_reason": reason, "prompt_eval_count": 9, "eval_count": written}


class MyModel(RemoteModel):
    """A model behind a server. Key, price, rate limits, budget and concurrency are settings of RemoteModel.

    Attributes:
        url: where the server is, without a path.
    """

    kind: ClassVar[str] = "mymodel"
    api_version: ClassVar[str] = "1.0"
    # a server on this machine for the checks, which make it answer, fail, hang up and talk nonsense
    checked_with: ClassVar = Served(answer=pretended, settings=lambda url: {"url": url, "model": "tiny"})

    url: str = Field(default="http://127.0.0.1:11434", pattern=r"^https?://[^/]+$")
    price: Price | None = FREE  # a server of one's own; one that charges has no default here

    def describe(self) -> dict[str, object]:
        """The ledger's key: all that may change a reply. No key, no time-out, and no address of this machine."""
        return {"kind": self.kind, "model": self.model}

    async def complete(self, request: Request) -> Reply:
        """One attempt: retries, limits and the ledger are solon's."""
        options = {"temperature": request.temperature, "top_p": request.top_p, "num_predict": request.max_tokens}
        if request.seed is not None:
            options["seed"] = request.seed
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        body = {"model": self.model, "messages": messages, "options": options, "stream": False}
        try:
            timeout = aiohttp.ClientTimeout(total=self.timeout_s)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(f"{self.url}/api/chat", json=body) as response,
            ):
                if response.status in (400, 401, 403, 404):  # it would say the same again
                    raise ModelRejected(f"{self.who} said {response.status}: {(await response.text())[:200]}")
                if response.status != 200:
                    throttled = response.status == 429
                    raise ModelUnavailable(f"{self.who} said {response.status}", throttled=throttled)
                said = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # what a client raises becomes solon's, here
            raise ModelUnavailable(f"{self.who}: {type(error).__name__}: {error}", maybe_billed=True) from error
        try:
            return Reply(
                text=said["message"]["content"],
                stop="length" if said["done_reason"] == "length" else "end",
                usage=Usage(input_tokens=said["prompt_eval_count"], output_tokens=said["eval_count"]),
                model=self.model,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelUnavailable(f"{self.who} sent what is no reply: {str(said)[:200]}", malformed=True) from error
