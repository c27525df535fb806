"""What a model is made of, from its configuration alone."""

import json

import pytest

from solon.errors import DataError
from solon.trainers.base import Lora
from solon.trainers.parameters import counts
from solon.trainers.shapes import shape_from, shape_of

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
FLAN = "google/flan-t5-base"


@pytest.fixture(autouse=True)
def _without_hub_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_llama_3_1_8b_is_counted_by_part():
    """Published: 8,030,261,248. Embeddings and head 128256 x 4096 each; norms (2 x 32 + 1) x 4096; attention a layer
    4096 x (4096 + 1024 + 1024 + 4096); MLP a layer 3 x 4096 x 14336.
    """
    assert shape_of(LLAMA).parameters() == {
        "embeddings": 128256 * 4096,
        "attention": 32 * 4096 * 10240,
        "mlp": 32 * 3 * 4096 * 14336,
        "norms": 65 * 4096,
        "head": 128256 * 4096,
    }
    assert shape_of(LLAMA).total() == 8_030_261_248


def test_a_token_of_llama_3_1_8b_takes_128_kib_of_cache():
    """Keys and values of 8 heads of 128 in 32 layers, 2 bytes each."""
    assert 2 * shape_of(LLAMA).cached == 128 * 1024


def test_adapters_on_all_linear_layers_of_llama_3_1_8b():
    """Each has r (inputs + outputs) values: 16 x 32 x (8192 + 5120 + 5120 + 8192 + 3 x 18432) = 41,943,040."""
    assert sum(shape_of(LLAMA).lora(16, "all-linear").values()) == 41_943_040


def test_flan_t5_base_trains_3538944_of_251116800():
    """LoRA r=32 on q and v: 32 x 1536 in 36 attentions, twice; the head is not tied in this checkpoint."""
    table = counts(shape_of(FLAN), "sft", Lora(r=32, target_modules=("q", "v")))
    assert (table.trainable, table.all) == (3_538_944, 251_116_800)
    assert table.metrics() == {"parameters/trainable": 3_538_944.0, "parameters/all": 251_116_800.0}


def test_the_value_head_of_flan_t5_base_has_769_parameters():
    """768 weights and a bias, trained and counted beside the adapters."""
    table = counts(shape_of(FLAN), "ppo", Lora(r=32, target_modules=("q", "v")))
    assert (table.trainable, table.all) == (3_538_944 + 769, 251_116_800 + 769)


def test_a_values_own_adapters_are_counted_by_themselves():
    """r=8 where the policy has r=32: a quarter of 3,538,944."""
    lora = Lora(r=32, target_modules=("q", "v"))
    table = counts(shape_of(FLAN), "ppo", lora, value=Lora(r=8, target_modules=("q", "v")))
    assert {count.part: count.trainable for count in table.parts}["value adapters"] == 3_538_944 // 4
    assert table.trainable == 3_538_944 * 5 // 4 + 769


def test_a_reward_model_has_a_head_of_its_own_in_place_of_the_models():
    """The matrix over the vocabulary is not loaded at all."""
    table = counts(shape_of(LLAMA), "reward", None)
    assert (table.trainable, table.all) == (8_030_261_248 - 128256 * 4096 + 4096,) * 2


def test_the_table_says_each_part_and_the_share_that_is_trained():
    """3,538,944 of 251,116,800 is 1.41 %."""
    lines = counts(shape_of(FLAN), "sft", Lora(r=32, target_modules=("q", "v"))).lines()
    assert [line.split() for line in (lines[0], lines[-2], lines[-1])] == [
        ["parameters", "trainable", "all", "share"],
        ["adapters,", "attention", "3,538,944", "3,538,944", "100.00%"],
        ["together", "3,538,944", "251,116,800", "1.41%"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_a_module_that_the_model_has_not_is_named_with_those_it_has():
    """`c_attn` is GPT-2's: PEFT would say so only after the weights were read."""
    with pytest.raises(DataError, match=r"no matrix .* 'c_attn'; .*may name q_proj, k_proj, v_proj, o_proj, gate_proj"):
        shape_of(LLAMA).lora(16, ["c_attn"])


def test_a_target_means_whole_names_between_dots():
    """`c_proj` of GPT-2 is two matrices a layer; `proj` is none."""
    shape = shape_from({"model_type": "gpt2", "vocab_size": 10, "n_embd": 4, "n_layer": 1, "n_positions": 8})
    assert shape.lora(1, ["c_proj"]) == {"attention": 8, "mlp": 20}
    with pytest.raises(DataError):
        shape.lora(1, ["proj"])


def test_a_kind_of_model_that_is_not_counted_is_refused():
    """A wrong number is worse than none."""
    with pytest.raises(DataError, match=r"models of type 'mamba' are not counted .*llama, mistral"):
        shape_from({"model_type": "mamba"})


def test_a_configuration_that_lacks_a_size_is_refused():
    """With the name that it lacks."""
    with pytest.raises(DataError, match="does not say 'hidden_size'"):
        shape_from({"model_type": "llama"})


def test_a_configuration_in_the_hubs_cache_wins_over_the_table(tmp_path):
    """What was downloaded is what will be trained."""
    snapshot = tmp_path / "hub" / "models--google--flan-t5-base" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    config = {"model_type": "t5", "vocab_size": 8, "d_model": 4, "d_kv": 2, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    (snapshot / "config.json").write_text(json.dumps(config))
    assert shape_of(FLAN).vocabulary == 8


def test_a_model_that_is_not_here_is_refused_without_asking_the_network():
    """With the models that are known without it."""
    with pytest.raises(
        DataError, match=r"no config.json of this model here .*Llama-3.1-8B-Instruct, google/flan-t5-base"
    ):
        shape_of("org/model")
