"""A new project's folder, filled; nothing that is there is ever overwritten."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from solon.data.whole import atomic_folder
from solon.errors import DataError
from solon.project.here import Here
from solon.project.templates import TEMPLATES, Filled, Template, fill_in, shipped

_MAY_BE_THERE = (".git", ".venv", "venv", ".DS_Store")
_IGNORED = "runs/\n.solon/\nmlruns/\n"


@dataclass(frozen=True)
class Created:
    """A project as it was made.

    Attributes:
        folder: it.
        template: what it was made from.
        notes: what was found out here and decided, as sentences without a full stop.
        install: commands for what is missing to run it.
        commands: what to run then.
    """

    folder: Path
    template: Template
    notes: tuple[str, ...]
    install: tuple[str, ...]
    commands: tuple[str, ...]

    @property
    def next(self) -> tuple[str, ...]:
        """What to type next, from where the project was made."""
        there = self.folder.absolute() == Path.cwd()
        return (*(() if there else (f"cd {self.folder}",)), *self.install, *self.commands)


def create(folder: Path, template: str = "quickstart", here: Here | None = None) -> Created:
    """Writes a new project.

    Args:
        folder: where to; made if need be.
        template: a name in ``TEMPLATES``.
        here: what is known of where it will run; asked of this machine if left out.

    Raises:
        DataError: there is no such template; or the folder exists and holds something, and nothing is overwritten.
        StorageError: the disk is full or not writable; nothing of the project is there then.
    """
    if template not in TEMPLATES:
        near = get_close_matches(template, TEMPLATES, n=1, cutoff=0.4)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise DataError(f"there is no template {template!r}; there are {', '.join(TEMPLATES)}{meant}")
    if folder.exists() and (not folder.is_dir() or any(path.name not in _MAY_BE_THERE for path in folder.iterdir())):
        raise DataError(f"{folder} is there already and not empty; choose a new folder (nothing was changed)")
    chosen = TEMPLATES[template]
    for source in chosen.copied.values():  # all of it, before anything is written
        shipped(source)
    filled = chosen.fill(here or Here())
    words = _written(folder, chosen, filled)
    commands = tuple(fill_in(command, words) for command in chosen.commands)
    return Created(folder, chosen, filled.notes, filled.install, commands)


def _written(folder: Path, chosen: Template, filled: Filled) -> Mapping[str, str]:
    """Writes the project's files, all of them or none; returns the words that were filled in.

    They are written to a folder beside what may be there already, and moved when all are.

    Raises:
        StorageError: the disk is full or not writable.
    """
    is_new = not folder.exists()
    try:
        with atomic_folder(folder / "new") as fresh:
            words = chosen.write(fresh, filled, folder.absolute().name)
            recipe = fresh / "recipe.yaml"
            if recipe.is_file():
                text = recipe.read_text("utf-8").replace("examples/quickstart/recipe.yaml", "recipe.yaml")
                recipe.write_text(text, "utf-8")
            (fresh / ".gitignore").write_text(_IGNORED, "utf-8")
        for path in sorted((folder / "new").iterdir()):
            path.rename(folder / path.name)
        (folder / "new").rmdir()
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return words
