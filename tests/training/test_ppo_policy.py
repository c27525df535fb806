"""One network as policy, reference and value: its likelihoods, and what must not be mixed up."""

import json
from pathlib import Path

import pytest

import naive_ppo
from solon.errors import DataError, RecipeError, TrainingError
from tiny_ppo import EPISODES, NETWORKS, OWN, SCORES, SMALL, actor, made, moving, settings

torch = pytest.importorskip("torch")

from solon.models.backend.loading import load  # noqa: E402 - torch may be missing
from solon.trainers.backend.network import load_policy  # noqa: E402
from solon.trainers.backend.ppo import update  # noqa: E402
from solon.trainers.backend.ppo.experience import Experience  # noqa: E402
from solon.trainers.backend.ppo.loop import Loop  # noqa: E402
from solon.trainers.backend.ppo.policy import Actor  # noqa: E402
from solon.trainers.backend.ppo.rollout import Prompts  # noqa: E402
from solon.trainers.backend.ppo.update import learn  # noqa: E402
from solon.trainers.backend.ppo.value import head_of  # noqa: E402
from solon.trainers.backend.processes import Processes  # noqa: E402
from solon.trainers.backends import Choice  # noqa: E402
from solon.trainers.base import Job, Policy  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # what torch and PEFT warn of is theirs
]
QUICKSTART = str(Path(__file__).parents[2] / "examples" / "quickstart" / "models" / "policy")
PAIRS = list(zip(EPISODES.prompts, EPISODES.responses, strict=True))


@pytest.fixture(scope="module", params=NETWORKS)
def base(request, tmp_path_factory):
    """A network of random weights, of each kind."""
    return made(tmp_path_factory.mktemp("base"), request.param)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """A Llama of random weights."""
    return made(tmp_path_factory.mktemp("decoder"), "decoder")


def own_log_probs(loaded, temperature=1.0):
    """Log-probabilities of each response's tokens from the model's own logits, one sequence by itself."""
    logs = [naive_ppo.run(loaded, *pair)[0] for pair in PAIRS]
    return [
        (log / temperature).log_softmax(-1)[range(len(response)), response]
        for log, (_, response) in zip(logs, PAIRS, strict=True)
    ]


@pytest.mark.parametrize("scores_at_once", [2**24, 700], ids=["at once", "in parts"])
def test_likelihoods_are_the_models_own_in_rows_and_parts_of_any_length(base, scores_at_once):
    """700 scores are 2 tokens of a vocabulary of 261; behind the end of a response there is 0."""
    reader = actor(base, double=True, temperature=0.7, scores_at_once=scores_at_once)
    with torch.no_grad():
        reading = reader.read(EPISODES, entropy=True)
        for number, expected in enumerate(own_log_probs(reader.loaded, 0.7)):
            assert torch.allclose(reading.log_probs[number, : len(expected)], expected, atol=1e-6)
            assert reading.log_probs[number, len(expected) :].eq(0).all()
    assert reading.values.eq(0).all()  # the head begins at zero
    assert (reading.entropies[EPISODES.mask()] > 0).all()


def test_an_encoder_decoders_likelihoods_are_those_of_its_own_loss_the_first_token_counted(tmp_path):
    """The loss of labels is a mean over y_1 to the end token; masking y_1 out would be another number."""
    reader = actor(made(tmp_path, "encoder-decoder"))
    prompt, response = PAIRS[0]
    with torch.no_grad():
        loss = reader.loaded.network(input_ids=torch.tensor([prompt]), labels=torch.tensor([response])).loss
        ours = reader.read(EPISODES).log_probs[0, : len(response)]
    assert float(-ours.mean()) == pytest.approx(float(loss), rel=1e-5)
    assert float(-ours[1:].mean()) != pytest.approx(float(loss), rel=1e-3)


@pytest.mark.parametrize("own", [True, False], ids=["value of its own", "value on the policy"])
@pytest.mark.parametrize("lora", [None, SMALL], ids=["full", "lora"])
def test_the_reference_is_the_untouched_base_whatever_was_learned(base, lora, own):
    """With all adapters off, in the encoder too, or as a copy; afterwards the policy is what it was."""
    moved = actor(base, lora, value_lora=OWN if own else None, moved=0.1)
    with torch.no_grad():
        before = moved.read(EPISODES).log_probs
        reference = moved.reference(EPISODES)
        for number, expected in enumerate(own_log_probs(load(str(base), threads=1))):
            assert torch.allclose(reference[number, : len(expected)], expected, atol=1e-5)
        assert not torch.allclose(before, reference, atol=1e-2)
        assert torch.equal(moved.read(EPISODES).log_probs, before)
    assert len(moved.trained) > 0
    assert all(weight.requires_grad for weight in moving(moved))


