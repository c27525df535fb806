"""What ``solon push`` does to a repository that holds something already: it says so first, and loses nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hubs import CARD, a_run, asked_here
from solon.cli.app import app
from solon.errors import DataError
from solon.interchange.pushing import prepared, push_to_hub, send, there
from solon.testing import HubServer, HubTrouble

pytestmark = pytest.mark.filterwarnings("default")  # what the libraries warn of is their own

NAME = "datasets/org/data"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        asked_here(server, tmp_path, monkeypatch)
        yield server


def put(hub: HubServer, folder: Path, files: dict[str, str], name: str = NAME, *, private: bool = True) -> None:
    """Files that somebody has there, beside or without those that solon has sent."""
    before = dict(hub.repositories[name].files) if name in hub.repositories else {}
    for path, content in {**before, **{path: text.encode() for path, text in files.items()}}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    hub.put(name, folder, private=private)


def test_files_that_solon_did_not_send_stay(hub: HubServer, tmp_path: Path):
    """Parquet of somebody's in any folder, one of solon's names included that solon's card there does not name."""
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data")
    foreign = {"mine/rows.parquet": "mine", "rows.parquet": "mine", "preference/older.parquet": "mine", "notes.md": "x"}
    put(hub, tmp_path / "there", foreign)
    (run / "datasets" / "sft" / "train.parquet").unlink()
    pushed = push_to_hub(run, "hf://org/data")
    assert pushed.deleted == ("sft/train.parquet",)
    files = hub.repositories[NAME].files
    assert {name: files[name].decode() for name in foreign} == foreign
    assert "sft/train.parquet" not in files


@pytest.mark.parametrize(
    "card",
    ["# Mine, by hand\n", "---\nlicense: mit\n---\n", f"---\ntags: [solo\n---\n{CARD}", "- solon\n"],
    ids=["no front matter", "another's", "no YAML", "solon in its text"],
)
def test_a_card_that_is_not_solon_s_is_replaced_only_if_somebody_says_so(hub: HubServer, tmp_path: Path, card: str):
    """And where it stands, no file is deleted: nobody knows whose they are."""
    run = a_run(tmp_path)
    put(hub, tmp_path / "there", {"README.md": card, "preference/old.parquet": "old"})
    with pytest.raises(DataError, match=r"holds files that solon did not send: README\.md .*--replace"):
        push_to_hub(run, "hf://org/data")
    assert len(hub.repositories[NAME].commits) == 1
    pushed = push_to_hub(run, "hf://org/data", replace=True)
    assert pushed.deleted == ()
    assert hub.repositories[NAME].files["preference/old.parquet"] == b"old"
    assert b'load_dataset("org/data", "preference")' in hub.repositories[NAME].files["README.md"]


def test_data_without_a_card_are_not_replaced_either(hub: HubServer, tmp_path: Path):
    put(hub, tmp_path / "there", {"preference/train.parquet": "somebody's"})
    with pytest.raises(DataError, match=r"holds files that solon did not send: preference/train\.parquet"):
        push_to_hub(a_run(tmp_path), "hf://org/data")


def test_a_model_of_somebody_s_is_not_replaced(hub: HubServer, tmp_path: Path):
    run = a_run(tmp_path)
    put(hub, tmp_path / "there", {"README.md": "# Mine\n", "tokenizer.json": "{}"}, "models/org/model")
    with pytest.raises(DataError, match=r"did not send: README\.md, tokenizer\.json"):
        push_to_hub(run, "hf://org/model", what="model")
    for _ in range(2):
        push_to_hub(run, "hf://org/own", what="model")


def test_somebody_s_own_card_is_sent_twice(hub: HubServer, tmp_path: Path):
    """It is the one that is there."""
    run = a_run(tmp_path)
    (run / "datasets" / "README.md").write_text("# my own card\n")
    push_to_hub(run, "hf://org/data")
    (run / "datasets" / "sft" / "train.parquet").unlink()
    assert push_to_hub(run, "hf://org/data").deleted == ()


