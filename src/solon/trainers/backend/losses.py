"""Losses over preferences that need no reference policy, and the log-probabilities that they are made of.

Every loss takes numbers a pair, of shape (pairs,), in nats, and gives numbers a pair: their mean is what is minimised.
A response's mean log-probability is that over its tokens, its end token among them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sums_of_rows(logps: Tensor, rows: Tensor, *, count: int) -> Tensor:
    """The log-probability of each row's tokens together, shape (count,).

    Args:
        logps: shape (tokens,).
        rows: to which row each token belongs, shape (tokens,), ascending; every row has a token.
        count: how many rows there are.
    """
    # lengths and split: index_add has no deterministic form on a GPU
    lengths: list[int] = torch.bincount(rows, minlength=count).tolist()
    return torch.stack([part.sum() for part in logps.split(lengths)])


def simpo_loss(
    chosen: Tensor,
    rejected: Tensor,
    nll: Tensor | None = None,
    *,
    beta: float,
    gamma_ratio: float,
    sft_weight: float = 0.0,
) -> Tensor:
    """``-log sigmoid(beta (chosen - rejected - gamma_ratio))`` (Meng et al. 2024, arXiv:2405.14734, equation 6).

    Args:
        chosen: mean log-probability a token of the chosen responses.
        rejected: that of the rejected ones.
        nll: negative log-likelihood of the chosen responses, for the term after CPO (Xu et al. 2024, arXiv:2401.08417).
        beta: by how much the difference is scaled.
        gamma_ratio: the margin that is aimed at, in nats a token: gamma / beta of the paper.
        sft_weight: of ``nll``.
    """
    losses = -functional.logsigmoid(beta * (chosen - rejected - gamma_ratio))
    return losses if nll is None or not sft_weight else losses + sft_weight * nll


def orpo_loss(chosen: Tensor, rejected: Tensor, nll: Tensor, *, beta: float) -> Tensor:
    """``nll - beta log sigmoid(log(odds(chosen) / odds(rejected)))`` (Hong et al. 2024, arXiv:2403.07691, equation 6).

    With ``odds = p / (1 - p)`` and ``p`` the geometric mean of the probabilities of a response's tokens (equation 4).

    Args:
        chosen: mean log-probability a token of the chosen responses, at most 0.
        rejected: that of the rejected ones.
        nll: negative log-likelihood of the chosen responses.
        beta: the paper's lambda.
    """
    return nll - beta * functional.logsigmoid(log_odds(chosen) - log_odds(rejected))


def log_odds(logps: Tensor) -> Tensor:
    """``log(p / (1 - p))`` of log-probabilities; finite, with its gradient, where rounding makes ``p`` 1."""
    below_one = logps.clamp(max=-torch.finfo(logps.dtype).eps)
    return below_one - torch.log(-torch.expm1(below_one))
