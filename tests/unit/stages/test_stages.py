"""What the stages decide before they ask anybody: which models, which remedies, which counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from solon.constitution.library import resolve
from solon.data.records import Judgment, Message, Metric, Record
from solon.errors import ModelRejected, PluginError, StageIncomplete
from solon.ledger import Ledger
from solon.models.base import Price, Request
from solon.models.scripted import Scripted
from solon.recipe import Opened, Recipe, read
from solon.rundir import RunDirectory
from solon.stages.evaluate import _refuse_failures, examiners
from solon.stages.run import Run, policy_model, stage
from solon.stages.sample import reasons, remedies
from solon.stages.train import train
from solon.stages.watch import Watch
from solon.stream import Stream, ask
from solon.trainers.base import Policy, Trainer


def test_a_checkpoint_of_all_weights_leaves_the_adapter_that_is_merged_into_it_behind() -> None:
    """On top once more, it would be counted twice, and the wrong model would be evaluated."""
    policy = Policy(model="base", adapter="adapter")
    assert policy_model(policy).adapter == "adapter"
    assert policy_model(policy, model="checkpoint").adapter is None
    assert policy_model(policy, adapter="checkpoint").adapter == "checkpoint"


def test_the_labelers_judge_is_among_the_examiners(tmp_path: Path) -> None:
    """`win_rate` without a judge asks it: it has to be closed, and a change of it is a change of the evaluation."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "constitution: honesty\nprompts: p\npolicy: m\ntrain: dpo\n"
        "label: {kind: pairwise, judge: {kind: scripted, model: labels}}\n"
        "evaluate:\n- win_rate\n- {kind: win_rate, judge: {kind: pairwise, judge: {kind: scripted, model: other}}}\n"
    )
    assert [model.name for model in examiners(read(recipe).recipe)] == ["other", "labels"]


@pytest.mark.parametrize(
    ("missing", "why", "remedy"),
    [
        ({"unavailable": 1200}, "unavailable 1,200", "run again to ask for what was unavailable"),
        (
            {"prompt too long": 2},
            "prompt too long 2",
            "lower max_tokens or shorten the prompts, which together pass the model's context",
        ),
    ],
)
def test_to_run_again_is_advised_only_where_it_helps(missing: dict[str, int], why: str, remedy: str) -> None:
    """A prompt that is too long today is too long tomorrow."""
    assert (reasons(missing), remedies(missing)) == (why, remedy)


class Shown:
    """A bar that remembers."""

    def __init__(self) -> None:
        self.usd, self.notes = 0.0, list[str]()

    def advance(
        self, steps: int = 1, *, failed: int = 0, usd: float = 0.0, note: str = "", total: int | None = None
    ) -> None:
        """One update."""
        assert (steps, failed, total) == (0, 0, None)
        self.usd += usd
        self.notes.append(note)


async def test_an_evaluator_at_work_shows_its_replies_and_what_they_cost() -> None:
    """One evaluator may ask for hours, and a bar that stands still looks like a hung run. 3 tokens at $1 each."""
    watch, bar = Watch(), Shown()
    model = Scripted(default="four", remote=True, price=Price(input=0, output=1e6))
    async with Stream(None, run="r", stage="s", on_event=watch) as stream:
        watch.stream = stream
        await ask(model, request("an answer of a policy"))  # of another bar
        watch.bar = bar
        watch.measure("win_rate")
        for text in ("a", "b"):
            await ask(model, request(text))
        watch.measure("length")
    assert bar.notes == ["win_rate", "win_rate: 1 replies", "win_rate: 2 replies", "length"]
    assert bar.usd == 3.0


def request(text: str) -> Request:
    """One question."""
    return Request(messages=(Message(role="user", content=text),), max_tokens=8)


class Odd(Trainer):
    """Learns from judgments themselves, as no trainer of ours does."""

    kind: ClassVar[str] = "odd"
    consumes: ClassVar[type[Record]] = Judgment


@contextmanager
def opened(folder: Path) -> Iterator[Run]:
    """A run that has done nothing yet, of a recipe that trains with ``Odd``."""
    settings = {"constitution": "honesty", "dataset": str(folder), "policy": "m", "train": Odd()}
    recipe = Opened(Recipe.model_validate(settings), folder / "recipe.yaml", {})
    with RunDirectory.open(folder / "run") as directory, Ledger.open(folder / "ledger.sqlite") as ledger:
        directory.begin(name="r", seed=0, constitution={}, versions={}, recipe="")
        yield Run(recipe, directory, resolve("honesty"), ledger)


def test_a_trainer_of_records_that_no_dataset_holds_is_refused_by_name(tmp_path: Path) -> None:
    """Anyone may write a trainer; a KeyError would not tell its author what is built."""
    with (
        opened(tmp_path) as run,
        pytest.raises(PluginError, match="trainer 'odd' consumes Judgment records; datasets are built of Pref"),
    ):
        train(run)


def test_a_model_that_has_gone_for_good_does_not_undo_a_stage_that_was_done(tmp_path: Path) -> None:
    """One judgment in a hundred was unavailable; months later, without the key, the training can still be repeated."""
    with opened(tmp_path) as run:
        with stage(run, "label", {"judge": 1}) as work:
            assert work is not None
            work.file("judgments.jsonl").write_text("99")
        with stage(run, "label", {"judge": 1}, again=True) as work:
            assert work is not None
            raise ModelRejected("no key")
        assert run.directory.is_done("label", {"judge": 1})
        with pytest.raises(ModelRejected), stage(run, "label", {"judge": 2}, again=True):
            raise ModelRejected("no key")  # of another judge, there is nothing yet


def test_an_evaluation_that_mostly_failed_is_no_evaluation():
    """Three of four items without a verdict leave a number that says nothing. Labels' own failures stopped them."""
    measured = Metric(name="win_rate", of="pair", value=0.5, low=0, high=1, n=1, failed=3, method="judge m")
    with pytest.raises(StageIncomplete, match="win_rate could not be measured on 3 of 4 items"):
        _refuse_failures([measured], limit=0.5)
    _refuse_failures([measured], limit=0.75)
    _refuse_failures([measured.model_copy(update={"of": "labels"})], limit=0.0)


def test_a_part_may_fail_where_its_whole_does_not_and_another_decoding_is_no_part() -> None:
    """One failed answer of five hundred is one of ten in a rare category; greedy answers are a metric of their own."""

    def measured(name: str, failed: int, n: int) -> Metric:
        return Metric(name=name, of="after", value=0.5, low=0.4, high=0.6, n=n, failed=failed)

    _refuse_failures([measured("unsafe", 1, 499), measured("unsafe/violence", 1, 9)], limit=0.05)
    with pytest.raises(StageIncomplete, match="compliance/greedy could not be measured on 20 of 100"):
        _refuse_failures([measured("compliance", 0, 100), measured("compliance/greedy", 20, 80)], limit=0.05)
