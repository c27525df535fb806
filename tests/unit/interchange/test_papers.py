"""What must not leave this machine is found in every form in which it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon.errors import DataError
from solon.interchange.papers import refuse_leaks

SECRET = 'correct "horse" \\ é battery'


@pytest.fixture(autouse=True)
def _a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_PASSWORD", SECRET)


@pytest.mark.parametrize(
    "text",
    [SECRET, json.dumps({"key": SECRET}), json.dumps({"key": SECRET}, ensure_ascii=False)],
    ids=["text", "JSON", "Unicode"],
)
def test_a_secret_is_found_as_json_writes_it(tmp_path: Path, text: str):
    """A quote, a backslash and an accent are other characters there."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match="holds the value of A_PASSWORD"):
        refuse_leaks({"config.json": tmp_path / "config.json"}, tmp_path / "run")


@pytest.mark.parametrize("text", ["in /srv/secrets/x", 'from "/srv/x"', json.dumps("a\n/srv/x"), "file:///srv/x"])
def test_a_home_that_is_a_short_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("HOME", "/srv")
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(DataError, match="names a folder of this machine: /srv/"):
        refuse_leaks({"README.md": tmp_path / "README.md"}, tmp_path / "run")


def test_a_short_folder_is_not_found_in_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``/data/`` stands in many; and every absolute path has the root of the file system in it."""
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/data")
    (tmp_path / "README.md").write_text("https://example.org/data/train and /usr/share")
    refuse_leaks({"README.md": tmp_path / "README.md"}, tmp_path / "run")
