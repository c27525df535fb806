"""Which adapter is on when: the trap of gradient checkpointing, and what must still be trainable afterwards."""

import copy

import pytest

from solon.errors import TrainingError
from tiny_ppo import EPISODES, NETWORKS, OWN, SMALL, actor, made, moving

torch = pytest.importorskip("torch")

from solon.models.backend.loading import Loaded  # noqa: E402 - torch may be missing
from solon.trainers.backend.ppo.roles import Roles  # noqa: E402
from solon.trainers.base import Lora  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # what torch and PEFT warn of is theirs
LAYOUTS = {
    "lora, value of its own": (SMALL, OWN),
    "lora, value on the policy": (SMALL, None),
    "full, value of its own": (None, OWN),
    "full, value on the policy": (None, None),
}


@pytest.fixture(scope="module", params=NETWORKS[:2])
def base(request, tmp_path_factory):
    """A network of random weights, of each kind."""
    return made(tmp_path_factory.mktemp("base"), request.param)


def gradient(learner):
    """Of the value's own adapter, as one vector; zeros where there is none."""
    return torch.cat(
        [
            (torch.zeros_like(weight) if weight.grad is None else weight.grad).flatten()
            for weight in learner.valued.values()
        ]
    )


def policy_gradient(learner):
    """Of the policy's adapter, as one vector; zeros where there is none."""
    return torch.cat(
        [
            (torch.zeros_like(weight) if weight.grad is None else weight.grad).flatten()
            for weight in learner.trained.values()
        ]
    )


def test_switching_adapters_between_forward_and_backward_gives_wrong_gradients_in_silence(base):
    """The trap: under checkpointing the backward pass computes the layers again, with the adapter that is on."""

    def found(*, checkpointing, trap=False):
        learner = actor(base, SMALL, value_lora=SMALL, moved=0.1, checkpointing=checkpointing)
        loss = learner.read(EPISODES).log_probs.sum()
        if trap:
            learner.loaded.model.set_adapter("solon_value")
        loss.backward()
        return policy_gradient(learner)

    right = found(checkpointing=False)
    assert torch.allclose(found(checkpointing=True), right, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found(checkpointing=True, trap=True), right, rtol=0.1, atol=1e-2)  # and nobody says so


def test_the_values_weights_are_its_adapters_also_where_the_base_has_modules_called_value():
    """As BERT's attention does, whose adapter is the policy's to train, and its frozen weights nobody's."""
    from transformers import BertConfig, BertLMHeadModel

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    network = BertLMHeadModel(BertConfig(vocab_size=20, is_decoder=True, **sizes))
    given = {"tokenizer": None, "device": torch.device("cpu"), "eos_ids": (1,), "pad_id": 0, "context": 8, "chat": None}
    lora = Lora(r=2, target_modules=("query", "value"))
    for policy, frozen in ((lora, 4), (None, 0)):
        roles = Roles(Loaded(model=copy.deepcopy(network), **given), policy, lora)
        assert len(roles.valued) == 4  # A and B, of queries and values
        assert all("lora_" in name for name in roles.valued)
        assert not roles.valued.keys() & roles.trained.keys()
        assert sum("lora_" in name for name in roles.trained) == frozen


def test_another_role_between_forward_and_backward_is_refused(base):
    """The reference and the value are asked before the policy's forward pass, or after its backward pass."""
    learner = actor(base, SMALL, value_lora=OWN)
    loss = learner.read(EPISODES).log_probs.sum()
    for role, ask in (
        ("reference", lambda: learner.reference(EPISODES)),
        ("value", lambda: learner.values(EPISODES)),
        ("value", lambda: learner.backward_of_values(EPISODES, torch.Tensor.sum)),
    ):
        with pytest.raises(TrainingError, match=f"the {role} was asked between a forward pass of the policy and its"):
            ask()
    learner.backward(loss)
    learner.reference(EPISODES)
    learner.values(EPISODES)


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_gradients_are_the_same_with_checkpointing_and_reach_one_role_only(base, layout):
    """The policy's backward pass moves the policy, the value's the value; whatever was asked in between."""

    def found(*, checkpointing):
        learner = actor(base, LAYOUTS[layout][0], value_lora=LAYOUTS[layout][1], moved=0.1, checkpointing=checkpointing)
        learner.reference(EPISODES)
        learner.values(EPISODES)
        learner.backward(learner.read(EPISODES).log_probs.sum())
        policy = policy_gradient(learner)
        if not learner.valued:
            return policy, torch.zeros(1)
        assert gradient(learner).eq(0).all()
        learner.reference(EPISODES)
        learner.backward_of_values(EPISODES, lambda values: values.square().sum())
        assert torch.equal(policy_gradient(learner), policy)
        assert gradient(learner).abs().max() > 1e-3
        return policy, gradient(learner)

    for kept, again in zip(found(checkpointing=False), found(checkpointing=True), strict=True):
        assert torch.allclose(kept, again, rtol=1e-3, atol=1e-3)
    assert found(checkpointing=False)[0].abs().max() > 1e-3


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_after_any_role_the_policy_is_on_and_everything_can_be_trained(base, layout):
    """PEFT freezes what it switches off: an adapter that was frozen so would never move again."""
    learner = actor(base, LAYOUTS[layout][0], value_lora=LAYOUTS[layout][1], moved=0.1)
    with torch.no_grad():
        before = learner.read(EPISODES).log_probs
        for ask in (learner.reference, learner.values):
            ask(EPISODES)
            assert torch.equal(learner.read(EPISODES).log_probs, before)
            assert all(weight.requires_grad for weight in moving(learner))
    frozen = {id(weight) for weight in learner.roles.frozen.model.parameters()} - {id(w) for w in moving(learner)}
    assert len(frozen) > 0
    assert not any(weight.requires_grad for weight in learner.roles.frozen.model.parameters() if id(weight) in frozen)


