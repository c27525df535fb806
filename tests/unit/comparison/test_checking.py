"""``solon check`` of a recipe that compares."""

from pathlib import Path

from comparing import recipe
from solon.checking import check_recipe
from solon.comparison.checking import check_entries
from solon.recipe import read


def _told(folder: Path, compare: str) -> list[str]:
    opened = read(recipe(folder, compare))
    return [problem.what for problem in check_entries(opened, check_recipe(opened)).problems]


def test_what_only_an_entry_gets_wrong_is_told_under_its_name(tmp_path: Path) -> None:
    """The recipe's own problems, such as a missing policy folder, are not told again."""
    told = _told(
        tmp_path, "  fine: dpo\n  other: {label: {kind: pairwise, judge: {kind: transformers, model: ./nowhere}}}\n"
    )
    assert len(told) == 1
    assert told[0].startswith("entry 'other': ")


def test_settings_that_are_wrong_are_found_without_running_anything(tmp_path: Path) -> None:
    """As `solon compare` would say at its start."""
    assert any("unknown key 'betta'" in one for one in _told(tmp_path, "  low: {kind: dpo, betta: 1}\n"))


def test_a_recipe_that_compares_nothing_has_no_more_problems(tmp_path: Path) -> None:
    """It is checked as ever."""
    assert _told(tmp_path, "  {}\n") == []
