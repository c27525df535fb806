"""A run directory: which stages are done, from which inputs, and who is at work in it.

Everything in it but ``timings.json`` and logs is a pure function of recipe, inputs and ledger. A stage is done when
its inputs are those it was done with and its outputs are still the files it wrote; otherwise it is done again, and what
it had written for other inputs is moved to ``previous/``, never overwritten.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from solon.confining import refuse_links, refuse_outside
from solon.data.artifacts import sha256_of, write_json
from solon.data.records import digest
from solon.data.whole import atomic, remedy_of
from solon.errors import RunBusy, StorageError
from solon.keys import without_secrets
from solon.stream import Found

STAGES = ("sample", "label", "build", "train", "evaluate", "report")


class RunDirectory:
    """One run on disk. Open it with ``RunDirectory.open``, which holds its lock until the block ends.

    Attributes:
        found: what a stage has learned of the providers that it asked. It is of that hour, as the times are.
        used: the time and memory that the processes took in which a stage works.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: dict[str, Any] = {"stages": {}}
        self.timings: dict[str, Any] = {}
        self.found: dict[str, tuple[Found, ...]] = {}
        self.used: dict[str, Mapping[str, Any]] = {}
        self._before: tuple[dict[str, Any], bytes] = {}, b""
        if self.file.exists():
            self.state = _read(self.file)
            recipe = self.path / "recipe.yaml"
            self._before = dict(self.state), recipe.read_bytes() if recipe.exists() else b""
            self.timings = _read(self.path / "timings.json") if (self.path / "timings.json").exists() else {}

    @property
    def file(self) -> Path:
        """``run.json``."""
        return self.path / "run.json"

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[RunDirectory]:
        """Creates the directory if need be and locks it.

        Raises:
            RunBusy: another process holds the lock. The lock of a dead process is taken over: the system lets go of it.
            StorageError: the directory cannot be created or written.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            if error.errno == errno.ELOOP and (path / ".lock").is_symlink():
                raise StorageError(f"{path / '.lock'} is a link, and is not followed: remove it") from error
            raise StorageError(
                f"cannot use {path} as a run directory: {error.strerror}{remedy_of(error.errno)}"
            ) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(lock, 400, 0).decode("utf-8", "replace").strip() or "another process"
                raise RunBusy(
                    f"{path} is in use by {holder}: wait for it, stop it, or give another --run-dir"
                ) from None
            refuse_links(path)
            os.ftruncate(lock, 0)
            os.pwrite(lock, _holder().encode("utf-8", "replace"), 0)
            yield cls(path)
        finally:
            os.close(lock)

    def begin(
        self, *, name: str, seed: int, constitution: Mapping[str, Any], versions: Mapping[str, str], recipe: str
    ) -> None:
        """Notes what is run, before the first stage."""
        from solon import __version__

        about = {
            "solon": __version__,
            "name": name,
            "seed": seed,
            "constitution": dict(constitution),
            "versions": dict(versions),
        }
        kept = {"formats": self.state["formats"]} if "formats" in self.state else {}
        self.state = {**about, "stages": self.state.get("stages", {}), **kept}
        with atomic(self.path / "recipe.yaml") as partial:
            partial.write_text(recipe, "utf-8")
        self._save()

    @property
    def done(self) -> tuple[str, ...]:
        """The stages that were done, by this recipe or one before it, in their order."""
        return tuple(name for name in STAGES if name in self.state["stages"])

    def is_done(self, stage: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the stage was done with these very inputs and its outputs are still as it wrote them."""
        entry = self.state["stages"].get(stage)
        if entry is None or entry["inputs"] != digest(inputs):
            return False
        return all(
            (self.path / name).is_file() and sha256_of(self.path / name) == expected
            for name, expected in entry["outputs"].items()
        )

    def summary(self, stage: str) -> dict[str, Any]:
        """The counts of a stage that is done; empty otherwise."""
        entry = self.state["stages"].get(stage)
        return dict(entry["summary"]) if entry else {}

    def outputs(self, stage: str) -> dict[str, str]:
        """File name to SHA-256 of what a stage wrote: what the next stage depends on."""
        entry = self.state["stages"].get(stage)
        return dict(entry["outputs"]) if entry else {}

    def set_aside(self, stage: str) -> Path | None:
        """Moves what this stage and those after it wrote to ``previous/<number>``, with the recipe that it was for.

        Returns where, or ``None`` when there was nothing.

        Raises:
            StorageError: something could not be moved; what was moved before it is in ``previous/``.
        """
        later = STAGES[STAGES.index(stage) :]
        old = {name: self.state["stages"][name] for name in later if name in self.state["stages"]}
        names = [name for entry in old.values() for name in entry["outputs"] if (self.path / name).exists()]
        target = self._put_by(names) if names else None
        # first moved, then forgotten: a kill in between leaves a stage whose files are missing, and it is done again
        for name in old:
            del self.state["stages"][name]
        if old:
            self._save()
        return target

    def _put_by(self, names: list[str]) -> Path:
        """Moves files to a new folder in ``previous/``, beside ``run.json`` and ``recipe.yaml`` as they were then."""
        about, recipe = self._before
        folder = self.path / "previous"
        try:
            folder.mkdir(exist_ok=True)
            # above the highest: somebody may have deleted some of them
            taken = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
            target = folder / f"{max(taken, default=0) + 1:03d}"
            target.mkdir()
            write_json(target / "run.json", {**about, "stages": self.state["stages"]})
            if recipe:
                (target / "recipe.yaml").write_bytes(recipe)
            for name in names:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).rename(target / name)
        except OSError as error:
            remedy = remedy_of(error.errno)
            raise StorageError(f"cannot move what was there to {folder}: {error.strerror}{remedy}") from error
        return target

    @property
    def formats(self) -> tuple[str, ...]:
        """Of the report, those that were ever asked for: what a stage sets aside is not forgotten here."""
        return tuple(self.state.get("formats", ()))

    def keep_formats(self, formats: Iterable[str]) -> None:
        """Notes what was asked for; saved when the stage is finished."""
        self.state["formats"] = list(formats)

    def finish(
        self,
        stage: str,
        inputs: Mapping[str, Any],
        outputs: list[Path],
        summary: Mapping[str, Any],
        started: tuple[float, float] | None = None,
    ) -> None:
        """Notes that a stage is done. ``started`` is what ``clock()`` said when it began."""
        self.state["stages"][stage] = {
            "inputs": digest(inputs),
            "outputs": {str(path.relative_to(self.path)): sha256_of(path) for path in sorted(outputs)},
            "summary": dict(summary),
        }
        # times first: a stage that is done has its times, and a kill while they are written is of one that is not done
        if started is not None:
            wall, cpu = clock()
            self.timings[stage] = {"seconds": round(wall - started[0], 2), "cpu_seconds": round(cpu - started[1], 2)}
            if stage in self.found:
                self.timings[stage]["providers"] = [asdict(found) for found in self.found[stage]]
            if stage in self.used:
                self.timings[stage]["training"] = dict(self.used[stage])
            write_json(self.path / "timings.json", self.timings)
        self._save()

    def _save(self) -> None:
        write_json(self.file, self.state)


def clock() -> tuple[float, float]:
    """Wall-clock seconds, and CPU seconds of this process and the children it has waited for."""
    times = os.times()
    return time.monotonic(), times.user + times.system + times.children_user + times.children_system


def _holder() -> str:
    """This process, for people who find the directory in use: its number, its command, and since when."""
    words = [Path(sys.argv[0]).name.replace("app.py", "solon"), *sys.argv[1:3]] if sys.argv and sys.argv[0] else []
    command = without_secrets(" ".join(words))
    since = datetime.now(UTC).strftime("%d %B %Y %H:%M:%S UTC")
    return f"process {os.getpid()} ({f'`{command[:200]}`, ' if command else ''}since {since})"


def _read(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(
            f"{path} cannot be read ({error}); move it away and run again: the ledger keeps all replies"
        ) from error
    if not isinstance(state, dict):
        raise StorageError(f"{path} is not a run's state; move it away and run again: the ledger keeps all replies")
    stages = state.get("stages")
    entries = stages.values() if isinstance(stages, dict) else ()
    named = [entry.get("outputs") for entry in entries if isinstance(entry, dict)]
    refuse_outside(path, [str(name) for outputs in named if isinstance(outputs, dict) for name in outputs])
    return state
