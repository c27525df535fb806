"""PPO's settings: what they refuse, and what they are when nothing is said."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from solon.plugins.registry import load
from solon.trainers.base import Lora
from solon.trainers.ppo import PPO

REWARD = {"kind": "rules", "rules": {"any": {"pattern": ".*"}}}


def test_ppo_is_found_through_its_entry_point():
    """Our trainers are registered as anyone's are."""
    assert load("solon.trainers", "ppo") is PPO


def test_importing_ppo_imports_no_torch():
    """`solon check` reads a recipe on machines without it."""
    code = "import sys, solon.trainers.ppo; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"minibatches": 0}, "minibatches"),
        ({"passes": 0}, "passes"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": 0}, "temperature"),
        ({"gamma": 0}, "gamma"),
        ({"gamma": 1.1}, "gamma"),
        ({"gae_lambda": 1.1}, "gae_lambda"),
        ({"clip": 0}, "clip"),
        ({"clip": 1}, "clip"),
        ({"value_rank": 0}, "value_rank"),
        ({"value_clip": 0}, "value_clip"),
        ({"value_weight": -1}, "value_weight"),
        ({"value_learning_rate": 2}, "value_learning_rate"),
        ({"value_head_rate": 0}, "value_head_rate"),
        ({"entropy_weight": -1}, "entropy_weight"),
        ({"kl_coefficient": -1}, "kl_coefficient"),
        ({"kl_coefficient": float("inf")}, "kl_coefficient"),
        ({"kl_target": 0}, "kl_target"),
        ({"kl_stop": 0}, "kl_stop"),
        ({"missing_end_penalty": -1}, "missing_end_penalty"),
        ({"reward_clip": 0}, "reward_clip"),
        ({"max_grad_norm": 0}, "max_grad_norm"),
        ({"lora": {"dropout": 0.1}}, "lora"),
        ({"cliprange": 0.2}, "cliprange"),
    ],
)
def test_a_setting_out_of_its_range_is_refused_where_it_is(settings, place):
    """A run of hours must not begin with a setting that means nothing."""
    with pytest.raises(ValidationError) as caught:
        PPO(reward=REWARD, **settings)
    assert [error["loc"][0] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"value_weight": 0.5}, "value_weight is for a value on the policy's states, .*: set `value_rank: null`, or"),
        ({"value_rank": None, "value_learning_rate": 1e-3}, "value_learning_rate is that of the value's own adapter"),
    ],
    ids=["weight", "rate"],
)
def test_a_setting_that_would_do_nothing_is_refused(settings, said):
    """Whoever tunes it would see no effect, and not why."""
    with pytest.raises(ValidationError, match=said):
        PPO(reward=REWARD, **settings)


@pytest.mark.parametrize(
    "settings",
    [{}, {"value_rank": None, "value_weight": 0.5}, {"value_learning_rate": 1e-3}],
    ids=["none", "weight", "rate"],
)
def test_what_a_training_process_is_sent_is_not_refused(settings):
    """All settings, as they were or by default."""
    sent = PPO(reward=REWARD, **settings).settings()
    assert PPO.model_validate({name: value for name, value in sent.items() if name != "kind"}).settings() == sent


def test_a_reward_must_be_named():
    """Without one there is nothing to learn from."""
    with pytest.raises(ValidationError, match="reward"):
        PPO()


def test_the_defaults_are_those_of_the_papers():
    """Huang et al. 2024, arXiv:2403.17031, section 7."""
    ppo = PPO(reward=REWARD)
    assert (ppo.gamma, ppo.gae_lambda, ppo.clip, ppo.value_clip, ppo.value_weight) == (1.0, 0.95, 0.2, 0.2, 0.1)
    assert (ppo.kl_coefficient, ppo.passes, ppo.minibatches, ppo.schedule) == (0.05, 4, 1, "linear")
    assert (ppo.peak_learning_rate, PPO(reward=REWARD, lora=Lora()).peak_learning_rate) == (3e-6, 3e-5)


def test_a_round_answers_what_its_optimizer_steps_go_through():
    """16 in memory, 4 of those to a step, 3 steps."""
    assert PPO(reward=REWARD).rollouts == 64
    assert PPO(reward=REWARD, minibatches=3).rollouts == 192


def test_a_plan_counts_every_completion_of_every_round():
    """100 prompts twice are 200, which 64 a round answer in 4 rounds of 64; or as many rounds as are said."""
    assert PPO(reward=REWARD, epochs=2).completions_of(100) == (1, 256)
    assert PPO(reward=REWARD, max_steps=5).completions_of(100) == (1, 320)


def test_every_setting_says_what_it_means():
    """Descriptions become the documentation of the JSON Schema that editors show."""
    described = {name: bool(field.description) for name, field in PPO.model_fields.items()}
    assert described == dict.fromkeys(described, True)


def test_the_value_learns_five_times_as_fast_as_the_policy():
    """Unless it is said otherwise; where all weights are the policy's, as an adapter usually learns: 5 x 3e-5."""
    assert PPO(reward=REWARD, lora=Lora(), learning_rate=1e-3).peak_value_rate == pytest.approx(5e-3)
    assert PPO(reward=REWARD, learning_rate=1e-6).peak_value_rate == pytest.approx(1.5e-4)
    assert PPO(reward=REWARD, lora=Lora(), learning_rate=0.5).peak_value_rate == 1.0
    assert PPO(reward=REWARD, value_learning_rate=1e-3).peak_value_rate == 1e-3


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({}, Lora(r=8, alpha=16)),
        ({"lora": {"r": 32, "alpha": 32, "target_modules": ["q", "v"]}}, Lora(r=8, alpha=8, target_modules=("q", "v"))),
        ({"lora": {"r": 16, "alpha": 1}, "value_rank": 4}, Lora(r=4, alpha=1)),
        ({"value_rank": None}, None),
    ],
    ids=["all weights", "some modules", "weak", "on the policy's states"],
)
def test_the_values_adapter_is_where_the_policys_is_and_as_strong(settings, value):
    """Alpha over r is the policy's: 32 / 32 is 8 / 8; it is at least 1, as a rank of 4 at 1 / 16 would be 1 / 4."""
    assert PPO(reward=REWARD, **settings).value_lora == value
