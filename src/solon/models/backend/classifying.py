"""A sequence classifier or reward model at work: texts to logits, long texts by chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from solon.data.records import Usage
from solon.errors import DataError, ModelRejected, Problem, PromptTooLong
from solon.models.backend.loaded_classifier import LoadedClassifier
from solon.models.base import Reply, Request
from solon.models.classifier import label_place

# chunk tokens, padding included, in one forward pass: they bound the memory of activations
_TOKENS_A_FORWARD = {"cpu": 4_096, "cuda": 32_768}


@dataclass(frozen=True)
class Reading:
    """How a text is read, and what is asked of the model.

    Attributes:
        conversation: whether the chat template makes one text of the messages; else the last message is the text.
        label: name or place of the scored label; ``None`` for the only one.
        good: whether a high value of the label is good.
        by_logit: whether chunks are compared by the label's logit, or by its probability.
        mean: whether chunks are averaged; else the worst one counts.
        chunk: tokens of the text in a chunk; ``None`` for as many as fit.
        overlap: tokens that neighbouring chunks share; ``None`` for an eighth of a chunk.
    """

    conversation: bool
    label: str | int | None
    good: bool
    by_logit: bool
    mean: bool
    chunk: int | None
    overlap: int | None


def answer(
    loaded: LoadedClassifier, requests: Sequence[Request], reading: Reading, *, batch_size: int, name: str
) -> list[Reply]:
    """One reply a request, in their order: ``logits`` of every label, and in ``choices`` the scored one's probability.

    ``text`` is the most likely label. A text without a single token has neither.

    Raises:
        PromptTooLong: some conversations do not fit; nothing was computed, and ``places`` says which.
        DataError: there is no such label, or no chat template.
        ModelRejected: the scores are not numbers.
    """
    scored = label_place(loaded.labels, reading.label, name)
    chunks = [_chunks(loaded, request, reading, name) for request in requests]
    too_long = [
        place for place, own in enumerate(chunks) if any(len(ids) > (loaded.context or len(ids)) for ids in own)
    ]
    if too_long:
        raise PromptTooLong(
            f"a conversation of {len(chunks[too_long[0]][0])} tokens does not fit into the model's {loaded.context}",
            places=too_long,
        )
    rows = iter(_logits(loaded, [ids for own in chunks for ids in own], batch_size))
    replies = []
    for own in chunks:
        usage = Usage(input_tokens=sum(map(len, own)))
        if not own:
            replies.append(Reply(text="", usage=usage, model=name))
            continue
        logits = torch.stack([next(rows) for _ in own])
        log_probs = torch.nn.functional.logsigmoid(logits) if loaded.independent else logits.log_softmax(dim=-1)
        value, log_prob = _of_chunks(logits, log_probs, scored, reading)
        replies.append(
            Reply(
                text=loaded.labels[int(value.argmax())],
                usage=usage,
                model=name,
                logits=dict(zip(loaded.labels, value.tolist(), strict=True)),
                choices={loaded.labels[scored]: min(0.0, float(log_prob[scored]))},
            )
        )
    return replies


def windows(length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Where chunks of ``size`` begin and end that cover ``length`` tokens; the last is as long as the others.

    Raises:
        DataError: chunks that share all their tokens never come to an end.
    """
    if overlap >= size:
        raise DataError(f"an overlap of {overlap} leaves nothing new in a chunk of {size} tokens: lower it")
    if length <= size:
        return [(0, length)]
    starts = [*range(0, length - size, size - overlap), length - size]
    return [(start, start + size) for start in starts]


def _chunks(loaded: LoadedClassifier, request: Request, reading: Reading, name: str) -> list[list[int]]:
    """Token ids of each chunk, the special tokens around included; none of a text without a token."""
    if reading.conversation:
        if not loaded.tokenizer.chat_template:
            remedy = "set `text: response`, or put a chat_template.jinja beside the tokenizer"
            raise DataError([Problem(name, "the tokenizer has no chat template, so it takes no conversation", remedy)])
        # the template writes the special tokens itself
        return [_tokens(loaded, loaded.chat.render(request.messages, more=False))]
    ids = _tokens(loaded, loaded.chat.plain(request.messages[-1].content))
    if not ids and not (loaded.before or loaded.after):
        return []
    around = len(loaded.before) + len(loaded.after)
    room = len(ids) or 1 if loaded.context is None else loaded.context - around
    size = reading.chunk or room
    if loaded.context is not None and size > room:
        raise DataError(
            [Problem(name, f"a chunk of {size} tokens does not fit: the model takes {room}", "lower `chunk`")]
        )
    overlap = size // 8 if reading.overlap is None else reading.overlap
    return [[*loaded.before, *ids[start:end], *loaded.after] for start, end in windows(len(ids), size, overlap)]


def _tokens(loaded: LoadedClassifier, text: str) -> list[int]:
    # verbose would warn of texts longer than the model, which is what chunks are for
    return list(loaded.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _of_chunks(
    logits: torch.Tensor, log_probs: torch.Tensor, scored: int, reading: Reading
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and log-probabilities of a text, shape (labels,), from those of its chunks, shape (chunks, labels)."""
    if reading.mean:
        return logits.mean(dim=0), log_probs.exp().mean(dim=0).log()
    values = (logits if reading.by_logit else log_probs)[:, scored]
    worst = int(values.argmin() if reading.good else values.argmax())
    return logits[worst], log_probs[worst]


def _logits(loaded: LoadedClassifier, sequences: Sequence[Sequence[int]], batch_size: int) -> Iterator[torch.Tensor]:
    """Logits of each sequence, shape (labels,), in float64 on the CPU."""
    order = sorted(range(len(sequences)), key=lambda index: (len(sequences[index]), index))
    pad = loaded.tokenizer.pad_token_id
    found: dict[int, torch.Tensor] = {}
    with torch.inference_mode():
        for batch in _batches(order, lambda index: len(sequences[index]), batch_size, loaded.device.type):
            width = len(sequences[batch[-1]])
            padded = [[*sequences[index], *[pad] * (width - len(sequences[index]))] for index in batch]
            mask = [[1] * len(sequences[index]) + [0] * (width - len(sequences[index])) for index in batch]
            logits = (
                loaded.network(
                    input_ids=torch.tensor(padded, device=loaded.device),
                    attention_mask=torch.tensor(mask, device=loaded.device),
                )
                .logits.double()
                .cpu()
            )
            if not bool(logits.isfinite().all()):
                raise ModelRejected("the classifier's scores are not numbers: its weights are damaged")
            found.update(zip(batch, logits, strict=True))
    return (found[index] for index in range(len(sequences)))


def _batches(order: Sequence[int], length: Callable[[int], int], rows: int, device: str) -> Iterator[list[int]]:
    """The sequences, which are in order of their length, in batches that fit."""
    batch: list[int] = []
    for index in order:
        if len(batch) == rows or (batch and (len(batch) + 1) * length(index) > _TOKENS_A_FORWARD[device]):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
