"""Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290), run by TRL.

With log-ratios ``r = log policy(response | prompt) - log reference(response | prompt)``, summed over the tokens of the
response, and ``d = r(chosen) - r(rejected)``:

- ``sigmoid``: ``-log sigmoid(beta * d)``.
- ``hinge``: ``max(0, 1 - beta * d)`` (Zhao et al. 2023, arXiv:2305.10425).
- ``robust``: ``(-(1 - e) * log sigmoid(beta * d) + e * log sigmoid(-beta * d)) / (1 - 2 * e)`` with ``e`` the
  ``label_smoothing``, which in expectation is ``sigmoid`` on labels without noise (Chowdhury et al. 2024,
  arXiv:2403.00409).
- ``ipo``: ``(d' - 1 / (2 * beta))²`` (Azar et al. 2023, arXiv:2310.12036, equation 17), where ``d'`` takes each
  log-ratio as the mean over its response's tokens.
- plus ``sft_weight`` times the mean negative log-likelihood of the tokens of the batch's chosen responses, after RPO
  (Pang et al. 2024, arXiv:2404.19733).
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from solon.data.records import Checkpoint, Preference, Record
from solon.trainers.base import Job, Together
from solon.trainers.gradient import GradientTrainer


class DPOLoss(GradientTrainer):
    """Base of trainers that minimise a loss of this kind."""

    loss: Literal["sigmoid", "hinge", "robust", "ipo"] = Field(
        default="sigmoid",
        description="`sigmoid` is DPO; `hinge` leaves pairs alone whose margin is reached; `robust` reckons with wrong "
        "labels; `ipo` aims at a margin instead of an ever larger one, for noise-free labels.",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=0.5,
        description="Under `robust`, the share of labels that are thought to be the wrong way round.",
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

    @model_validator(mode="after")
    def _smoothing_is_for_robust(self) -> Self:
        if (self.loss == "robust") != (self.label_smoothing > 0):
            raise ValueError(
                "loss 'robust' needs label_smoothing, the share of labels that are wrong (0.1 is usual)"
                if self.loss == "robust"
                else f"label_smoothing changes nothing under loss {self.loss!r}: take it out, or set loss: robust"
            )
        return self


class DPO(DPOLoss):
    """Makes the chosen response likelier than the rejected one, relative to the untrained policy."""

    kind: ClassVar[str] = "dpo"
    together: ClassVar[tuple[Together, ...]] = ("ddp", "fsdp")
    consumes: ClassVar[type[Record]] = Preference

    precompute_reference: bool = Field(
        default=True,
        description="Ask the reference once, before training: no second model in memory, faster from the second epoch. "
        "`false` asks it at every step.",
    )

    def train(self, job: Job) -> Checkpoint:
        """Trains on ``job.dataset`` and writes model or adapter, tokenizer and model card into ``job.out``.

        Raises:
            DataError: the dataset holds no preferences, none at all, or rows longer than the model can read.
            RecipeError: the policy cannot be trained as the settings ask.
            TrainingError: loss, gradients or weights stopped being numbers, or memory ran out.
            MissingExtra: the packages of the ``train`` extra are not installed.
        """
        self.choose_backend(job.policy)
        from solon.trainers.backend.preference import train_dpo

        return train_dpo(self, job)
