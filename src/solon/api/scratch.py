"""A run for one stage alone. Where its directory is thrown away, what was paid for is in the ledger still."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from solon.api.given import read_settings
from solon.api.recipes import plain
from solon.api.running import AnyProgress, kept, shown
from solon.data.artifacts import writing_jsonl
from solon.data.prompts import Prompts
from solon.data.records import Candidates, Constitution, Principle, Prompt, Record
from solon.errors import BudgetReached
from solon.ledger import Ledger
from solon.plugins.base import Plugin
from solon.recipe import Opened, Recipe
from solon.rundir import RunDirectory
from solon.stages.run import Run, refuse_problems, versions

LEDGER = ".solon/ledger.sqlite"
"""Where every recipe keeps its replies too, so that what one has paid for the other does not ask again."""
GivenLedger: TypeAlias = str | Path | None
NAME = "python"
"""What stands beside replies in the ledger, and names the budget, where the caller names none."""
NO_CONSTITUTION = Constitution(name="none", principles=(Principle(id="none", text="None was given."),))
"""Of stages that judge nothing."""
NOBODY = {"kind": "rules", "rules": {"nothing": {"regex": ".*"}}}
"""A labeler that is not asked: a recipe without one is no recipe."""


@dataclass
class GivenPrompts(Run):
    """A run whose prompts are at hand."""

    given: tuple[Prompt, ...] = ()

    def training_prompts(self) -> Prompts:
        """Those."""
        return Prompts(self.given, duplicates=0)


@contextmanager
def scratch(
    *,
    constitution: Constitution,
    ledger: GivenLedger,
    name: str,
    progress: AnyProgress,
    needs: Iterable[Plugin] = (),
    prompts: tuple[Prompt, ...] = (),
    candidates: str | Path | Iterable[Candidates] | None = None,
    out: Path | None = None,
    look: Callable[[RunDirectory], None] | None = None,
    **recipe: Any,
) -> Iterator[Run]:
    """A run of one stage.

    Args:
        constitution: of the run.
        ledger: a path; ``None`` is a temporary one.
        name: of the run and its budget.
        progress: whether bars are shown, or where.
        needs: plugins that will be asked; what would stop them is told first.
        prompts: what is sampled, where the recipe begins there.
        candidates: what is judged, where it begins there: a path or address, or the records.
        out: a run directory that stays, and goes on where it was left; a temporary one when left out.
        look: looks at that directory under its lock, before anything is written into it; may raise.
        **recipe: further keys.

    Raises:
        RecipeError: a plugin cannot work here.
        BudgetReached: says which budget.
    """
    shows = shown(progress)
    refuse_problems(*needs)
    with TemporaryDirectory(prefix="solon-") as temporary, kept():
        folder = Path(temporary)
        path = Path(ledger) if ledger is not None else folder / "ledger.sqlite"
        if candidates is None:
            recipe.update({} if recipe.get("dataset") else {"prompts": "given"})
        elif isinstance(candidates, str | Path):
            recipe["candidates"] = str(candidates)
        else:
            recipe["candidates"] = write_records(folder / "candidates.jsonl", candidates)
        values = {"name": name, "constitution": constitution.name, "ledger": str(path), **recipe}
        whole = read_settings(Recipe, values, "")
        opened = Opened(whole, Path.cwd() / "recipe.yaml", plain(whole, Path.cwd()))
        with RunDirectory.open(out or folder / "run") as directory, Ledger.open(path) as replies:
            if look is not None:
                look(directory)
            directory.begin(
                name=name,
                seed=whole.seed,
                constitution=constitution.model_dump(mode="json"),
                versions=versions(),
                recipe=opened.text(),
            )
            try:
                yield GivenPrompts(opened, directory, constitution, replies, shows, given=prompts)
            except BudgetReached as error:
                said = (
                    f"{error}. It counts all calls of the name {name!r} on this ledger: raise max_usd, or give `name`"
                )
                raise BudgetReached(said) from error


def write_records(path: Path, records: Iterable[Record]) -> str:
    """Writes records into a file, one a line; returns its path."""
    with writing_jsonl(path) as write:
        for record in records:
            write(record)
    return str(path)
