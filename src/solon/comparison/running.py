"""Runs the entries of a comparison, one after the other or side by side; what is done is not done again."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from solon.comparison.entries import Entry
from solon.comparison.processes import FOLDER, LOG, own_failure, processes_of, side_by_side
from solon.errors import SolonError
from solon.phases import phases_of
from solon.pipeline import run
from solon.progress import Progress
from solon.trainers.backends import Machine

Failures = Mapping[str, str]
"""Why an entry did not get to its end, by its name."""


def at_once(entries: Sequence[Entry], machine: Machine) -> int:
    """How many entries this machine can train side by side: one a GPU, or as many as its cores carry.

    A policy that states no ``threads`` takes all cores, and more than one at a time would only wait for each other; so
    would entries of which one trains in several processes.
    """
    if any(processes_of(entry) > 1 for entry in entries):
        return 1
    if machine.gpus:
        return max(1, min(len(entries), len(machine.gpus)))
    cores = os.cpu_count() or 1
    policies = [phase.recipe.policy for entry in entries for phase in phases_of(entry.opened)]
    threads = max(
        (policy.threads if policy is not None and policy.threads else cores for policy in policies), default=1
    )
    return max(1, min(len(entries), cores // threads))


def run_all(entries: Sequence[Entry], run_dir: Path, jobs: int, progress: Progress) -> Failures:
    """Each to its end, in a folder of its own below ``run_dir``.

    Whoever begins by having responses labeled goes first as far as the dataset: the others find the replies in the
    ledger.

    Raises:
        SolonError: what would have befallen every entry. What was done is kept, and the same command goes on.
    """
    if min(jobs, len(entries)) == 1:
        return _one_after_the_other(entries, run_dir, progress)
    jobs = min(jobs, len(entries))
    failures: dict[str, str] = {}
    _data_first(entries, run_dir, progress)
    progress.say(f"compare   {jobs} at a time; each says how far it is in {run_dir / FOLDER}/<entry>/{LOG}")
    with (
        closing(side_by_side(entries, run_dir, jobs)) as all_ended,
        progress.stage("compare", len(entries), "entries") as bar,
    ):
        for ended in all_ended:
            if ended.failure:
                failures[ended.entry.name] = ended.failure
                progress.say(f"compare   {ended.entry.name} failed, and the others go on: {ended.failure}")
            bar.advance(failed=int(bool(ended.failure)), note=f"{ended.entry.name} done")
    return failures


def _one_after_the_other(entries: Sequence[Entry], run_dir: Path, progress: Progress) -> Failures:
    failures: dict[str, str] = {}
    for entry in entries:
        progress.say(f"compare   {entry.name}")
        try:
            run(entry.opened, run_dir / entry.name, progress=progress)
        except Exception as error:  # noqa: BLE001 - the boundary: as where each has a process of its own
            failures[entry.name] = own_failure(error)
            progress.say(f"compare   {entry.name} failed, and the others go on: {failures[entry.name]}")
            if not isinstance(error, SolonError):
                log = run_dir / FOLDER / entry.name / LOG
                log.parent.mkdir(parents=True, exist_ok=True)
                log.write_text(traceback.format_exc(), "utf-8")
                progress.say(f"compare   where that happened is in {log}")
    return failures


def _data_first(entries: Sequence[Entry], run_dir: Path, progress: Progress) -> None:
    """The data of the first entry that can make any. What another's own misfortune is, it tells when its turn comes.

    Raises:
        SolonError: what is nobody's own misfortune.
    """
    for entry in entries:
        if not entry.labels:
            continue
        progress.say(f"compare   {entry.name}: the data that all learn from")
        phase = phases_of(entry.opened)[0].phase or None
        try:
            run(entry.opened, run_dir / entry.name, until="build", phase=phase, goes_on=True, progress=progress)
        except Exception as error:  # noqa: BLE001 - the boundary: it happens again where it is told
            own_failure(error)
        else:
            return
