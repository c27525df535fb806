"""PPO's formulas on three tokens, each expected number derived by hand in its test."""

import math

import pytest

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is its own
torch = pytest.importorskip("torch")

from solon.trainers.backend.ppo import algorithm  # noqa: E402 - torch may be missing


def row(*values):
    """One response in double precision."""
    return torch.tensor([values], dtype=torch.float64)


ALL = torch.tensor([[True, True, True]])
TWO = torch.tensor([[True, True, False]])


def test_each_token_pays_its_divergence_and_the_last_one_earns_the_score():
    """k1 = log p - log q = 0.5, -1, 0.25; times -0.1 that is -0.05, 0.1, -0.025; and 2 is added to the last."""
    sampled, reference = row(-1.0, -2.0, -0.5), row(-1.5, -1.0, -0.75)
    rewards = algorithm.token_rewards(torch.tensor([2.0]), sampled, reference, ALL, coefficient=0.1)
    assert rewards.tolist()[0] == pytest.approx([-0.05, 0.1, 1.975])


def test_the_score_falls_on_the_last_token_that_counts():
    """Of a response of two tokens that is the second; what fills the row up earns nothing."""
    sampled, reference = row(-1.0, -2.0, 9.0), row(-1.5, -1.0, 5.0)
    rewards = algorithm.token_rewards(torch.tensor([2.0]), sampled, reference, TWO, coefficient=0.1)
    assert rewards.tolist()[0] == pytest.approx([-0.05, 2.1, 0.0])


def test_advantages_are_those_of_the_recursion():
    """With gamma 0.9, lambda 0.5, rewards 0, 0, 1, values 0.1, 0.2, 0.3.

    delta_3 = 1 - 0.3 = 0.7;  delta_2 = 0.9 * 0.3 - 0.2 = 0.07;  delta_1 = 0.9 * 0.2 - 0.1 = 0.08.
    A_3 = 0.7;  A_2 = 0.07 + 0.45 * 0.7 = 0.385;  A_1 = 0.08 + 0.45 * 0.385 = 0.25325.
    """
    advantages = algorithm.advantages_of(row(0, 0, 1), row(0.1, 0.2, 0.3), ALL, gamma=0.9, lam=0.5)
    assert advantages.tolist()[0] == pytest.approx([0.25325, 0.385, 0.7])


def test_with_gamma_and_lambda_one_the_return_is_the_sum_of_what_follows():
    """A + V = 1 + 2 + 3, 2 + 3, 3, whatever the values are."""
    values = row(0.4, -7.0, 2.0)
    advantages = algorithm.advantages_of(row(1, 2, 3), values, ALL, gamma=1.0, lam=1.0)
    assert (advantages + values).tolist()[0] == pytest.approx([6, 5, 3])


def test_nothing_behind_the_end_reaches_an_advantage():
    """A response of two tokens has the advantages of the same one without filling: A_2 = 1 - 0.2, A_1 = 0.1 + 0.8."""
    advantages = algorithm.advantages_of(row(0, 1, 50), row(0.1, 0.2, 80), TWO, gamma=1.0, lam=1.0)
    assert advantages.tolist()[0] == pytest.approx([0.9, 0.8, 0.0])


def test_whitening_sees_only_the_tokens_that_count():
    """1 and 3 have mean 2 and variance 1, so they become -1 and 1; the 1000 behind the end is 0 and moves nothing."""
    white = algorithm.whiten(row(1, 3, 1000), TWO)
    assert white.tolist()[0] == pytest.approx([-1, 1, 0], abs=1e-7)


def test_the_policy_loss_is_clipped_on_the_side_that_would_gain():
    """Ratios 1.5, 0.5, 1.5 and advantages 1, -1, -1 at clip 0.2: -min(1.5, 1.2), -min(-0.5, -0.8), -min(-1.5, -1.2)."""
    now = torch.log(row(1.5, 0.5, 1.5))
    losses = algorithm.policy_losses(now, row(0, 0, 0), row(1, -1, -1), clip=0.2)
    assert losses.tolist()[0] == pytest.approx([-1.2, 0.8, 1.5])


