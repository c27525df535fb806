"""What all trainers that follow a gradient are set by: how far a step goes, how many there are, and what moves."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from solon.errors import MissingExtra, RecipeError
from solon.trainers import backends
from solon.trainers.backends import Backend, Choice, known_encoder_decoder
from solon.trainers.base import Lora, Policy, Trainer
from solon.trainers.fitting import TooLong
from solon.trainers.several import Place

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


TAKE_ENCODER_DECODERS = ("sft", "ppo")
"""The kinds of trainers here that take an encoder-decoder."""


class GradientTrainer(Trainer):
    """Base of trainers that take steps of AdamW on a policy, all of its weights or adapters.

    A subclass says in ``usual_rates`` what suits models of billions of parameters: for all weights, and for adapters.
    """

    usual_rates: ClassVar[tuple[float, float]] = (1e-6, 5e-6)
    encoder_decoders: ClassVar[bool] = False
    """Whether it trains encoder-decoders, such as T5, as well as causal language models."""

    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Highest learning rate of AdamW; by default what is usual for models of billions of parameters, "
        "less for all weights than for adapters. Models far below a billion want more.",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="How the learning rate falls after the warm-up, to 0 at the end or not at all."
    )
    warmup_ratio: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises from 0."
    )
    epochs: PositiveInt = Field(default=1, description="How often each row is seen.")
    max_steps: PositiveInt | None = Field(
        default=None, description="Optimizer steps to stop after, in place of `epochs`."
    )
    batch_size: PositiveInt = Field(default=8, description="Rows in memory at once.")
    gradient_accumulation: PositiveInt = Field(
        default=4, description="Batches that make one optimizer step: a step sees `batch_size` times as many rows."
    )
    max_length: PositiveInt | None = Field(
        default=None,
        description="Longest prompt and response together, in tokens, or of an encoder-decoder the longest of each; by "
        "default the model's context.",
    )
    too_long: TooLong = Field(
        default="refuse",
        description="What becomes of rows longer than that, which are counted in any case: `refuse` ends the training "
        "before it begins, `leave_out` drops them, `cut_prompt` drops the beginning of the prompt's longest message. A "
        "response is never cut.",
    )
    lora: Lora | None = Field(default=None, description="Train low-rank adapters and leave the weights as they are.")
    save_every: PositiveInt | None = Field(
        default=None,
        description="Optimizer steps after which all that it takes to go on after a kill is written into the run "
        "directory, over what was there; by default a tenth of the training. It changes no weight.",
    )
    backend: Backend = Field(
        default="auto",
        description="What loads and trains the policy: `plain` (transformers and peft), `bitsandbytes` (the same on "
        "4-bit weights), `unsloth` (adapters, with kernels of its own), or what suits policy and machine.",
    )
    processes: PositiveInt = Field(
        default=1,
        description="Processes that take each step together, one on each GPU of this machine. They share the rows of a "
        "step, of which there are as many as with one process.",
    )
    fsdp: bool = Field(
        default=False,
        description="Divide weights, gradients and the optimizer's state among the processes (FSDP). Without it each "
        "process holds all of them (DDP).",
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.processes > 1 and "ddp" not in self.together:
            raise ValueError(f"{self.kind} trains in one process: leave `processes` out")
        if self.fsdp and "fsdp" not in self.together:
            raise ValueError(f"{self.kind} cannot divide a model among processes: leave `fsdp` out")
        if self.fsdp and self.processes == 1:
            raise ValueError("`fsdp` divides a model among processes, and there is one: set `processes` as well")
        if self.processes > 1 and self.backend == "unsloth":
            raise ValueError("unsloth trains in one process: take `backend: plain` or `bitsandbytes`")
        if uneven := self._uneven(self.processes):
            raise ValueError(uneven)
        return self

    @property
    def peak_learning_rate(self) -> float:
        """``learning_rate``, or the usual one."""
        if self.learning_rate is not None:
            return self.learning_rate
        return self.usual_rates[0] if self.lora is None else self.usual_rates[1]

    @property
    def value_lora(self) -> Lora | None:
        """The adapter of a value that is learned beside the policy, where a kind has one."""
        return None

    def steps_between_saves(self, steps: int) -> int:
        """``save_every``, or a tenth of a training of so many steps."""
        return self.save_every or max(1, steps // 10)

    def of_a_process(self, count: int) -> tuple[int, int]:
        """Rows that each of so many processes has in memory at once, and how many such batches make its part of a step.

        All of them together see ``batch_size * gradient_accumulation`` rows in a step; none holds more than
        ``batch_size`` at once.

        Raises:
            RecipeError: the rows of a step cannot be shared evenly.
        """
        if uneven := self._uneven(count):
            raise RecipeError(f"train.processes: {uneven}")
        return self._shared(count)

    def _shared(self, count: int) -> tuple[int, int]:
        each = self.batch_size * self.gradient_accumulation // count
        at_once = next(size for size in range(min(each, self.batch_size), 0, -1) if each % size == 0)
        return at_once, each // at_once

    def _uneven(self, count: int) -> str:
        rows = self.batch_size * self.gradient_accumulation
        if rows % count == 0:
            return ""
        sees = f"a step sees {rows} rows (batch_size {self.batch_size} times gradient_accumulation"
        return f"{sees} {self.gradient_accumulation}), which {count} processes cannot share evenly"

    def effects(self) -> dict[str, Any]:
        """As ``settings``, but for ``save_every``: a training that is saved more often ends with the same weights.

        Nor ``processes`` and ``fsdp`` where they say what goes without saying.
        """
        idle = {"save_every"} | ({"processes"} if self.processes == 1 else set()) | (set() if self.fsdp else {"fsdp"})
        return {name: value for name, value in super().effects().items() if name not in idle}

    def problems(self) -> list[str]:
        """The packages that training needs and this machine lacks, as one sentence with the install line."""
        missing = any(find_spec(package) is None for package in PACKAGES)
        found = [str(MissingExtra(f"trainer {self.kind!r}", "train"))] if missing else []
        gpus = len(backends.Machine.here().gpus) if self.processes > 1 else 0
        if 0 < gpus < self.processes:
            few = f"{gpus} GPU{'s' if gpus > 1 else ''}"
            found.append(f"train.processes: {self.processes} want a GPU each, and there are {few} here: set {gpus}")
        return [*found, *backends.problems(self.backend)]

    def choose_backend(self, policy: Policy) -> Choice:
        """What loads and trains the policy. To be asked before TRL, transformers or PEFT is imported: see ``chosen``.

        Raises:
            RecipeError, MissingExtra: it cannot be trained so, or not here.
        """
        self.refuse_missing()
        self.refuse_encoder_decoder(known_encoder_decoder(policy))
        backend = self.backend
        if backend == "auto" and Place.here().count > 1:  # not Unsloth, which trains in one process
            backend = "bitsandbytes" if policy.load_in_4bit else "plain"
        return backends.chosen(backend, policy, lora=self.lora is not None)

    @classmethod
    def refuse_encoder_decoder(cls, apart: bool) -> None:
        """Raises ``RecipeError`` when the policy is an encoder-decoder, and this trainer takes none."""
        if apart and not cls.encoder_decoders:
            raise RecipeError(
                f"policy.model: trainer {cls.kind!r} trains causal language models, and this is an encoder-decoder; "
                f"train it with {' or '.join(TAKE_ENCODER_DECODERS)}, or take another policy"
            )

    def refuse_missing(self) -> None:
        """Raises ``MissingExtra`` when a package is not installed."""
        if any(find_spec(package) is None for package in PACKAGES):
            raise MissingExtra(f"trainer {self.kind!r}", "train")
