"""What there is to look at in a run: its labels, and its held-out answers before and after training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from solon.data.artifacts import read_jsonl
from solon.data.candidates import reading_candidates
from solon.data.people import OF_ANSWERS, OF_LABELS, Drawn
from solon.data.records import Candidates, Constitution, RatingScale
from solon.errors import DataError, Problem
from solon.plugins.base import located
from solon.report.held_out import Example
from solon.report.reading import parse, read_json
from solon.viewing.growing import Growing
from solon.viewing.index import Index

if TYPE_CHECKING:
    from solon.recipe import Opened

Kind: TypeAlias = Literal["labels", "answers"]


class Collection:
    """One of the two, with its index.

    Attributes:
        kind: which.
        file: where verdicts on it go.
        index: its items.
        rates: whether its items are rated one by one; else they are compared.
        drawn: the sample that is asked for, if any, and the largest number of the order in it.
    """

    def __init__(self, run: Viewed, kind: Kind) -> None:
        self.run, self.kind = run, kind
        self.file = run.path / (OF_LABELS if kind == "labels" else OF_ANSWERS)
        self.drawn: tuple[int, Drawn] | None = None
        self.rates = False
        self._growing, self.index, self._answers = self._read()
        self._settle()

    def _read(self) -> tuple[Growing, Index, tuple[int, ...]]:
        growing, index = Growing(self.run.path), Index(self.run.principles, self.run.seed)
        answers: tuple[int, ...] = ()
        try:
            if self.kind == "answers":
                answers = _state_of(self.run.answers)
                index.add_answers(read_jsonl(self.run.answers, Example))
            elif growing.path is not None:
                with self.run.candidates() as given:
                    index.add_candidates(given)
                self._add(growing, index)
        except BaseException:
            index.close()
            raise
        return growing, index, answers

    def _add(self, growing: Growing, index: Index) -> bool:
        came = index.add_judgments(growing.read())
        if came and (homeless := index.homeless()):
            what = f"{homeless:,} comparisons or ratings are of completions that are not in the run"
            raise DataError([Problem(str(self.run.path), what, "label again: solon label RECIPE")])
        return came > 0

    def _settle(self) -> None:
        row = self.index.connection.execute("SELECT second FROM item LIMIT 1").fetchone()
        self.rates = row is not None and row[0] is None
        if self.run.sample is not None:
            self.drawn = self.index.draw(self.run.sample)

    @property
    def partial(self) -> bool:
        """Whether the run is still at work on it."""
        return self._growing.partial

    def refresh(self) -> bool:
        """Reads what has come since; whether anything has.

        Raises:
            DataError: something cannot be read, or judgments are on completions that nobody can find. What was read
                before can still be looked at, and the next call begins anew.
        """
        is_of_labels = self.kind == "labels"
        is_new = self._growing.replaced() if is_of_labels else self._answers != _state_of(self.run.answers)
        came = is_new
        if is_new:
            before = self.index
            self._growing, self.index, self._answers = self._read()
            before.close()
        elif is_of_labels:
            try:
                came = self._add(self._growing, self.index)
            except DataError:
                self._growing.mistrust()
                raise
        self._settle()
        return came


class Viewed:
    """A run directory that is looked at, and how.

    Attributes:
        path: the folder.
        name, constitution: the run's.
        sample: how many items to draw at random; ``None`` shows all.
        seed: of what is drawn, and of the order in which two completions are shown.
        blind: whether the judge's verdict is hidden until somebody asks for it.
        annotator: who judges.
    """

    def __init__(
        self,
        path: Path,
        *,
        annotator: str,
        opened: Opened | None = None,
        sample: int | None = None,
        seed: int = 0,
        blind: bool = True,
    ) -> None:
        """Reads what it says of itself.

        Args:
            opened: its recipe, for a run that was given its completions.

        Raises:
            DataError: it is not a run directory, or there is nothing to look at in it yet.
        """
        self.path, self.annotator, self.sample, self.seed, self.blind = path, annotator, sample, seed, blind
        self._opened = opened
        if not (path / "run.json").is_file():
            remedy = (
                "give the folder that `solon run` wrote, e.g. runs/quickstart; of a run with phases, that of a phase"
            )
            raise DataError([Problem(str(path), "is not a run directory: it holds no run.json", remedy)])
        said = read_json(path / "run.json")
        constitution = said.get("constitution") if isinstance(said, dict) else None
        if constitution is None:
            raise DataError([Problem(str(path / "run.json"), "says nothing of a constitution", "run it again")])
        self.name = str(said.get("name", path.name))
        self.constitution = parse(Constitution, constitution, str(path / "run.json"), "constitution")
        self.principles = {principle.id: principle for principle in self.constitution.principles}
        if not self.kinds():
            remedy = "run it as far as its labels first: solon label RECIPE"
            raise DataError([Problem(str(path), "holds neither judgments nor held-out answers yet", remedy)])

    @property
    def answers(self) -> Path:
        """Where the held-out answers are, if the run has any."""
        return self.path / "evaluation" / "samples.jsonl"

    @property
    def scale(self) -> RatingScale:
        """On which people rate."""
        return self.constitution.rating

    def kinds(self) -> tuple[Kind, ...]:
        """What there is."""
        labels: tuple[Kind, ...] = ("labels",) if Growing(self.path).path is not None else ()
        return (*labels, *(("answers",) if self.answers.is_file() else ()))

    @contextmanager
    def candidates(self) -> Iterator[Iterator[Candidates]]:
        """The prompts with their completions.

        Raises:
            DataError: they are in files of the recipe, and it is not at hand.
        """
        if (sampled := self.path / "candidates.jsonl").is_file():
            yield read_jsonl(sampled, Candidates)
            return
        recipe = self._opened.recipe if self._opened is not None else None
        if recipe is None or recipe.candidates is None:
            what = "its completions are not in it: its recipe was given them"
            raise DataError(
                [Problem(str(self.path), what, "give the recipe in place of the folder: solon view RECIPE")]
            )
        with reading_candidates(located(recipe.candidates), recipe.columns) as given:
            yield iter(given)


def _state_of(path: Path) -> tuple[int, ...]:
    """What is another where a file was written anew; empty where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def topics_of(index: Index, most: int) -> list[str]:
    """The topics of the prompts that something was said of, the commonest first."""
    rows = index.connection.execute(
        "SELECT topic, count(*) FROM prompt WHERE topic IS NOT NULL AND place IN (SELECT prompt FROM item)"
        " GROUP BY topic ORDER BY 2 DESC, 1 LIMIT ?",
        (most,),
    )
    return [topic for topic, _ in rows]


def principles_of(index: Index) -> list[str]:
    """The ids of those that items are judged under."""
    return [name for (name,) in index.connection.execute("SELECT DISTINCT principle FROM item_principle ORDER BY 1")]


def judges_of(index: Index) -> list[str]:
    """Who judged or voted."""
    return [name for (name,) in index.connection.execute("SELECT DISTINCT judge FROM item_judge ORDER BY 1")]


def reasons_of(index: Index) -> list[str]:
    """Why judgments failed."""
    rows = index.connection.execute("SELECT DISTINCT reasons FROM item WHERE reasons IS NOT NULL")
    return sorted({reason for (joined,) in rows for reason in joined.split(",") if reason})
