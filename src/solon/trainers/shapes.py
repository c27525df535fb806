"""What a model is made of, read from its config.json alone: no torch, no weights, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from solon.errors import DataError, Problem
from solon.trainers.configurations import configuration

Part = Literal["embeddings", "attention", "mlp", "norms", "head"]
PARTS: tuple[Part, ...] = ("embeddings", "attention", "mlp", "norms", "head")

_REPEATED = ("llama", "mistral", "qwen2", "qwen3")
MODEL_TYPES = (*_REPEATED, "gpt2", "t5")
"""The kinds of model whose parts are counted."""


@dataclass(frozen=True)
class Linear:
    """``count`` equal matrices, one a layer. ``name`` is the end of the module's name, as LoRA targets it."""

    name: str
    part: Part
    inputs: int
    outputs: int
    count: int
    bias: bool = False

    @property
    def weights(self) -> int:
        """Values of the matrices, biases left out: what 4-bit loading quantises."""
        return self.inputs * self.outputs * self.count

    @property
    def parameters(self) -> int:
        """Values of matrices and biases."""
        return self.weights + (self.outputs * self.count if self.bias else 0)


@dataclass(frozen=True)
class Shape:
    """A model.

    Attributes:
        model_type: as in config.json.
        vocabulary: tokens.
        hidden: width of the residual stream.
        layers: blocks that text runs through; encoder and decoder together.
        linears: every matrix between embeddings and head.
        embeddings, norms: their parameters; what positions take counts as embeddings.
        tied: whether the head is the embedding matrix, so that it counts once.
        cached: values that a generated token leaves in the key-value cache.
        context: the most tokens it takes; ``None`` when the configuration does not say.
        encoder: whether there is an encoder before the decoder.
    """

    model_type: str
    vocabulary: int
    hidden: int
    layers: int
    linears: tuple[Linear, ...]
    embeddings: int
    norms: int
    tied: bool
    cached: int
    context: int | None = None
    encoder: bool = False

    @property
    def head(self) -> int:
        """Parameters of the output head; 0 where it is the embedding matrix."""
        return 0 if self.tied else self.vocabulary * self.hidden

    @property
    def quantised(self) -> int:
        """Values that 4-bit loading quantises: the matrices, but neither embeddings nor head."""
        return sum(linear.weights for linear in self.linears)

    def parameters(self) -> dict[Part, int]:
        """Parameters of each part."""
        linears = {part: sum(each.parameters for each in self.linears if each.part == part) for part in PARTS}
        return linears | {"embeddings": self.embeddings, "norms": self.norms, "head": self.head}

    def total(self) -> int:
        """All parameters."""
        return sum(self.parameters().values())

    def lora(self, r: int, targets: Iterable[str] | Literal["all-linear"]) -> dict[Part, int]:
        """Parameters of rank-``r`` adapters on the targeted matrices, by part: ``r (inputs + outputs)`` each.

        Raises:
            DataError: no matrix has one of these names.
        """
        wanted = None if isinstance(targets, str) else tuple(targets)
        hit = [each for each in self.linears if wanted is None or any(_ends_with(each.name, name) for name in wanted)]
        if not hit:
            known = ", ".join(dict.fromkeys(each.name for each in self.linears))
            raise DataError(
                f"no matrix of this {self.model_type} model is called {' or '.join(map(repr, wanted or ()))}; "
                f"`lora.target_modules` may name {known}"
            )
        return {
            part: found
            for part in PARTS
            if (found := sum(r * (each.inputs + each.outputs) * each.count for each in hit if each.part == part))
        }


def shape_of(model: str) -> Shape:
    """The shape of a model folder, or of a hub id that is in the hub's cache here or among ``configurations.KNOWN``.

    Raises:
        DataError: its config.json is not here, is not JSON, or is of a kind of model that is not counted.
    """
    config, where = configuration(model)
    return shape_from(config, where)


def shape_from(config: Mapping[str, Any], where: str = "config.json") -> Shape:
    """The shape that a configuration describes.

    Raises:
        DataError: its ``model_type`` is not counted, or a size is missing.
    """
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        what = f"models of type {kind!r} are not counted"
        raise DataError([Problem(where, what, f"counted are {', '.join(MODEL_TYPES)}")])
    try:
        if kind == "t5":
            return _t5(config)
        return _gpt2(config) if kind == "gpt2" else _decoder(config)
    except KeyError as error:
        raise DataError([Problem(where, f"does not say {error.args[0]!r}, so the model cannot be counted")]) from None


