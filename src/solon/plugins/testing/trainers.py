"""The clauses of trainers: what they learn, leave, refuse and report, and that a kill costs nothing but time."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from solon.data.records import Checkpoint, Constitution, Demonstration, Preference, Principle, Rating, Record, Task
from solon.errors import DataError
from solon.models.base import Reply
from solon.models.transformers import Transformers, unload
from solon.plugins.testing.clauses import Broken, Clause, Unchecked, clause, raised, some
from solon.plugins.testing.material import tiny_policy
from solon.plugins.testing.models import asked
from solon.plugins.testing.settings import ALL
from solon.plugins.testing.subject import Subject
from solon.plugins.testing.trainings import Told, train
from solon.trainers.base import Judging, Trainer

ROWS = 24
"""So many are learned from, and four are held out."""
REWARD: Mapping[str, Any] = {"kind": "rules", "rules": {"early": {"regex": "[a-m]"}}}
"""A reward that a tiny model earns soon: a letter of the first half of the alphabet, somewhere."""
_REWARDS = {"reward", "objective/rewards"}
"""What trainers of ours call the mean reward of a step; each reports one of them."""


def rows(record: type[Record], numbers: range) -> list[dict[str, object]]:
    """What a trainer of this kind of record learns from: `yes` is right, `nay` is wrong."""
    return [_row(record, number) for number in numbers]


def _row(record: type[Record], number: int) -> dict[str, object]:
    prompt = [{"role": "user", "content": f"Is {number} a number?"}]
    yes, nay = [{"role": "assistant", "content": "yes"}], [{"role": "assistant", "content": "nay"}]
    if record is Rating:
        return {"prompt": prompt, "completion": nay if number % 3 else yes, "label": number % 3 == 0}
    if record is Demonstration:
        return {"prompt": prompt, "completion": yes}
    if record is Task:
        return {"prompt": prompt}
    return {"prompt": prompt, "chosen": yes, "rejected": nay}


class TrainerSubject(Subject[Trainer]):
    """A trainer and the trainings of it that the clauses share.

    Attributes:
        resumes: whether it goes on after a kill; ``resumes: ClassVar[bool] = False`` says no.
        improves: what is better after a training: ``loss`` goes down, or, of trainers that answer prompts themselves,
            ``reward`` goes up. ``improves: ClassVar[str]`` names another number, with a minus where less is better.
    """

    @cached_property
    def resumes(self) -> bool:
        """What its class says; yes by default."""
        return self.cls.resumes

    @cached_property
    def improves(self) -> str:
        """What its class says, or what goes with what it consumes."""
        if self.cls.improves is not None:
            return self.cls.improves
        return "-loss" if self.cls.consumes is not Task else next(iter(_REWARDS & _names(self.whole)), "reward")

    @cached_property
    def dataset(self) -> Path:
        """A dataset of the kind that it consumes."""
        return self.written("dataset", self.cls.consumes, ROWS)

    @cached_property
    def whole(self) -> Told:
        """A training that nothing disturbs."""
        told = self.trained("whole", self.dataset)
        if told.error:
            raise Broken(
                expected="a training on the shipped data",
                happened=": ".join(told.error),
                remedy="see whether `checked_with` suits a model of 30,000 parameters and 24 rows",
            )
        if told.status:
            raise Broken(expected="a training that ends", happened=f"exit status {told.status}", remedy="see its log")
        return told

    @cached_property
    def again(self) -> Told:
        """The same training once more."""
        return self.trained("again", self.dataset)

    @property
    def checkpoint(self) -> Path:
        """Where the weights are that the training left."""
        return self.folder / "whole" / "out" / str(self.whole.checkpoint["path"])

    def trained(self, name: str, dataset: Path, *, dies_at: int | None = None) -> Told:
        """A training in the folder of that name, which goes on from what is kept there."""
        principles = (Principle(id="yes", text="Say yes."),)
        ledger = self.folder / f"{name}.sqlite"
        constitution = Constitution(name="contract", principles=principles)
        judging = Judging(constitution=constitution, ledger=ledger, run="contract", max_failed=1)
        return train(self.plugin, tiny_policy(), dataset, self.folder / name, judging, dies_at=dies_at)

    def written(self, name: str, record: type[Record], count: int) -> Path:
        """A dataset of so many rows to learn from, in a folder of that name."""
        import pyarrow as pa
        from pyarrow import parquet

        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        table = pa.Table.from_pylist(rows(record, range(ROWS)))
        parquet.write_table(table.slice(0, count), folder / "train.parquet")
        if count:
            parquet.write_table(pa.Table.from_pylist(rows(record, range(ROWS, ROWS + 4))), folder / "test.parquet")
        return folder


TRAINERS: list[Clause[Any]] = [*ALL]


@clause(TRAINERS, "trainer-consumes", "says what it learns from", "`solon build` makes that dataset")
def _consumes(subject: TrainerSubject) -> None:
    known = (Preference, Rating, Demonstration, Task)
    if getattr(subject.cls, "consumes", None) not in known:
        raise Broken(
            expected=f"`consumes`: {', '.join(one.__name__ for one in known)}",
            happened=getattr(subject.cls, "consumes", "it is not there"),
            remedy="add `consumes: ClassVar[type[Record]] = Preference`",
        )


@clause(TRAINERS, "trainer-learns", "gets better on tiny data", "a loop that runs and learns nothing looks the same")
def _learns(subject: TrainerSubject) -> None:
    name = subject.improves.removeprefix("-")
    values = [numbers[name] for _, _, numbers in subject.whole.steps if name in numbers]
    if len(values) < 3:
        raise Broken(
            expected=f"{name!r} reported at three steps or more",
            happened=f"{len(values)} steps with it; reported are {some(sorted(_names(subject.whole)), 10)}",
            remedy="take more steps in `checked_with`, or name what improves: `improves: ClassVar[str] = '-loss'`",
        )
    third = len(values) // 3
    first, last = (math.fsum(part) / third for part in (values[:third], values[-third:]))
    if (last < first) != subject.improves.startswith("-") or last == first:
        way = "falls" if subject.improves.startswith("-") else "rises"
        raise Broken(
            expected=f"{name!r} {way} over {len(values)} steps",
            happened=f"its mean over the first third is {first:.4g}, over the last third {last:.4g}",
            remedy="look at the sign of the loss and at what is trained; a tiny model wants a learning rate near 0.01",
        )


def _names(told: Told) -> set[str]:
    return {name for _, _, numbers in told.steps for name in numbers}


@clause(TRAINERS, "trainer-reports", "reports finite numbers at rising steps", "curves, alarms and the time left")
def _reports(subject: TrainerSubject) -> None:
    last = 0
    for step, steps, numbers in subject.whole.steps:
        wrong = [f"{name}={value}" for name, value in numbers.items() if not math.isfinite(value)]
        if wrong or not 1 <= step <= steps or step < last or not numbers:
            raise Broken(
                expected=f"finite numbers at a step from {max(1, last)} to {steps}",
                happened=f"step {step} of {steps}: {some(wrong) or numbers}",
                remedy="call job.report(step, steps, {'loss': loss.item(), ...}) after each step, counted from 1",
            )
        last = step
    if last != (subject.whole.steps[-1][1] if subject.whole.steps else -1):
        raise Broken(
            expected="a report of the last step",
            happened=f"the last one is {last}" if last else "nothing was reported",
            remedy="call job.report(step, steps, numbers) after each step",
        )


@clause(TRAINERS, "trainer-checkpoint", "leaves a checkpoint that loads and answers", "it is evaluated and exported")
def _checkpoint(subject: TrainerSubject) -> None:
    described = subject.whole.checkpoint
    try:
        Checkpoint.model_validate(described)
        inside = subject.checkpoint.resolve().is_relative_to((subject.folder / "whole" / "out").resolve())
    except ValueError as error:
        raise Broken(expected="a Checkpoint", happened=error, remedy="return described(...)") from error
    if Path(described["path"]).is_absolute() or not inside or described["trainer"] != subject.cls.kind:
        raise Broken(
            expected=f"path relative to job.out, trainer {subject.cls.kind!r}",
            happened=f"path {described['path']!r}, trainer {described['trainer']!r}",
            remedy="Checkpoint(path='.', trainer=self.kind, ...)",
        )
    try:
        if subject.cls.gives == "reward model":
            _scores(subject)
        else:
            _replies(subject)
    except Broken:
        raise
    except Exception as error:
        raise Broken(
            expected=f"a {subject.cls.gives} in job.out, with its tokenizer",
            happened=raised(error),
            remedy="write it by save_trained, or model.save_pretrained(job.out) and tokenizer.save_pretrained(job.out)",
        ) from error
    finally:
        unload()


def _replies(subject: TrainerSubject) -> None:
    lora = subject.whole.checkpoint["form"] == "lora"
    model = Transformers(
        model=tiny_policy() if lora else str(subject.checkpoint),
        adapter=str(subject.checkpoint) if lora else None,
        threads=1,
    )

    async def work() -> Reply:
        return await model.complete(asked("Is 7 a number?", max_tokens=8))

    asyncio.run(work())


def _scores(subject: TrainerSubject) -> None:
    from solon.data.records import Completion, Prompt, Question, Scored
    from solon.labelers.classifier import Classifier
    from solon.plugins.testing.asking import stream

    settings: dict[str, Any] = {"text": "conversation", "model": str(subject.checkpoint)}
    if subject.whole.checkpoint["form"] == "lora":
        settings |= {"model": tiny_policy(), "adapter": str(subject.checkpoint)}
    labeler = Classifier.model_validate(settings)
    question = Question(prompt=Prompt.of("Is 7 a number?"), options=(Completion(text="yes", model="policy"),))

    async def work() -> Any:
        async with stream(labeler.models()):
            return (await labeler.label(question)).outcome

    outcome = asyncio.run(work())
    if not isinstance(outcome, Scored):
        raise Broken(expected="a score of a completion", happened=outcome, remedy="leave a sequence classifier")


@clause(TRAINERS, "trainer-repeats", "leaves the same bytes for the same seed", "a run is repeated from its recipe")
def _repeats(subject: TrainerSubject) -> None:
    first, second = _weights(subject, subject.whole, "whole"), _weights(subject, subject.again, "again")
    if first != second or subject.whole.steps != subject.again.steps:
        raise Broken(
            expected="the same weights and the same numbers in a second training",
            happened="other weights" if first != second else "the same weights, and other numbers",
            remedy="train inside `with deterministic(job.seed):`, and keep the order of rows by the seed",
        )


def _weights(subject: TrainerSubject, told: Told, name: str) -> dict[str, str]:
    folder = subject.folder / name / "out" / told.checkpoint.get("path", ".")
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.suffix in (".safetensors", ".bin", ".pt")
    }


@clause(TRAINERS, "trainer-resumes", "goes on after a kill to the same bytes", "machines fail in the last hour")
def _resumes(subject: TrainerSubject) -> None:
    if not subject.resumes:
        raise Unchecked("it says that it starts again from the beginning (`resumes = False`)")
    steps = [step for step, _, _ in subject.whole.steps]
    dies_at = steps[2 * len(steps) // 3]
    killed = subject.trained("killed", subject.dataset, dies_at=dies_at)
    if killed.status != -9:
        raise Broken(expected=f"a kill at step {dies_at}", happened=killed, remedy="report each step as it is taken")
    rest = subject.trained("killed", subject.dataset)
    if rest.error or rest.status:
        happened: object = ": ".join(rest.error) or rest.status
    elif rest.steps and rest.steps[0][0] == 1 and steps[0] == 1:
        happened = f"it began again at step 1, {dies_at} having been reported"
    elif _weights(subject, rest, "killed") != _weights(subject, subject.whole, "whole"):
        happened = "other weights than those of a training that nothing disturbed"
    else:
        return
    raise Broken(
        expected=f"killed after step {dies_at}, it goes on from what it kept and leaves the same weights",
        happened=happened,
        remedy="keep weights, optimizer and random numbers in job.kept (`Kept` of solon.plugins.training) and call "
        "job.go_on_from; or state `resumes: ClassVar[bool] = False`",
    )


@clause(TRAINERS, "trainer-refuses", "refuses a dataset that is empty or another's", "not after an hour on a GPU")
def _refuses(subject: TrainerSubject) -> None:
    other = Rating if subject.cls.consumes in (Preference, Task, Demonstration) else Preference
    datasets = {"empty": subject.written("empty", subject.cls.consumes, 0)}
    if subject.cls.consumes is not Task:  # whose column all datasets have
        datasets[f"of {other.__name__} records"] = subject.written("other", other, ROWS)
    for what, dataset in datasets.items():
        told = subject.trained(f"refused-{dataset.name}", dataset)
        if told.error[:1] != (DataError.__name__,):
            raise Broken(
                expected=f"DataError, where the dataset is {what}",
                happened=": ".join(told.error) or "it trained",
                remedy="read it by read_rows(job.dataset, self.consumes, trainer=self.kind)",
            )


@clause(TRAINERS, "trainer-writes", "writes into job.out and job.kept alone", "several trainings share a machine")
def _writes(subject: TrainerSubject) -> None:
    before = _listed(subject.dataset)
    subject.whole  # noqa: B018 - trains
    work = _listed(subject.folder / "whole" / "work")
    changed = sorted(set(_listed(subject.dataset).items()) ^ set(before.items()))
    if work or changed:
        raise Broken(
            expected="nothing in the working folder, and the dataset as it was",
            happened=some([*work, *changed]),
            remedy="hand the library job.kept for what it leaves lying about",
        )


def _listed(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
