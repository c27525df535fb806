"""The model of the GPU check: Llama 3.1 8B's exact shape in random NF4 weights, made on the GPU a layer at a time.

    python benchmarks/gpu/shape.py FOLDER            # 5.7 GiB on disk, about as much on the GPU for a moment
    python benchmarks/gpu/shape.py FOLDER --tiny     # a tiny one of 16-bit weights, on a CPU

What is written is what transformers writes of a model that bitsandbytes has quantised, and loads like any other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from solon.testing.llama31 import ORDINARY, llama_31_config, llama_31_tokenizer, tiny_llama_31
from solon.trainers.configurations import KNOWN

NAME = "meta-llama/Llama-3.1-8B-Instruct"
SPREAD = 0.02
QUANTISED = {
    "quant_method": "bitsandbytes",
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_compute_dtype": "bfloat16",
    "bnb_4bit_quant_storage": "uint8",
}


def make(folder: Path, *, device: str = "cuda", ordinary: int = ORDINARY, **sizes: Any) -> None:
    """Writes the folder: a file for each layer, one for embeddings, last norm and head, and their index.

    Args:
        folder: made here.
        device: where the weights are made and quantised.
        ordinary: tokens before the special ones.
        sizes: in place of those of Llama 3.1 8B.
    """
    from safetensors.torch import save_file

    known = {name: value for name, value in KNOWN[NAME].items() if name not in ("model_type", "vocab_size")}
    config, generation = llama_31_config(ordinary, **(known | sizes))
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, str] = {}
    size = 0
    for number, weights in enumerate(_files(config, device)):
        name = f"model-{number:05}.safetensors"
        save_file(weights, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(weights, name)
        size += sum(weight.nbytes for weight in weights.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    config.architectures = ["LlamaForCausalLM"]
    config.quantization_config = QUANTISED
    config.save_pretrained(folder)
    generation.save_pretrained(folder)
    llama_31_tokenizer(ordinary).save_pretrained(folder)


def _files(config: Any, device: str) -> Iterator[dict[str, Any]]:
    import torch

    torch.manual_seed(0)

    def normal(*shape: int) -> Any:
        return torch.randn(*shape, device=device, dtype=torch.bfloat16) * SPREAD

    ones = torch.ones(config.hidden_size, dtype=torch.bfloat16)
    yield {
        "model.embed_tokens.weight": normal(config.vocab_size, config.hidden_size).cpu(),
        "model.norm.weight": ones,
        "lm_head.weight": normal(config.vocab_size, config.hidden_size).cpu(),
    }
    hidden, ffn = config.hidden_size, config.intermediate_size
    width = hidden // config.num_attention_heads
    queries, keys = config.num_attention_heads * width, config.num_key_value_heads * width
    linears = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (ffn, hidden),
        "mlp.up_proj": (ffn, hidden),
        "mlp.down_proj": (hidden, ffn),
    }
    for number in range(config.num_hidden_layers):
        layer = f"model.layers.{number}"
        weights = {f"{layer}.{norm}_layernorm.weight": ones for norm in ("input", "post_attention")}
        for name, shape in linears.items():
            weights |= _quantised(f"{layer}.{name}.weight", normal(*shape))
        yield {name: weight.clone() for name, weight in weights.items()}


def _quantised(name: str, weight: Any) -> dict[str, Any]:
    """NF4 with double quantisation, under the names that transformers reads it by."""
    from bitsandbytes.functional import quantize_4bit

    packed, state = quantize_4bit(weight, compress_statistics=True, quant_type="nf4")
    parts = {f"{name}.{part}": value.cpu() for part, value in state.as_dict(packed=True).items()}
    return {name: packed.cpu(), **parts}


def main() -> None:
    """Makes one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    if given.tiny:
        tiny_llama_31(given.folder, max_position_embeddings=2048)
    else:
        make(given.folder)


if __name__ == "__main__":
    main()