def test_a_clipped_token_has_no_gradient_and_any_other_has():
    """At 1.5 with a gain the loss is flat; at 1.5 with a loss it is -A r, so d/d log p = 1.5; at 1.1 it is -1.1."""
    now = torch.log(row(1.5, 1.5, 1.1)).requires_grad_()
    algorithm.policy_losses(now, row(0, 0, 0), row(1, -1, 1), clip=0.2).sum().backward()
    assert now.grad.tolist()[0] == pytest.approx([0, 1.5, -1.1])


def test_the_value_loss_is_the_worse_of_the_value_and_its_clipped_self():
    """Old values 0, returns 1, clip 0.2.

    0.5 is held at 0.2: half of 0.8² = 0.32 is worse than 0.125. 0.1 is within: half of 0.9² = 0.405. -0.5 is held at
    -0.2, half of 1.2² = 0.72, and half of 1.5² = 1.125 is worse.
    """
    losses = algorithm.value_losses(row(0.5, 0.1, -0.5), row(0, 0, 0), row(1, 1, 1), clip=0.2)
    assert losses.tolist()[0] == pytest.approx([0.32, 0.405, 1.125])


def test_the_two_estimates_of_a_divergence_are_what_they_say():
    """With log p = -1, log q = -1 - log 2: k1 = log 2; r = q / p = 1/2, so k3 = 1/2 - 1 + log 2."""
    sampled, other = row(-1.0), row(-1.0 - math.log(2))
    assert float(algorithm.k1(sampled, other)) == pytest.approx(math.log(2))
    assert float(algorithm.k3(sampled, other)) == pytest.approx(math.log(2) - 0.5)


def test_explained_variance_is_one_for_the_returns_and_zero_for_a_constant():
    """Returns 1 and 3 have variance 1; values 1 and 2 leave 0 and 1, of variance 1/4; what is masked does not count."""
    returns = row(1, 3, -50)
    assert algorithm.explained_variance(returns, returns, TWO) == pytest.approx(1)
    assert algorithm.explained_variance(row(7, 7, 0), returns, TWO) == pytest.approx(0)
    assert algorithm.explained_variance(row(1, 2, 99), returns, TWO) == pytest.approx(0.75)
    assert algorithm.explained_variance(row(3, 1, 0), returns, TWO) == pytest.approx(-3)
    assert algorithm.explained_variance(row(3, 1, 0), row(2, 2, 9), TWO) == 0


def test_the_share_of_clipped_tokens_counts_those_outside():
    """Ratios 1.5 and 1.1 at clip 0.2: one of two; the third is masked."""
    assert float(algorithm.clipped_share(torch.log(row(1.5, 1.1, 9)), row(0, 0, 0), TWO, clip=0.2)) == 0.5


def test_the_price_of_a_nat_follows_its_target():
    """At twice the target e is held at 0.2: 0.1 * 1.02; at 0.9 of it e = -0.1: times 0.99; without one it stays."""
    adaptive, fixed = algorithm.KLController(0.1, target=5.0), algorithm.KLController(0.1)
    adaptive.update(10.0)
    fixed.update(10.0)
    assert (adaptive.coefficient, fixed.coefficient) == (pytest.approx(0.102), 0.1)
    adaptive.update(4.5)
    assert adaptive.coefficient == pytest.approx(0.102 * 0.99)


def test_running_moments_are_those_of_all_scores_so_far():
    """1, 3 and then 5, 7: mean 4, deviation sqrt(5); so 4 + sqrt(5) is one deviation above."""
    moments = algorithm.RunningMoments()
    assert moments.normalise(3.0) == 0.0  # nothing known yet
    moments.add([1.0, 3.0])
    assert moments.normalise(3.0) == pytest.approx(1)
    moments.add([5.0, 7.0])
    moments.add([])
    assert (moments.count, moments.mean) == (4, 4.0)
    assert moments.normalise(4 + math.sqrt(5)) == pytest.approx(1)