def _decoder(config: Mapping[str, Any]) -> Shape:
    """Llama, Mistral, Qwen 2 and 3: grouped queries, a gated MLP, RMS norms."""
    kind, hidden, layers = config["model_type"], config["hidden_size"], config["num_hidden_layers"]
    ffn, heads = config["intermediate_size"], config["num_attention_heads"]
    shared = config.get("num_key_value_heads") or heads
    width = config.get("head_dim") or (128 if kind == "qwen3" else hidden // heads)
    queries, keys = heads * width, shared * width
    bias = bool(config.get("attention_bias", False))
    of_queries = bias or kind == "qwen2"  # which always has it there, and never on the output
    mlp_bias = bool(config.get("mlp_bias", False))
    return Shape(
        model_type=kind,
        vocabulary=config["vocab_size"],
        hidden=hidden,
        layers=layers,
        linears=(
            Linear("q_proj", "attention", hidden, queries, layers, of_queries),
            Linear("k_proj", "attention", hidden, keys, layers, of_queries),
            Linear("v_proj", "attention", hidden, keys, layers, of_queries),
            Linear("o_proj", "attention", queries, hidden, layers, bias and kind != "qwen2"),
            Linear("gate_proj", "mlp", hidden, ffn, layers, mlp_bias),
            Linear("up_proj", "mlp", hidden, ffn, layers, mlp_bias),
            Linear("down_proj", "mlp", ffn, hidden, layers, mlp_bias),
        ),
        embeddings=config["vocab_size"] * hidden,
        norms=(2 * layers + 1) * hidden + (2 * width * layers if kind == "qwen3" else 0),
        tied=bool(config.get("tie_word_embeddings", False)),
        cached=2 * layers * keys,
        context=config.get("max_position_embeddings"),
    )


def _gpt2(config: Mapping[str, Any]) -> Shape:
    hidden, layers, context = config["n_embd"], config["n_layer"], config["n_positions"]
    ffn = config.get("n_inner") or 4 * hidden
    return Shape(
        model_type="gpt2",
        vocabulary=config["vocab_size"],
        hidden=hidden,
        layers=layers,
        linears=(
            Linear("attn.c_attn", "attention", hidden, 3 * hidden, layers, bias=True),
            Linear("attn.c_proj", "attention", hidden, hidden, layers, bias=True),
            Linear("mlp.c_fc", "mlp", hidden, ffn, layers, bias=True),
            Linear("mlp.c_proj", "mlp", ffn, hidden, layers, bias=True),
        ),
        embeddings=(config["vocab_size"] + context) * hidden,
        norms=(2 * layers + 1) * 2 * hidden,
        tied=bool(config.get("tie_word_embeddings", True)),
        cached=2 * layers * hidden,
        context=context,
    )


def _t5(config: Mapping[str, Any]) -> Shape:
    """Encoder-decoder; a decoder block attends to itself and to the encoder."""
    hidden, ffn, encoder = config["d_model"], config["d_ff"], config["num_layers"]
    decoder = config.get("num_decoder_layers") or encoder
    inner, attentions, blocks = config["num_heads"] * config["d_kv"], encoder + 2 * decoder, encoder + decoder
    gated = str(config.get("feed_forward_proj", "relu")).startswith("gated-")
    entrances = ("wi_0", "wi_1") if gated else ("wi",)
    return Shape(
        model_type="t5",
        vocabulary=config["vocab_size"],
        hidden=hidden,
        layers=blocks,
        linears=(
            *(Linear(name, "attention", hidden, inner, attentions) for name in ("q", "k", "v")),
            Linear("o", "attention", inner, hidden, attentions),
            *(Linear(name, "mlp", hidden, ffn, blocks) for name in entrances),
            Linear("wo", "mlp", ffn, hidden, blocks),
        ),
        # one table of relative positions for the encoder, one for the decoder
        embeddings=config["vocab_size"] * hidden
        + 2 * config.get("relative_attention_num_buckets", 32) * config["num_heads"],
        norms=(2 * encoder + 1 + 3 * decoder + 1) * hidden,
        tied=bool(config.get("tie_word_embeddings", True)),
        cached=2 * decoder * inner,
        encoder=True,
    )


def _ends_with(name: str, target: str) -> bool:
    """Whether LoRA's ``target`` means the module of this name: its whole end, between dots."""
    return name == target or name.endswith(f".{target}")
