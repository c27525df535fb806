"""TensorBoard: event files in the run directory, one a process that trained, and one of what was measured.

A training that goes on begins a new file that takes back whatever the earlier ones say of its first step and later
(a session's START, as TensorBoard has it), so that no step is there twice. Files hold times by the clock: they are no
outputs of a stage and decide nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from solon.document import dump
from solon.tracking.about import About
from solon.tracking.logbook import Memory, Remembered

FOLDER = "tensorboard"
_BEGINS = "events.out.tfevents."
_MEASURED = f"{_BEGINS}results"


class EventFiles:
    """The folder ``tensorboard/`` of a run directory."""

    where = ""

    def __init__(self, about: About, training: str, memory: Memory) -> None:
        self._about = about
        self._folder = memory.run_dir / FOLDER
        known = memory.recall()
        if known.training != training and self._folder.exists() and training:
            _set_aside(self._folder, memory.run_dir / "previous")
        self._folder.mkdir(parents=True, exist_ok=True)
        memory.keep(Remembered(training=training or known.training))
        self._file: _EventFile | None = None

    def step(self, step: int, numbers: Mapping[str, float]) -> None:
        """A point of each curve."""
        file = self._of_steps(step)
        for name, value in numbers.items():
            file.scalar(name, value, step)

    def alarm(self, name: str, step: int, value: float, text: str) -> None:
        """A point, and the sentence among the texts.

        What comes before the first step here was raised by an earlier process, whose file has it.
        """
        if self._file is not None:
            self._file.scalar(name, value, step)
            self._file.text(name, text, step)

    def results(self, numbers: Mapping[str, float], table: str) -> None:
        """A file of their own: what is measured again takes its place."""
        with _EventFile(self._folder / _MEASURED) as file:
            for name, value in numbers.items():
                file.scalar(name, value, 0)
            file.text("evaluation", table, 0)

    def close(self, *, failed: bool) -> None:
        """Closes the file."""
        del failed
        if self._file is not None:
            self._file.close()

    def _of_steps(self, first: int) -> _EventFile:
        if self._file is None:
            number = 1 + sum(path.name[len(_BEGINS) :].isdecimal() for path in self._folder.glob(f"{_BEGINS}*"))
            self._file = _EventFile(self._folder / f"{_BEGINS}{number:04d}", goes_on_at=first)
            config = "\n".join(f"    {line}" for line in dump(dict(self._about.config)).splitlines())
            self._file.text("run", f"{self._about.name}\n\n{config}", first)
        return self._file


class _EventFile:
    """One file of events, each on the disk when it is written."""

    def __init__(self, path: Path, *, goes_on_at: int | None = None) -> None:
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.record_writer import RecordWriter

        self._event = Event
        self._file = RecordWriter(str(path))
        self._write(file_version="brain.Event:2")
        if goes_on_at is not None:
            self._write(step=goes_on_at, session_log=SessionLog(status=SessionLog.START))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scalar(self, name: str, value: float, step: int) -> None:
        """A number."""
        from tensorboardX.summary import scalar

        self._write(step=step, summary=scalar(name, value))

    def text(self, name: str, text: str, step: int) -> None:
        """A text in Markdown."""
        from tensorboardX.summary import text as summary

        self._write(step=step, summary=summary(name, text))

    def close(self) -> None:
        """Closes it."""
        self._file.close()

    def _write(self, **fields: object) -> None:
        self._file.write(self._event(wall_time=time.time(), **fields).SerializeToString())
        self._file.flush()


def _set_aside(folder: Path, previous: Path) -> None:
    """Moves the curves of another training to ``previous/tensorboard-<number>``."""
    previous.mkdir(exist_ok=True)
    taken = [int(path.name.removeprefix(f"{FOLDER}-")) for path in previous.glob(f"{FOLDER}-[0-9]*")]
    folder.rename(previous / f"{FOLDER}-{max(taken, default=0) + 1:03d}")
