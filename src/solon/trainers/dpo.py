"""Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290), run by TRL.

With log-ratios ``r = log policy(response | prompt) - log reference(response | prompt)``, summed over the tokens of the
response, and ``d = r(chosen) - r(rejected)``:

- ``sigmoid``: ``-log sigmoid(beta * d)``.
- ``ipo``: ``(d' - 1 / (2 * beta))²`` (Azar et al. 2023, arXiv:2310.12036, equation 17), where ``d'`` takes each
  log-ratio as the mean over its response's tokens.
- plus ``sft_weight`` times the mean negative log-likelihood of the tokens of the batch's chosen responses, after RPO
  (Pang et al. 2024, arXiv:2404.19733).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from solon.data.records import Checkpoint, Preference, Record
from solon.errors import MissingExtra
from solon.trainers.base import Job, Lora, Trainer

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


class DPO(Trainer):
    """Makes the chosen response likelier than the rejected one, relative to the untrained policy."""

    kind: ClassVar[str] = "dpo"
    consumes: ClassVar[type[Record]] = Preference

    loss: Literal["sigmoid", "ipo"] = Field(
        default="sigmoid",
        description="`sigmoid` is DPO; `ipo` aims at a margin instead of an ever larger one, for noise-free labels.",
    )
    beta: float = Field(
        default=0.1,
        gt=0,
        allow_inf_nan=False,
        description="How dear it is to leave the reference: larger stays nearer. Under `ipo` the margin aimed at is "
        "1 / (2 beta) nats a token.",
    )
    sft_weight: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the likelihood of the chosen responses, which keeps them from becoming unlikely "
        "together with the rejected ones; 0 leaves it out.",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Highest learning rate of AdamW; by default 1e-6 for all weights and 5e-6 for adapters. Models far "
        "below a billion parameters want more.",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="How the learning rate falls after the warm-up, to 0 at the end or not at all."
    )
    warmup_ratio: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises from 0."
    )
    epochs: PositiveInt = Field(default=1, description="How often each pair is seen.")
    max_steps: PositiveInt | None = Field(
        default=None, description="Optimizer steps to stop after, in place of `epochs`."
    )
    batch_size: PositiveInt = Field(default=8, description="Pairs in memory at once.")
    gradient_accumulation: PositiveInt = Field(
        default=4, description="Batches that make one optimizer step: a step sees `batch_size` times as many pairs."
    )
    max_length: PositiveInt | None = Field(
        default=None,
        description="Longest prompt and response together, in tokens; by default the model's context. Longer rows are "
        "refused with their count, never cut.",
    )
    lora: Lora | None = Field(default=None, description="Train low-rank adapters and leave the weights as they are.")
    precompute_reference: bool = Field(
        default=True,
        description="Ask the reference once, before training: no second model in memory, faster from the second epoch. "
        "`false` asks it at every step.",
    )

    @property
    def peak_learning_rate(self) -> float:
        """``learning_rate``, or TRL's: 1e-6 for all weights (``DPOConfig``'s default), 5e-6 for LoRA (its script)."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 1e-6 if self.lora is None else 5e-6

    def problems(self) -> list[str]:
        """The packages that training needs and this machine lacks, as one sentence with the install line."""
        missing = any(find_spec(package) is None for package in PACKAGES)
        return [str(MissingExtra("trainer 'dpo'", "train"))] if missing else []

    def train(self, job: Job) -> Checkpoint:
        """Trains on ``job.dataset`` and writes model or adapter, tokenizer and model card into ``job.out``.

        Raises:
            DataError: the dataset holds no preferences, none at all, or rows longer than the model can read.
            RecipeError: the policy cannot be trained as the settings ask.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        if self.problems():
            raise MissingExtra("trainer 'dpo'", "train")
        from solon.trainers.backend.preference import train_dpo

        return train_dpo(self, job)
