"""One network as policy, reference and value: its likelihoods, its gradients, and what must not be mixed up."""

import pytest

from solon.errors import DataError, RecipeError, TrainingError
from solon.testing.tiny import tiny_llama
from solon.trainers.base import Lora
from solon.trainers.ppo import PPO

torch = pytest.importorskip("torch")

from solon.models.backend.loading import load  # noqa: E402 - torch may be missing
from solon.trainers.backend.ppo import update  # noqa: E402
from solon.trainers.backend.ppo.policy import Actor, Episodes, head_of  # noqa: E402
from solon.trainers.backend.ppo.update import Experience, gradients, learn  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # what torch and PEFT warn of is theirs
EPISODES = Episodes([[5, 6, 7], [8, 9], [10, 11, 12, 13]], [[20, 21, 1], [22, 1], [23, 24, 25, 26, 27]])
SCORES = [1.0, -0.5, 0.25]


def settings(**changes):
    """Those of a PPO whose rewards nobody asks for here."""
    return PPO(reward={"kind": "rules", "rules": {"any": {"pattern": ".*"}}}, **changes)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights."""
    return tiny_llama(tmp_path_factory.mktemp("base"), seed=1)


def actor(base, lora=None, *, double=False, moved=0.0, **options):
    """A fresh actor; ``moved`` changes what is trained by noise of that size, the value head too."""
    torch.manual_seed(0)
    loaded = load(str(base), threads=1)
    if double:
        loaded.model.double()
    made = Actor(loaded, lora, **{"temperature": 1.0, **options})
    move(made, moved)
    return made


def move(actor, size, seed=5):
    """Adds noise to all that is trained."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in [*actor.trained.values(), *actor.head.parameters()] if size else ():
            weight += size * torch.randn(weight.shape, generator=generator, dtype=torch.float64).to(weight.dtype)


def plain_log_probs(network, prompt, response, temperature=1.0):
    """Log-probabilities of a response's tokens from the model's own logits, one sequence by itself."""
    logits = network(input_ids=torch.tensor([[*prompt, *response]])).logits[0] / temperature
    return logits.log_softmax(-1)[torch.arange(len(prompt) - 1, len(prompt) + len(response) - 1), response]


@pytest.mark.parametrize("scores_at_once", [2**24, 700], ids=["at once", "in parts"])
def test_likelihoods_are_the_models_own_in_rows_and_parts_of_any_length(base, scores_at_once):
    """700 scores are 2 tokens of a vocabulary of 261; behind the end of a response there is 0."""
    reader = actor(base, double=True, temperature=0.7, scores_at_once=scores_at_once)
    with torch.no_grad():
        reading = reader.read(EPISODES, entropy=True)
        for number, (prompt, response) in enumerate(zip(EPISODES.prompts, EPISODES.responses, strict=True)):
            expected = plain_log_probs(reader.loaded.network, prompt, response, 0.7)
            assert torch.allclose(reading.log_probs[number, : len(response)], expected, atol=1e-10)
            assert reading.log_probs[number, len(response) :].eq(0).all()
    assert reading.values.eq(0).all()  # the head begins at zero
    assert (reading.entropies[EPISODES.mask()] > 0).all()


@pytest.mark.parametrize("lora", [None, Lora(r=4)], ids=["full", "lora"])
def test_the_reference_is_the_untouched_base_whatever_was_learned(base, lora):
    """With the adapter off, or as a copy; afterwards the policy is what it was, and can still be trained."""
    moved = actor(base, lora, moved=0.1)
    untouched = load(str(base), threads=1).network
    before = moved.read(EPISODES).log_probs.detach()
    moved._pending = False
    reference = moved.reference(EPISODES)
    with torch.no_grad():
        for number, (prompt, response) in enumerate(zip(EPISODES.prompts, EPISODES.responses, strict=True)):
            expected = plain_log_probs(untouched, prompt, response)
            assert torch.allclose(reference[number, : len(response)], expected, atol=1e-5)
    assert not torch.allclose(before, reference, atol=1e-2)
    assert torch.equal(moved.read(EPISODES).log_probs, before)
    assert all(weight.requires_grad for weight in moved.trained.values())
    assert len(moved.trained) > 0


