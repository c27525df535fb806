"""A tiny classifier that has learned something, and a tiny reward model that has not, as folders."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from solon.models.backend.loading import libraries
from solon.testing.tiny import tiny_tokenizer, write_random

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "birds", "fly", "over", "fields")
VILE = "vile"
ROOM = 14
"""Words that the classifier takes at once."""


def tiny_classifier(folder: Path) -> Path:
    """A RoBERTa with the labels ``nothate`` and ``hate`` that finds ``vile`` hateful, and no other of its words.

    Each word is a token; ``<s>`` and ``</s>`` stand around a text, as in RoBERTa's own tokenizer.
    """
    network, tokenizer = _trained()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@lru_cache
def _trained() -> tuple[Any, Any]:
    torch, transformers = libraries()
    tokenizer = _word_tokenizer()
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=2 + ROOM + 2,  # counted from after the pad token, which is 1; two special tokens
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label={0: "nothate", 1: "hate"},
        label2id={"nothate": 0, "hate": 1},
    )
    rng = Random(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = transformers.RobertaForSequenceClassification(config)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
        for _ in range(120):
            texts = [rng.choices(WORDS, k=rng.randint(1, ROOM)) for _ in range(32)]
            labels = [number % 2 for number in range(32)]
            for words, label in zip(texts, labels, strict=True):
                if label:
                    words[rng.randrange(len(words))] = VILE
            batch = tokenizer([" ".join(words) for words in texts], padding=True, return_tensors="pt")
            loss = network(**batch, labels=torch.tensor(labels)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return network.eval(), tokenizer


def _word_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(("<s>", "<pad>", "</s>", "<unk>", *WORDS, VILE))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    around = [("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=around)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )


def tiny_reward_model(folder: Path, *, context: int = 128, seed: int = 4) -> Path:
    """A random Llama with one output, a pad token and a chat template: what reward training leaves."""
    _, transformers = libraries()
    tokenizer = tiny_tokenizer()
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=context,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1,
    )
    make = transformers.LlamaForSequenceClassification
    return write_random(lambda: make(config), tokenizer, folder, seed=seed, dtype="float32")
