"""The contract is itself tested: a plugin that breaks a clause on purpose fails that clause, and no other."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from broken_plugins import BROKEN, FOLLOWS, MAY_FOLLOW, SOUND, labelers, settings
from solon.plugins.groups import CONSTITUTIONS, GROUPS
from solon.plugins.testing.checking import _subject, clauses_of
from solon.plugins.testing.clauses import held
from solon.plugins.testing.describing import page

NEEDS_AN_ENTRY_POINT = {"installed"}


START_A_PROCESS = {"light-import", "picklable"}
"""What these look at is a module's mostly, so that of each they are looked at for what is sound in it."""


def failing(plugin: Any, besides: Collection[str] = ()) -> set[str]:
    """The clauses that a plugin breaks, but for that of its entry point, and ``besides``."""
    group = getattr(plugin, "group", CONSTITUTIONS)
    subject = _subject(group, "broken", plugin)
    clauses = [one for one in clauses_of(group) if one.id not in {*NEEDS_AN_ENTRY_POINT, *besides}]
    return {one.id for one in clauses if held(one, subject).outcome == "failed"}


def each(plugins: Iterable[tuple[str, Any]]) -> list[Any]:
    """A parameter for each, by clause and name; those that train are slow."""
    return [
        pytest.param(
            clause,
            plugin,
            id=f"{clause}-{plugin.__name__}",
            marks=[pytest.mark.slow] if getattr(plugin, "group", "") == "solon.trainers" else [],
        )
        for clause, plugin in plugins
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clause", "plugin"), each((clause, plugin) for clause, plugins in BROKEN.items() for plugin in plugins)
)
def test_a_plugin_that_breaks_a_clause_fails_it_and_no_other(clause: str, plugin: Any) -> None:
    """Without it, a contract that lets everything pass looks like one that is kept."""
    besides = () if plugin.__module__ == settings.__name__ else START_A_PROCESS
    assert failing(plugin, besides) - MAY_FOLLOW.get(clause, set()) == {clause} | FOLLOWS.get(clause, set())


@pytest.mark.slow
def test_a_plugin_whose_module_imports_heavily_fails_that_clause_and_no_other() -> None:
    """Its module is imported here, which needs what it imports."""
    pytest.importorskip("safetensors", reason="safetensors is not installed: pip install 'solon[train]'")
    from broken_plugins.heavy import Heavy

    assert failing(Heavy) == {"light-import"}


@pytest.mark.slow
@pytest.mark.parametrize(("clause", "plugin"), each(("every", plugin) for plugin in SOUND))
def test_what_the_broken_ones_are_made_of_keeps_every_clause(clause: str, plugin: Any) -> None:
    """So each breaks by what it changes."""
    del clause
    assert failing(plugin) == set()


def test_every_clause_is_broken_by_some_plugin() -> None:
    """One that nothing breaks may let everything pass."""
    clauses = {one.id for group in (*GROUPS, CONSTITUTIONS) for one in clauses_of(group)}
    assert clauses == {*BROKEN, *NEEDS_AN_ENTRY_POINT, "light-import"}


def test_a_plugin_that_is_not_installed_is_told_the_lines_to_add() -> None:
    """They can be copied into pyproject.toml."""
    (installed,) = [one for one in clauses_of("solon.labelers") if one.id == "installed"]
    verdict = held(installed, _subject("solon.labelers", "broken", labelers.Judge))
    assert verdict.outcome == "failed"
    assert '[project.entry-points."solon.labelers"]\nbroken = "broken_plugins.labelers:Judge"' in verdict.remedy


def test_the_page_lists_every_clause_as_it_is() -> None:
    """`plugins check` sends people there."""
    assert page() in (Path(__file__).parents[3] / "docs" / "plugins" / "testing.md").read_text("utf-8")