def naive_loss(actor, experience, settings):
    """PPO's loss (eq. 9) by loops over responses and tokens, from the model's own logits and hidden states."""
    total, count = 0.0, 0
    for number, (prompt, response) in enumerate(zip(EPISODES.prompts, EPISODES.responses, strict=True)):
        output = actor.loaded.network(input_ids=torch.tensor([[*prompt, *response]]), output_hidden_states=True)
        log_probs = output.logits[0].log_softmax(-1)
        for t, token in enumerate(response):
            place = len(prompt) + t - 1
            now, before = log_probs[place, token], experience.sampled.log_probs[number, t]
            value = actor.head(output.hidden_states[-1][0, place])[0]
            old, target = experience.sampled.values[number, t], experience.returns[number, t]
            ratio, advantage = torch.exp(now - before), experience.advantages[number, t]
            gain = torch.min(ratio * advantage, ratio.clamp(1 - settings.clip, 1 + settings.clip) * advantage)
            near = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
            error = torch.max((value - target) ** 2, (near - target) ** 2) / 2
            entropy = -(log_probs[place].exp() * log_probs[place]).sum()
            total = total - gain + settings.value_weight * error - settings.entropy_weight * entropy
            count += 1
    return total / count


@pytest.mark.parametrize("lora", [None, Lora(r=4)], ids=["full", "lora"])
def test_the_gradient_is_that_of_a_naive_implementation(base, lora):
    """In double precision, off policy so that both clips bite, in parts of two rows, in chunks of a few tokens."""
    chosen = settings(batch_size=2, gradient_accumulation=2, entropy_weight=0.02, value_clip=0.1)
    learner = actor(base, lora, double=True, moved=0.05, scores_at_once=700)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
    move(learner, 0.03, seed=6)
    parameters = [*learner.trained.values(), *learner.head.parameters()]
    seen = gradients(learner, experience, range(3), chosen)
    ours = [weight.grad.clone() for weight in parameters]
    assert 0 < seen["policy/clip_fraction"] < 1

    loss = naive_loss(learner, experience, chosen)
    theirs = torch.autograd.grad(loss, parameters)
    assert seen["loss"] == pytest.approx(float(loss.detach()), rel=1e-10)
    for mine, naive in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, naive, rtol=1e-8, atol=1e-12)
    assert any(mine.abs().max() > 1e-3 for mine in ours)


def test_the_gradient_does_not_depend_on_where_a_minibatch_is_cut(base):
    """A mean over its tokens, not a mean of means."""
    found = []
    for size in (1, 2, 3):
        learner = actor(base, double=True, moved=0.05)
        experience = Experience.of(learner, EPISODES, SCORES, settings(batch_size=3), 0.1)
        gradients(learner, experience, range(3), settings(batch_size=size))
        found.append(torch.cat([weight.grad.flatten() for weight in learner.trained.values()]))
    assert torch.allclose(found[0], found[2], atol=1e-12)
    assert torch.allclose(found[1], found[2], atol=1e-12)


