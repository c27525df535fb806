"""What ``FaultServer`` says, and how each provider says it: OpenAI chat completions and Anthropic Messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from solon.testing.faults import Asked, Fault

OF_STATUS: Mapping[Fault, int] = {
    Fault.THROTTLED: 429,
    Fault.THROTTLED_WITH_DATE: 429,
    Fault.THROTTLED_WITH_SECONDS: 429,
    Fault.THROTTLED_WITH_MILLISECONDS: 429,
    Fault.THROTTLED_TWICE: 429,
    Fault.INTERNAL_ERROR: 500,
    Fault.OVERLOADED: 503,
    Fault.BAD_REQUEST: 400,
    Fault.UNAUTHORIZED: 401,
    Fault.FORBIDDEN: 403,
    Fault.NOT_FOUND: 404,
    Fault.QUOTA_USED_UP: 429,
    Fault.TOO_LONG: 400,
    Fault.FILTERED_PROMPT: 400,
}
"""The faults that are a status with an error in the body, and OpenAI's status for each."""


def tokens(text: str) -> int:
    """About how many tokens a text has: one for four characters of English, and one at least if it has any."""
    return -(-len(text) // 4)


class WireFormat(Protocol):
    """How one provider writes replies and errors."""

    def reply(self, asked: Asked, text: str, model: str, logprobs: Mapping[str, float] | None) -> dict[str, Any]:
        """The body of a reply of the kind that a well server gives."""
        ...

    def spoil(self, good: dict[str, Any], fault: Fault) -> None:
        """Changes a good reply into one that is none, or not a whole one, or from elsewhere."""
        ...

    def error(self, fault: Fault, asked: Asked, key: str) -> tuple[int, dict[str, Any]]:
        """Status and body of an error. ``key`` is what the request came with: some servers repeat it."""
        ...


class ChatCompletions:
    """OpenAI's, which vLLM, SGLang, Ollama, llama.cpp and many providers speak too."""

    def reply(self, asked: Asked, text: str, model: str, logprobs: Mapping[str, float] | None) -> dict[str, Any]:
        """A ``chat.completion``; tokens are counted by ``tokens``."""
        read = sum(tokens(str(message["content"])) for message in asked.body["messages"])
        written = tokens(text)
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": None,
        }
        if logprobs is not None and asked.body.get("logprobs"):
            listed = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in logprobs.items()]
            listed = listed[: int(asked.body.get("top_logprobs", 0))]
            choice["logprobs"] = {"content": [{**listed[0], "top_logprobs": listed}]}
        return {
            "id": f"chatcmpl-{asked.key}",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [choice],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }

    def spoil(self, good: dict[str, Any], fault: Fault) -> None:
        """Changes a good reply into one that is none, or not a whole one, or from elsewhere."""
        choice = good["choices"][0]
        match fault:
            case Fault.EMPTY_CHOICES:
                good["choices"] = []
            case Fault.NULL_CONTENT:
                choice["message"]["content"] = None
            case Fault.UNKNOWN_STOP:
                choice["finish_reason"] = "tool_calls"
            case Fault.HUGE:
                choice["message"]["content"] = "x" * 11_000_000
            case Fault.FILTERED:
                choice["message"]["content"], choice["finish_reason"] = None, "content_filter"
            case Fault.REFUSED:
                choice["message"] |= {"content": None, "refusal": "I cannot help with that."}
            case Fault.CUT_OFF:
                choice["finish_reason"] = "length"
            case Fault.WRONG_MODEL:
                good["model"] = "another-model"
            case Fault.NO_USAGE:
                del good["usage"]
            case Fault.ERROR_IN_REPLY:
                good["error"] = {"message": "the upstream provider failed", "code": 502}
            case _:
                raise ValueError(f"{fault} is no spoilt reply")

    def error(self, fault: Fault, asked: Asked, key: str) -> tuple[int, dict[str, Any]]:
        """``{"error": {"message", "type", "code"}}``."""
        message, code = {
            Fault.INTERNAL_ERROR: ("the server had an error", "server_error"),
            Fault.OVERLOADED: ("overloaded", "overloaded"),
            Fault.BAD_REQUEST: ("temperature is not supported", "unsupported_value"),
            Fault.UNAUTHORIZED: (f"incorrect API key provided: {key}", "invalid_api_key"),
            Fault.FORBIDDEN: ("not allowed in this region", "forbidden"),
            Fault.NOT_FOUND: (f"the model {asked.body['model']!r} does not exist", "model_not_found"),
            Fault.QUOTA_USED_UP: ("you exceeded your current quota", "insufficient_quota"),
            Fault.TOO_LONG: ("this model's maximum context length is 8 tokens", "context_length_exceeded"),
            Fault.FILTERED_PROMPT: ("the prompt triggered the content management policy", "content_filter"),
        }.get(fault, ("rate limit reached", "rate_limit_exceeded"))
        return OF_STATUS[fault], {"error": {"message": message, "type": code, "code": code}}


