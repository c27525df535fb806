"""Which reward models PPO puts onto its base, and what they leave alone there."""

import pytest

torch = pytest.importorskip("torch")

from dataclasses import replace  # noqa: E402 - torch may be missing

from peft import get_peft_model  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from reward_adapters import (  # noqa: E402
    ANSWERS,
    LAYOUTS,
    SMALL,
    WEIGHTS,
    changed,
    classifier,
    lent,
    logits,
    model_of,
    taken,
    untrained,
)
from solon.errors import DataError, TrainingError  # noqa: E402
from solon.testing.tiny import tiny_llama, tiny_t5  # noqa: E402
from solon.trainers.backend.network import Trainable, adapters  # noqa: E402
from solon.trainers.backend.ppo.rewarding import on_the_base  # noqa: E402
from solon.trainers.backend.processes import Processes  # noqa: E402
from solon.trainers.base import Lora  # noqa: E402
from solon.trainers.ppo import PPO  # noqa: E402
from tiny_ppo import EPISODES  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch and PEFT warn of is theirs
    pytest.mark.usefixtures("nothing_stays_loaded"),
]
RULES = {"kind": "rules", "rules": {"letters": {"regex": "[a-z]"}}}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1, context=64)


@pytest.fixture(scope="module")
def reward(base, tmp_path_factory):
    """A reward model of random numbers: an adapter on the base, and a head."""
    return untrained(base, tmp_path_factory.mktemp("reward") / "reward")


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_the_gradient_is_the_same_with_and_without_a_reward_on_the_base(base, reward, layout):
    """To the last bit, whenever the reward is asked; nothing of it is among what is trained, and none of it moves."""

    def found(judge):
        settings = PPO(reward=judge, **LAYOUTS[layout])
        with lent(settings, base) as actor:
            said = [logits(settings)] if judge is not RULES else []
            actor.backward(actor.read(EPISODES).log_probs.sum())
            if judge is not RULES:
                said.append(logits(settings))
            if actor.valued:
                actor.backward_of_values(EPISODES, lambda values: values.square().sum())
            moving = {**actor.trained, **actor.valued}
            assert all(weight.requires_grad for weight in moving.values())
            assert said[1:] == said[:1]
            return moving, {n: w for n, w in actor.roles.frozen.model.named_parameters() if "solon_reward" in n}

    (with_it, fixed), (without, none) = found(classifier(base, reward)), found(RULES)
    assert (len(fixed), len(none)) == (28, 0)  # A and B of seven matrices in two layers
    trained = load_file(reward / WEIGHTS)
    for name, weight in fixed.items():
        assert (weight.requires_grad, weight.grad) == (False, None)
        assert torch.equal(weight, trained[name.replace(".solon_reward_0", "")])
    assert with_it.keys() == without.keys()
    assert not fixed.keys() & with_it.keys()
    for name, weight in with_it.items():
        assert torch.equal(weight.grad, without[name].grad)
    assert max(weight.grad.abs().max() for weight in with_it.values()) > 1e-3


def test_a_reward_between_a_forward_and_its_backward_pass_is_refused(base, reward):
    """Its adapter would be on while the policy's layers are computed again."""
    settings = PPO(reward=classifier(base, reward), lora=SMALL)
    with lent(settings, base) as actor:
        loss = actor.read(EPISODES).log_probs.sum()
        with pytest.raises(TrainingError, match="the reward was asked between a forward pass of the policy and its"):
            logits(settings)
        actor.backward(loss)
        assert len(logits(settings)) == len(ANSWERS)


def test_judges_of_one_adapter_share_it_wherever_they_stand(base, reward):
    """A second reward that reads it in another way, and a panel that is not learned from."""
    likely = classifier(base, reward, value="probability")
    settings = PPO(
        reward=[classifier(base, reward), {"name": "likely", "labeler": likely}],
        held_out_judge={"kind": "panel", "members": [likely, {**likely, "text": "response"}]},
        lora=SMALL,
    )
    _, _, rewards = taken(settings, base)
    assert [len(each.asked) for each in rewards] == [4]


def test_two_adapters_on_one_base_are_told_apart(base, reward, tmp_path):
    """Each says what it says alone."""
    other = changed(reward, tmp_path / "other", lambda weights: {name: -weight for name, weight in weights.items()})
    judges = [classifier(base, reward), {"name": "other", "labeler": classifier(base, other)}]
    settings, turned = PPO(reward=judges, lora=SMALL), PPO(reward=judges[::-1], lora=SMALL)
    with lent(settings, base):
        first = logits(settings)
    with lent(turned, base):
        assert logits(turned) == pytest.approx(logits(PPO(reward=classifier(base, other))), abs=1e-5)
    assert first == pytest.approx(logits(PPO(reward=classifier(base, reward))), abs=1e-5)


