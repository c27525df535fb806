"""A sequence classifier as a model that solon asks: text in, logits out, through the same stream and ledger as any."""

from __future__ import annotations

import asyncio
import difflib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, PrivateAttr, model_validator

from solon.errors import DataError, MissingExtra, Problem
from solon.models.backend.identity import content_identity
from solon.models.base import ChatModel, Reply, Request
from solon.models.weights import unfit
from solon.plugins.base import Location, Settings, located


class Classifying(Settings):
    """What a classifier is and how it reads.

    Attributes:
        model: a folder with config.json, ``*.safetensors`` and a tokenizer, or a hub id. Pickled weights and code that
            comes with a model are never loaded.
        adapter: a LoRA folder with a head, to put on top of ``model``: as the trainer ``reward`` writes.
        scored_label: the scored label, by its name in config.json or its place from 0; ``label`` in a recipe. Left out
            for a model with a single one, as reward models have.
        good: whether a high value of the label is good (``nothate``), or bad (``toxic``). A bad label's logit or
            probability is turned round: minus the logit, or 1 - p. So a higher score is always better.
        value: ``probability`` scores in [0, 1]: the softmax over the labels, or the sigmoid where each label is true or
            false by itself; ``logit`` scores the raw logit.
        text: ``response`` reads the response alone; ``conversation`` reads prompt and response through the tokenizer's
            chat template, as reward models are trained.
        chunks: of a response longer than ``chunk``, ``worst`` scores the chunk with the lowest score (of a bad label,
            the one with its maximum); ``mean`` takes the mean of all.
        chunk: tokens of the response in a chunk; as many as the model takes when left out. Conversations are not cut.
        overlap: tokens that neighbouring chunks share, so that no sentence is only seen in parts; an eighth of a chunk
            when left out.
        batch_size: texts answered at once.
        threads: CPU threads of torch; ``None`` leaves them. Logits are the same to the last bit only at a fixed number.
        device: ``auto`` takes the GPU if there is one.
        dtype: of the weights; ``auto`` keeps the checkpoint's on a GPU and takes float32 on a CPU.
    """

    model: Location
    adapter: Location | None = None
    scored_label: str | NonNegativeInt | None = Field(default=None, alias="label")
    good: bool = True
    value: Literal["probability", "logit"] = "probability"
    text: Literal["response", "conversation"] = "response"
    chunks: Literal["worst", "mean"] = "worst"
    chunk: PositiveInt | None = None
    overlap: NonNegativeInt | None = None
    batch_size: PositiveInt = 64
    threads: PositiveInt | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"

    @model_validator(mode="after")
    def _chunks_fit(self) -> Self:
        if self.text == "conversation" and (self.chunk is not None or self.overlap is not None):
            raise ValueError("a conversation is not cut into chunks: take chunk and overlap out, or set text: response")
        if self.chunk is not None and (self.overlap or 0) >= self.chunk:
            raise ValueError(f"an overlap of {self.overlap} leaves nothing new in a chunk of {self.chunk} tokens")
        return self


@dataclass(frozen=True, eq=False)
class Lent:
    """A loaded classifier that shares its weights with another model, for as long as that lends them.

    Attributes:
        loaded: a ``solon.models.backend.loaded_classifier.LoadedClassifier``.
        weights: what the shared weights are held as (``nf4``, ``bfloat16``), where logits differ by it from those of
            one that is loaded by itself; ``None`` where they are the same but for the last digits.
    """

    loaded: Any
    weights: str | None


