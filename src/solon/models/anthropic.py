"""``anthropic``: Anthropic's models, through Anthropic's own SDK. The constitution is read once and then cached.

kind: anthropic
model: claude-haiku-5-5
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, Literal

from solon.errors import ModelError, ModelRejected
from solon.models import messages_format
from solon.models.anthropic_batches import AnthropicBatches
from solon.models.base import Reply, Request
from solon.models.batch import BatchApi
from solon.models.sdk import SdkModel
from solon.models.wire import complaint

SAMPLING_VERSION = "2023-06-01"
"""The last version of the API that takes a temperature; from 2026-10-21 on, any is an error, even the default."""

_THINKS = re.compile(r"claude-[a-z]+-([5-9]|\d\d)(?!\d)")
_SAMPLING = re.compile(r"\b(temperature|top_p|top_k)\b")


class Anthropic(SdkModel):
    """A chat model of Anthropic. Needs the ``anthropic`` extra.

    It has no log-probabilities, so judges read its text; and no seeds, so the same request may be answered otherwise.

    Attributes:
        api_key_env: the *name* of the environment variable that holds the key; null where none is needed.
        base_url: where the API begins, if not at Anthropic. Then ``price`` has to be stated.
        cache: marks the system prompt, where judges have their constitution, to be kept by Anthropic for five minutes.
            The first request pays a quarter more for it, those that follow a tenth or less. Prompts that are too short
            (512 to 4,096 tokens, by model) are not kept, and cost nothing more.
        sampling: whether the temperature is sent, or ``top_p`` if that is not 1. Anthropic has done away with both:
            models from Claude Opus 4.7 on refuse them. Older ones take them, in an older version of the API.
        thinking: ``adaptive``, or ``disabled`` for the models that can do without; the model's own default when left
            out. Thoughts are written tokens: they count against ``max_tokens``, and are paid for.
        effort: how much the model puts into a reply, thoughts included; the model's own default when left out.
        batch: whether requests go out as batches of Anthropic's, a whole stage at once: half the price, and replies
            within a day.
        extra_body: fields to add to each request or to put in place of ours; null takes one out. No secrets: settings
            are hashed and written out.
    """

    kind: ClassVar[str] = "anthropic"
    home: ClassVar[str] = "https://api.anthropic.com"
    path: ClassVar[str] = "/v1/messages"

    api_key_env: str | None = "ANTHROPIC_API_KEY"
    base_url: str = home
    cache: bool = True
    sampling: bool = False
    thinking: Literal["adaptive", "disabled"] | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    batch: bool = False

    def describe(self) -> dict[str, object]:
        """All that may change a reply: model, server, and the settings that are sent. Caching changes none."""
        return {
            "kind": self.kind,
            "model": self.model,
            "server": self.server,
            "sampling": self.sampling,
            "thinking": self.thinking,
            "effort": self.effort,
            "extra_body": dict(self.extra_body),
        }

    @property
    def reasons(self) -> bool:
        """Whether it thinks before it answers: ``thinking``, or what its name says. From generation 5 on they do."""
        if self.thinking is not None:
            return self.thinking == "adaptive"
        return _THINKS.match(self.model.lower()) is not None

    @property
    def headers(self) -> dict[str, str]:
        """The version of the API that takes a temperature, where one is sent."""
        return {"anthropic-version": SAMPLING_VERSION} if self.sampling else {}

    def provider_batches(self) -> BatchApi | None:
        """Anthropic's Message Batches, when ``batch`` is set."""
        return AnthropicBatches(self) if self.batch else None

    def body_of(self, request: Request) -> dict[str, Any]:
        """The JSON body of the request, as it is sent alone or in a batch.

        Raises:
            ModelRejected: it holds nothing but system messages.
        """
        if all(message.role == "system" for message in request.messages):
            raise ModelRejected(f"{self.who} needs a message of the user: there are only system messages")
        ours: dict[str, Any] = {}
        if self.thinking is not None:
            ours["thinking"] = {"type": self.thinking}
        if self.effort is not None:
            ours["output_config"] = {"effort": self.effort}
        return messages_format.body_of(
            self.model, request, {**ours, **self.extra_body}, cache=self.cache, sampling=self.sampling
        )

    def reply_in(self, data: Mapping[str, Any], request: Request | None) -> Reply:
        """The checked reply in a body of status 200; see ``messages_format.reply_in``."""
        return messages_format.reply_in(data, self.model, request, self.who, answers_as=self.answers_as)

    def error_of(
        self, status: int, headers: Mapping[str, str], raw: bytes, request: Request | None
    ) -> ModelError | Reply:
        """What a body of another status means; see ``messages_format.error_of``."""
        said, _ = complaint(raw)
        advice = "`extra_body` adds, changes, removes fields"
        if _SAMPLING.search(said) and self.sampling:
            advice = "set `sampling: false`: this model takes no temperature"
        elif "thinking" in said or "effort" in said:
            advice = "set `thinking` and `effort` to what this model takes, or leave them out"
        return messages_format.error_of(
            status, headers, raw, self.who, self.api_key_env, request=request, advice=advice
        )

    def _connected(self, sdk: ModuleType, **settings: Any) -> Any:
        return sdk.AsyncAnthropic(**settings)
