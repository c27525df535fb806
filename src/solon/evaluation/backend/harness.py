"""lm-eval on a model that is loaded already: its own tasks, on files at hand or from the hub, item by item."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from solon.data.benchmarks import Benchmark, Rows
from solon.errors import DataError, Problem, SolonError
from solon.models.backend.loading import Loaded

_DEFINITIONS: dict[str, str] = {
    "truthfulqa_mc1": "truthfulqa/truthfulqa_mc1.yaml",
    "truthfulqa_mc2": "truthfulqa/truthfulqa_mc2.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "mmlu": "mmlu/default/mmlu_{subject}.yaml",
}
_MC2 = "truthfulqa_mc2"
_SHARES = ("acc_norm", "acc", "exact_match")
"""Metrics that say of an item whether it was right, the one that is taken first."""


@dataclass(frozen=True)
class Asked:
    """What is evaluated.

    Attributes:
        tasks: names of lm-eval's tasks and groups.
        rows: of the benchmarks that are at hand; the others come from the hub.
        shots: examples before each question, by task; the others have as many as their definition says.
        limit: items of each task from the hub.
        chat: whether prompts go through the chat template.
        batch_size: sequences at once.
        seed: of whatever is drawn, such as examples.
    """

    tasks: tuple[str, ...]
    rows: Mapping[Benchmark, Rows]
    shots: Mapping[str, int]
    limit: int | None
    chat: bool
    batch_size: int
    seed: int


@dataclass(frozen=True)
class Item:
    """One item of a task: by its key, the same for every model; what was scored, in [0, 1]; and what it was."""

    key: str
    value: float
    doc: Mapping[str, Any]


@dataclass(frozen=True)
class Answered:
    """The items of each task, by its name, and how many sequences were cut because they were longer than the model."""

    items: Mapping[str, tuple[Item, ...]]
    cut: int


class _Model(HFLM):  # type: ignore[misc]  # lm-eval is not followed by mypy
    """Counts what it cuts, which lm-eval mentions in a log at most."""

    def __init__(self, loaded: Loaded, batch_size: int) -> None:
        super().__init__(pretrained=loaded.network, tokenizer=loaded.tokenizer, batch_size=batch_size)
        self.cut = 0

    def _loglikelihood_tokens(self, requests: Sequence[Any], *arguments: Any, **named: Any) -> Any:
        self.cut += sum(len(context) + len(continuation) > self.max_length + 1 for _, context, continuation in requests)
        return super()._loglikelihood_tokens(requests, *arguments, **named)


def answered(loaded: Loaded, asked: Asked) -> Answered:
    """Has lm-eval ask the model; to be called in the models' thread.

    Raises:
        DataError: MMLU's rows name a subject that it does not have, or a task has no number an item.
    """
    with _quiet():
        model = _Model(loaded, asked.batch_size)
    items: dict[str, tuple[Item, ...]] = {}
    with tempfile.TemporaryDirectory(prefix="solon-lm-eval-") as folder:
        for task in asked.tasks:
            local = _local(task, asked, Path(folder))
            manager = TaskManager(include_path=folder, include_defaults=False) if local else TaskManager()
            if not local and task not in manager.all_tasks:
                # lm-eval would take it for a file, and run the Python that a task file may name
                raise DataError(f"lm_eval: lm-eval has no task called {task!r}; task files are not read")
            with _named(task), _quiet():
                found = simple_evaluate(
                    model=model,
                    tasks=list(local or (task,)),
                    num_fewshot=asked.shots.get(task),
                    limit=None if local else asked.limit,
                    bootstrap_iters=0,
                    log_samples=True,
                    apply_chat_template=asked.chat,
                    task_manager=manager,
                    random_seed=asked.seed,
                    numpy_random_seed=asked.seed,
                    torch_random_seed=asked.seed,
                    fewshot_random_seed=asked.seed,
                )
            samples = found["samples"]
            items[task] = tuple(_item(name, one, task) for name in samples for one in _of_one_filter(samples[name]))
    return Answered(items, model.cut)


def _of_one_filter(samples: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Of a task that reads answers in several ways, those of the first: each item is there once for every way."""
    return (sample for sample in samples if sample["filter"] == samples[0]["filter"])