def test_an_encoders_adapter_is_trained_and_is_off_in_the_reference(tmp_path):
    """Moving the encoder's adapter alone moves the policy, and not the reference."""
    learner = actor(made(tmp_path, "encoder-decoder"), SMALL)
    with torch.no_grad():
        before, reference = learner.read(EPISODES).log_probs, learner.reference(EPISODES)
        for name, weight in learner.trained.items():
            if ".encoder." in name:
                weight += 0.1
        assert not torch.allclose(learner.read(EPISODES).log_probs, before, atol=1e-3)
        assert torch.equal(learner.reference(EPISODES), reference)


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "computed again"])
def test_the_first_ratio_is_one_and_a_policy_that_moved_is_noticed(base, checkpointing):
    """Before any step nothing can have changed; whatever did change would be learned from as if it were a gain."""
    chosen = settings(batch_size=2, gradient_accumulation=2, passes=2)
    learner = actor(base, SMALL, value_lora=OWN, moved=0.1, checkpointing=checkpointing)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
    optimizer = torch.optim.AdamW(list(learner.trained.values()), lr=1e-3)
    learned = learn(learner, experience, chosen, optimizer, seed="0")
    # to the last bit in a decoder; T5 takes other kernels when it trains with checkpointing
    assert learned["policy/ratio_first"] == pytest.approx(1, abs=1e-5)
    assert learned["policy/steps"] == 2
    assert learned["grad_norm"] > 0
    with pytest.raises(TrainingError, match=r"must be as likely within 0\.001"):
        learn(learner, experience, chosen, optimizer, seed="0")


def test_a_round_stops_learning_when_it_has_left_its_completions_behind(decoder):
    """The first of ten passes steps, far; the next sees how far it went, and takes no step."""
    chosen = settings(batch_size=4, gradient_accumulation=1, passes=10, kl_stop=1e-4)
    learner = actor(decoder, SMALL, moved=0.1)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
    optimizer = torch.optim.AdamW(list(learner.trained.values()), lr=1e-2)
    assert learn(learner, experience, chosen, optimizer, seed="0")["policy/steps"] == 1


def test_a_value_of_its_own_goes_on_learning_when_the_policy_has_stopped(decoder):
    """The policy ends where one pass leaves it, and the value where ten do."""

    def learned(passes, kl_stop):
        chosen = settings(batch_size=4, gradient_accumulation=1, passes=passes, kl_stop=kl_stop)
        learner = actor(decoder, SMALL, value_lora=OWN, moved=0.1)
        experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
        seen = learn(learner, experience, chosen, torch.optim.AdamW(moving(learner), lr=1e-2), seed="0")
        return seen["policy/steps"], *(
            torch.cat([weight.detach().flatten() for weight in weights.values()])
            for weights in (learner.trained, learner.valued)
        )

    stopped, one, ten = learned(10, 1e-4), learned(1, None), learned(10, None)
    assert (stopped[0], one[0], ten[0]) == (1, 1, 10)
    assert torch.equal(stopped[1], one[1])
    assert torch.equal(stopped[2], ten[2])
    assert not torch.equal(stopped[2], one[2])


def test_a_loss_that_is_not_a_number_takes_no_step(decoder):
    """One infinite reward; the weights stay what they were, and what was seen says which number is none."""
    chosen = settings(batch_size=4, gradient_accumulation=1)
    learner = actor(decoder, SMALL, moved=0.1)
    experience = Experience.of(learner, EPISODES, [float("inf"), 0.0, 0.0], chosen, 0.1)
    before = [weight.clone() for weight in learner.trained.values()]
    optimizer = torch.optim.AdamW(list(learner.trained.values()), lr=1e-2)
    learned = learn(learner, experience, chosen, optimizer, seed="0")
    assert (update.not_finite(learned), learned["policy/steps"]) == ("loss", 0)
    assert all(torch.equal(old, new) for old, new in zip(before, learner.trained.values(), strict=True))


