"""``litellm``: every provider that litellm knows, for those without a model kind of their own.

kind: litellm
model: gemini/gemini-3.8-flash
api_key_env: GEMINI_API_KEY
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

from pydantic import Field, JsonValue, field_validator

from solon.data.records import Usage
from solon.errors import MissingExtra, ModelError, ModelRejected, ModelUnavailable, PromptTooLong
from solon.keys import held, masked
from solon.models.base import Reply, Request
from solon.models.chat_completions import TOP_LOGPROBS, reply_in, response_format
from solon.models.estimate import most_input_tokens
from solon.models.network import causes, network_error
from solon.models.prices import Listed, listed
from solon.models.remote import RemoteModel, address, server_of, without_key
from solon.models.wire import MOST_BYTES, shown, status_error, unusable

_NONSENSE = ("Unable to get json response", "Empty or invalid response")
_NO_KEY = re.compile(r"missing credentials|api[_ ]key.*(must be set|not set|missing|required)", re.IGNORECASE)


class LiteLLM(RemoteModel):
    """A chat model behind any provider that litellm speaks to. Needs the ``litellm`` extra.

    It takes 2 to 3 seconds and 300 MB to import litellm, and each call costs it several times the computing that
    ``endpoint``, ``openai`` and ``anthropic`` need: use those where they do. litellm's own retries, callbacks, price
    map and dropping of fields are off; one thing cannot be turned off: with some providers it sends a request a second
    time when a connection breaks before the answer, and follows redirects.

    Attributes:
        model: ``provider/model``, as litellm's documentation writes it.
        api_key_env: the *name* of the environment variable that holds the key; when left out, litellm looks for the
            one that the provider's documentation names.
        base_url: where the API begins, if not at the provider. Then ``price`` has to be stated.
        sampling: whether temperature and top_p are sent, and seed and log-probabilities to the providers that know
            them. Models that reason refuse a temperature: set it to false for those.
        extra_body: fields to add to each request or to put in place of ours; null takes one out. No secrets: settings
            are hashed and written out.
    """

    kind: ClassVar[str] = "litellm"

    base_url: str | None = None
    sampling: bool = True
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("model")
    @classmethod
    def _names_its_provider(cls, model: str) -> str:
        provider, slash, rest = model.partition("/")
        if not (provider and slash and rest):
            raise ValueError(f"{model!r} does not say whose it is: write provider/model, such as mistral/{model}")
        return model

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return None if url is None else address(url)

    @property
    def server(self) -> str:
        """The provider's name; host, port and path where ``base_url`` says so."""
        return self.model.partition("/")[0] if self.base_url is None else server_of(self.base_url)

    @property
    def listed(self) -> Listed | None:
        """Its row in solon's table of prices. litellm's own says 0 for what it does not know."""
        provider, _, model = self.model.partition("/")
        return listed(provider, model) if self.base_url is None else None

    def problems(self) -> list[str]:
        """A key that is not there, a price that is not known, packages that are not installed."""
        found = super().problems()
        if find_spec("litellm") is None:
            found.append(str(_missing()))
        return found

    def describe(self) -> dict[str, object]:
        """All that may change a reply: model, server, and the settings that are sent."""
        return {
            "kind": self.kind,
            "model": self.model,
            "server": self.server,
            "sampling": self.sampling,
            "extra_body": dict(self.extra_body),
        }

    def prepare(self) -> None:
        """Imports litellm, which takes 2 to 3 seconds."""
        _litellm()

    async def complete(self, request: Request) -> Reply:
        """One request, one attempt, one checked reply."""
        litellm = _litellm()
        key = self.key()
        # without one, litellm would send the key of a provider to a server of one's own
        given = key if self.base_url is None else key or "none"
        asked = {"model": self.model, "api_key": given, "base_url": self.base_url, "timeout": self.timeout_s}
        off = {"num_retries": 0, "max_retries": 0, "drop_params": False, "no-log": True}
        try:
            async with asyncio.timeout(self.timeout_s):
                answer = await litellm.acompletion(**self._fields(litellm, request), **asked, **off)
            return self._reply(answer, request)
        except ModelError as error:
            _without_secrets(error, key)
            raise
        except TimeoutError as error:
            raise network_error(error, self.who, self.timeout_s) from None
        except Exception as error:  # noqa: BLE001 - litellm lets errors of all kinds through, TypeError among them
            meant = self._meaning(litellm, error, request)
        if isinstance(meant, ModelError):
            _without_secrets(meant, key)
            raise meant  # litellm's error, which may hold the key, is no part of it
        return meant

    async def aclose(self) -> None:
        """Closes the connections of litellm, which it keeps for the whole process; a later call opens new ones."""
        if (litellm := sys.modules.get("litellm")) is None:
            return  # nothing has been asked
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()

    def _fields(self, litellm: ModuleType, request: Request) -> dict[str, Any]:
        """The request as litellm wants it, without what the provider does not know."""
        knows = set(litellm.get_supported_openai_params(model=self.model) or ())
        fields: dict[str, Any] = {
            "messages": [{"role": message.role, "content": _utf8(message.content)} for message in request.messages],
            "max_tokens": request.max_tokens,
        }
        if self.sampling:
            fields["temperature"] = request.temperature
            if request.top_p != 1:
                fields["top_p"] = request.top_p
            if request.seed is not None and "seed" in knows:
                fields["seed"] = request.seed
            if request.choices and {"logprobs", "top_logprobs"} <= knows:
                fields |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        if request.json_schema is not None and "response_format" in knows:
            fields["response_format"] = response_format(request.json_schema)
        return {name: value for name, value in {**fields, **self.extra_body}.items() if value is not None}

    def _reply(self, answer: Any, request: Request) -> Reply:
        if not hasattr(answer, "model_dump"):
            raise unusable(self.who, f"answered with {shown(str(answer))}")
        data: dict[str, Any] = answer.model_dump()
        provider, _, asked = self.model.partition("/")
        data["model"] = str(data.get("model") or "").removeprefix(f"{provider}/")
        for choice in data.get("choices") or ():
            message = choice.get("message") or {}
            message["refusal"] = (message.get("provider_specific_fields") or {}).get("refusal")
            if isinstance(message.get("content"), str) and len(message["content"]) > MOST_BYTES:
                raise unusable(self.who, f"answered with more than {MOST_BYTES:,} bytes")
        reply = reply_in(data, asked, request, self.who, answers_as=self.answers_as)
        # its body is not at hand, nor which key of the environment it was that litellm sent
        secrets = held().values()
        clean = {"text": masked(reply.text, secrets, "[key]"), "model": masked(reply.model, secrets, "[key]")}
        return reply.model_copy(update=clean)

    def _meaning(self, litellm: ModuleType, error: Exception, request: Request) -> ModelError | Reply:
        """What an error of litellm means. Its classes say less than what is in them: status, body, cause."""
        said = shown(str(getattr(error, "message", error)).partition("Traceback (most recent call last)")[0])
        status = getattr(error, "status_code", None)
        body = getattr(error, "body", None)
        code = f"{body.get('code')} {body.get('type')}".lower() if isinstance(body, Mapping) else ""
        if isinstance(error, litellm.ContextWindowExceededError):
            return PromptTooLong(f"{self.who} answered: {said}. The prompt is too long for this model")
        if isinstance(error, litellm.ContentPolicyViolationError) or "content_filter" in code:
            read = Usage(input_tokens=most_input_tokens(request), estimated=True)
            return Reply(text=said, stop="filtered", usage=read)
        if isinstance(error, litellm.Timeout):
            return network_error(TimeoutError(), self.who, self.timeout_s)
        broken = network_error(error, self.who, self.timeout_s) if _is_of_the_network(error) else None
        if broken is not None:
            return broken
        if isinstance(error, litellm.APIConnectionError) or any(one in said for one in _NONSENSE):
            # it could not read the answer: what its provider sent is of another shape than it expects
            return unusable(self.who, f"answered with what litellm cannot read: {said}")
        if self.api_key_env is None and _NO_KEY.search(said):
            return ModelRejected(f"{self.who}: {said}. litellm finds no key: name its variable in `api_key_env`")
        if not isinstance(status, int):
            return ModelUnavailable(f"{self.who} failed in litellm: {type(error).__name__}: {said}", maybe_billed=True)
        if "overloaded_error" in said:
            status = 529
        headers = getattr(error, "litellm_response_headers", None) or {}
        advice = "`extra_body` adds, changes, removes fields"
        if "temperature" in said or "top_p" in said:
            advice = "set `sampling: false`, as for every model that reasons"
        return status_error(status, headers, said, code, self.who, self.api_key_env, advice=advice)


def _is_of_the_network(error: BaseException) -> bool:
    import aiohttp

    return any(isinstance(one, aiohttp.ClientError | OSError) for one in causes(error))


def _utf8(text: str) -> str:
    """The text without half surrogate pairs, which litellm cannot send."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _without_secrets(error: ModelError, key: str | None) -> None:
    """Takes the key out of a message; and where litellm found one by itself, whatever it may have found."""
    for secret in {key, *held().values()}:
        without_key(error, secret)


def _missing() -> MissingExtra:
    return MissingExtra("the model kind 'litellm'", "litellm")


def _litellm() -> ModuleType:
    """litellm, quiet: it asks no network for prices, reads no ``.env``, prints no advice and keeps no log."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    try:
        import litellm
    except ImportError as error:
        raise _missing() from error
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = False
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    module: ModuleType = litellm
    return module
