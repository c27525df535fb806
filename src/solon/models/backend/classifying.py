"""A sequence classifier or reward model at work: texts to logits, long texts by chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from solon.data.records import Usage, digest
from solon.errors import DataError, ModelRejected, Problem, PromptTooLong
from solon.models.backend.chat import Chat
from solon.models.backend.folders import check_folder
from solon.models.backend.heads import load_network
from solon.models.backend.identity import content_identity
from solon.models.backend.loading import (
    Device,
    Dtype,
    device_of,
    from_pretrained,
    libraries,
    spare_token,
)
from solon.models.backend.serving import held
from solon.models.base import Reply, Request
from solon.models.classifier import label_place

# chunk tokens, padding included, in one forward pass: they bound the memory of activations
_TOKENS_A_FORWARD = {"cpu": 4_096, "cuda": 32_768}


@dataclass(frozen=True, eq=False)
class LoadedClassifier:
    """A classifier ready to answer.

    Attributes:
        network: a ``transformers`` model for sequence classification, in evaluation mode.
        tokenizer: its own, with a pad token.
        device: where the model is: a ``torch.device``.
        labels: the name of each output, in their order.
        independent: each label is true or false by itself, as for toxicity of several kinds; else exactly one is true.
        before, after: the special tokens around a text.
        context: the most tokens it takes, those around included; ``None`` when nothing limits them.
        chat: its chat template, if it has one, and the neutralising of control tokens.
    """

    network: Any
    tokenizer: Any
    device: Any
    labels: tuple[str, ...]
    independent: bool
    before: tuple[int, ...]
    after: tuple[int, ...]
    context: int | None
    chat: Chat


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


def kept(
    model: str, *, dtype: Dtype, device: Device, threads: int | None, adapter: str | None = None
) -> LoadedClassifier:
    """The classifier of these settings, loaded now or kept from before; to be called in the models' thread.

    Raises:
        DataError: the folder lacks something, or its weights lack the head.
        ModelRejected: this machine has no GPU, and one was asked for.
        MissingExtra: torch or transformers is not installed.
    """
    on_top = (content_identity(adapter), adapter) if adapter is not None else ()
    key = digest(["classifier", content_identity(model), model, dtype, device, *on_top])
    loaded = held(key, model, lambda: load_classifier(model, dtype=dtype, device=device, adapter=adapter))
    if threads is not None:
        torch.set_num_threads(threads)  # another kept model may have set another number
    return loaded


def load_classifier(
    model: str, *, dtype: Dtype = "auto", device: Device = "auto", adapter: str | None = None
) -> LoadedClassifier:
    """Loads a folder or hub id with its own tokenizer, and an adapter with its head on top of it.

    Pickled weights and code that comes with a model never are.

    Raises:
        DataError, ModelRejected, MissingExtra: as ``kept``.
    """
    check_folder(model)
    _, transformers = libraries()
    target = device_of(torch, device)
    tokenizer = from_pretrained(transformers.AutoTokenizer, model, padding_side="right")
    network = load_network(model, adapter, dtype="float32" if dtype == "auto" and target.type == "cpu" else dtype)
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        remedy = "the tokenizer is another model's: copy the right one into the folder"
        raise DataError([Problem(model, f"the tokenizer knows {len(tokenizer)} tokens, more than the model", remedy)])
    _agree_on_padding(network, tokenizer)
    before, after = _around(tokenizer)
    config = network.config
    return LoadedClassifier(
        network=network.to(target).eval(),
        tokenizer=tokenizer,
        device=target,
        labels=tuple(str(config.id2label[place]) for place in range(config.num_labels)),
        independent=config.num_labels == 1 or config.problem_type == "multi_label_classification",
        before=before,
        after=after,
        context=_context(network, tokenizer),
        chat=Chat(tokenizer, ()),
    )


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


def _agree_on_padding(network: Any, tokenizer: Any) -> None:
    """One pad token for both: a reward model reads its score at the last token that is not the pad token."""
    config = network.config.get_text_config()
    if config.pad_token_id is not None and 0 <= config.pad_token_id < len(tokenizer):  # -1 is written for none
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config.pad_token_id)
        return
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = spare_token(tokenizer)
    config.pad_token_id = network.config.pad_token_id = tokenizer.pad_token_id


def _around(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that the tokenizer puts before and after a text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return tuple(whole[:start]), tuple(whole[start + len(bare) :])
    return (), ()


def _context(network: Any, tokenizer: Any) -> int | None:
    """The most tokens that tokenizer and positions allow."""
    limits = [tokenizer.model_max_length, getattr(network.config.get_text_config(), "max_position_embeddings", None)]
    for name, module in network.named_modules():
        # in RoBERTa and its kin positions are counted from after the pad token's
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    known = [limit for limit in limits if limit is not None and 0 < limit < 10**9]
    return min(known) if known else None
