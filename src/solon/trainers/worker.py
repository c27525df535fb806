"""The training process: ``python -m solon.trainers.worker assignment.json``, started by ``solon.trainers.launch``.

There may be several that train together; the first of them answers, and the others say only how they ended.

It is a process of its own because trainers patch libraries, seed global random numbers, hold the GPU's memory until
they end, and may be killed for it. It ends by itself when the process that started it is gone, however that one died.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from solon.data.records import Checkpoint
from solon.errors import PluginError
from solon.interrupts import end_in_own_time
from solon.keys import without_secrets
from solon.parent import end_with_parent
from solon.plugins.base import base_folder
from solon.plugins.importing import imports_allowed
from solon.plugins.registry import create, load
from solon.plugins.sending import receive
from solon.plugins.sources import source_of
from solon.trainers.alarms import ended_by
from solon.trainers.base import Job, Policy, Trainer
from solon.trainers.curves import Curves
from solon.trainers.protocol import Assignment, Done, Event, Step, Trouble, Warned
from solon.trainers.several import Place, refuse_others, refuse_together
from solon.trainers.used import Meter
from solon.trainers.watch import Watch


def main(assignment_file: Path) -> int:
    """Does the assignment; 0 when the checkpoint is complete."""
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal tells both processes: the one that started us decides
        signal.signal(number, signal.SIG_IGN)
    end_with_parent()
    with _answers() as answers:

        def answer(event: Event) -> None:
            answers.write(event.model_dump_json() + "\n")
            answers.flush()

        try:
            assignment = Assignment.model_validate_json(assignment_file.read_bytes())
            if assignment.judging is not None:
                end_in_own_time(signal.SIGTERM)
            answer(Done(checkpoint=_train(assignment, answer)))
        except KeyboardInterrupt:
            return 128 + signal.SIGTERM
        except Exception as error:  # noqa: BLE001 - the boundary: all that a trainer or a library may raise goes over the wire
            with contextlib.suppress(OSError):  # the log may be on the disk that is full
                sys.stderr.write(without_secrets(traceback.format_exc()))
                sys.stderr.flush()
            answer(Trouble.of(error))
            return 1
    return 0


def _train(assignment: Assignment, answer: Callable[[Event], None]) -> Checkpoint:
    receive(assignment.plugins)
    with base_folder(assignment.base), imports_allowed():  # as the process that started this one has found
        load(assignment.group, str(assignment.settings["kind"]))  # as an error of its own, where it cannot be had
        trainer: Trainer = create(assignment.group, assignment.settings)
        policy = Policy.model_validate(assignment.policy)
    if source_of(type(trainer)) != assignment.source:
        raise PluginError(
            f"the source of trainer {trainer.written!r} has changed since this run read it: run it again, to train "
            "with what is there now"
        )
    here = Place.here()
    refuse_together(trainer, here)
    refuse_others(assignment.kept / "trainer", here)
    meter = Meter(assignment.kept, here.rank)
    if here.rank > 0:  # the first speaks for all
        checkpoint = _followed(assignment, trainer, policy)
        meter.note()
        return checkpoint
    watch = Watch(trainer.alarms, longest=trainer.longest_completion)

    def warn(step: int, steps: int, metrics: Mapping[str, float]) -> None:
        alarms = watch.see(step, metrics)
        for alarm in alarms:
            curves.add_alarm(alarm, steps)
            answer(Warned(alarm=alarm))
        for alarm in alarms:
            if alarm.stop:
                raise ended_by(alarm)

    with Curves(assignment.metrics, again=warn) as curves:

        def report(step: int, steps: int, metrics: Mapping[str, float]) -> None:
            answer(Step(step=step, steps=steps, metrics=curves.add(step, steps, metrics)))
            meter.note()
            warn(step, steps, metrics)

        checkpoint = trainer.train(_job(assignment, policy, report, curves.go_on_from))
    meter.note()
    return checkpoint


def _followed(assignment: Assignment, trainer: Trainer, policy: Policy) -> Checkpoint:
    """What a process does that is not the first: the same work, of which it tells nothing."""
    return trainer.train(_job(assignment, policy, lambda _step, _steps, _metrics: None, lambda _step: {}))


def _job(
    assignment: Assignment,
    policy: Policy,
    report: Callable[[int, int, Mapping[str, float]], None],
    go_on_from: Callable[[int], Mapping[str, float]],
) -> Job:
    return Job(
        policy=policy,
        dataset=assignment.dataset,
        out=assignment.out,
        seed=assignment.seed,
        report=report,
        kept=assignment.kept / "trainer",
        go_on_from=go_on_from,
        judging=assignment.judging,
    )


@contextlib.contextmanager
def _answers() -> Iterator[TextIO]:
    """Standard output for the answers alone; what anyone else prints, from C too, goes where standard error goes."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        sys.stdout.flush()
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        yield answers


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
