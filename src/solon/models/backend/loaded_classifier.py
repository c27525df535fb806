"""A sequence classifier or reward model that is loaded, with its tokenizer and all that is read off both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from solon.data.records import digest
from solon.errors import DataError, Problem
from solon.models.backend.chat import Chat
from solon.models.backend.folders import check_folder
from solon.models.backend.heads import load_network
from solon.models.backend.identity import content_identity
from solon.models.backend.loading import Device, Dtype, device_of, from_pretrained, libraries, spare_token
from solon.models.backend.serving import held
from solon.models.backend.tensor_files import check_weights


@dataclass(frozen=True, eq=False)
class LoadedClassifier:
    """A classifier ready to answer.

    Attributes:
        network: a ``transformers`` model for sequence classification, in evaluation mode, or what is called like one.
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
    target = device_of(torch, device)
    check_weights(model)
    tokenizer = load_tokenizer(model)
    network = load_network(model, adapter, dtype="float32" if dtype == "auto" and target.type == "cpu" else dtype)
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        remedy = "the tokenizer is another model's: copy the right one into the folder"
        raise DataError([Problem(model, f"the tokenizer knows {len(tokenizer)} tokens, more than the model", remedy)])
    return ready(network.to(target).eval(), tokenizer, target)


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a classifier: it needs no chat template, and pads on the right.

    Raises:
        DataError: it cannot be loaded.
    """
    _, transformers = libraries()
    return from_pretrained(transformers.AutoTokenizer, model, padding_side="right")


def ready(network: Any, tokenizer: Any, device: Any) -> LoadedClassifier:
    """A network for sequence classification that is on ``device``, with all that is read off it and its tokenizer."""
    _agree_on_padding(network, tokenizer)
    before, after = _around(tokenizer)
    config = network.config
    return LoadedClassifier(
        network=network,
        tokenizer=tokenizer,
        device=device,
        labels=tuple(str(config.id2label[place]) for place in range(config.num_labels)),
        independent=config.num_labels == 1 or config.problem_type == "multi_label_classification",
        before=before,
        after=after,
        context=_context(network, tokenizer),
        chat=Chat(tokenizer, ()),
    )


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
