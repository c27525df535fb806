"""``SOLON_PLUGINS`` says which third-party packages may be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from packages import labeler, publish
from solon.errors import PluginError
from solon.plugins.offers import normalised
from solon.plugins.registry import kinds, load
from solon.recipe import read

LABELERS = "solon.labelers"


@pytest.fixture
def two(site: Path) -> Path:
    """Two packages with a labeler each."""
    publish(
        site,
        "Solon_Brevity",
        {LABELERS: {"brevity": "brevity_judge:Brevity"}},
        {"brevity_judge.py": labeler("brevity")},
    )
    publish(site, "solon-wit", {LABELERS: {"wit": "wit_judge:Brevity"}}, {"wit_judge.py": labeler("wit")})
    return site


def test_off_leaves_ours(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that others wrote is imported; the error names what keeps it out."""
    monkeypatch.setenv("SOLON_PLUGINS", "off")
    assert "wit" not in kinds(LABELERS)
    assert load(LABELERS, "pairwise")
    with pytest.raises(PluginError, match=r"'wit' of solon-wit 1.0 .* is refused: SOLON_PLUGINS=off allows no package"):
        load(LABELERS, "wit")


@pytest.mark.parametrize("name", ["solon-brevity", "SOLON.brevity", " solon_brevity , solon "])
def test_names_are_compared_as_package_indices_compare_them(
    two: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """PEP 503: case, dots, dashes and underscores make no other package."""
    monkeypatch.setenv("SOLON_PLUGINS", name)
    assert load(LABELERS, "brevity").kind == "brevity"
    with pytest.raises(PluginError, match=r"leaves it out: add solon-wit to it, or unset it"):
        load(LABELERS, "wit")


def test_an_unknown_package_is_an_error_with_the_nearest(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name would otherwise leave out what was meant to be let in."""
    monkeypatch.setenv("SOLON_PLUGINS", "solon-wti")
    with pytest.raises(PluginError, match=r"no installed package called 'solon-wti' offers .*did you mean 'solon-wit'"):
        kinds(LABELERS)


def test_unset_or_empty_lets_in_all(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default."""
    monkeypatch.setenv("SOLON_PLUGINS", "")
    assert {"wit", "brevity"} <= set(kinds(LABELERS))


def test_a_name_is_written_in_one_way() -> None:
    """PEP 503's own example."""
    assert {normalised(name) for name in ("Friendly-Bard", "friendly.bard", "FRIENDLY__bard")} == {"friendly-bard"}


def test_a_misprint_is_said_once_and_not_at_every_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of the recipe is at fault."""
    monkeypatch.setenv("SOLON_PLUGINS", "nope")
    rules = "{kind: rules, rules: {a: {regex: x}}}"
    begin = "constitution: helpfulness\ncandidates: candidates.jsonl\npolicy: model\ntrain: dpo\n"
    (tmp_path / "recipe.yaml").write_text(f"{begin}label: {{kind: panel, members: [{rules}, {rules}]}}\n")
    with pytest.raises(PluginError, match=r"^SOLON_PLUGINS=nope: no installed package called 'nope'") as raised:
        read(tmp_path / "recipe.yaml")
    assert str(raised.value).count("no installed package called") == 1
