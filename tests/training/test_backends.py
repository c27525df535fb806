"""Models are counted from their configuration as they are when built, and loaded as a backend says."""

import sys

import pytest
import torch
from peft import get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
    T5Config,
)

from solon.models.backend import loading
from solon.testing.tiny import tiny_llama
from solon.trainers.backend.network import (
    adapters,
    import_unsloth,
    load_policy,
    settle_adapters,
    unsloth_adapters,
    unsloth_model,
)
from solon.trainers.backends import Choice
from solon.trainers.base import Lora, Policy
from solon.trainers.parameters import counts
from solon.trainers.shapes import shape_from

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

GROUPED = {
    "vocab_size": 37,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
T5 = {"vocab_size": 37, "d_model": 16, "d_kv": 5, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4}
MODELS = {
    "llama": LlamaConfig(**GROUPED),
    "llama-biased-tied": LlamaConfig(**GROUPED, attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
    "mistral": MistralConfig(**GROUPED, head_dim=6),
    "qwen2": Qwen2Config(**GROUPED),
    "qwen3": Qwen3Config(**GROUPED, head_dim=6),
    "gpt2": GPT2Config(vocab_size=37, n_embd=16, n_layer=3, n_head=4, n_positions=32),
    "t5": T5Config(**T5, relative_attention_num_buckets=8),
    "t5-gated": T5Config(**T5, feed_forward_proj="gated-gelu"),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_is_counted_as_it_is_built(name):
    """And so are adapters on all of its linear layers."""
    config = MODELS[name]
    is_t5 = config.model_type == "t5"
    model = (AutoModelForSeq2SeqLM if is_t5 else AutoModelForCausalLM).from_config(config)
    shape = shape_from(config.to_dict())
    assert shape.total() == model.num_parameters()
    adapted = get_peft_model(model, adapters(Lora(r=3), task="SEQ_2_SEQ_LM" if is_t5 else "CAUSAL_LM"))
    table = counts(shape, "sft", Lora(r=3))
    assert adapted.get_nb_trainable_parameters() == (table.trainable, table.all)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A Llama of random weights, stored in bfloat16."""
    return tiny_llama(tmp_path_factory.mktemp("base"), dtype="bfloat16")


def test_plain_loads_all_weights_to_be_trained_in_float32(base):
    """An update of 1e-6 is lost in bfloat16."""
    ready = load_policy(Policy(model=str(base), threads=1), Choice("plain", ""), lora=None, seed=0)
    weights = list(ready.loaded.model.parameters())
    assert {(weight.dtype, weight.requires_grad) for weight in weights} == {(torch.float32, True)}
    assert not ready.adapted


def test_what_is_quantised_how_is_nf4_twice_with_products_in_bfloat16(monkeypatch):
    """As QLoRA has it; where the policy names another number type, products are in that."""
    import transformers

    monkeypatch.setattr(loading, "find_spec", lambda _: object())
    config = loading._four_bit(torch, transformers, "auto")
    assert (config.load_in_4bit, config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert config.bnb_4bit_compute_dtype == torch.bfloat16
    assert loading._four_bit(torch, transformers, "float16").bnb_4bit_compute_dtype == torch.float16


@pytest.mark.parametrize("fresh", [True, False])
def test_what_trl_does_to_adapters_is_undone(fresh):
    """On 4-bit weights it trains them in bfloat16; it copies one that is there, as a reference."""
    model = get_peft_model(AutoModelForCausalLM.from_config(MODELS["llama"]), adapters(Lora(r=3)))
    model.add_adapter("ref", model.peft_config["default"])
    for weight in model.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    settle_adapters(model, fresh=fresh)
    assert ("ref" in model.peft_config) is not fresh
    kept = {(weight.dtype, weight.requires_grad) for name, weight in model.named_parameters() if ".default." in name}
    assert kept == {(torch.float32, True)}
    frozen = {weight.dtype for name, weight in model.named_parameters() if ".lora_" not in name}
    assert frozen == {torch.bfloat16}


def test_unsloth_is_asked_for_the_very_model_with_its_own_checkpointing(base):
    """Not for the copy that it has quantised, and never for code that came with a model."""
    asked = unsloth_model(Policy(model=str(base), load_in_4bit=True), Lora(r=8), seed=7, max_length=64)
    wanted = {"model_name": str(base), "max_seq_length": 64, "load_in_4bit": True, "use_exact_model_name": True}
    never = {"trust_remote_code": False, "use_safetensors": True}
    assert wanted.items() | never.items() <= asked.items()
    adapted = unsloth_adapters(Lora(r=8, alpha=16, target_modules=("q_proj",)), seed=7)
    assert adapted == {
        "r": 8,
        "lora_alpha": 16,
        "lora_dropout": 0.0,
        "target_modules": ["q_proj"],
        "bias": "none",
        "use_gradient_checkpointing": "unsloth",
        "random_state": 7,
    }


def test_unsloth_after_what_it_patches_is_an_error_of_ours():
    """It would train, and without its kernels."""
    assert "peft" in sys.modules
    with pytest.raises(RuntimeError, match="unsloth must be imported before peft"):
        import_unsloth()
