"""What the doctor says of keys, caches, ledgers, plugins and versions, and of one recipe."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import create_server

import pytest
from typer.testing import CliRunner

from solon.cli.app import app
from solon.doctor import environment
from solon.doctor.environment import KEYS, around
from solon.doctor.finding import Finding
from solon.plugins.inspecting import Entry

CANARY = "sk-canary-0123456789"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a working directory with nothing in them."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def found(what: str, **variables: str) -> Finding:
    (one,) = [each for each in around(variables) if each.what.startswith(what)]
    return one


@pytest.mark.parametrize("variable", KEYS)
def test_keys_are_told_by_name_and_never_by_value(variable: str) -> None:
    """That one is missing is wrong only where a recipe needs it; the command says how to set it."""
    there, absent = found(f"key for {KEYS[variable]}", **{variable: CANARY}), found(f"key for {KEYS[variable]}")
    assert (there.ok, there.found, there.remedy) == (True, f"{variable} is set", "")
    assert (absent.ok, absent.remedy) == (True, f"export {variable}=...")
    assert CANARY not in str(around({variable: CANARY, "HF_TOKEN": CANARY}))


def test_the_hub_s_cache_and_token_are_looked_for_where_they_are(tmp_path: Path) -> None:
    """As HF_HOME says; whether nothing is fetched is said too."""
    for name in ("models--a--b", "models--c--d", "datasets--e--f"):
        (tmp_path / "hf" / "hub" / name).mkdir(parents=True)
    cache = found("Hugging Face cache", HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="1")
    assert cache.found == f"{tmp_path / 'hf' / 'hub'}: models 2, datasets 1; HF_HUB_OFFLINE is set: nothing is fetched"
    assert found("Hugging Face token", HF_HOME=str(tmp_path / "hf")).remedy == "hf auth login"
    (tmp_path / "hf" / "token").write_text(CANARY)
    token = found("Hugging Face token", HF_HOME=str(tmp_path / "hf"))
    assert (token.found, token.remedy) == ("there is one", "")


def test_a_ledger_that_is_written_to_or_broken_is_told() -> None:
    """The one that runs started from here would use."""
    assert found("ledger").found == "none here yet: the first run makes it"
    file = Path(".solon/ledger.sqlite")
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as ledger:
        ledger.execute("create table t (x)")
        ledger.commit()
        assert found("ledger").remedy == ""
        ledger.execute("begin immediate")
        busy = found("ledger")
        assert (busy.ok, busy.remedy) == (True, "wait for the other run to end, or stop it")
        assert "another process writes to it" in busy.found
    file.write_bytes(b"no database" * 500)
    broken = found("ledger")
    assert not broken.ok
    assert broken.remedy.startswith("mv .solon/ledger.sqlite ")


@pytest.mark.parametrize(
    ("shell", "file"),
    [("bash", ".bash_completions/solon.sh"), ("zsh", ".zfunc/_solon"), ("fish", ".config/fish/completions/solon.fish")],
)
def test_completion_is_looked_for_where_the_shell_has_it(shell: str, file: str, home: Path) -> None:
    """Of a shell that is not known nothing is said."""
    assert found("shell completion", SHELL=f"/bin/{shell}").remedy == "solon --install-completion"
    (home / file).parent.mkdir(parents=True)
    (home / file).write_text("")
    assert found("shell completion", SHELL=f"/bin/{shell}").remedy == ""
    assert not [each for each in around({"SHELL": "/bin/tcsh"}) if each.what == "shell completion"]


def test_a_plugin_that_cannot_be_used_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported to find that out."""
    whose = {"group": "solon.trainers", "package": "solon-odd", "version": "2.0", "target": "odd:Odd"}
    odd = Entry(**whose, kind="odd", state="refused", problem="needs solon 9: pip install 'solon-odd<2'")
    fine = Entry(**{**whose, "package": "solon-fine"}, kind="fine")
    monkeypatch.setattr(environment, "entries", lambda: (odd, fine))
    broken = found("plugin odd")
    assert (broken.ok, broken.found) == (False, "solon-odd 2.0: refused")
    assert broken.remedy == "needs solon 9: pip install 'solon-odd<2'"
    assert found("plugins of others").found == "solon-fine 2.0, solon-odd 2.0"


def test_versions_are_held_against_those_known_to_work_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one is no fault; the command puts it back where something fails."""
    (tmp_path / "constraints.txt").write_text("# a set\npydantic==0.0.1\nno-such-package==1.0\n")
    monkeypatch.setattr(environment, "known_good", lambda: tmp_path / "constraints.txt")
    versions = found("versions")
    assert versions.ok
    assert "pydantic 2." in versions.found
    assert "no-such-package" not in versions.found
    assert versions.remedy == "where something fails: pip install 'pydantic==0.0.1'"


def test_the_set_that_works_together_is_found() -> None:
    """In a checkout at its root; the wheel has it beside the package."""
    file = environment.known_good()
    assert file is not None
    assert "trl==" in file.read_text()


RECIPE = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label: {kind: pairwise, judge: {kind: endpoint, base_url: "http://127.0.0.1:%d/v1", model: m}}
"""


@pytest.fixture
def port() -> Iterator[int]:
    """One that somebody listens at."""
    with create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def of_recipe(*words: str) -> tuple[int, dict[str, dict[str, object]]]:
    said = CliRunner().invoke(app, ["doctor", "recipe.yaml", "--json", *words])
    told = reversed(json.loads(said.stdout)["findings"])  # of those about one thing the first
    return said.exit_code, {one["what"]: one for one in told}


def write(port: int) -> None:
    Path("constitution.yaml").write_text("name: c\nprinciples: [{id: brief, text: Be brief.}]\n")
    Path("candidates.jsonl").write_text('{"prompt": "Hi", "responses": ["a", "b c"]}\n')
    Path("recipe.yaml").write_text(RECIPE % port)


def test_of_a_recipe_it_is_said_whom_it_asks_and_nobody_is_asked(port: int) -> None:
    """Unless it is wanted: then whether somebody listens."""
    write(port)
    code, told = of_recipe()
    assert (code, told["recipe.yaml"]["found"]) == (0, "ready to run here")
    assert told["endpoint m"]["found"] == f"asked at 127.0.0.1:{port}; --reach sees whether anybody is there"
    code, told = of_recipe("--reach")
    assert (code, told["endpoint m"]["found"]) == (0, f"somebody listens at 127.0.0.1:{port}")


def test_a_server_that_is_not_there_and_a_key_that_is_not_set_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with what to do, and exit code 1."""
    with create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    write(free)
    code, told = of_recipe("--reach")
    assert (code, told["endpoint m"]["ok"]) == (1, False)
    assert told["endpoint m"]["found"] == f"nobody listens at 127.0.0.1:{free}: connection refused"
    assert str(told["endpoint m"]["remedy"]).startswith("start the server at ")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    code, told = of_recipe("label.judge={kind: openai, model: gpt-4.1-mini}")
    assert code == 1
    assert any("OPENAI_API_KEY" in str(one["found"]) and not one["ok"] for one in told.values())


def test_a_missing_package_is_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that can be copied."""
    write(1)
    with Path("recipe.yaml").open("a") as file:
        file.write("policy: meta-llama/Llama-3.1-8B-Instruct\ntrain: dpo\ntrack: wandb\n")
    monkeypatch.setattr("solon.tracking.kinds.find_spec", lambda _name: None)
    monkeypatch.setattr("solon.installing._origin", lambda: None)  # as from an index
    _, told = of_recipe()
    assert told["recipe.yaml: track"]["remedy"] == "pip install 'solon[wandb]'"
