"""What a stage tells trackers: the steps and alarms of a training, and what was measured at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from solon.data.records import Metric
from solon.tracking.about import About
from solon.tracking.kinds import Tracker
from solon.tracking.logbook import Logbook, Memory, as_table, in_training, of_results
from solon.tracking.sending import Sender
from solon.trainers.alarms import Alarm

PATIENCE_S = 60.0
"""How long what is left may take at the end of a stage; after Ctrl-C or an error a tenth of it."""


class Tracked:
    """All trackers of a run as one."""

    def __init__(self, senders: Sequence[Sender]) -> None:
        self._senders = senders

    def step(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """A logged step of a training of ``steps``."""
        numbers = in_training(metrics)
        if steps:
            numbers["train/progress"] = step / steps
        self._tell(lambda logbook: logbook.step(step, numbers))

    def alarm(self, alarm: Alarm) -> None:
        """An alarm, which is told after the step that raised it."""
        said = f"{alarm.text}; {alarm.remedy}"
        self._tell(lambda logbook: logbook.alarm(f"alarm/{alarm.name}", alarm.step, alarm.value, said))

    def results(self, metrics: Sequence[Metric]) -> None:
        """What was measured."""
        numbers, table = of_results(metrics), as_table(metrics)
        self._tell(lambda logbook: logbook.results(numbers, table))

    def _tell(self, deed: Callable[[Logbook], None]) -> None:
        for sender in self._senders:
            sender.put(deed)


@contextmanager
def tracked(
    trackers: Sequence[Tracker],
    about: About,
    run_dir: Path,
    say: Callable[[str], None],
    *,
    training: str = "",
    patience: float = PATIENCE_S,
) -> Iterator[Tracked]:
    """Trackers for as long as the block runs.

    Args:
        trackers: where numbers go.
        about: the run.
        run_dir: of it.
        say: takes lines for the person who watches, when a tracker fails.
        training: names what is trained: the same one goes on in the same run of a tracker, another begins a new one.
            Empty for what belongs to the training that was there last.
        patience: seconds to wait at the end.
    """
    failed = True
    opening = [(one.title, _loaded(one, about, training, run_dir)) for one in trackers]
    senders = [Sender(title, open_it, say) for title, open_it in opening]  # threads begin when all is imported
    try:
        yield Tracked(senders)
        failed = False
    finally:
        for sender in senders:
            sender.close(patience / 10 if failed else patience, failed=failed)


def _loaded(tracker: Tracker, about: About, training: str, run_dir: Path) -> Callable[[], Logbook]:
    """Opens the tracker, whose library is imported now; says what kept it from that when it is to be opened."""
    try:
        tracker.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a library raises stops no training
        return partial(_refuse, error)
    return partial(tracker.open, about, training, Memory(run_dir, tracker.kind))


def _refuse(error: BaseException) -> Logbook:
    raise error
