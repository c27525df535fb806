"""A tiny Llama and a tiny T5 made from nothing: real weights and real tokenizers, for tests without a network.

They know nothing: their weights are random. What they have is everything that a served model has, in the same files, at
a size (30,000 and 50,000 parameters) that loads and answers in milliseconds. Needs the ``train`` extra.

``solon.testing.making`` teaches a Llama of this kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from solon.errors import MissingExtra

PAD = "<|pad|>"
BEGIN = "<|begin|>"
END = "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""One special token for the role, the content, one special token for its end: a prompt's tokens are always a prefix of
the tokens of prompt and response."""
BEGUN_TEMPLATE = (
    "<|begin|>{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""The same behind a token that begins the conversation."""


def tiny_tokenizer(
    corpus: Iterable[str] = (),
    *,
    vocab_size: int = 261,
    begins: bool = False,
    single_digits: bool = False,
    context: int | None = None,
    padding_side: Literal["left", "right"] | None = None,
) -> Any:
    """A byte-level BPE tokenizer (a ``PreTrainedTokenizerFast``) that can encode any text, with a chat template.

    Args:
        corpus: texts to learn merges from; without them every byte is a token of its own.
        vocab_size: the most tokens it may have: 256 bytes, 5 special tokens, and merges learned from ``corpus``.
        begins: whether a conversation begins with a token of its own (``BEGUN_TEMPLATE``, a sixth special token)
            or with the first role's (``CHAT_TEMPLATE``).
        single_digits: whether every digit is a token of its own, so that numbers can be read place by place.
        context: its ``model_max_length``; without it there is none.
        padding_side: where it pads; without it as transformers does, on the right.

    Raises:
        MissingExtra: transformers is not installed.
    """
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        raise MissingExtra("a tiny model", "train") from error
    tokenizer = Tokenizer(models.BPE())
    digits = [pre_tokenizers.Digits(individual_digits=True)] if single_digits else []
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*digits, byte_level]) if digits else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, *([BEGIN] if begins else []), END, *ROLES],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    settings = {"bos_token": BEGIN if begins else None, "model_max_length": context, "padding_side": padding_side}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=list(ROLES),
        chat_template=BEGUN_TEMPLATE if begins else CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        **{name: value for name, value in settings.items() if value is not None},
    )


def new_llama(
    tokenizer: Any,
    *,
    hidden_size: int,
    layers: int,
    heads: int,
    ffn_size: int,
    context: int,
    spread: float,
) -> Any:
    """A ``LlamaForCausalLM`` with tied embeddings, its weights drawn from torch's global random numbers.

    Args:
        tokenizer: whose tokens it reads and writes.
        hidden_size, layers, heads, ffn_size, context, spread: as for ``tiny_llama``.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=ffn_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def tiny_llama(
    folder: str | os.PathLike[str],
    seed: int = 0,
    *,
    corpus: Sequence[str] = (),
    vocab_size: int = 261,
    hidden_size: int = 32,
    layers: int = 2,
    heads: int = 4,
    ffn_size: int = 64,
    context: int = 1024,
    spread: float = 0.1,
    dtype: Literal["float32", "bfloat16"] = "float32",
) -> Path:
    """Writes a random Llama with tied embeddings into ``folder`` (safetensors, config, tokenizer) and returns it.

    The same arguments write the same weights. The state of torch's global random numbers is left as it was.

    Args:
        folder: made when it does not exist.
        seed: of the weights.
        corpus, vocab_size: as for ``tiny_tokenizer``.
        hidden_size, layers, heads, ffn_size: the shape; ``heads`` divides ``hidden_size``.
        context: the most tokens it takes.
        spread: standard deviation of the weights; the larger, the further its next-token probabilities are from equal.
        dtype: of the weights on disk.

    Raises:
        MissingExtra: torch or transformers is not installed.
    """
    tokenizer = tiny_tokenizer(corpus, vocab_size=vocab_size)

    def make() -> Any:
        return new_llama(
            tokenizer,
            hidden_size=hidden_size,
            layers=layers,
            heads=heads,
            ffn_size=ffn_size,
            context=context,
            spread=spread,
        )

    return write_random(make, tokenizer, folder, seed=seed, dtype=dtype)


def tiny_t5(
    folder: str | os.PathLike[str],
    seed: int = 0,
    *,
    corpus: Sequence[str] = (),
    vocab_size: int = 261,
    hidden_size: int = 32,
    layers: int = 2,
    heads: int = 4,
    ffn_size: int = 64,
    spread: float = 1.0,
    dtype: Literal["float32", "bfloat16"] = "float32",
) -> Path:
    """Writes a random T5, an encoder-decoder with tied embeddings, into ``folder`` and returns it.

    Its tokenizer has no chat template: like T5's it puts the end token behind every text, and the decoder starts with
    the pad token. The same arguments write the same weights. The state of torch's global random numbers is left as it
    was.

    Args:
        folder: made when it does not exist.
        seed: of the weights.
        corpus, vocab_size: as for ``tiny_tokenizer``.
        hidden_size, heads, ffn_size: the shape; ``heads`` divides ``hidden_size``.
        layers: of the encoder, and as many of the decoder.
        spread: what T5's usual standard deviations are multiplied by; the larger, the further its next-token
            probabilities are from equal.
        dtype: of the weights on disk.

    Raises:
        MissingExtra: torch or transformers is not installed.
    """
    tokenizer = tiny_tokenizer(corpus, vocab_size=vocab_size)
    from tokenizers.processors import TemplateProcessing
    from transformers import T5Config, T5ForConditionalGeneration

    ends = [(END, tokenizer.eos_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"$A {END}", special_tokens=ends)
    tokenizer.chat_template = None
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=hidden_size,
        d_kv=hidden_size // heads,
        d_ff=ffn_size,
        num_layers=layers,
        num_heads=heads,
        initializer_factor=spread,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    return write_random(lambda: T5ForConditionalGeneration(config), tokenizer, folder, seed=seed, dtype=dtype)


def write_random(
    make: Callable[[], Any],
    tokenizer: Any,
    folder: str | os.PathLike[str],
    *,
    seed: int,
    dtype: Literal["float32", "bfloat16"],
) -> Path:
    """Writes a model of random weights with its tokenizer into ``folder`` and returns it.

    Args:
        make: the model, its weights drawn from torch's global random numbers, whose state is left as it was.
        tokenizer: written beside it.
        folder: made when it does not exist.
        seed: of the weights.
        dtype: of the weights on disk.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("a tiny model", "train") from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make().to(getattr(torch, dtype))
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
