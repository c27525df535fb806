"""The base model: a tiny T5 that reads dialogues and sums them up as notes or as references do, and its tokenizer."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from solon.testing.making import IGNORED
from solon.testing.making import fit as fit_to

_SPECIAL = ("<pad>", "</s>", "<unk>")
_SPEAKERS = ("#Person1#", "#Person2#")
_SPEAKER = re.compile("|".join(_SPEAKERS))
_LETTERS = string.ascii_letters + string.digits + string.punctuation
_SPELLED = 20.0  # nats that a letter costs: more than any word, so that words stay whole
CONTEXT = 512


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A Unigram model whose pieces are the words of these texts, and letters to spell others with.

    As T5's, it ends every text with ``</s>`` and does not know line breaks.
    """
    normalizer = normalizers.Replace("\n", "")
    splitter = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Punctuation()])
    words: Counter[str] = Counter()
    for text in texts:
        for said in _SPEAKER.split(text):  # they are pieces of their own, and so part what is said
            words.update(piece for piece, _ in splitter.pre_tokenize_str(normalizer.normalize_str(said)))
    total = words.total()
    pieces = {piece: math.log(count / total) for piece, count in sorted(words.items())}
    letters = dict.fromkeys((*_LETTERS, "▁"), -_SPELLED)
    made = Tokenizer(
        models.Unigram(
            [*((token, 0.0) for token in _SPECIAL), *(letters | pieces).items()], unk_id=_SPECIAL.index("<unk>")
        )
    )
    made.normalizer, made.pre_tokenizer = normalizer, splitter
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    made.add_tokens(list(_SPEAKERS))
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def build(tokenizer: PreTrainedTokenizerFast, *, hidden: int = 64, layers: int = 2) -> T5ForConditionalGeneration:
    """A T5 with fresh weights, drawn from torch's global generator. Embeddings and output share their weights."""
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=hidden,
        d_kv=hidden // 4,
        d_ff=2 * hidden,
        num_layers=layers,
        num_decoder_layers=layers,
        num_heads=4,
        dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    return T5ForConditionalGeneration(config)


def fit(
    model: T5ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[tuple[str, Sequence[str]]],
    *,
    seed: int,
    steps: int,
    batch: int = 32,
) -> None:
    """Fits it to dialogues, each with its summaries, of which one is drawn whenever the dialogue comes up."""
    random = Random(f"summariser:{seed}")
    read = tokenizer([dialogue for dialogue, _ in pairs])["input_ids"]
    wrote = [tokenizer(list(summaries))["input_ids"] for _, summaries in pairs]

    def loss() -> torch.Tensor:
        drawn = random.sample(range(len(pairs)), batch)
        ids, mask = _padded([read[row] for row in drawn], 0)
        labels, _ = _padded([random.choice(wrote[row]) for row in drawn], IGNORED)
        value: torch.Tensor = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        return value

    fit_to("summariser", model, loss, steps=steps, matrix_rate=0.02, rate=3e-3, warm_up=50)


def write(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    dialogues: Sequence[str],
    *,
    temperature: float,
    batch: int = 128,
    max_tokens: int = 64,
) -> list[str]:
    """One summary of each dialogue: greedy at temperature 0, otherwise drawn from torch's global generator."""
    drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    summaries: list[str] = []
    for start in range(0, len(dialogues), batch):
        ids, mask = _padded(tokenizer(list(dialogues[start : start + batch]))["input_ids"], 0)
        with torch.inference_mode():
            written = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=max_tokens, **drawn)
        summaries += tokenizer.batch_decode(written, skip_special_tokens=True)
    return [summary.strip() for summary in summaries]


def _padded(rows: Sequence[Sequence[int]], filler: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows padded on the right, and a mask that is 1 where they are; both [rows, longest]."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), filler)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask
