"""TRL's trainers without batch x time x vocabulary scores.

TRL 1.14 makes the scores of prompts and padding too, keeps them in float32 for the gradient, and can do without only
where Liger's kernels are installed. SFT is not among those: its loss goes through the scores in pieces by itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from trl.models.utils import _ForwardRedirection

from solon.errors import RecipeError
from solon.trainers.backend.divided import within
from solon.trainers.backend.scores import likelihoods_of_rows, scores_of


class _FewScores:
    """What both have: whether it can be done so."""

    accelerator: Any
    _few: bool | None = None

    def _few_scores(self, network: Any) -> bool:
        """Not where the model does something to its scores that is not known here, or learns to balance its experts.

        Found out once; TRL's own way is left in place then.
        """
        if self._few is None:
            bare = _bare(network)
            training = bare.training
            bare.eval()  # dropout would make two scores of one token, and take random numbers
            try:
                scores_of(bare)
                self._few = not getattr(self, "aux_loss_enabled", False)
            except RecipeError:
                self._few = False
            finally:
                bare.train(training)
        return self._few

    def _likelihoods(
        self, network: Any, input_ids: Tensor, seen: Tensor, mask: Tensor, *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        def read() -> tuple[Tensor, Tensor]:
            with self.accelerator.autocast():
                return likelihoods_of_rows(_bare(network), input_ids, seen, mask, temperature=temperature)

        return within(network, read)


class FewScoresOffline(_FewScores):
    """To be put before TRL's DPO and KTO trainers.

    The way that TRL has for Liger is taken, with log-probabilities from here in place of its own.
    """

    model: Any

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        """As TRL's, which asks the reference about all rows before it trains."""
        self._switch()
        return super().compute_ref_log_probs(model, inputs)  # type: ignore[misc]

    def compute_loss(self, *args: Any, **options: Any) -> Any:
        """As TRL's."""
        self._switch()
        return super().compute_loss(*args, **options)  # type: ignore[misc]

    def before_it_is_divided(self) -> None:
        """Finds out how it is done, of which the whole model is asked."""
        self._switch()

    def _switch(self) -> None:
        # not before TRL's __init__ has ended, which would ask for Liger's kernels
        if self._few is None and self._few_scores(self.accelerator.unwrap_model(self.model)):
            self.use_liger_kernel = True
            self._forward_redirection = _ForwardRedirection()

    def _get_per_token_logps_and_entropies(
        self, model: Any, model_kwargs: dict[str, Any], input_ids: Tensor, completion_mask: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        network = self.accelerator.unwrap_model(model)
        log_probs, entropies = self._likelihoods(network, input_ids, model_kwargs["attention_mask"], completion_mask)
        return log_probs[:, 1:], entropies[:, 1:], None


class FewScoresOnline(_FewScores):
    """To be put before TRL's GRPO and RLOO trainers."""

    temperature: float
    model: Any

    def before_it_is_divided(self) -> None:
        """Finds out how it is done, of which the whole model is asked."""
        self._few_scores(self.accelerator.unwrap_model(self.model))

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **more: Any,
    ) -> tuple[Tensor, Tensor | None, Any]:
        network = self.accelerator.unwrap_model(model)
        if not self._few_scores(network):
            return super()._get_per_token_logps_and_entropies(  # type: ignore[misc,no-any-return]
                model, input_ids, attention_mask, logits_to_keep, batch_size=batch_size, **more
            )
        given = (network, input_ids, attention_mask, logits_to_keep, batch_size)
        if model is network:
            return self._of_completions(*given)
        # what wraps the network, to add gradients up say, has to see the forward pass
        return _ForwardRedirection()(model, network, self._of_completions, *given)  # type: ignore[no-any-return]

    def _of_completions(
        self, network: Any, input_ids: Tensor, seen: Tensor, length: int, batch_size: int | None
    ) -> tuple[Tensor, Tensor, None]:
        """``batch_size`` rows at a time, as TRL asks where it needs no gradient."""
        mask = seen.clone()
        mask[:, :-length] = 0
        at_once = batch_size or len(input_ids)
        found = [
            self._likelihoods(network, *batch, temperature=self.temperature)
            for batch in zip(input_ids.split(at_once), seen.split(at_once), mask.split(at_once), strict=True)
        ]
        log_probs, entropies = (torch.cat(values)[:, -length:] for values in zip(*found, strict=True))
        return log_probs, entropies, None


def _bare(model: Any) -> Any:
    """The causal language model itself, without PEFT around it."""
    return model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model