def test_the_gradients_of_policy_and_value_are_cut_each_by_itself(decoder):
    """At a rate of 1 plain descent moves each by the length of its gradient, which is at most a hundredth here."""
    chosen = settings(batch_size=4, gradient_accumulation=1, passes=1, max_grad_norm=0.01)
    learner = actor(decoder, SMALL, value_lora=OWN, moved=0.1)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
    policy, value = list(learner.trained.values()), [*learner.valued.values(), *learner.head.parameters()]
    before = [[weight.detach().clone() for weight in weights] for weights in (policy, value)]
    learned = learn(learner, experience, chosen, torch.optim.SGD([*policy, *value], lr=1.0), seed="0")
    assert min(learned["grad_norm"], learned["value/grad_norm"]) > 0.02
    for weights, old in zip((policy, value), before, strict=True):
        moved = torch.cat([(new - was).flatten() for new, was in zip(weights, old, strict=True)])
        assert float(moved.detach().norm()) == pytest.approx(0.01, rel=1e-3)


def test_the_dropout_of_the_base_is_off_where_it_learns_under_checkpointing(tmp_path):
    """Then the network is in training mode, in which half of a T5's states would be dropped here."""
    folder = made(tmp_path, "encoder-decoder")
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dropout_rate": 0.5}))
    policy = Policy(model=str(folder), threads=1)
    loaded = load_policy(policy, Choice("plain", "small"), lora=SMALL, seed=0).loaded
    learner = Actor(loaded, SMALL, value_lora=OWN, temperature=1.0, checkpointing=True)
    seen = []
    for _ in range(2):
        seen.append(learner.read(EPISODES).log_probs)
        assert learner.loaded.network.training
        learner.backward(seen[-1].sum())
    assert torch.equal(*seen)


def test_adam_is_that_of_the_papers(decoder, tmp_path):
    """Epsilon is 1e-5 and no weight decays, of policy, value and head alike; rates are told apart."""
    policy = Policy(model=str(decoder), threads=1)
    nobody = {"report": lambda *_: None, "go_on_from": lambda _: {}}
    job = Job(policy=policy, dataset=tmp_path, out=tmp_path, seed=0, kept=tmp_path, **nobody)
    chosen = settings(lora=SMALL, learning_rate=1e-3, value_head_rate=0.32)
    trainable = load_policy(policy, Choice("plain", "small"), lora=SMALL, seed=0)
    loop = Loop(chosen, job, trainable, Prompts([None], [[5]]), lambda *_: None, Processes())
    groups = loop.optimizer.param_groups
    assert [(group["eps"], group["weight_decay"]) for group in groups] == [(1e-5, 0.0)] * 4
    assert [group["peak"] for group in groups] == pytest.approx([1e-3, 5e-3, 0.01, 0.32])  # a width of 32


def test_the_value_can_begin_as_a_reward_model(tmp_path):
    """Its head is found by its name and shape; a folder without one is named."""
    from safetensors.torch import save_file

    save_file(
        {"model.x.weight": torch.zeros(4, 4), "base_model.score.weight": torch.ones(1, 4)}, tmp_path / "a.safetensors"
    )
    assert head_of(str(tmp_path), 4).tolist() == [[1, 1, 1, 1]]
    with pytest.raises(DataError, match="has no reward head of 1 x 5"):
        head_of(str(tmp_path), 5)


def gemma(folder, **more):
    """A tiny Gemma 2, which caps its scores."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    from solon.testing.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": len(tokenizer)}
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    torch.manual_seed(0)
    model = Gemma2ForCausalLM(Gemma2Config(**shape, **heads, **special, final_logit_softcapping=0.5))
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_scores_that_a_model_caps_are_capped(tmp_path):
    """Gemma 2: the output layer alone would be another model's."""
    reader = actor(gemma(tmp_path))
    with torch.no_grad():
        for number, expected in enumerate(own_log_probs(reader.loaded)):
            assert torch.allclose(reader.read(EPISODES).log_probs[number, : len(expected)], expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_that_changes_scores_in_an_unknown_way_is_refused(monkeypatch, dtype):
    """It adds a tenth after its output layer; rounding is none, by which a trained base's scores differ in bfloat16."""
    from transformers import LlamaForCausalLM

    def made():
        return Actor(load(QUICKSTART, threads=1, dtype=dtype), SMALL, temperature=1.0)

    made()
    forward = LlamaForCausalLM.forward

    def larger(self, *args, **options):
        output = forward(self, *args, **options)
        output.logits = output.logits * 1.1
        return output

    monkeypatch.setattr(LlamaForCausalLM, "forward", larger)
    with pytest.raises(RecipeError, match="cannot train models of type 'llama'"):
        made()


def test_the_tolerance_of_the_first_ratio_is_a_thousandth():
    """What the page says."""
    assert update.RATIO_TOLERANCE == 1e-3
