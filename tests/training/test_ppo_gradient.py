"""PPO's gradient against a naive implementation, in double precision, for every layout of the networks."""

import pytest

import naive_ppo
from tiny_ppo import EPISODES, NETWORKS, OWN, SCORES, SMALL, actor, made, move, moving, settings

torch = pytest.importorskip("torch")

from solon.models.backend.loading import load  # noqa: E402 - torch may be missing
from solon.trainers.backend.ppo.experience import Experience  # noqa: E402
from solon.trainers.backend.ppo.update import gradients, learn, value_gradients  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # what torch and PEFT warn of is theirs
COEFFICIENT, GAMMA, LAM = 0.1, 0.99, 0.9
EXACT = {"rel": 1e-9, "abs": 1e-11}
LAYOUTS = {
    "lora, value of its own": (SMALL, OWN),
    "lora, value on the policy": (SMALL, None),
    "full, value of its own": (None, OWN),
    "full, value on the policy": (None, None),
}


@pytest.fixture(scope="module", params=NETWORKS)
def base(request, tmp_path_factory):
    """A network of random weights, of each kind."""
    return made(tmp_path_factory.mktemp("base"), request.param)


def naive_pass(learner):
    """Log-probabilities and values wherever a token was chosen, one response at a time.

    Values are of the same states, or of those with the value's adapter on.
    """
    logs, states = runs(learner.roles.policy)
    if learner.valued:
        model = learner.roles.frozen.model
        model.set_adapter("solon_value")
        trainable(learner)
        _, states = runs(learner.roles.frozen)
        if model is learner.roles.policy.model:
            model.set_adapter("default")
            trainable(learner)
    return logs, [learner.head(hidden)[:, 0] for hidden in states]


def runs(loaded):
    """Log-probabilities and states of every response."""
    pairs = zip(EPISODES.prompts, EPISODES.responses, strict=True)
    return zip(*(naive_ppo.run(loaded, *pair) for pair in pairs), strict=True)


def trainable(learner):
    """PEFT freezes what it switches off."""
    for weight in moving(learner):
        weight.requires_grad_(True)


def naive_told(learner, base):
    """What the naive implementation makes of the round, the reference a model that was loaded anew."""
    untouched = load(str(base), threads=1)
    untouched.model.double()
    with torch.no_grad():
        (written, values), (before, _) = naive_pass(learner), runs(untouched)
    return [
        naive_ppo.tell(
            written[row][range(len(response)), response].tolist(),
            before[row][range(len(response)), response].tolist(),
            values[row].tolist(),
            SCORES[row],
            coefficient=COEFFICIENT,
            gamma=GAMMA,
            lam=LAM,
        )
        for row, response in enumerate(EPISODES.responses)
    ]


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_the_gradient_is_that_of_a_naive_implementation(base, layout):
    """Off policy so that both clips bite, in parts of two rows, in chunks of a few tokens."""
    lora, value_lora = LAYOUTS[layout]
    chosen = settings(
        batch_size=2,
        gradient_accumulation=2,
        entropy_weight=0.02,
        value_clip=0.1,
        gamma=GAMMA,
        gae_lambda=LAM,
    )
    learner = actor(base, lora, value_lora=value_lora, double=True, moved=0.05, scores_at_once=700)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, COEFFICIENT)
    told = naive_told(learner, base)
    for row, one in enumerate(told):
        length = len(EPISODES.responses[row])
        assert experience.advantages[row, :length].tolist() == pytest.approx(one.advantages, **EXACT)
        assert experience.returns[row, :length].tolist() == pytest.approx(one.returns, **EXACT)
        assert experience.advantages[row, length:].eq(0).all()

    move(learner, 0.03, seed=6)
    white = naive_ppo.whitened(told)
    logs, values = naive_pass(learner)
    policy = naive_ppo.policy_loss(logs, EPISODES.responses, told, white, clip=chosen.clip, entropy_weight=0.02)
    value = naive_ppo.value_loss(values, told, clip=chosen.value_clip)
    weight = 1.0 if value_lora else chosen.value_weight
    theirs = torch.autograd.grad(policy + weight * value, moving(learner))

    experience = white_advantages(experience)
    seen = gradients(learner, experience, range(3), chosen)
    if value_lora:
        seen |= value_gradients(learner, experience, range(3), chosen)
    assert 0 < seen["policy/clip_fraction"] < 1
    assert seen["value/loss"] == pytest.approx(float(value.detach()), **EXACT)
    for mine, naive in zip(moving(learner), theirs, strict=True):
        assert torch.allclose(mine.grad, naive, rtol=1e-8, atol=1e-10)
    assert any(weight.grad.abs().max() > 1e-3 for weight in learner.trained.values())
    assert all(weight.grad.abs().max() > 1e-6 for weight in moving(learner)[len(learner.trained) :])


def white_advantages(experience):
    """As ``learn`` has them."""
    from dataclasses import replace

    from solon.trainers.backend.ppo.algorithm import whiten

    return replace(experience, advantages=whiten(experience.advantages, experience.mask))


def test_a_round_takes_the_steps_that_the_naive_gradient_says(base):
    """Two passes of plain descent by ``learn`` end where two steps against the naive gradient end."""
    chosen = settings(batch_size=3, gradient_accumulation=1, passes=2, max_grad_norm=1e9)
    rate = 0.05
    learner = actor(base, SMALL, value_lora=OWN, double=True, moved=0.05)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, COEFFICIENT)
    learn(learner, experience, chosen, torch.optim.SGD(moving(learner), lr=rate), seed="0")

    naive = actor(base, SMALL, value_lora=OWN, double=True, moved=0.05)
    told = [
        naive_ppo.tell(one.sampled, one.reference, one.values, score, coefficient=COEFFICIENT, gamma=1.0, lam=0.95)
        for one, score in zip(naive_told(naive, base), SCORES, strict=True)
    ]
    for _ in range(2):
        logs, values = naive_pass(naive)
        white = naive_ppo.whitened(told)
        loss = naive_ppo.policy_loss(
            logs, EPISODES.responses, told, white, clip=chosen.clip, entropy_weight=0.0
        ) + naive_ppo.value_loss(values, told, clip=chosen.value_clip)
        for weight, gradient in zip(moving(naive), torch.autograd.grad(loss, moving(naive)), strict=True):
            weight.data -= rate * gradient
    for mine, theirs in zip(moving(learner), moving(naive), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-8, atol=1e-10)


def test_the_gradient_does_not_depend_on_where_a_minibatch_is_cut(base):
    """A mean over its tokens, not a mean of means; of the value too."""
    found = []
    for size in (1, 2, 3):
        learner = actor(base, value_lora=OWN, double=True, moved=0.05)
        experience = Experience.of(learner, EPISODES, SCORES, settings(batch_size=3), 0.1)
        gradients(learner, experience, range(3), settings(batch_size=size))
        value_gradients(learner, experience, range(3), settings(batch_size=size))
        found.append(torch.cat([weight.grad.flatten() for weight in moving(learner)]))
    assert torch.allclose(found[0], found[2], rtol=1e-8, atol=1e-10)
    assert torch.allclose(found[1], found[2], rtol=1e-8, atol=1e-10)
