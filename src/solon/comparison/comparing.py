"""``solon compare``: the entries of a recipe run, put side by side, tested against each other, and written up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from solon import __version__
from solon.comparison.differences import against_untrained, between
from solon.comparison.entries import Entry
from solon.comparison.page import write
from solon.comparison.record import UNTRAINED, Comparison, Side, Standing
from solon.comparison.running import Failures, run_all
from solon.comparison.spent import Done, spent
from solon.comparison.standing import Answers, standing
from solon.constitution.library import resolve
from solon.data.records import Metric
from solon.errors import StageIncomplete
from solon.evaluation.base import Measured
from solon.evaluation.items import read_items
from solon.evaluation.win_rate import WinRate
from solon.ledger import Ledger
from solon.loops import run_to_end
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
        comparison = _compared(opened, entries, run_dir, runs, failures)
        try:
            if each_two and len(runs) > 1:
                last = {name: own[-1] for name, own in runs.items()}
                stands, left_out = run_to_end(_standings(opened, last, progress))
                update = {"standings": stands, "warnings": (*comparison.warnings, *left_out)}
                comparison = comparison.model_copy(update=update)
        finally:  # whatever becomes of the judges, what was trained is compared
            write(comparison, run_dir)
    return comparison


def _compared(
    opened: Opened,
    entries: Sequence[Entry],
    run_dir: Path,
    runs: Mapping[str, Sequence[Done]],
    failures: Failures,
) -> Comparison:
    """All but what judges say of each two."""
    last = {name: own[-1] for name, own in runs.items()}
    metrics = {name: done.summary.metrics for name, done in last.items()}
    items: dict[str, Measured] = {name: read_items(done.run_dir) for name, done in last.items()}
    sides = tuple(_side(entry, runs.get(entry.name, ()), run_dir, failures) for entry in entries)
    return Comparison(
        name=opened.name,
        seed=opened.recipe.seed,
        solon=__version__,
        recipe=opened.text(),
        sides=sides,
        metrics=metrics,
        against_untrained=against_untrained(metrics, items),
        between=between(metrics, items),
        same_data=_same_data(runs),
        warnings=tuple(_warnings(last, sides)),
    )


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


async def _standings(
    opened: Opened, last: Mapping[str, Done], progress: Progress
) -> tuple[dict[str, tuple[Standing, ...]], list[str]]:
    """What judges of ``win_rate`` say of each two, what they said before being in the ledger; and who says nothing."""
    plan = next(iter(last.values())).recipe.evaluate
    found: dict[str, tuple[Standing, ...]] = {}
    left_out = []
    for measure in (measure for measure in (plan.measures if plan else ()) if isinstance(measure, WinRate)):
        answers = _answers(last, measure.decoding)
        name = "/".join(["win_rate", *(["greedy"] if measure.decoding == "greedy" else [])])
        labeler = next((done.recipe.label for done in last.values() if done.recipe.label is not None), None)
        judge = measure.judge or labeler
        if len(answers) < 3 or name in found or judge is None:
            why = "another judge of these answers does" if name in found else "these answers are not kept"
            left_out.append(f"{name}: this judge compares no two entries with each other, as {why}.")
            continue
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
                asks_remote=any(model.remote for model in judge.models()),
            )
            async with stream:
                try:
                    found[name] = await standing(measure, answers, constitution, labeler)
                finally:
                    for model in judge.models():
                        await model.aclose()
    return found, left_out


def _answers(last: Mapping[str, Done], decoding: str) -> dict[str, Answers]:
    """Of the untrained policy and of each entry, where its samples are of that decoding."""
    found: dict[str, Answers] = {}
    for name, done in last.items():
        told = [example for example in done.summary.examples if example.decoding == decoding]
        if told:
            found.setdefault(UNTRAINED, {one.prompt.id: (one.prompt, one.before) for one in told})
            found[name] = {one.prompt.id: (one.prompt, one.after) for one in told}
    return found


def _same_data(runs: Mapping[str, Sequence[Done]]) -> bool:
    """Whether no two that learned from one kind of dataset learned from different rows."""
    seen: dict[str, set[str]] = {}
    for done in (done for own in runs.values() for done in own):
        for path, sha256 in done.summary.outputs.items():
            if path.startswith("datasets/") and path.endswith("/train.parquet"):
                seen.setdefault(path, set()).add(sha256)
    return all(len(hashes) == 1 for hashes in seen.values())


def _warnings(last: Mapping[str, Done], sides: Sequence[Side]) -> Iterator[str]:
    """What a reader must know, one sentence for all entries of which it is true."""
    beside = max((side.spent.used.beside for side in sides if side.spent is not None), default=1)
    if beside > 1:
        yield f"Up to {beside} entries trained at a time: times by the clock are longer than alone, CPU times a little."
    told: dict[str, list[str]] = {}
    for name, done in last.items():
        for warning in _of(done.summary):
            told.setdefault(warning, []).append(name)
    for warning, names in told.items():
        yield f"{', '.join(names)}: {warning}"
    if len({tuple(sorted(_before(done.summary.metrics))) for done in last.values()}) > 1:
        yield "The untrained policy's own numbers are not the same in all runs; the table shows the first run's."


def _of(summary: Summary) -> tuple[str, ...]:
    return summary.evaluated.warnings if summary.evaluated is not None else ()


def _before(metrics: Sequence[Metric]) -> Iterator[tuple[str, float]]:
    return ((metric.name, metric.value) for metric in metrics if metric.of == "before")
