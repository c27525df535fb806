"""``solon check`` of what a recipe compares: what can be known to be wrong with an entry before anything is spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from solon.checking import Checked, check_recipe
from solon.comparison.entries import entries
from solon.errors import Problem, RecipeError
from solon.recipe import Opened


def check_entries(opened: Opened, known: Checked) -> Checked:
    """What is wrong with entries and not with the recipe itself; once where several have it, under the first's name.

    Args:
        opened: the recipe; nothing is found where it compares nothing.
        known: what was found in the recipe itself.
    """
    if not opened.recipe.compare:
        return Checked()
    try:
        each = {entry.name: check_recipe(entry.opened) for entry in entries(opened)}
    except RecipeError as error:
        return Checked(problems=[problem for problem in error.problems if problem not in known.problems])
    return Checked(
        _new({name: found.problems for name, found in each.items()}, known.problems),
        _new({name: found.warnings for name, found in each.items()}, known.warnings),
    )


def _new(each: Mapping[str, Iterable[Problem]], known: Iterable[Problem]) -> list[Problem]:
    before, found = set(known), dict[Problem, str]()
    for entry, problems in each.items():
        for problem in problems:
            if problem not in before:
                found.setdefault(problem, entry)
    return [replace(problem, what=f"entry {entry!r}: {problem.what}") for problem, entry in found.items()]
