"""The line that installs an extra installs it where solon came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon import installing
from solon.cli.failing import failed
from solon.errors import MissingExtra

SAID = "it needs packages that are not installed: pip install 'solon[openai]'"


class Installed:
    """A distribution of which pip noted this."""

    def __init__(self, noted: object) -> None:
        self.noted = noted

    def read_text(self, name: str) -> str | None:
        """As of ``importlib.metadata.Distribution``."""
        assert name == "direct_url.json"
        return None if self.noted is None else json.dumps(self.noted)


def from_where(noted: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "distribution", lambda _name: Installed(noted))


@pytest.mark.parametrize(
    ("noted", "line"),
    [
        (None, "pip install 'solon[openai]'"),
        ({"not": "as pip writes it"}, "pip install 'solon[openai]'"),
        (
            {"url": "https://example.org/solon.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pip install 'solon[openai] @ git+https://example.org/solon.git@abc'",
        ),
        (
            {"url": "https://example.org/solon-1.whl", "archive_info": {}},
            "pip install 'solon[openai] @ https://example.org/solon-1.whl'",
        ),
        ({"url": "file:///no/such%20place", "dir_info": {}}, "pip install '/no/such place[openai]'"),
    ],
    ids=["an index", "something else", "git", "a wheel", "a folder"],
)
def test_an_extra_is_installed_from_where_solon_is(noted: object, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that does not have solon says "no matching distribution", or gives another package of that name."""
    from_where(noted, monkeypatch)
    assert installing.as_here(SAID) == SAID.replace("pip install 'solon[openai]'", line)


def test_a_clone_is_installed_again_under_its_constraints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without them pip takes whatever is newest, which may not work together; and the error on the screen says so."""
    (tmp_path / "constraints.txt").write_text("")
    from_where({"url": tmp_path.as_uri(), "dir_info": {"editable": True}}, monkeypatch)
    failed(MissingExtra("`track: wandb`", "wandb"))
    assert f"pip install -c {tmp_path}/constraints.txt -e '{tmp_path}[wandb]'\n" in capsys.readouterr().err
