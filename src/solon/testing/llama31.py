"""Models made from nothing that have what Llama 3.1 has: its special tokens, three ends, no pad token, its chat format.

They know nothing and have none of its weights. The tiny one is for tests without a network; with the sizes of
``solon.trainers.configurations.KNOWN`` the tokenizer and the settings are those of the 8B model, ids included. Needs
the ``train`` extra.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from solon.errors import MissingExtra
from solon.testing.tiny import write_random

ORDINARY = 128_000
"""Tokens of Llama 3.1 before the special ones."""
SPECIAL = 256
"""Special tokens, most of them reserved."""
BEGIN, END_OF_TEXT, PAD, HEADER, HEADER_END, END_OF_MESSAGE, END_OF_TURN = 0, 1, 4, 6, 7, 8, 9
"""Where among the special tokens each stands."""
_NAMED = {
    BEGIN: "<|begin_of_text|>",
    END_OF_TEXT: "<|end_of_text|>",
    PAD: "<|finetune_right_pad_id|>",
    HEADER: "<|start_header_id|>",
    HEADER_END: "<|end_header_id|>",
    END_OF_MESSAGE: "<|eom_id|>",
    END_OF_TURN: "<|eot_id|>",
    10: "<|python_tag|>",
}
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def special_tokens() -> list[str]:
    """All 256, in the order of their ids; what has no name is reserved and counted."""
    reserved = iter(range(SPECIAL))
    return [_NAMED.get(place) or f"<|reserved_special_token_{next(reserved)}|>" for place in range(SPECIAL)]


def llama_31_tokenizer(ordinary: int = SPECIAL) -> Any:
    """A tokenizer of bytes (a ``PreTrainedTokenizerFast``) with the special tokens of Llama 3.1 after ``ordinary`` ids.

    Args:
        ordinary: 256 for the bytes alone; with ``ORDINARY`` every special token has its id of Llama 3.1, and what is
            between the bytes and them is never used.

    Raises:
        MissingExtra: transformers is not installed.
    """
    try:
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        raise MissingExtra("a tiny model", "train") from error
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = alphabet + [f"<unused {number}>" for number in range(len(alphabet), ordinary)]
    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special_tokens()])
    begin = _NAMED[BEGIN]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin} $B", special_tokens=[(begin, ordinary + BEGIN)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token=_NAMED[END_OF_TURN],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def llama_31_config(ordinary: int = SPECIAL, **sizes: Any) -> tuple[Any, Any]:
    """The configuration of a model and of its generation, as Llama 3.1 has them.

    Args:
        ordinary: as for the tokenizer.
        sizes: of ``transformers.LlamaConfig``; tiny ones are taken for what is left out.
    """
    from transformers import GenerationConfig, LlamaConfig

    begin, ends = ordinary + BEGIN, [ordinary + END_OF_TEXT, ordinary + END_OF_MESSAGE, ordinary + END_OF_TURN]
    tiny = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": False,
    }
    sizes = {**tiny, **sizes, "vocab_size": ordinary + SPECIAL}
    config = LlamaConfig(
        **sizes,
        rms_norm_eps=1e-5,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500_000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": min(8192, sizes["max_position_embeddings"] // 2),
        },
        bos_token_id=begin,
        eos_token_id=ends,
        pad_token_id=None,
        dtype="bfloat16",
    )
    generation = GenerationConfig(bos_token_id=begin, eos_token_id=ends, do_sample=True, temperature=0.6, top_p=0.9)
    return config, generation


def tiny_llama_31(folder: str | os.PathLike[str], seed: int = 0, *, spread: float = 0.1, **sizes: Any) -> Path:
    """Writes a tiny random model with tokenizer, configuration and generation settings, and returns its folder.

    Args:
        folder: made when it does not exist.
        seed: of the weights.
        spread: standard deviation of the weights.
        sizes: of ``transformers.LlamaConfig``.

    Raises:
        MissingExtra: torch or transformers is not installed.
    """
    tokenizer = llama_31_tokenizer()
    from transformers import LlamaForCausalLM

    config, generation = llama_31_config(**sizes, initializer_range=spread)

    def made() -> Any:
        model = LlamaForCausalLM(config)
        model.generation_config = generation
        return model

    return write_random(made, tokenizer, folder, seed=seed, dtype="bfloat16")