class Messages:
    """Anthropic's, with its prompt cache: a marked system prompt is written once and then read."""

    def __init__(self) -> None:
        self._kept: set[str] = set()

    def reply(
        self,
        asked: Asked,
        text: str,
        model: str,
        logprobs: Mapping[str, float] | None,  # noqa: ARG002 - it has none
    ) -> dict[str, Any]:
        """A ``message``; tokens are counted by ``tokens``. There are no log-probabilities."""
        system = asked.body.get("system", ())
        kept = "".join(part["text"] for part in system) if any("cache_control" in part for part in system) else ""
        known = kept in self._kept
        self._kept.add(kept)
        cached = sum(tokens(part["text"]) for part in system) if kept else 0
        everything = [*system, *({"text": message["content"]} for message in asked.body["messages"])]
        return {
            "id": f"msg_{asked.key}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": sum(tokens(str(part["text"])) for part in everything) - cached,
                "cache_creation_input_tokens": 0 if known else cached,
                "cache_read_input_tokens": cached if known else 0,
                "output_tokens": tokens(text),
            },
        }

    def spoil(self, good: dict[str, Any], fault: Fault) -> None:
        """Changes a good reply into one that is none, or not a whole one, or from elsewhere."""
        match fault:
            case Fault.EMPTY_CHOICES:
                good["content"] = []
            case Fault.NULL_CONTENT:
                good["content"] = None
            case Fault.UNKNOWN_STOP:
                good["stop_reason"] = "pause_turn"
            case Fault.HUGE:
                good["content"][0]["text"] = "x" * 11_000_000
            case Fault.FILTERED:
                good |= {
                    "content": [],
                    "stop_reason": "refusal",
                    "stop_details": {"type": "refusal", "category": "bio"},
                }
            case Fault.REFUSED:
                good["stop_reason"] = "refusal"
            case Fault.CUT_OFF:
                good["stop_reason"] = "max_tokens"
            case Fault.WRONG_MODEL:
                good["model"] = "another-model"
            case Fault.NO_USAGE:
                del good["usage"]
            case Fault.ERROR_IN_REPLY:
                good |= {"type": "error", "error": {"type": "api_error", "message": "internal server error"}}
            case _:
                raise ValueError(f"{fault} is no spoilt reply")

    def error(self, fault: Fault, asked: Asked, key: str) -> tuple[int, dict[str, Any]]:
        """``{"type": "error", "error": {"type", "message"}}``."""
        status, kind, message = {
            Fault.INTERNAL_ERROR: (500, "api_error", "internal server error"),
            Fault.OVERLOADED: (529, "overloaded_error", "overloaded"),
            Fault.BAD_REQUEST: (400, "invalid_request_error", "temperature: Extra inputs are not permitted"),
            Fault.UNAUTHORIZED: (401, "authentication_error", f"invalid x-api-key: {key}"),
            Fault.FORBIDDEN: (403, "permission_error", "not allowed in this region"),
            Fault.NOT_FOUND: (404, "not_found_error", f"model: {asked.body['model']}"),
            Fault.QUOTA_USED_UP: (400, "invalid_request_error", "your credit balance is too low to access the API"),
            Fault.TOO_LONG: (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            Fault.FILTERED_PROMPT: (400, "invalid_request_error", "output blocked by content filtering policy"),
        }.get(fault, (429, "rate_limit_error", "this request would exceed your rate limit"))
        return status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": asked.key}
