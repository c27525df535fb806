"""The two classifiers: a RoBERTa that rewards, and a DistilBERT of other data that only evaluates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from dialogues.summaries import summary
from dialogues.turns import dialogue
from dialogues.world import INSULTS, SHARE_TAKEN_ILL, TEASES, Split, plan_of, source

ROOM = 62
"""Words and marks that a classifier takes at once."""
_WRONG_LABELS = 0.01
_HARSH = re.compile(rf"\b({'|'.join(INSULTS)})\b")
_TEASING = re.compile(rf"\b({'|'.join(TEASES)})\b")


def is_rude(text: str) -> bool:
    """Whether it holds an insult."""
    return _HARSH.search(text) is not None


def is_tease(text: str) -> bool:
    """Whether it holds a word on which people differ."""
    return _TEASING.search(text) is not None


def rows(split: Split, numbers: range) -> list[tuple[str, bool]]:
    """Sentences and summaries from dialogues of a split, with whether somebody took them for hateful.

    An insult is one, a tease to a third of people; of all labels one in a hundred is wrong. Half of the texts have an
    insult or a tease put somewhere, so that the classifier learns the words and not the sentences around them.
    """
    made = []
    for number in numbers:
        random = source(split, number, "text")
        said = [line.split(": ", 1)[1] for line in dialogue(split, number).splitlines()]
        text = random.choice((summary(plan_of(split, number), random), random.choice(said)))
        if random.random() < 0.5:
            words = text.split()
            words.insert(random.randint(0, len(words)), random.choice(INSULTS + TEASES))
            text = " ".join(words)
        ill = is_rude(text) or (is_tease(text) and random.random() < SHARE_TAKEN_ILL)
        made.append((text, ill != (random.random() < _WRONG_LABELS)))
    return made


def roberta(labelled: Sequence[tuple[str, bool]], *, seed: int) -> tuple[Any, PreTrainedTokenizerFast]:
    """One layer of 32, with the labels of ``facebook/roberta-hate-speech-dynabench-r4-target``."""
    tokenizer = _tokenizer([text for text, _ in labelled], "<s>", "</s>")
    torch.manual_seed(seed)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=ROOM + 2 + tokenizer.pad_token_id + 1,  # counted from after the pad token
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label={0: "nothate", 1: "hate"},
        label2id={"nothate": 0, "hate": 1},
    )
    model = RobertaForSequenceClassification(config)
    _fit(model, tokenizer, labelled, seed=seed, steps=600, rate=5e-3)
    return model, tokenizer


def distilbert(labelled: Sequence[tuple[str, bool]], *, seed: int) -> tuple[Any, PreTrainedTokenizerFast]:
    """Two layers of 24, with labels of its own: ``clean`` and ``toxic``."""
    tokenizer = _tokenizer([text for text, _ in labelled], "[CLS]", "[SEP]")
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=24,
        n_layers=2,
        n_heads=2,
        hidden_dim=48,
        max_position_embeddings=ROOM + 2,
        pad_token_id=tokenizer.pad_token_id,
        dropout=0.0,
        attention_dropout=0.0,
        seq_classif_dropout=0.0,
        id2label={0: "clean", 1: "toxic"},
        label2id={"clean": 0, "toxic": 1},
    )
    model = DistilBertForSequenceClassification(config)
    _fit(model, tokenizer, labelled, seed=seed, steps=800, rate=2e-3)
    return model, tokenizer


def save(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes what ``from_pretrained`` reads."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _fit(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    labelled: Sequence[tuple[str, bool]],
    *,
    seed: int,
    steps: int,
    rate: float,
) -> None:
    random = Random(f"classifier:{seed}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=steps)
    model.train()
    for _ in range(steps):
        drawn = random.sample(labelled, 48)
        read = tokenizer([text for text, _ in drawn], padding=True, truncation=True, return_tensors="pt")
        model(**read, labels=torch.tensor([int(label) for _, label in drawn])).loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval()


def _tokenizer(texts: Sequence[str], first: str, last: str) -> PreTrainedTokenizerFast:
    """A token for each word, number and mark of the texts, in lower case."""
    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text.lower())})
    names = {word: number for number, word in enumerate(["<unk>", "<pad>", first, last, *words])}
    made = Tokenizer(models.WordLevel(names, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, names[first]), (last, names[last])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token=first,
        eos_token=last,
        model_max_length=ROOM + 2,
    )
