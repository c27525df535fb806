"""Judgments as they are written: those of a run that is done, and those so far of one that is at work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from solon.data.artifacts import opened, validation_problems, why_not_json, wrong_encoding
from solon.data.records import Judgment
from solon.errors import DataError, Problem
from solon.viewing.place import Place


class Growing:
    """A file of judgments, read on from where the last reading ended.

    While a run labels, its file has another name, and the last line may be half there.

    Attributes:
        partial: whether the run is still at work on it.
    """

    def __init__(self, run_dir: Path) -> None:
        self._done = run_dir / "judgments.jsonl"
        self._under_way = run_dir / ".judgments.jsonl.partial"
        self._place, self._is_trusted = Place(), True
        self.partial = False

    @property
    def path(self) -> Path | None:
        """Where they are now; ``None`` where nothing was judged yet."""
        return next((path for path in (self._done, self._under_way) if path.is_file()), None)

    def replaced(self) -> bool:
        """Whether it is another file than before, or no longer begins as it did; not while there is none."""
        path = self.path
        if path is None or not self._place.inode:
            return False
        if not self._is_trusted:
            return True
        with opened(path) as file:
            return not self._place.found(file)

    def mistrust(self) -> None:
        """Has it count as replaced: not all that was read has been used."""
        self._is_trusted = False

    def read(self) -> Iterator[tuple[Judgment, str]]:
        """What has come since, whole lines only, each with its text.

        Raises:
            DataError: a line is no judgment; with file and line.
        """
        path = self.path
        if path is None:
            return
        with opened(path) as file:
            if not self._place.inode:
                self._place.begin(file)
            elif not self._place.found(file):
                return  # another took its place just now, with which the next reading begins anew
            self.partial = path == self._under_way
            for line in file:
                if not line.endswith(b"\n") and self.partial:
                    return
                if line.strip():
                    yield _judgment(line, f"{path}:{self._place.line + 1}")
                self._place.pass_over(line)


def _judgment(line: bytes, where: str) -> tuple[Judgment, str]:
    try:
        # by way of json: pydantic's own reader refuses half of a surrogate pair
        text = line.decode("utf-8")
        return Judgment.model_validate(json.loads(text)), text
    except ValidationError as error:
        raise DataError(validation_problems(where, "Judgment", error)) from error
    except UnicodeDecodeError as error:
        raise DataError([wrong_encoding(where, line[error.start], line)]) from error
    except (ValueError, RecursionError) as error:
        raise DataError([Problem(where, why_not_json(error))]) from error