def test_switching_adapters_between_forward_and_backward_gives_wrong_gradients_so_it_is_refused(base):
    """The trap: under checkpointing the backward pass computes the layers again, with the adapter that is on."""

    def gradient(*, checkpointing, trap=False):
        learner = actor(base, Lora(r=4), checkpointing=checkpointing)
        model = learner.loaded.model
        model.add_adapter("other", model.peft_config["default"])
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora" in name:
                    weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
        loss = learner.read(EPISODES).log_probs.sum()
        if trap:
            model.set_adapter("other")
        learner.backward(loss)
        ours = [weight.grad for name, weight in model.named_parameters() if "lora" in name and "default" in name]
        return torch.cat([torch.zeros(1) if grad is None else grad.flatten() for grad in ours])

    right = gradient(checkpointing=False)
    assert torch.allclose(gradient(checkpointing=True), right, atol=1e-4)
    wrong = gradient(checkpointing=True, trap=True)
    assert wrong.shape != right.shape or not torch.allclose(wrong, right, atol=1e-2)  # and nobody says so

    learner = actor(base, Lora(r=4))
    loss = learner.read(EPISODES).log_probs.sum()
    with pytest.raises(TrainingError, match="between a forward pass of the policy and its backward pass"):
        learner.reference(EPISODES)
    learner.backward(loss)
    learner.reference(EPISODES)


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "computed again"])
def test_the_first_ratio_is_one_and_a_policy_that_moved_is_noticed(base, checkpointing):
    """Before any step nothing can have changed; whatever did change would be learned from as if it were a gain."""
    chosen = settings(batch_size=2, gradient_accumulation=2, passes=2)
    learner = actor(base, Lora(r=4), moved=0.1, checkpointing=checkpointing)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
    optimizer = torch.optim.AdamW(list(learner.trained.values()), lr=1e-3)
    learned = learn(learner, experience, chosen, optimizer, seed="0")
    assert learned["policy/ratio_first"] == 1.0
    assert learned["policy/steps"] == 2
    assert learned["grad_norm"] > 0
    with pytest.raises(TrainingError, match=r"must be as likely within 0\.001"):
        learn(learner, experience, chosen, optimizer, seed="0")


def test_a_round_stops_learning_when_it_has_left_its_completions_behind(base):
    """The first of ten passes steps, far; the next sees how far it went, and takes no step."""
    chosen = settings(batch_size=4, gradient_accumulation=1, passes=10, kl_stop=1e-4)
    learner = actor(base, Lora(r=4), moved=0.1)
    experience = Experience.of(learner, EPISODES, SCORES, chosen, 0.1)
    optimizer = torch.optim.AdamW(list(learner.trained.values()), lr=1e-2)
    assert learn(learner, experience, chosen, optimizer, seed="0")["policy/steps"] == 1


def test_a_loss_that_is_not_a_number_takes_no_step(base):
    """One infinite reward; the weights stay what they were."""
    chosen = settings(batch_size=4, gradient_accumulation=1)
    learner = actor(base, Lora(r=4), moved=0.1)
    experience = Experience.of(learner, EPISODES, [float("inf"), 0.0, 0.0], chosen, 0.1)
    before = [weight.clone() for weight in learner.trained.values()]
    optimizer = torch.optim.AdamW(list(learner.trained.values()), lr=1e-2)
    with pytest.raises(TrainingError, match="loss is nan"):
        learn(learner, experience, chosen, optimizer, seed="0")
    assert all(torch.equal(old, new) for old, new in zip(before, learner.trained.values(), strict=True))


def test_the_value_can_begin_as_a_reward_model(tmp_path):
    """Its head is found by its name and shape; a folder without one is named."""
    from safetensors.torch import save_file

    save_file(
        {"model.x.weight": torch.zeros(4, 4), "base_model.score.weight": torch.ones(1, 4)}, tmp_path / "a.safetensors"
    )
    assert head_of(str(tmp_path), 4).tolist() == [[1, 1, 1, 1]]
    with pytest.raises(DataError, match="has no reward head of 1 x 5"):
        head_of(str(tmp_path), 5)


def test_a_model_that_changes_scores_after_its_output_layer_is_refused(tmp_path):
    """Gemma 2 caps them: likelihoods from the output layer alone would be another model's."""
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
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="cannot train models of type 'gemma2'"):
        actor(tmp_path)


def test_the_tolerance_of_the_first_ratio_is_a_thousandth():
    """What the page says."""
    assert update.RATIO_TOLERANCE == 1e-3