class SequenceClassifier(Classifying, ChatModel):
    """Answers a text with the logit of each label. Needs the ``train`` extra.

    ``Reply.logits`` holds every label, ``Reply.choices`` the log-probability of the scored one, and ``Reply.text`` is
    the most likely. No entry point: the ``classifier`` labeler asks it.
    """

    kind: ClassVar[str] = "sequence_classifier"

    _lent: Lent | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        """The last part of the model's path or id."""
        return Path(self.model).name

    @property
    def requests_in_a_batch(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def describe(self) -> dict[str, object]:
        """What weights and tokenizer hold, in place of where they lie, and how a text is read.

        Of weights that another model lends also what they are held as, where logits differ by it: the ledger must not
        take the ones for the others.

        Raises:
            DataError: the folder holds no model.
        """
        changes_only_rounding = {"model", "adapter", "batch_size", "threads", "device"}
        settings = {name: value for name, value in self.settings().items() if name not in changes_only_rounding}
        on_top = {} if self.adapter is None else {"adapter": content_identity(located(self.adapter))}
        lent = {} if self._lent is None or self._lent.weights is None else {"weights": self._lent.weights}
        return {**settings, "content": content_identity(located(self.model)), **on_top, **lent}

    @contextmanager
    def borrowing(self, lent: Lent) -> Iterator[None]:
        """While it is open, what is lent answers, and nothing is loaded."""
        self._lent = lent
        try:
            yield
        finally:
            self._lent = None

    def problems(self) -> list[str]:
        """What the model folder lacks, a label that it does not have, packages that are not installed."""
        found = unfit(located(self.model), None if self.adapter is None else located(self.adapter))
        if not found and self.adapter is None:
            try:
                self._check_label()
            except DataError as error:
                found += map(str, error.problems)
        no_gpu = shutil.which("nvidia-smi") is None and not Path("/dev/nvidia0").exists()
        if no_gpu and self.device == "cuda":
            found.append("device 'cuda' needs an NVIDIA GPU, and there is none here: take it out")
        if any(find_spec(package) is None for package in ("torch", "transformers")):
            found.append(str(MissingExtra("a classifier", "train")))
        return found

    async def complete_batch(self, requests: Sequence[Request]) -> list[Reply]:
        """Answers all of them, in their order.

        Raises:
            PromptTooLong: some conversations do not fit into the context; ``places`` says which.
            ModelRejected: the scores are not numbers, or this machine cannot run it.
            DataError: the model folder lacks something, the head of the classifier among it.
            MissingExtra: torch or transformers is not installed.
        """
        serving, classifying, loading = _backend()
        reading = classifying.Reading(
            conversation=self.text == "conversation",
            label=self.scored_label,
            good=self.good,
            by_logit=self.value == "logit",
            mean=self.chunks == "mean",
            chunk=self.chunk,
            overlap=self.overlap,
        )

        def work() -> list[Reply]:
            loaded = self._loaded(loading)
            replies: list[Reply] = classifying.answer(
                loaded, requests, reading, batch_size=self.batch_size, name=self.name
            )
            return replies

        replies: list[Reply] = await asyncio.wrap_future(serving.in_worker(work))
        return replies

    def _loaded(self, loading: ModuleType) -> Any:
        """A ``LoadedClassifier``: the one that is lent, or one that is loaded now or was before."""
        if self._lent is not None:
            return self._lent.loaded
        adapter = located(self.adapter) if self.adapter is not None else None
        return loading.kept(
            located(self.model), dtype=self.dtype, device=self.device, threads=self.threads, adapter=adapter
        )

    def _check_label(self) -> None:
        """Looks for the label in config.json; says nothing about a hub id, or where no labels are named.

        Raises:
            DataError: there is no such label.
        """
        config = Path(located(self.model)).expanduser() / "config.json"
        try:
            named = json.loads(config.read_text("utf-8")).get("id2label")
        except (OSError, ValueError, AttributeError, RecursionError):
            return  # not here, or loading it says what is wrong with it
        if isinstance(named, dict):
            label_place([str(label) for label in named.values()], self.scored_label, self.model)


def label_place(labels: Sequence[str], label: str | int | None, model: str) -> int:
    """Which output a label is.

    Raises:
        DataError: there is no such label, or several and none is named.
    """
    known = f"it has {', '.join(map(repr, labels))}"
    if label is None:
        if len(labels) > 1:
            raise DataError([Problem(model, f"which label is scored? {known}", "set `label`")])
        return 0
    if isinstance(label, int) and 0 <= label < len(labels):
        return label
    if label in labels:
        return labels.index(str(label))
    near = difflib.get_close_matches(str(label), labels, n=1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    raise DataError([Problem(model, f"this classifier has no label {label!r}; {known}", hint)])


def _backend() -> tuple[ModuleType, ModuleType, ModuleType]:
    try:
        from solon.models.backend import classifying, loaded_classifier, serving
    except ImportError as error:
        raise MissingExtra("a classifier", "train") from error
    return serving, classifying, loaded_classifier
