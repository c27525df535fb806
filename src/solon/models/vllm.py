"""``vllm``: a model that runs in this process through vLLM's engine, on a GPU. For many requests at once.

kind: vllm
model: meta-llama/Llama-3.1-8B-Instruct
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from solon.errors import MissingExtra
from solon.models.backend.identity import content_identity
from solon.models.base import Reply, Request
from solon.models.weights import OwnWeights, has_gpu
from solon.plugins.base import located


class VLLM(OwnWeights):
    """Samples and judges with a causal language model of one's own, through vLLM. Needs the ``vllm`` extra and a GPU.

    Every request has a seed of its own, drawn from its messages, seed and attempt, as with ``transformers``. But sums
    in vLLM's kernels depend on what else is in a batch, so the same request can end in another reply.
    Log-probabilities are those at temperature 1; a choice that is not among the 20 likeliest first tokens is absent.

    Attributes:
        dtype: of the weights; ``auto`` keeps the checkpoint's.
        batch_size: requests handed to the engine at once; it decides by itself how many of them run together.
        max_context: the most tokens of prompt and reply together; ``None`` takes the model's own limit, for whose keys
            and values the GPU may have no room.
        gpu_memory: the share of the GPU's memory that the engine takes for itself.
        gpus: on how many GPUs the weights are spread.
    """

    kind: ClassVar[str] = "vllm"

    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    batch_size: PositiveInt = 4096
    max_context: PositiveInt | None = None
    gpu_memory: float = Field(default=0.9, gt=0, le=1)
    gpus: PositiveInt = 1

    @property
    def requests_in_a_batch(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def problems(self) -> list[str]:
        """What a model or adapter folder lacks; a GPU or a package that is not there."""
        found = super().problems()
        if not has_gpu():
            found.append("the model kind 'vllm' needs an NVIDIA GPU, and there is none here: use `transformers`")
        if find_spec("vllm") is None:
            found.append(str(_missing()))
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
            "dtype": self.dtype,
        }

    async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
        """Answers all of them, in their order.

        Raises:
            PromptTooLong: some do not fit into the context; nothing was computed, and ``places`` says which.
            ModelRejected: the model cannot answer such a request, or this machine cannot run it.
            MissingExtra: vllm is not installed.
        """
        engine = _engine()

        def work() -> list[Reply]:
            kept = engine.kept(
                model=located(self.model),
                adapter=None if self.adapter is None else located(self.adapter),
                dtype=self.dtype,
                max_context=self.max_context,
                gpu_memory=self.gpu_memory,
                gpus=self.gpus,
            )
            replies: list[Reply] = engine.answer(kept, requests, name=self.name)
            return replies

        return await asyncio.wrap_future(engine.in_worker(work))


def _missing() -> MissingExtra:
    return MissingExtra("the model kind 'vllm'", "vllm")


def _engine() -> ModuleType:
    if find_spec("vllm") is None:
        raise _missing()
    try:
        from solon.models.backend import vllm_engine
    except ImportError as error:
        raise _missing() from error
    return vllm_engine