def _item(name: str, sample: Mapping[str, Any], task: str) -> Item:
    key = f"{name}:{sample['doc_id']}:{sample['doc_hash'][:16]}"
    if task == _MC2:
        return Item(key, _true_mass(sample), sample["doc"])
    for metric in _SHARES:
        value: Any = sample.get(metric)
        if value is not None and 0 <= float(value) <= 1:
            return Item(key, float(value), sample["doc"])
    known = f"of which it reads {', '.join(_SHARES)}"
    raise DataError(f"lm_eval: task {task!r} scores an item by {', '.join(sample['metrics'])}, {known}")


def _true_mass(sample: Mapping[str, Any]) -> float:
    """The probability of the true answers among all (mc2), by a softmax that long answers do not underflow.

    Lin et al. 2022 (arXiv:2109.07958, section 3.2); lm-eval's own sum of probabilities is 0 / 0 for them.
    """
    log_probs = [float(response[0]) for response in sample["filtered_resps"]]
    labels = sample["doc"]["mc2_targets"]["labels"]
    most = max(log_probs)
    weights = [math.exp(log_prob - most) for log_prob in log_probs]
    return math.fsum(weight for weight, true in zip(weights, labels, strict=True) if true) / math.fsum(weights)


def _local(task: str, asked: Asked, folder: Path) -> tuple[str, ...]:
    """Writes what lm-eval needs to run a task on rows at hand; its names of them, none where it goes to the hub."""
    benchmark: Benchmark | None = next((name for name in asked.rows if task.startswith(name)), None)
    if benchmark is None or task not in _DEFINITIONS:
        return ()
    rows = asked.rows[benchmark]
    if benchmark != "mmlu":
        return (_written(folder, task, _DEFINITIONS[task], rows),)
    subjects = dict.fromkeys(row["subject"] for row in rows["test"])
    unknown = [name for name in subjects if not (_folder() / _DEFINITIONS[task].format(subject=name)).is_file()]
    if unknown:
        raise DataError(f"lm_eval: MMLU has no subject {unknown[0]!r}: see the column 'subject' of its files")
    return tuple(
        _written(
            folder,
            f"mmlu_{subject}",
            _DEFINITIONS[task].format(subject=subject),
            {split: [row for row in own if row["subject"] == subject] for split, own in rows.items()},
        )
        for subject in subjects
    )


def _written(folder: Path, name: str, definition: str, rows: Rows) -> str:
    """A task of lm-eval's own definition on rows of ours."""
    files = {}
    for split, own in rows.items():
        file = folder / f"{name}.{split}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in own), "utf-8")
        files[split] = str(file)
    called = f"solon_{name}"
    settings: dict[str, Any] = {
        "include": str(_folder() / definition),
        "task": called,
        "tag": [],
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
        # lm-eval looks for these even where it takes no example from them
        "training_split": "train" if "train" in rows else None,
        "fewshot_split": "dev" if "dev" in rows else None,
    }
    # JSON is YAML
    (folder / f"{called}.yaml").write_text(json.dumps(settings), "utf-8")
    return called


def _folder() -> Path:
    spec = importlib.util.find_spec("lm_eval.tasks")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@contextlib.contextmanager
def _named(task: str) -> Iterator[None]:
    """Says which task it was that lm-eval could not run: one that it does not know, or whose data are not to be had."""
    try:
        yield
    except (SolonError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        remedy = "see its name with `lm-eval ls tasks`, and whether the data are at hand"
        raise DataError([Problem(f"lm_eval task {task!r}", f"lm-eval could not run it: {said}", remedy)]) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars and advice of lm-eval's: what matters is counted."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
