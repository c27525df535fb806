"""Supervised fine-tuning of encoder-decoders, on transformers' ``Seq2SeqTrainer``.

The loss is the mean negative log-likelihood of the replies' tokens over a whole step, the first and the end token among
them (Sutskever et al. 2014, arXiv:1409.3215, with the teacher's words as the decoder's input).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from peft import get_peft_model
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments

from solon.models.backend.loading import Loaded
from solon.models.backend.seq2seq import decoder_inputs, encoder_inputs, place_of
from solon.trainers.backend.answered import answered
from solon.trainers.backend.network import adapters
from solon.trainers.backend.resuming import Resumable
from solon.trainers.backend.trl import Prepared

_NO_LABEL = -100
Row = Mapping[str, list[int]]


class _Trainer(Resumable, Seq2SeqTrainer):  # type: ignore[misc]  # transformers is not followed by mypy
    """Reports, as TRL's does, the share of tokens that were the likeliest, and the entropy of their distributions."""

    def __init__(self, **given: Any) -> None:
        self._watched: list[Tensor] = []
        super().__init__(compute_loss_func=self._loss, **given)
        self.model_accepts_loss_kwargs = False  # T5 takes the count that losses are divided by, and leaves it unused

    def _loss(self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        scores = outputs.logits.float()
        self._watch(scores.detach(), labels)
        total = cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=_NO_LABEL, reduction="sum")
        return total / (num_items_in_batch if num_items_in_batch is not None else (labels != _NO_LABEL).sum())

    def _watch(self, scores: Tensor, labels: Tensor) -> None:
        seen = labels != _NO_LABEL
        scores, labels = scores[seen], labels[seen]
        log_probs = scores.log_softmax(-1)
        hit, entropy = (scores.argmax(-1) == labels).sum(), -(log_probs.exp() * log_probs).sum()
        sums = torch.stack([hit.float(), entropy, torch.tensor(float(len(labels)), device=scores.device)])
        self._watched.append(self.accelerator.reduce(sums, "sum"))

    def log(self, logs: dict[str, float], *args: Any, **options: Any) -> None:
        """As transformers', with the means over the tokens since the last time."""
        prefix = "eval_" if "eval_loss" in logs else ""
        if f"{prefix}loss" in logs and self._watched:
            hits, entropy, count = torch.stack(self._watched).sum(0).tolist()
            logs |= {f"{prefix}mean_token_accuracy": hits / count, f"{prefix}entropy": entropy / count}
            self._watched.clear()
        super().log(logs, *args, **options)


def seq2seq_trainer(prepared: Prepared) -> Any:
    """Transformers', with the settings in its words.

    Raises:
        DataError: a row is not one that the model can read.
    """
    loaded, rows, lora = prepared.loaded, prepared.rows, prepared.settings.lora
    given = prepared.arguments()
    del given["max_length"]  # of TRL's configurations
    arguments = Seq2SeqTrainingArguments(
        **given, remove_unused_columns=False, gradient_checkpointing_kwargs={"use_reentrant": False}
    )
    for network in (loaded.network, loaded.network.get_decoder()):
        network.config.use_cache = False  # nothing is written; T5's decoder has a configuration of its own
    model = loaded.model if lora is None else get_peft_model(loaded.model, adapters(lora, task="SEQ_2_SEQ_LM"))
    return _Trainer(
        model=model,
        args=arguments,
        data_collator=_Batches(loaded),
        train_dataset=_read(prepared, rows.train, "train"),
        eval_dataset=_read(prepared, rows.test, "test") if rows.test is not None else None,
        processing_class=loaded.tokenizer,
    )


def _read(prepared: Prepared, table: Any, split: str) -> list[Row]:
    where = f"{prepared.job.dataset}: {split}"
    pairs = answered(table, prepared.loaded, where=where)
    return [{"prompt": prompt, "reply": reply} for prompt, reply in pairs]


class _Batches:
    """Rows as what the model reads: see ``solon.models.backend.seq2seq``."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = replace(loaded, device=torch.device("cpu"))  # transformers moves them

    def __call__(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        tokens, mask = encoder_inputs(self._loaded, [row["prompt"] for row in rows])
        read = decoder_inputs(self._loaded, [row["reply"] for row in rows])
        labels = torch.full_like(read, _NO_LABEL)
        first = place_of(self._loaded, 0)
        for place, row in enumerate(rows):
            labels[place, first : first + len(row["reply"])] = torch.tensor(row["reply"])
        return {"input_ids": tokens, "attention_mask": mask, "decoder_input_ids": read, "labels": labels}
