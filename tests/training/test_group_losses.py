"""The losses of GRPO and its kin and of RLOO: worked out by hand on completions of up to three tokens.

The policy is that of ``three_tokens``: after `q` it writes `a`, `b` and the end with 1/2 each, or `b` with 1/4 and then
the end with 1/2. Those are the two completions of a step; the first has the advantage 1, the second -1/2. Under the
policy that sampled them the tokens had 1/4, 1/4 and 1, and 1/8 and 1/2, so that the ratios are

    w = 2, 2, 1/2    and    2, 1.
"""

import math

import pytest

import three_tokens
from solon.trainers.grpo import GRPO
from solon.trainers.rewards import Rewarded
from solon.trainers.rloo import RLOO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch, transformers and TRL warn of is theirs
]
LOG, TWO = math.log, math.log(2)
RULES = {"kind": "rules", "rules": {"any": {"regex": "."}}}
SMALL = {"reward": RULES, "batch_size": 4, "gradient_accumulation": 1, "num_generations": 4, "max_new_tokens": 4}
ROWS = [{"prompt": "q"}] * 4
NOW = [[1 / 2, 1 / 2, 1 / 2], [1 / 4, 1 / 2]]
SAMPLED = [[1 / 4, 1 / 4, 1], [1 / 8, 1 / 2]]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """The folder of that policy."""
    return three_tokens.write_policy(tmp_path_factory.mktemp("policy"))


def given(policy, probabilities, advantages=(1.0, -0.5), *, texts=("ab", "b")):
    """The step as TRL hands it to the loss, with what the tokens were given when they were sampled."""
    import torch

    ids = three_tokens.token_ids(policy)
    rows = [[ids[letter] for letter in text] + [ids["end"]] for text in texts]
    width = max(map(len, rows))
    logs = torch.tensor([[LOG(each) for each in row] + [0.0] * (width - len(row)) for row in probabilities])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return {
        "prompt_ids": torch.full((len(rows), 1), ids["q"]),
        "prompt_mask": torch.ones(len(rows), 1, dtype=torch.long),
        "completion_ids": torch.tensor([row + [0] * (width - len(row)) for row in rows]),
        "completion_mask": mask,
        "advantages": torch.tensor(advantages),
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": logs,
        "old_logps": logs.sum(1),
    }


def loss_of(trainer, inputs):
    """What is minimised at a step of one batch."""
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1  # as the training loop of transformers sets it
    return trainer._compute_loss(trainer.model, inputs).item()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"loss": "grpo"}, -13 / 120, id="grpo"),
        pytest.param({"loss": "dapo"}, -1.4 / 5, id="dapo"),
        pytest.param({"loss": "dr_grpo"}, -1.4 / 8, id="dr_grpo"),
        pytest.param({"loss": "gspo", "epsilon": 0.2}, (-1.2 + math.sqrt(2) / 2) / 2, id="gspo"),
        pytest.param({"loss": "gspo"}, (-1.0003 + math.sqrt(2) / 2) / 2, id="gspo-3e-4"),
        pytest.param({"loss": "dapo", "epsilon_high": 0.5}, -2 / 5, id="clip-higher"),
    ],
)
def test_the_losses_of_grpo(settings, expected, policy, tmp_path):
    """A token's loss is -min(w A, clip(w, 0.8, 1.2) A): -1.2, -1.2 and -0.5, in all -2.9; and 1 and 0.5, in all 1.5.

    - grpo: the mean of the completions' means, (-2.9 / 3 + 1.5 / 2) / 2 = -13/120.
    - dapo: over the five tokens, -1.4 / 5.
    - dr_grpo: over two completions of max_new_tokens 4, -1.4 / 8.
    - gspo: the ratios of the completions are (2 * 2 / 2)^(1/3) = 1.26, clipped to 1.2, and 2^(1/2), not clipped since
      its advantage is negative: (-1.2 + sqrt(2) / 2) / 2; with its own epsilon of 3e-4 the first is 1.0003.
    - with epsilon_high 0.5 the first two tokens count 1.5 each: -3.5 + 1.5 = -2, over five tokens.
    """
    trainer = three_tokens.trainer_of(GRPO(**SMALL, **settings), policy, ROWS, tmp_path)
    assert loss_of(trainer, given(policy, SAMPLED)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("grpo", -13 / 120 + 0.0375), ("dapo", -1.4 / 5 + 0.1 * (0.75 + 1.5 * TWO) / 5)],
)
def test_the_kl_term_of_grpo(loss, expected, policy, tmp_path):
    """The reference gives the first completion's tokens half of what the policy gives, the second one's twice that.

    With d = log reference - log policy = -log 2 and log 2, e^d - d - 1 is log 2 - 1/2 and 1 - log 2. Times the ratios,
    whose means are 1.5 in both, and beta, the mean of both is 0.1 * 1.5 * 1/4; over five tokens it is
    0.1 * (4.5 (log 2 - 1/2) + 3 (1 - log 2)) / 5.
    """
    trainer = three_tokens.trainer_of(GRPO(**SMALL, loss=loss, beta=0.1), policy, ROWS, tmp_path)
    inputs = given(policy, SAMPLED)
    reference = [[each / 2 for each in NOW[0]], [each * 2 for each in NOW[1]]]
    inputs["ref_per_token_logps"] = given(policy, reference)["old_per_token_logps"]
    assert loss_of(trainer, inputs) == pytest.approx(expected, abs=1e-6)


def test_likelihoods_are_taken_at_the_temperature_of_sampling(policy, tmp_path):
    """At 2 the probabilities 1/2, 1/4 and 1/4 become as their roots: 1/2 becomes sqrt(1/2) / (sqrt(1/2) + 1), which is
    sqrt(2) - 1. Sampled so, all ratios are 1 and the loss is -1; at temperature 1 they would be 1.21, clipped to 1.2.
    """
    trainer = three_tokens.trainer_of(GRPO(**SMALL, loss="grpo", temperature=2.0), policy, ROWS, tmp_path)
    inputs = given(policy, [[math.sqrt(2) - 1] * 3], [1.0], texts=["ab"])
    assert loss_of(trainer, inputs) == pytest.approx(-1, abs=1e-5)


def test_the_loss_of_rloo(policy, tmp_path):
    """The ratios of the completions are 2 * 2 / 2 = 2, clipped to 1.2, and 2, not clipped: (-1.2 + 2 / 2) / 2."""
    trainer = three_tokens.trainer_of(RLOO(**SMALL, beta=0), policy, ROWS, tmp_path)
    assert loss_of(trainer, given(policy, SAMPLED)) == pytest.approx(-0.1, abs=1e-6)


def rewarded(numbers):
    """Gives the completions of a step these rewards, in their order."""
    return lambda prompts, completions: Rewarded.of({"given": numbers[: len(completions)]}, {"given": 1.0})


@pytest.mark.parametrize(
    ("settings", "rewards", "expected"),
    [
        pytest.param(GRPO(**SMALL), [0.0, 0.0, 0.0, 4.0], [-0.5, -0.5, -0.5, 1.5], id="grpo"),
        pytest.param(GRPO(**SMALL, loss="dr_grpo"), [0.0, 0.0, 0.0, 4.0], [-1.0, -1.0, -1.0, 3.0], id="dr_grpo"),
        pytest.param(GRPO(**SMALL), [None, 1.0, 2.0, 3.0], [0.0, -1.0, 0.0, 1.0], id="grpo-missing"),
        pytest.param(RLOO(**SMALL, beta=0), [0.0, 0.0, 0.0, 4.0], [-4 / 3, -4 / 3, -4 / 3, 4.0], id="rloo"),
        pytest.param(RLOO(**SMALL, beta=0), [None, 0.0, 0.0, 3.0], [0.0, -1.5, -1.5, 3.0], id="rloo-missing"),
    ],
)
def test_the_advantages_of_a_group(settings, rewards, expected, policy, tmp_path):
    """Rewards 0, 0, 0 and 4 have the mean 1 and the deviation sqrt((1 + 1 + 1 + 9) / 3) = 2.

    - grpo: less the mean, over the deviation. dr_grpo: less the mean.
    - rloo: less the mean of the others, 4/3 for those that earned 0.
    - one that is missing leaves its group: 1, 2 and 3 have the mean 2 and the deviation 1; 0, 0 and 3 less the mean of
      the two others.
    """
    trainer = three_tokens.trainer_of(settings, policy, ROWS, tmp_path, score=rewarded(rewards))
    trainer.model.train()
    output = trainer._generate_and_score_completions(ROWS)
    assert output["advantages"].tolist() == pytest.approx(expected, abs=1e-3)


def test_rloo_takes_the_divergence_off_the_reward(policy, tmp_path):
    """The reference here writes what the policy writes, `a` half as often and `b` a quarter as often.

    A completion is therefore log 2 for every `a` and log 4 for every `b` away from it, and earns -beta times that.
    """
    import torch

    chain = {"q": {"a": 1 / 2, "b": 1 / 2}, "a": {"a": 1 / 2, "b": 1 / 2}, "b": {"a": 1 / 2, "b": 1 / 2}}
    rarer = {letter: {"a": 1 / 4, "b": 1 / 8} for letter in "qab"}
    always = three_tokens.write_policy(tmp_path / "always", chain)
    settings = RLOO(**SMALL, beta=0.5)
    trainer = three_tokens.trainer_of(settings, always, ROWS, tmp_path / "out", score=rewarded([0.0] * 4))
    other = three_tokens.prepared(settings, three_tokens.write_policy(tmp_path / "rarer", rarer), ROWS, tmp_path)
    trainer.ref_model = other.loaded.model
    torch.manual_seed(0)
    trainer.model.train()
    output = trainer._generate_and_score_completions(ROWS)
    ids = three_tokens.token_ids(always)
    costs = [row.count(ids["a"]) * TWO + row.count(ids["b"]) * 2 * TWO for row in output["completion_ids"].tolist()]
    earned = [-0.5 * cost for cost in costs]
    expected = [one - (sum(earned) - one) / 3 for one in earned]
    assert len(set(costs)) > 1
    assert output["advantages"].tolist() == pytest.approx(expected, abs=1e-4)
