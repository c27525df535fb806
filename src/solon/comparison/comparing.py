"""``solon compare``: the entries of a recipe run, put side by side, tested against each other, and written up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from solon import __version__
from solon.comparison.differences import Items, against_untrained, between
from solon.comparison.entries import Entry
from solon.comparison.page import write
from solon.comparison.record import UNTRAINED, Comparison, Side, Standing
from solon.comparison.running import Failures, run_all
from solon.comparison.spent import Done, spent
from solon.comparison.standing import Answers, standing
from solon.constitution.library import resolve
from solon.data.records import Metric
from solon.errors import StageIncomplete
from solon.evaluation.items import read_items
from solon.evaluation.win_rate import WinRate
from solon.ledger import Ledger
from solon.phases import phases_of, unfolding
from solon.plugins.base import base_folder, located
from solon.progress import Progress
from solon.recipe import Opened
from solon.report.summary import Summary, summarise
from solon.rundir import RunDirectory
from solon.stream import Stream


def compare(
    opened: Opened,
    entries: Sequence[Entry],
    run_dir: Path,
    *,
    jobs: int,
    progress: Progress,
    each_two: bool = True,
) -> Comparison:
    """Runs every entry in a folder below ``run_dir``, and writes ``comparison.html``, ``.md`` and ``.json`` there.

    What was done before is not done again; an entry whose training fails is named, and the others are compared.

    Args:
        opened: the recipe.
        entries: of it.
        run_dir: of the comparison.
        jobs: how many entries train at a time.
        progress: told how far it is.
        each_two: whether judges of ``win_rate`` compare each two entries, beside each with the untrained policy.

    Raises:
        StageIncomplete: no entry got to its end.
        RunBusy: another process compares here.
        SolonError: what would have befallen every entry, such as a budget that is reached.
    """
    with RunDirectory.open(run_dir):
        failures = run_all(entries, run_dir, jobs, progress)
        runs = {entry.name: _runs(entry, run_dir) for entry in entries if entry.name not in failures}
        if not runs:
            raise StageIncomplete(f"no entry got to its end: {'; '.join(f'{n}: {w}' for n, w in failures.items())}")
        last = {name: own[-1] for name, own in runs.items()}
        metrics = {name: done.summary.metrics for name, done in last.items()}
        items: dict[str, Items] = {name: read_items(done.run_dir) for name, done in last.items()}
        stands = asyncio.run(_standings(opened, last, progress)) if each_two and len(last) > 1 else {}
        comparison = Comparison(
            name=opened.name,
            seed=opened.recipe.seed,
            solon=__version__,
            recipe=opened.text(),
            sides=tuple(_side(entry, runs.get(entry.name, ()), run_dir, failures) for entry in entries),
            metrics=metrics,
            against_untrained=against_untrained(metrics, items),
            between=between(metrics, items),
            standings=stands,
            same_data=_same_data(last),
            warnings=tuple(dict.fromkeys(_warnings(last, jobs))),
        )
        write(comparison, run_dir)
    return comparison


def _runs(entry: Entry, run_dir: Path) -> tuple[Done, ...]:
    """The runs that an entry is made of, in their order."""
    return tuple(
        Done(folder, phase.recipe, summarise(folder)) for phase, folder in unfolding(entry.opened, run_dir / entry.name)
    )


def _side(entry: Entry, runs: Sequence[Done], run_dir: Path, failures: Failures) -> Side:
    phases = [phase.recipe.train for phase in phases_of(entry.opened)]
    trainers = tuple(trainer.kind for trainer in phases if trainer is not None)
    if not runs:
        return Side(name=entry.name, trainers=trainers, run_dir=entry.name, failed=failures[entry.name])
    trained = [run.summary.trained for run in runs if run.summary.trained is not None]
    raised = Counter[str]()
    for alarm in (alarm for one in trained for alarm in one.alarms):
        raised[alarm.name] += alarm.times
    return Side(
        name=entry.name,
        trainers=trainers,
        run_dir=runs[-1].run_dir.relative_to(run_dir).as_posix(),
        settings=tuple(one.trainer for one in trained),
        spent=spent(runs),
        alarms=dict(raised),
        steps=runs[-1].summary.steps,
    )


async def _standings(opened: Opened, last: Mapping[str, Done], progress: Progress) -> dict[str, tuple[Standing, ...]]:
    """What each judge of ``win_rate`` in the recipe says of each two; what it has said before is in the ledger."""
    plan = opened.recipe.evaluate
    measures = [measure for measure in (plan.measures if plan else ()) if isinstance(measure, WinRate)]
    found: dict[str, tuple[Standing, ...]] = {}
    for measure in measures:
        answers = _answers(last, measure.decoding)
        name = "/".join(["win_rate", *(["greedy"] if measure.decoding == "greedy" else [])])
        if len(answers) < 3 or name in found:
            continue
        judge = measure.judge or opened.recipe.label
        models = judge.models() if judge is not None else ()
        with base_folder(opened.folder):
            constitution = resolve(located(opened.recipe.constitution))
        with Ledger.open(Path(opened.recipe.ledger)) as ledger, progress.stage("compare", None, "judgments") as bar:
            stream = Stream(
                ledger,
                run=f"{opened.budget}/compare",
                stage="compare",
                max_usd=opened.recipe.max_usd,
                budget=opened.budget,
                on_event=lambda event: bar.advance(int(event.kind in ("answered", "from_ledger"))),
                asks_remote=any(model.remote for model in models),
            )
            async with stream:
                try:
                    found[name] = await standing(measure, answers, constitution, opened.recipe.label)
                finally:
                    for model in models:
                        await model.aclose()
    return found


def _answers(last: Mapping[str, Done], decoding: str) -> dict[str, Answers]:
    """Of the untrained policy and of each entry, where its samples are of that decoding."""
    found: dict[str, Answers] = {}
    for name, done in last.items():
        told = [example for example in done.summary.examples if example.decoding == decoding]
        if told:
            found.setdefault(UNTRAINED, {one.prompt.id: (one.prompt, one.before) for one in told})
            found[name] = {one.prompt.id: (one.prompt, one.after) for one in told}
    return found


def _same_data(last: Mapping[str, Done]) -> bool:
    """Whether no two that learned from one kind of dataset learned from different rows."""
    seen: dict[str, set[str]] = {}
    for done in last.values():
        for path, sha256 in done.summary.outputs.items():
            if path.startswith("datasets/") and path.endswith("/train.parquet"):
                seen.setdefault(path, set()).add(sha256)
    return all(len(hashes) == 1 for hashes in seen.values())


def _warnings(last: Mapping[str, Done], jobs: int) -> Iterator[str]:
    if jobs > 1:
        yield f"{jobs} entries trained at a time: times by the clock are longer than alone, CPU times a little."
    for name, done in last.items():
        for warning in _of(done.summary):
            yield f"{name}: {warning}"
    if len({tuple(sorted(_before(done.summary.metrics))) for done in last.values()}) > 1:
        yield "The untrained policy's own numbers are not the same in all runs; the table shows the first run's."


def _of(summary: Summary) -> tuple[str, ...]:
    return summary.evaluated.warnings if summary.evaluated is not None else ()


def _before(metrics: Sequence[Metric]) -> Iterator[tuple[str, float]]:
    return ((metric.name, metric.value) for metric in metrics if metric.of == "before")
