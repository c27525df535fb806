"""Requests to replies on a loaded model, and the few models that stay loaded.

All work happens in one thread of its own: the event loop stays free for progress and Ctrl-C, two models never compete
for the same cores, and torch keeps one team of threads.
"""

from __future__ import annotations

import gc
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from solon.data.records import StopReason, Usage, digest
from solon.errors import DataError, ModelRejected
from solon.models.backend.choices import first_scores
from solon.models.backend.generation import Ask, Draws, Written, log_probs_of, write
from solon.models.backend.identity import content_identity
from solon.models.backend.lengths import check_lengths
from solon.models.backend.loading import Loaded, load
from solon.models.backend.scoring import log_probs
from solon.models.base import Reply, Request

__all__ = ["ONE_LOOK", "answer", "in_worker", "kept", "log_probs", "unload"]

T = TypeVar("T")

ONE_LOOK = 16
"""A request for choices with at most so many tokens is answered by one look at the first token."""

_KEPT_BYTES = 4 * 2**30  # of weight files: tiny models all stay, of large ones only the one in use

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="solon-model")
_kept: OrderedDict[str, tuple[Any, float]] = OrderedDict()


def in_worker(work: Callable[[], T]) -> Any:
    """Does ``work`` in the models' thread; a ``concurrent.futures.Future`` of its result.

    Errors of torch arrive translated: out of memory and the like are a ``ModelRejected``.
    """

    def translated() -> T:
        try:
            return work()
        except torch.cuda.OutOfMemoryError as error:
            raise ModelRejected("the GPU's memory is full: lower batch_size, or set load_in_4bit to true") from error
        except (RuntimeError, IndexError) as error:
            raise ModelRejected(f"the model failed: {str(error).strip().partition(chr(10))[0]}") from error

    return _worker.submit(translated)


def kept(*, max_context: int | None, **settings: Any) -> Loaded:
    """The model of these settings (those of ``load``), loaded now or kept from before; to be called in the models'
    thread.

    A folder whose files have changed since is another model. Raises what ``load`` raises.
    """
    key = digest({**settings, "content": [content_identity(settings["model"]), _content(settings["adapter"])]})
    loaded = held(key, settings["model"], lambda: load(**settings, merge=True))
    if settings["threads"] is not None:
        torch.set_num_threads(settings["threads"])  # the other kept model may have set another number
    if max_context is None:
        return loaded
    if loaded.context is not None and max_context > loaded.context:
        raise DataError(f"max_context is {max_context}, and {settings['model']!r} takes {loaded.context} tokens")
    return replace(loaded, context=max_context)


def held(key: str, model: str, loads: Callable[[], T]) -> T:
    """What ``loads`` loads of ``model``, or what is kept of an earlier call with this key; in the models' thread.

    What was used longest ago makes room.
    """
    if key not in _kept:
        size = _weight_bytes(model)
        while _kept and sum(kept_size for _, kept_size in _kept.values()) + size > _KEPT_BYTES:
            _kept.popitem(last=False)
            _free()
        _kept[key] = loads(), size
    _kept.move_to_end(key)
    loaded: T = _kept[key][0]
    return loaded


def unload() -> None:
    """Forgets every kept model and frees its memory, before a training for example."""

    def forget() -> None:
        _kept.clear()
        _free()

    _worker.submit(forget).result()


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _weight_bytes(model: str) -> float:
    """Of the weight files in a folder; infinite for a hub id, which is rarely small."""
    folder = Path(model).expanduser()
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) if folder.is_dir() else math.inf


def _content(adapter: str | None) -> str | None:
    return None if adapter is None else content_identity(adapter)


def answer(loaded: Loaded, requests: Sequence[Request], *, prefix_cache: bool, name: str) -> list[Reply]:
    """One reply a request, in their order.

    Raises:
        PromptTooLong: some requests do not fit; nothing was computed, and ``places`` says which.
        ModelRejected: the chat template refuses a conversation, a choice is not a single token, or scores are not
            numbers.
    """
    prompts = loaded.chat.encode([request.messages for request in requests])
    if loaded.context is not None:
        check_lengths(loaded.context, requests, prompts, apart=loaded.apart)
    asks = [
        Ask(
            tokens=prompt,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=_seed(request),
            watched=[loaded.chat.choice_id(choice) for choice in request.choices],
        )
        for request, prompt in zip(requests, prompts, strict=True)
    ]
    for request, ask in zip(requests, asks, strict=True):
        if len(set(ask.watched)) < len(set(request.choices)):
            raise ModelRejected(f"some of the choices {list(request.choices)} are the same token of this model")
    looks = [index for index, request in enumerate(requests) if request.choices and request.max_tokens <= ONE_LOOK]
    rest = sorted(set(range(len(requests))) - set(looks))
    replies: dict[int, Reply] = {}
    for index, written in zip(rest, write(loaded, [asks[index] for index in rest]), strict=True):
        replies[index] = _reply(loaded, requests[index], asks[index], written, name=name)
    if looks:
        # what an encoder makes of a beginning depends on the rest, so it cannot be kept
        keeps = prefix_cache and not loaded.apart
        beginnings = [loaded.chat.beginning(requests[index].messages) for index in looks] if keeps else None
        asked = [asks[index] for index in looks]
        scores, from_cache = first_scores(loaded, [ask.tokens for ask in asked], beginnings)
        tokens = Draws.of(asked, loaded.device).choose(scores, 0).tolist()
        for index, ask, row, token, cached in zip(looks, asked, scores, tokens, from_cache, strict=True):
            ended = token in loaded.chat.eos_ids
            # a whole choice is a whole answer; anything else was cut off after its first token
            complete = ended or token in ask.watched
            look = Written([] if ended else [token], complete, log_probs_of(row, ask.watched))
            replies[index] = _reply(loaded, requests[index], ask, look, name=name, cached=cached, one_look=True)
    return [replies[index] for index in range(len(requests))]


def _reply(
    loaded: Loaded, request: Request, ask: Ask, written: Written, *, name: str, cached: int = 0, one_look: bool = False
) -> Reply:
    text = loaded.chat.decode(written.tokens)
    stop: StopReason = "end" if written.ended else "length"
    return Reply(
        text=text.strip() if one_look else text,
        stop=stop,
        usage=Usage(
            input_tokens=len(ask.tokens),
            output_tokens=1 if one_look else len(written.tokens) + written.ended,
            cached_tokens=cached,
        ),
        model=name,
        choices=dict(zip(request.choices, written.watched, strict=True)) if request.choices else None,
    )


def _seed(request: Request) -> int:
    """What the request's random numbers hang on: what is said, its seed and its attempt, and neither model nor
    temperature.

    So prompts that share a seed do not share their luck, while two models asked the same do: their difference is then
        less noisy.
    """
    messages = [[message.role, message.content] for message in request.messages]
    return int(digest([messages, request.seed, request.attempt])[:15], 16)
