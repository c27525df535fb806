"""A language model that runs in this process, through transformers: a folder or a hub id, on a CPU or a GPU."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import PositiveInt

from solon.data.records import Message
from solon.errors import MissingExtra
from solon.models.backend.identity import content_identity
from solon.models.base import Reply, Request
from solon.models.weights import OwnWeights, has_gpu
from solon.plugins.base import located

T = TypeVar("T")


class Transformers(OwnWeights):
    """Samples and judges with a language model of one's own, decoder or encoder-decoder. Needs the ``train`` extra.

    Every request has random numbers of its own, drawn from its messages, seed and attempt: who else is in the batch
    changes nothing. A request for ``choices`` with ``max_tokens`` of at most 16 is answered by one look at the first
    token: ``text`` is that token, ``stop`` is ``end`` if it is one of the choices. Log-probabilities are those at
    temperature 1.

    Attributes:
        load_in_4bit: NF4 weights; needs a GPU.
        dtype: of the weights; ``auto`` keeps the checkpoint's on a GPU and takes float32 on a CPU.
        threads: CPU threads of torch; ``None`` leaves them. Replies are the same to the last bit only at a fixed
            number.
        batch_size: requests answered at once.
        device: ``auto`` takes the GPU if there is one.
        prefix_cache: keeps keys and values of what comes before the first user words, for requests with ``choices``.
        max_context: the most tokens of prompt and reply together, or of each for an encoder-decoder; ``None`` takes the
            model's own limit.
    """

    kind: ClassVar[str] = "transformers"

    load_in_4bit: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    threads: PositiveInt | None = None
    batch_size: PositiveInt = 64
    device: Literal["auto", "cpu", "cuda"] = "auto"
    prefix_cache: bool = True
    max_context: PositiveInt | None = None

    @property
    def requests_in_a_batch(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def problems(self) -> list[str]:
        """What a model or adapter folder lacks; packages that are not installed."""
        found = super().problems()
        if not has_gpu() and (self.load_in_4bit or self.device == "cuda"):
            found.append("load_in_4bit and device 'cuda' need an NVIDIA GPU, and there is none here: take them out")
        if any(find_spec(package) is None for package in ("torch", "transformers")):
            found.append(str(MissingExtra("a model that runs in this process", "train")))
        return found

    def describe(self) -> dict[str, object]:
        """What the weights and tokenizer hold, in place of where they lie, and what changes more than rounding.

        Raises:
            DataError: the folder holds no model.
        """
        return {
            "kind": self.kind,
            "content": content_identity(located(self.model)),
            "adapter": None if self.adapter is None else content_identity(located(self.adapter)),
            "load_in_4bit": self.load_in_4bit,
            "dtype": self.dtype,
            "sampler": 1,  # raised when the same seed comes to mean other tokens
        }

    async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
        """Answers all of them, in their order.

        Raises:
            PromptTooLong: some do not fit into the context; nothing was computed, and ``places`` says which.
            ModelRejected: the model cannot answer such a request, or this machine cannot run it.
            DataError: the model folder lacks something.
            MissingExtra: torch, transformers or peft is not installed.
        """
        serving = _serving()

        def work() -> list[Reply]:
            replies: list[Reply] = serving.answer(
                serving.kept(**self._loading()), requests, prefix_cache=self.prefix_cache, name=self.name
            )
            return replies

        replies: list[Reply] = await asyncio.wrap_future(serving.in_worker(work))
        return replies

    async def with_weights(self, work: Callable[[Any], T]) -> T:
        """What ``work`` returns for the loaded model (``solon.models.backend.loading.Loaded``), in the models' thread.

        For what is no conversation: whatever is done here, the ledger does not know of it.

        Raises:
            DataError, MissingExtra, ModelRejected: as for ``complete_batch``.
        """
        serving = _serving()
        done: T = await asyncio.wrap_future(serving.in_worker(lambda: work(serving.kept(**self._loading()))))
        return done

    def log_probs(self, pairs: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        """Log-probability of each completion given its prompt's messages, in nats, the end of the turn included.

        Raises:
            PromptTooLong: a pair does not fit into the context.
            DataError, MissingExtra, ModelRejected: as for ``complete_batch``.
        """
        serving = _serving()

        def work() -> list[float]:
            values: list[float] = serving.log_probs(serving.kept(**self._loading()), pairs, self.batch_size)
            return values

        values: list[float] = serving.in_worker(work).result()
        return values

    def _loading(self) -> dict[str, Any]:
        names = ("model", "adapter", "dtype", "load_in_4bit", "threads", "device", "max_context")
        loading = {name: getattr(self, name) for name in names}
        loading["model"] = located(self.model)
        loading["adapter"] = None if self.adapter is None else located(self.adapter)
        return loading


def unload() -> None:
    """Frees the memory of every model that this process has kept loaded: call it before a training on the same GPU."""
    for name in ("serving", "vllm_engine"):
        if (loaded := sys.modules.get(f"solon.models.backend.{name}")) is not None:  # else it holds no model
            loaded.unload()


def _serving() -> ModuleType:
    try:
        from solon.models.backend import serving
    except ImportError as error:
        raise MissingExtra("a model that runs in this process", "train") from error
    return serving
