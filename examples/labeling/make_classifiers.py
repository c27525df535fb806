"""Makes the two tiny models of these examples from nothing, seeded: a classifier and a reward model.

    python examples/labeling/make_classifiers.py            # ten seconds of one CPU core; needs solon[train]

Both know the words of ``data/candidates.jsonl`` and what ``solon.testing.merit`` calls rude and kind. They are trained
on rows of random words, and never see a response of these examples.

- **rudeness** is a RoBERTa with the labels of ``facebook/roberta-hate-speech-dynabench-r4-target``, ``nothate`` and
  ``hate``: any row with a rude word in it is ``hate``. It takes 46 words at once; longer responses are read in chunks.
- **reward** is a Llama with one output, trained on pairs by the loss of Bradley and Terry (Ouyang et al. 2022,
  arXiv:2203.02155, equation 1): kind before plain before rude.

``tests/pipeline/test_labeling_examples.py`` holds the shipped models to what is said here.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from solon.testing.merit import KIND, RUDE, polite

HERE = Path(__file__).parent
ROOM = 46
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|> {{ message['content'] }} <|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def main() -> None:
    """Makes both."""
    parser = argparse.ArgumentParser(description="Make the tiny classifier and reward model.")
    parser.add_argument("--out", type=Path, default=HERE / "models", help="the folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    words = vocabulary(HERE / "data" / "candidates.jsonl")
    make_rudeness(chosen.out / "rudeness", words, chosen.seed)
    make_reward(chosen.out / "reward", words, chosen.seed)


def vocabulary(path: Path) -> list[str]:
    """Every word, number and mark in the prompts and responses of a file, and every rude and kind word."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts = [row["prompt"] for row in rows] + [one["response"] for row in rows for one in row["responses"]]
    return sorted({*re.findall(r"\w+|[^\w\s]+", " ".join(texts).lower()), *RUDE, *KIND})


def make_rudeness(folder: Path, words: list[str], seed: int) -> None:
    """Trains and writes the classifier."""
    tokenizer = _tokenizer(words, bos_token="<s>", eos_token="</s>")
    around = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=around
    )
    tokenizer.model_max_length = ROOM + 2
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
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
    torch.manual_seed(seed)
    model = RobertaForSequenceClassification(config)
    rng = Random(seed)

    def loss() -> torch.Tensor:
        texts = [_row(rng, words, rng.choice(RUDE) if rng.random() < 0.5 else "") for _ in range(48)]
        labels = torch.tensor([int(polite("", text) == 0) for text in texts])
        read = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        value: torch.Tensor = model(**read, labels=labels).loss
        return value

    _fit(model, loss, steps=60)
    _save(model, tokenizer, folder)


def make_reward(folder: Path, words: list[str], seed: int) -> None:
    """Trains and writes the reward model."""
    tokenizer = _tokenizer(words, eos_token="<|end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|system|>", "<|user|>", "<|assistant|>"]})
    tokenizer.chat_template = CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1,
    )
    torch.manual_seed(seed)
    model = LlamaForSequenceClassification(config)
    rng = Random(seed)
    manners = ("kind", "plain", "rude")

    def loss() -> torch.Tensor:
        better: list[str] = []
        worse: list[str] = []
        for _ in range(24):
            first, second = sorted(rng.sample(range(3), 2))
            prompt = _row(rng, words, rng.choice(("", *KIND, *RUDE)))  # manners that are not the response's
            for place, texts in ((first, better), (second, worse)):
                said = {"kind": rng.choice(KIND), "plain": "", "rude": rng.choice(RUDE)}[manners[place]]
                texts.append(_chat(tokenizer, prompt, _row(rng, words, said)))
        read = tokenizer(better + worse, padding=True, truncation=True, max_length=128, return_tensors="pt")
        rewards = model(**read).logits[:, 0]
        return -torch.nn.functional.logsigmoid(rewards[:24] - rewards[24:]).mean()

    _fit(model, loss, steps=250)
    _save(model, tokenizer, folder)


def _tokenizer(words: list[str], **tokens: str) -> PreTrainedTokenizerFast:
    """A token for each word, number and mark."""
    special = ["<unk>", "<pad>", *tokens.values()]
    names = {word: number for number, word in enumerate([*special, *words])}
    made = Tokenizer(models.WordLevel(names, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", **tokens)


def _row(rng: Random, words: list[str], said: str) -> str:
    """A row of 1 to 45 plain words with ``said`` somewhere among them."""
    plain = [word for word in rng.choices(words, k=rng.randint(1, ROOM - 1)) if word not in RUDE + KIND]
    plain.insert(rng.randint(0, len(plain)), said)
    return " ".join(plain)


def _chat(tokenizer: PreTrainedTokenizerFast, prompt: str, response: str) -> str:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    text: str = tokenizer.apply_chat_template(turns, tokenize=False)
    return text


def _fit(model: Any, loss: Callable[[], torch.Tensor], *, steps: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=steps)
    model.train()
    for _ in range(steps):
        value = loss()
        value.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval()


def _save(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
