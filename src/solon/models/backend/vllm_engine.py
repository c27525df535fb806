"""Requests to replies on vLLM's engine, and the one engine that stays loaded.

Prompts are tokenised here and not by ``LLM.chat``, so that control tokens spelt out in judged text are broken as with
``transformers``, and the same conversation is the same prompt for both kinds. Written for vLLM 0.12 and later, whose
``SamplingParams`` take ``structured_outputs``.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.sampling_params import StructuredOutputsParams

from solon.data.records import StopReason, Usage, digest
from solon.errors import DataError, ModelRejected
from solon.models.backend.chat import Chat
from solon.models.backend.identity import content_identity
from solon.models.backend.lengths import check_lengths
from solon.models.base import Reply, Request

T = TypeVar("T")

TOP_LOGPROBS = 20
"""The most alternatives that the engine lists for a token, unless it is told otherwise when it starts."""

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # for which vLLM has kernels
_STOPS: dict[str | None, StopReason] = {"stop": "end", "length": "length"}

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="solon-vllm")
_kept: dict[str, Engine] = {}


@dataclass(frozen=True)
class Engine:
    """A loaded model.

    Attributes:
        llm: vLLM's engine.
        chat: its chat template and tokenizer.
        context: the most tokens of prompt and reply together.
        adapter: what to put on top of the model; ``None`` for nothing.
    """

    llm: Any
    chat: Chat
    context: int
    adapter: Any


def in_worker(work: Callable[[], T]) -> Future[T]:
    """Does ``work`` in the engine's thread, one thing at a time."""
    return _worker.submit(work)


def kept(
    *, model: str, adapter: str | None, dtype: str, max_context: int | None, gpu_memory: float, gpus: int
) -> Engine:
    """The engine of these settings, loaded now or kept from before. Another one is let go first: it holds the GPU.

    Raises:
        DataError: the adapter's configuration cannot be read.
        ModelRejected: vLLM cannot load the model here.
    """
    content = [content_identity(folder) for folder in (model, adapter) if folder is not None]
    key = digest([model, adapter, content, dtype, max_context, gpu_memory, gpus])
    if key not in _kept:
        _forget()
        lora = {} if adapter is None else {"enable_lora": True, "max_lora_rank": _rank_of(adapter)}
        try:
            llm = LLM(
                model=model,
                dtype=dtype,
                max_model_len=max_context,
                gpu_memory_utilization=gpu_memory,
                tensor_parallel_size=gpus,
                load_format="safetensors",
                trust_remote_code=False,
                seed=0,
                **lora,
            )
            tokenizer = llm.get_tokenizer()
            context = int(llm.llm_engine.model_config.max_model_len)
        # vLLM raises whatever its parts raise: ValueError, RuntimeError, OSError, torch's and CUDA's own
        except Exception as error:
            raise ModelRejected(
                f"vLLM cannot load {Path(model).name}: {_first_line(error)}. If the GPU's memory is too small, lower "
                "max_context, or set gpus or gpu_memory"
            ) from error
        request = None if adapter is None else LoRARequest("adapter", 1, adapter)
        _kept[key] = Engine(llm, Chat(tokenizer, [tokenizer.eos_token_id]), context, request)
    return _kept[key]


def unload() -> None:
    """Frees the engine's memory, before a training for example."""
    _worker.submit(_forget).result()


def answer(engine: Engine, requests: Sequence[Request], *, name: str) -> list[Reply]:
    """One reply a request, in their order.

    Raises:
        PromptTooLong: some requests do not fit; nothing was computed, and ``places`` says which.
        ModelRejected: the chat template refuses a conversation, a choice is not a single token, or the engine failed.
    """
    prompts = engine.chat.encode([request.messages for request in requests])
    check_lengths(engine.context, requests, prompts)
    asked = [_params(request) for request in requests]
    watched = [{choice: engine.chat.choice_id(choice) for choice in request.choices} for request in requests]
    try:
        outputs = engine.llm.generate(
            [{"prompt_token_ids": prompt} for prompt in prompts],
            sampling_params=asked,
            lora_request=engine.adapter,
            use_tqdm=False,
        )
    # as in ``kept``; an engine that failed once does not come back
    except Exception as error:
        _forget()
        raise ModelRejected(f"vLLM failed while {name} answered: {_first_line(error)}") from error
    return [_reply(output, choices, name) for output, choices in zip(outputs, watched, strict=True)]


def _params(request: Request) -> Any:
    schema = request.json_schema
    return SamplingParams(
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_tokens,
        seed=_seed(request) if request.temperature > 0 else None,
        logprobs=TOP_LOGPROBS if request.choices else None,
        structured_outputs=None if schema is None else StructuredOutputsParams(json=schema),
    )


def _reply(output: Any, choices: dict[str, int], name: str) -> Reply:
    written = output.outputs[0]
    stop = _STOPS.get(written.finish_reason)
    if stop is None:
        raise ModelRejected(f"vLLM ended a reply of {name} for the reason {written.finish_reason!r}")
    listed = written.logprobs[0] if choices and written.logprobs else None
    return Reply(
        text=written.text,
        stop=stop,
        usage=Usage(
            input_tokens=len(output.prompt_token_ids),
            output_tokens=len(written.token_ids),
            cached_tokens=output.num_cached_tokens or 0,
        ),
        model=name,
        choices=None
        if listed is None
        else {choice: min(listed[token].logprob, 0.0) for choice, token in choices.items() if token in listed},
    )


def _seed(request: Request) -> int:
    """What the request's random numbers hang on: what is said, its seed and its attempt; see ``serving``."""
    messages = [[message.role, message.content] for message in request.messages]
    return int(digest([messages, request.seed, request.attempt])[:15], 16)


def _rank_of(adapter: str) -> int:
    """The smallest rank that vLLM has kernels for and the adapter fits into."""
    path = Path(adapter) / "adapter_config.json"
    try:
        rank = int(json.loads(path.read_text("utf-8"))["r"])
        return next(one for one in _RANKS if one >= rank)
    except (OSError, ValueError, KeyError, TypeError, StopIteration, RecursionError) as error:
        raise DataError(f"{path}: no rank `r` of at most {_RANKS[-1]} can be read from it") from error


def _forget() -> None:
    _kept.clear()
    gc.collect()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