def test_logits_of_weights_of_another_type_are_another_models_for_the_ledger(base, reward):
    """In bfloat16 they are rounded; the description says so, for as long as they are."""
    settings = PPO(reward=classifier(base, reward), lora=SMALL)
    described = model_of(settings).describe()
    with lent(settings, base, dtype="bfloat16"):
        assert model_of(settings).describe() == {**described, "weights": "bfloat16"}
        rounded = logits(settings)
    assert model_of(settings).describe() == described
    alone = logits(settings)
    assert rounded != pytest.approx(alone, abs=1e-5)
    assert rounded == pytest.approx(alone, abs=0.5)


@pytest.mark.parametrize(
    ("named", "policy", "shared"),
    [
        ({"dtype": "float32"}, {}, 1),
        ({"dtype": "bfloat16"}, {}, 0),
        ({"dtype": "float32"}, {"dtype": "bfloat16"}, 0),
        ({"device": "cpu"}, {}, 1),
        ({"device": "cuda"}, {}, 0),
    ],
    ids=["its type", "another type", "a type that the policy has not", "its device", "another device"],
)
def test_a_type_or_device_that_is_named_is_what_the_reward_gets(base, reward, named, policy, shared):
    """Who names one that the policy has not gets a network apart."""
    settings = PPO(reward=classifier(base, reward, **named), lora=SMALL)
    assert len(taken(settings, base, **policy)[2]) == shared


def test_a_reward_of_another_base_is_loaded_by_itself(base, reward, tmp_path):
    """And a reward model without an adapter, and any where the policy's weights are not its base's."""
    settings = PPO(reward=classifier(base, reward), lora=SMALL)
    policy, trainable, rewards = taken(settings, base)
    assert len(rewards) == 1
    other = classifier(tiny_llama(tmp_path / "other", seed=2, context=64), reward)
    whole = {"kind": "classifier", "model": str(base), "text": "conversation"}
    for judge in (other, whole, RULES):
        assert on_the_base(PPO(reward=judge, lora=SMALL), policy, trainable, Processes()) == []
    begun = policy.model_copy(update={"adapter": str(reward)})
    assert on_the_base(settings, begun, trainable, Processes()) == []
    t5 = tiny_t5(tmp_path / "t5")
    settings = PPO(reward=classifier(t5, reward), lora=Lora(r=4, target_modules=("q", "v")))
    assert taken(settings, t5)[2] == []


def test_the_first_process_has_the_adapter_and_none_where_the_model_is_divided(base, reward):
    """The others have nothing rewarded; and one that has a part of each weight cannot use them alone."""
    settings = PPO(reward=classifier(base, reward), lora=SMALL)
    policy, trainable, _ = taken(settings, base)
    for processes, shared in (
        (Processes(2, 0), 1),
        (Processes(2, 1), 0),
        (Processes(2, 0, divided=True), 0),
    ):
        assert len(on_the_base(settings, policy, trainable, processes)) == shared


def test_an_adapter_that_changes_more_than_products_is_loaded_by_itself(base, reward, tmp_path):
    """Biases, embeddings of its own, a base that was changed before it was trained; and one without a head."""
    embeddings = {"base_model.model.model.embed_tokens.weight": torch.zeros(261, 32)}
    copies = [
        changed(reward, tmp_path / "biases", bias="all"),
        changed(reward, tmp_path / "embeddings", lambda weights: weights | embeddings),
        changed(reward, tmp_path / "began", init_lora_weights="pissa"),
        changed(reward, tmp_path / "headless", lambda weights: {n: w for n, w in weights.items() if "lora" in n}),
    ]
    for copy in copies:
        assert taken(PPO(reward=classifier(base, copy), lora=SMALL), base)[2] == []
    same = changed(reward, tmp_path / "same")
    assert len(taken(PPO(reward=classifier(base, same), lora=SMALL), base)[2]) == 1


def test_with_unsloth_an_adapter_on_other_modules_than_the_policys_is_loaded_by_itself(base, reward, tmp_path):
    """Its kernels want all on the same; PEFT's own layers do not mind."""

    def queries(weights):
        return {name: weight for name, weight in weights.items() if "q_proj" in name or "score" in name}

    few = changed(reward, tmp_path / "queries", queries, target_modules=["q_proj"])
    for judge, shared in ((reward, 1), (few, 0)):
        settings = PPO(reward=classifier(base, judge), lora=SMALL)
        policy, trainable, rewards = taken(settings, base)
        assert len(rewards) == 1
        adapted = get_peft_model(trainable.loaded.model, adapters(SMALL))
        unsloth = Trainable(replace(trainable.loaded, model=adapted), adapted=True)
        assert len(on_the_base(settings, policy, unsloth, Processes())) == shared


def test_an_adapter_that_does_not_fit_is_named(base, reward, tmp_path):
    """Before anything is answered, and with the matrix."""

    def narrower(weights):
        return {n: weight[:, :-1].clone() if "q_proj.lora_A" in n else weight for n, weight in weights.items()}

    narrow = changed(reward, tmp_path / "narrow", narrower)
    with (
        pytest.raises(DataError, match=r"narrow.*does not fit the model: size mismatch.*q_proj"),
        lent(PPO(reward=classifier(base, narrow), lora=SMALL), base),
    ):
        pass