def test_a_value_of_its_own_does_not_move_with_the_policy(base):
    """It stands on the reference's weights; one on the policy's states changes with every step of the policy."""
    for value_lora, same in ((OWN, True), (None, False)):
        learner = actor(base, SMALL, value_lora=value_lora, moved=0.1)
        before = learner.values(EPISODES)
        with torch.no_grad():
            for weight in learner.trained.values():
                weight += 0.1
        assert torch.equal(learner.values(EPISODES), before) == same
        assert before.abs().max() > 1e-2


def test_a_value_of_its_own_begins_as_a_head_on_the_base(base):
    """An adapter changes nothing before its first step: the state is the reference's."""
    learner = actor(base, SMALL, value_lora=OWN)
    with torch.no_grad():
        learner.head.weight.fill_(1.0)
        expected = actor(base, SMALL)
        expected.head.weight.fill_(1.0)
        assert torch.allclose(learner.values(EPISODES), expected.values(EPISODES), atol=1e-5)


def test_what_is_written_is_the_policy_without_the_value(base, tmp_path):
    """One adapter, the policy's; loaded on the base it gives the policy's likelihoods."""
    from solon.models.backend.loading import load

    learner = actor(base, SMALL, value_lora=OWN, moved=0.1)
    with torch.no_grad():
        expected = learner.read(EPISODES).log_probs
    learner.roles.policy_alone().model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir() if path.suffix != ".md") == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    again = actor(base, None)
    again.roles.policy = load(str(base), adapter=str(tmp_path / "adapter"), threads=1)
    with torch.no_grad():
        assert torch.allclose(again.read(EPISODES).log_probs, expected, atol=1e-5)


def test_a_models_own_adapter_is_taken_and_no_other_put_on(base):
    """As Unsloth gives it: the adapter is in place before PPO sees the model."""
    from dataclasses import replace

    from peft import get_peft_model

    from solon.models.backend.loading import load
    from solon.trainers.backend.network import adapters
    from solon.trainers.backend.ppo.roles import Roles

    loaded = load(str(base), threads=1)
    model = get_peft_model(loaded.model, adapters(SMALL, task="SEQ_2_SEQ_LM" if loaded.apart else "CAUSAL_LM"))
    before = dict(model.named_parameters())
    roles = Roles(replace(loaded, model=model), SMALL, OWN, adapted=True)
    assert roles.policy.model is roles.frozen.model is model
    assert set(roles.trained) == {name for name in before if "lora_" in name}
    assert sorted(model.peft_config) == ["default", "solon_value"]
    assert model.active_adapters == ["default"]
    with roles.acting("value"):
        assert model.active_adapters == ["solon_value"]  # one and no more, as Unsloth's kernels want it
    assert model.active_adapters == ["default"]


def test_noise_on_the_value_leaves_policy_and_reference_alone(base):
    """Both adapters sit in the same layers, and only one is on."""
    learner = actor(base, SMALL, value_lora=OWN, moved=0.1)
    with torch.no_grad():
        policy, reference = learner.read(EPISODES).log_probs, learner.reference(EPISODES)
        for weight in learner.valued.values():
            weight += 1.0
        assert torch.equal(learner.read(EPISODES).log_probs, policy)
        assert torch.equal(learner.reference(EPISODES), reference)
