"""How much memory a training is said to need."""

import pytest

from solon.trainers.base import Lora
from solon.trainers.memory import GIB, NF4, Estimate, Need, Training, estimate, four_models
from solon.trainers.shapes import shape_of

LLAMA = shape_of("meta-llama/Llama-3.1-8B-Instruct")
MATRICES = 32 * 4096 * (10240 + 3 * 14336)  # of Llama 3.1 8B: 6,979,321,856
ADAPTERS = 41_943_040


def parts(estimated: Estimate) -> dict[str, float]:
    return {need.part: need.bytes for need in estimated.needs}


def test_nf4_with_double_quantisation_takes_4_127_bits():
    """4 + 8/64 + 32/(64 x 256), as in section 3 of the paper."""
    bits = 8 * NF4
    assert bits == pytest.approx(4.127, abs=5e-4)


def test_the_base_in_4_bits_keeps_embeddings_norms_and_head_in_16():
    """6.98e9 values at 4.127 bits and 1.05e9 at 16: 5.31 GiB."""
    bytes_of = parts(estimate(LLAMA, Training("ppo")))["base weights (nf4)"]
    assert bytes_of == pytest.approx(MATRICES * NF4 + 2 * (8_030_261_248 - MATRICES))
    assert bytes_of / GIB == pytest.approx(5.31, abs=0.005)


@pytest.mark.parametrize(("r", "gib"), [(16, 5.94), (32, 6.56)])
def test_ppo_on_one_4_bit_base_of_8b_stands_at_about_6_gib(r, gib):
    """An adapter of r=16 costs 16 bytes a parameter: 0.625 GiB; r=32 as much as two, policy and value apart."""
    assert estimate(LLAMA, Training("ppo", lora=Lora(r=r))).static == pytest.approx(gib, abs=0.005)


def test_a_value_of_its_own_costs_16_bytes_a_parameter_of_its_adapter():
    """r=8 on all linear layers has 20,971,520: 0.31 GiB beside the policy's 0.625, on a base of 5.31."""
    alone, own = (estimate(LLAMA, Training("ppo", value=value)).static for value in (None, Lora(r=8)))
    assert (own - alone) * GIB == pytest.approx(16 * ADAPTERS / 2)
    assert own <= 1.25 * estimate(LLAMA, Training("dpo")).static


def test_four_models_in_bfloat16_take_57_9_gib_for_their_weights():
    """2 bytes x (2 x 8.03e9 + 2 x 7.50e9): value and reward model have a scalar head."""
    assert four_models(LLAMA) == pytest.approx(57.9, abs=0.05)


def test_ppo_at_64_rollouts_of_512_tokens_stays_below_16_gib():
    """The key-value cache of sampling alone is 64 x 512 x 128 KiB = 4 GiB."""
    estimated = estimate(LLAMA, Training("ppo", batch_size=8, length=512, rollouts=64))
    assert parts(estimated)["key-value cache of 64 rollouts"] == 4 * GIB
    assert estimated.card < 16


def test_sampling_and_training_take_turns():
    """The peak is what stays, and the larger of the two."""
    estimated = Estimate((Need("a", GIB), Need("b", 2 * GIB, "sampling"), Need("c", 3 * GIB, "training")))
    assert (estimated.static, estimated.peak) == (1, 4)


@pytest.mark.parametrize(("lora", "weights"), [(Lora(), "nf4"), (None, "float32")], ids=["lora", "full"])
def test_self_play_needs_what_answering_or_dpo_needs_whichever_is_more(lora, weights):
    """The policy is loaded for each in turn. 2,048 rollouts of 1,024 tokens have a cache of 256 GiB, and one has an
    eighth of one; gradients and moments are not there while it answers, in bfloat16 where all weights are trained.
    """

    def peaks(kind, rollouts=1):
        estimated = estimate(LLAMA, Training(kind, lora=lora, weights=weights, rollouts=rollouts))
        return estimated.peak, parts(estimated)

    assert peaks("selfplay")[0] == pytest.approx(peaks("dpo")[0])
    many, answering = peaks("selfplay", rollouts=2048)
    policy = sum(size for part, size in answering.items() if part.startswith("policy that answers")) / GIB
    assert policy == pytest.approx(5.313 + 4 * ADAPTERS / GIB if lora else 2 * 8_030_261_248 / GIB, abs=0.005)
    assert many == pytest.approx(policy + 256 + 10 * 128256 * 2048 / GIB)


def test_all_weights_take_16_bytes_a_parameter():
    """Weight, gradient, and AdamW's two moments, in float32."""
    assert estimate(LLAMA, Training("dpo", lora=None, weights="float32")).static == 16 * 8_030_261_248 / GIB


def test_only_a_trainer_that_samples_keeps_a_second_copy_as_its_reference():
    """The offline ones ask the reference before they begin; with adapters it is the base."""
    with_all = {
        kind: "reference (float32)" in parts(full(kind)) for kind in ("sft", "dpo", "kto", "ppo", "grpo", "rloo")
    }
    assert with_all == {"sft": False, "dpo": False, "kto": False, "ppo": True, "grpo": True, "rloo": True}
    assert "reference (float32)" not in parts(estimate(LLAMA, Training("ppo")))


def full(kind):
    return estimate(LLAMA, Training(kind, lora=None, weights="float32"))


def test_4_bit_weights_are_not_trained_themselves():
    """There is no gradient of a 4-bit number."""
    with pytest.raises(ValueError, match="4-bit weights cannot be trained"):
        estimate(LLAMA, Training("dpo", lora=None))


def test_16_million_scores_are_held_at_a_time_and_those_of_256_tokens_by_trls_loss_for_sft():
    """Whatever the batch: DPO's default has 8 x 2 x 1024 x 128256. A small batch has no more than it has."""
    scores = {kind: parts(estimate(LLAMA, Training(kind)))["logits"] / 10 for kind in ("dpo", "simpo", "grpo", "sft")}
    assert scores == {"dpo": 2**24, "simpo": 2**24, "grpo": 2**24, "sft": 256 * 128256}
    few = Training("dpo", batch_size=1, length=32)
    assert parts(estimate(LLAMA, few))["logits"] == 10 * 2 * 32 * 128256


def test_a_reward_model_has_no_logits():
    """Its head is a single number."""
    assert "logits" not in parts(estimate(LLAMA, Training("reward")))


def test_unsloth_keeps_the_inputs_of_the_blocks_in_the_machines_memory():
    """Two of 32 are on the card at a time."""
    name = "inputs of the blocks (gradient checkpointing)"
    here, offloaded = (parts(estimate(LLAMA, Training("dpo", offload=each)))[name] for each in (False, True))
    assert here == 16 * offloaded == 32 * 4096 * 2 * 16384


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto", "orpo", "simpo", "reward", "grpo", "rloo", "ppo", "selfplay"])
@pytest.mark.parametrize("model", ["meta-llama/Llama-3.1-8B-Instruct", "google/flan-t5-base"])
def test_every_trainer_needs_more_than_its_base(kind, model):
    """And less than its card."""
    estimated = estimate(shape_of(model), Training(kind))
    assert 0 <= estimated.static < estimated.peak < estimated.card
    assert (estimated.static > 0) == (kind != "selfplay")  # where all is loaded in turns