def test_the_command_says_what_becomes_of_what_is_there(hub: HubServer, tmp_path: Path):
    """Before it asks, and in a dry run, which changes nothing."""
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data")
    (run / "datasets" / "sft" / "train.parquet").unlink()
    (run / "datasets" / "README.md").write_text(CARD + "\nMore.\n")
    looked = CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--dry-run"])
    assert "  replaces README.md\n" in looked.stdout
    assert "  deletes sft/train.parquet: an earlier push sent it, and this one does not\n" in looked.stdout
    said = json.loads(CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--dry-run", "--json"]).stdout)
    assert said["deletes"] == ["sft/train.parquet"]
    assert said["replaces"] == ["README.md", "preference/test.parquet", "preference/train.parquet"]
    assert "sft/train.parquet" in hub.repositories[NAME].files
    done = CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--yes", "--json"])
    assert json.loads(done.stdout)["deleted"] == ["sft/train.parquet"]


def test_the_command_replaces_what_is_somebody_s_where_it_is_said(hub: HubServer, tmp_path: Path):
    run = a_run(tmp_path)
    put(hub, tmp_path / "there", {"README.md": "# Mine\n"})
    refused = CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--dry-run"])
    assert isinstance(refused.exception, DataError)
    said = CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--dry-run", "--replace"])
    assert "  replaces README.md\n" in said.output
    assert CliRunner().invoke(app, ["push", str(run), "hf://org/data", "--yes", "--replace"]).exit_code == 0


def test_a_dry_run_without_a_hub_says_that_it_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("solon.interchange.asking._FIRST_WAIT_S", 0.01)
    with HubServer() as server:
        asked_here(server, tmp_path, monkeypatch)
    done = CliRunner().invoke(app, ["push", str(a_run(tmp_path)), "hf://org/data", "--dry-run"])
    assert done.exit_code == 0
    assert "note: what is there already is not known: hf://org/data: the hub cannot be reached" in done.output


def test_what_has_changed_since_somebody_agreed_is_left_as_it_is(hub: HubServer, tmp_path: Path):
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data")
    shutil.copy(run / "datasets" / "sft" / "train.parquet", run / "datasets" / "sft" / "test.parquet")
    with prepared(run, "hf://org/data", what="dataset") as upload:
        standing = there(upload)
        put(hub, tmp_path / "there", {"README.md": "# Mine now\n"})
        with pytest.raises(DataError, match=r"has changed since it was looked at .*run the same command again"):
            send(upload, standing=standing)
    assert hub.repositories[NAME].files["README.md"] == b"# Mine now\n"


def test_what_somebody_has_made_since_is_left_as_it_is_too(hub: HubServer, tmp_path: Path):
    with prepared(a_run(tmp_path), "hf://org/data", what="dataset") as upload:
        standing = there(upload)
        put(hub, tmp_path / "there", {"README.md": "# Mine now\n"})
        with pytest.raises(DataError, match="holds files that solon did not send"):
            send(upload, standing=standing)


def test_a_commit_on_another_than_the_one_that_was_looked_at_is_refused(hub: HubServer, tmp_path: Path):
    """By the hub: nothing lies between its look and its commit."""
    run = a_run(tmp_path)
    push_to_hub(run, "hf://org/data")
    (run / "datasets" / "README.md").write_text(CARD + "\nMore.\n")
    hub.troubles.append(HubTrouble("/commit/", 412))
    with pytest.raises(DataError, match="it has changed since it was looked at"):
        push_to_hub(run, "hf://org/data")


def test_a_name_without_an_account_is_of_the_token_s_own(hub: HubServer, tmp_path: Path):
    """Also where what is there is looked at."""
    run = a_run(tmp_path)
    push_to_hub(run, "hf://data")
    (run / "datasets" / "sft" / "train.parquet").unlink()
    assert push_to_hub(run, "hf://data").deleted == ("sft/train.parquet",)
    assert "datasets/me/data" in hub.repositories
