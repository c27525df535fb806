"""What alignment cost elsewhere: TruthfulQA, MMLU, HellaSwag and other tasks of lm-eval, before and after, by item."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from solon.data.benchmarks import Benchmark, Rows, lacks_examples, read_benchmark
from solon.data.records import Metric
from solon.data.tables import identity
from solon.errors import DataError, MissingExtra, Problem
from solon.evaluation.base import Decoding, Evaluator, Evidence, Which
from solon.evaluation.harness_tasks import unknown
from solon.evaluation.itemised import itemised_means, itemised_shares
from solon.models.transformers import Transformers
from solon.plugins.base import Location, located

if TYPE_CHECKING:
    from solon.evaluation.backend.harness import Answered, Asked

_OF: dict[str, Benchmark] = {
    "truthfulqa_mc1": "truthfulqa",
    "truthfulqa_mc2": "truthfulqa",
    "mmlu": "mmlu",
    "hellaswag": "hellaswag",
}
_SHOTS = {"mmlu": 5}
"""As its authors do (Hendrycks et al. 2021, arXiv:2009.03300, section 4.1), and lm-eval leaves to its caller."""


class LMEval(Evaluator):
    """Runs EleutherAI's lm-eval on both models and compares them item by item. Needs the ``eval`` extra.

    Each task is a metric, ``lm_eval/<task>``: the share of right answers (``acc_norm`` where the task has it, else
    ``acc``), or of TruthfulQA's ``mc2`` the probability of the true answers. The difference is the alignment tax: both
    models answered the same items, so its interval is far narrower than that of two scores.

    Attributes:
        tasks: names of lm-eval's tasks and groups, such as ``truthfulqa_mc1``, ``truthfulqa_mc2``, ``mmlu`` and
            ``hellaswag``.
        data: files or folders of ``truthfulqa``, ``mmlu`` and ``hellaswag`` in their published columns (JSON Lines or
            Parquet). Benchmarks that are not among them, and other tasks, come from the hub.
        limit: items of each benchmark, chosen by hash, where it is a file; of what comes from the hub the first ones of
            each task, and of each of MMLU's subjects.
        shots: examples before each question, by task; 5 for ``mmlu``, and for the others what their definition says.
        chat_template: whether prompts go through the model's chat template. Published scores are mostly without.
        batch_size: sequences at once.
        seed: of what is drawn.
    """

    kind: ClassVar[str] = "lm_eval"

    tasks: tuple[str, ...] = Field(min_length=1)
    data: dict[Benchmark, Location] = Field(default_factory=dict)
    limit: PositiveInt | None = None
    shots: dict[str, NonNegativeInt] = Field(default_factory=dict)
    chat_template: bool = False
    batch_size: PositiveInt = 8
    seed: int = 0

    @model_validator(mode="after")
    def _all_is_used(self) -> LMEval:
        wanted = {_OF[task] for task in self.tasks if task in _OF}
        for name in self.data:
            if name not in wanted:
                raise ValueError(f"data: no task reads {name!r}: take it out, or add the task")
        for task in self.shots:
            if task not in self.tasks:
                raise ValueError(f"shots: {task!r} is none of the tasks")
        return self

    @property
    def needs(self) -> tuple[Decoding, ...]:
        """None: the prompts are the tasks' own."""
        return ()

    def effects(self) -> dict[str, object]:
        """What the files hold stands for where they lie; how many sequences are read at once changes nothing."""
        settings = {name: value for name, value in super().effects().items() if name not in ("data", "batch_size")}
        return {**settings, "data": {name: identity(located(place)) for name, place in self.data.items()}}

    def problems(self) -> list[str]:
        """Files that cannot be read, or have no examples to take; tasks that lm-eval lacks, or all of lm-eval."""
        found: list[str] = []
        try:
            self._refuse_without_examples()
        except DataError as error:
            found += map(str, error.problems)
        if find_spec("lm_eval") is None:
            found.append(str(MissingExtra("the evaluator lm_eval", "eval")))
        elif others := tuple(task for task in self.tasks if task not in _OF):
            found += unknown(others)
        return found

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """A metric a task: before, after and as a difference.

        Raises:
            DataError: a file cannot be read, or the weights of the policies are not at hand.
            MissingExtra: lm-eval is not installed.
        """
        self._refuse_without_examples()
        found: dict[Which, Answered] = {}
        for which, model in evidence.policies.items():
            if not isinstance(model, Transformers):
                raise DataError(
                    f"lm_eval reads log-probabilities of weights at hand, and those of {model.name} are not"
                )
            found[which] = await model.with_weights(lambda loaded: _backend().answered(loaded, self._asked()))
        if len(found) < 2:
            raise DataError("lm_eval asks both models, and they are not at hand")
        return [metric for task in self.tasks for metric in self._of_task(task, found, evidence)]

    def _refuse_without_examples(self) -> None:
        for task in self.tasks:
            shots, rows = self.shots.get(task, _SHOTS.get(task, 0)), self._rows.get(_OF.get(task, "truthfulqa"))
            if task in _OF and shots and rows is not None and (lack := lacks_examples(rows, shots)):
                split = "dev" if task == "mmlu" else "train"
                what = f"{task} is asked with {shots} examples, and {lack}"
                remedy = f"give a folder with a {split} file beside the other, or `shots: {{{task}: 0}}`"
                raise DataError([Problem(str(self.data[_OF[task]]), what, remedy)])

    def _of_task(self, task: str, found: Mapping[Which, Answered], evidence: Evidence) -> list[Metric]:
        before, after = found["before"].items[task], {item.key: item for item in found["after"].items[task]}
        both = [(item, after[item.key]) for item in before]
        evidence.keep(
            f"lm_eval_{task}",
            [{"item": one.key, "doc": dict(one.doc), "before": one.value, "after": other.value} for one, other in both],
        )
        values = [(one.value, other.value) for one, other in both]
        name, note = f"lm_eval/{task}", self._note(task, found)
        items = [f"{task}: {item.key}" for item in before]
        if all(value in (0.0, 1.0) for pair in values for value in pair):
            held = [(bool(one), bool(other)) for one, other in values]
            return itemised_shares(evidence, name, items, held, note)
        return itemised_means(evidence, name, items, values, "share", note, within=(0.0, 1.0))

    def _note(self, task: str, found: Mapping[Which, Answered]) -> str:
        shots = self.shots.get(task, _SHOTS.get(task))
        parts = ["lm-eval", *([f"{shots} examples"] if shots is not None else [])]
        cut = max(answered.cut for answered in found.values())
        return ", ".join([*parts, *([f"{cut:,} sequences of all tasks cut to the model's length"] if cut else [])])

    def warnings(self, evidence: Evidence) -> list[str]:
        """None: nobody judges."""
        del evidence
        return []

    @cached_property
    def _rows(self) -> dict[Benchmark, Rows]:
        return {
            name: read_benchmark(name, located(place), limit=self.limit, seed=self.seed)
            for name, place in self.data.items()
        }

    def _asked(self) -> Asked:
        shots = {task: count for task, count in {**_SHOTS, **self.shots}.items() if task in self.tasks}
        asked: Asked = _backend().Asked(
            tasks=self.tasks,
            rows=self._rows,
            shots=shots,
            limit=self.limit,
            chat=self.chat_template,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        return asked


def _backend() -> Any:
    try:
        from solon.evaluation.backend import harness
    except ImportError as error:
        raise MissingExtra("the evaluator lm_eval", "eval") from error
    return harness
