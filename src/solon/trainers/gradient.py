"""What all trainers that follow a gradient are set by: how far a step goes, how many there are, and what moves."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from solon.errors import MissingExtra
from solon.trainers import backends
from solon.trainers.backends import Backend, Choice
from solon.trainers.base import Lora, Policy, Trainer

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


class GradientTrainer(Trainer):
    """Base of trainers that take steps of AdamW on a policy, all of its weights or adapters.

    A subclass says in ``usual_rates`` what suits models of billions of parameters: for all weights, and for adapters.
    """

    usual_rates: ClassVar[tuple[float, float]] = (1e-6, 5e-6)

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
        description="Longest prompt and response together, in tokens; by default the model's context. Longer rows are "
        "refused with their count, never cut.",
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

    @property
    def peak_learning_rate(self) -> float:
        """``learning_rate``, or the usual one."""
        if self.learning_rate is not None:
            return self.learning_rate
        return self.usual_rates[0] if self.lora is None else self.usual_rates[1]

    def steps_between_saves(self, steps: int) -> int:
        """``save_every``, or a tenth of a training of so many steps."""
        return self.save_every or max(1, steps // 10)

    def effects(self) -> dict[str, Any]:
        """As ``settings``, but for ``save_every``: a training that is saved more often ends with the same weights."""
        return {name: value for name, value in super().effects().items() if name != "save_every"}

    def problems(self) -> list[str]:
        """The packages that training needs and this machine lacks, as one sentence with the install line."""
        missing = any(find_spec(package) is None for package in PACKAGES)
        found = [str(MissingExtra(f"trainer {self.kind!r}", "train"))] if missing else []
        return [*found, *backends.problems(self.backend)]

    def choose_backend(self, policy: Policy) -> Choice:
        """What loads and trains the policy. To be asked before TRL, transformers or PEFT is imported: see ``chosen``.

        Raises:
            RecipeError, MissingExtra: it cannot be trained so, or not here.
        """
        self.refuse_missing()
        return backends.chosen(self.backend, policy, lora=self.lora is not None)

    def refuse_missing(self) -> None:
        """Raises ``MissingExtra`` when a package is not installed."""
        if any(find_spec(package) is None for package in PACKAGES):
            raise MissingExtra(f"trainer {self.kind!r}", "train")
