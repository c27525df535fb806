"""``openai``: OpenAI's models, through OpenAI's own SDK.

kind: openai
model: gpt-6-luna
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, Literal

from solon.errors import ModelError
from solon.models import chat_completions
from solon.models.base import Reply, Request
from solon.models.batch import BatchApi
from solon.models.openai_batches import OpenAIBatches
from solon.models.sdk import SdkModel
from solon.models.wire import complaint

_REASONS = re.compile(r"o\d|gpt-([5-9]|\d\d)")
_TALKS = re.compile(r"gpt-5(\.\d+)?-chat|gpt-.*-(search|audio)")
_SAMPLING = re.compile(r"\b(temperature|top_p|logprobs|seed)\b")
_BREAKPOINTS = re.compile(r"gpt-(5\.([6-9]|\d\d)|[6-9]|\d\d)(?!\d)")
_EXPLICIT = {"mode": "explicit"}


class OpenAI(SdkModel):
    """A chat model of OpenAI, or of a server that speaks its API. Needs the ``openai`` extra.

    ``endpoint`` is faster and needs no extra; this one follows OpenAI's newer fields. A request's ``seed`` is passed
    on, and holds as well as OpenAI makes it hold.

    Attributes:
        api_key_env: the *name* of the environment variable that holds the key; null where none is needed.
        base_url: where the API begins, if not at OpenAI: a deployment on Azure (``.../openai/v1``), a gateway. Then
            ``price`` has to be stated.
        sampling: whether temperature, top_p, seed and log-probabilities are sent. Models that reason refuse them, so it
            follows from the model's name when left out: the o series, and gpt-5 and later unless ``reasoning_effort``
            is ``none``, take none.
        cache: marks the system prompt, where judges have their constitution, to be kept by OpenAI for half an hour, if
            it has 1,024 tokens or more. Writing it costs a quarter more, reading it a tenth. Only for models from
            gpt-5.6 on, and at OpenAI itself: earlier ones keep beginnings unasked. Without it nothing is kept or
            charged for.
        reasoning_effort: how much the model thinks before it answers. Thoughts are written tokens: they count against
            ``max_tokens``, and are paid for. The model's own default when left out.
        batch: whether requests go out as batches of OpenAI's, a whole stage at once: half the price, and replies
            within a day.
        extra_body: fields to add to each request or to put in place of ours; null takes one out. No secrets: settings
            are hashed and written out.
    """

    kind: ClassVar[str] = "openai"
    home: ClassVar[str] = "https://api.openai.com/v1"
    path: ClassVar[str] = "/chat/completions"

    api_key_env: str | None = "OPENAI_API_KEY"
    base_url: str = home
    sampling: bool | None = None
    cache: bool = True
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    batch: bool = False

    @property
    def samples(self) -> bool:
        """Whether the model takes temperature and log-probabilities: ``sampling``, or what its name says."""
        if self.sampling is not None:
            return self.sampling
        name = self.model.lower()
        if _REASONS.match(name) is None or _TALKS.match(name):
            return True
        return self.reasoning_effort == "none"

    @property
    def reasons(self) -> bool:
        """Whether it thinks more than a little before it answers: ``reasoning_effort`` says so, or that it takes no
        temperature.
        """
        if self.reasoning_effort is None:
            return not self.samples
        return self.reasoning_effort not in ("none", "minimal")

    @property
    def takes_breakpoints(self) -> bool:
        """Whether it has to be told where the beginning ends that is to be kept: at OpenAI, from gpt-5.6 on.

        Untold, it sets a breakpoint at the latest message, which in a judge's requests is another each time: all of it
        is written into the cache, at a price, and nothing ever found there.
        """
        return self.base_url == self.home and _BREAKPOINTS.match(self.model) is not None

    def describe(self) -> dict[str, object]:
        """All that may change a reply: model, server, and the settings that are sent. Caching changes none."""
        return {
            "kind": self.kind,
            "model": self.model,
            "server": self.server,
            "sampling": self.samples,
            "reasoning_effort": self.reasoning_effort,
            "extra_body": dict(self.extra_body),
        }

    def provider_batches(self) -> BatchApi | None:
        """OpenAI's Batch API, when ``batch`` is set."""
        return OpenAIBatches(self) if self.batch else None

    def body_of(self, request: Request) -> dict[str, Any]:
        """The JSON body of the request, as it is sent alone or in a batch."""
        ours: dict[str, Any] = {
            "max_tokens": None,
            "max_completion_tokens": request.max_tokens,
            "reasoning_effort": self.reasoning_effort,
        }
        if not self.samples:
            ours |= dict.fromkeys(("temperature", "top_p", "seed", "logprobs", "top_logprobs"))
        if self.takes_breakpoints:
            ours["prompt_cache_options"] = _EXPLICIT
            if self.cache and (marked := _marked(request)) is not None:
                ours["messages"] = marked
        return chat_completions.body_of(self.model, request, {**ours, **self.extra_body})

    def reply_in(self, data: Mapping[str, Any], request: Request | None) -> Reply:
        """The checked reply in a body of status 200; see ``chat_completions.reply_in``."""
        return chat_completions.reply_in(data, self.model, request, self.who, answers_as=self.answers_as)

    def error_of(
        self, status: int, headers: Mapping[str, str], raw: bytes, request: Request | None
    ) -> ModelError | Reply:
        """What a body of another status means; see ``chat_completions.error_of``."""
        said, _ = complaint(raw)
        advice = "`extra_body` adds, changes, removes fields"
        if _SAMPLING.search(said) and self.samples:
            advice = "set `sampling: false`, as for every model that reasons"
        elif "reasoning_effort" in said:
            advice = "set another `reasoning_effort`, or none"
        return chat_completions.error_of(
            status, headers, raw, self.who, self.api_key_env, request=request, advice=advice
        )

    def _connected(self, sdk: ModuleType, **settings: Any) -> Any:
        client = sdk.AsyncOpenAI(**settings)
        if self.base_url != self.home:
            # of OPENAI_ORG_ID and OPENAI_PROJECT_ID: whose account at OpenAI pays is nobody else's business
            client.organization = client.project = None
        return client


def _marked(request: Request) -> list[dict[str, Any]] | None:
    """The messages with a breakpoint at the end of the last system message in front; ``None`` where there is none."""
    messages: list[dict[str, Any]] = [
        {"role": message.role, "content": message.content} for message in request.messages
    ]
    place = next((place for place, one in enumerate(messages) if one["role"] != "system"), len(messages)) - 1
    if place < 0:
        return None
    text = messages[place]["content"]
    messages[place]["content"] = [{"type": "text", "text": text, "prompt_cache_breakpoint": _EXPLICIT}]
    return messages
