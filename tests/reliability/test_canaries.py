"""Canary keys in environment, addresses and headers, and every path run: what comes out holds none, in no form."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canaries import PLANTED, Repeating, canary, environment, everything, hits, in_a_url
from project import CONSTITUTION, jsonl

pytestmark = pytest.mark.reliability("canaries")

CODE = """\
candidates: candidates.jsonl
label: {kind: rules, rules: {brief: {length: words, max: 1}}}
"""
JUDGED = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label: {kind: pairwise, judge: %s}
build: {held_out: 0}
max_failed: 1
"""
PLUGIN = """\
import os
from solon.plugins import Labeler

class Loud(Labeler):
    kind = "loud"
    async def label(self, question):
        key = os.environ["JUDGE_KEY"]
        raise RuntimeError(f"the server did not like {key}")
"""
HOWS = ("401", "403", "404", "500", "page", "shape", "says", "model", "reset")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with two pairs to judge, a home, and a folder for what is temporary."""
    (tmp_path / "constitution.yaml").write_text(CONSTITUTION)
    rows = [{"prompt": f"What is {n} + {n}?", "responses": [f"{2 * n}", f"It is {2 * n}"]} for n in range(2)]
    (tmp_path / "candidates.jsonl").write_text(jsonl(rows))
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def judged(folder: Path, name: str, judge: str) -> None:
    (folder / f"{name}.yaml").write_text(JUDGED % judge)


def at(server: Repeating, how: str, kind: str = "endpoint") -> str:
    """A judge at the server."""
    price = "price: {input: 1, output: 1}, timeout_s: 5"
    model = "openai/judge" if kind == "litellm" else "judge"
    path = f"{server.root}/{how}" + ("" if kind == "anthropic" else "/v1")
    return f"{{kind: {kind}, base_url: '{path}', model: {model}, api_key_env: JUDGE_KEY, max_usd: 0.01, {price}}}"


class Paths:
    """Commands with the canaries planted, and all that they said."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, []
        self.codes: dict[str, int] = {}

    def run(self, *words: str, program: tuple[str, ...] = ("-m", "solon.cli.app"), within: int = 240) -> int:
        """One command; its exit code."""
        around = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *program, *words],
            cwd=self.folder,
            env={**os.environ, **environment(), **around, "WANDB_MODE": "offline", "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            timeout=within,
        )
        name = " ".join(words)[:80]
        self.said += [(f"standard output of {name}", done.stdout), (f"standard error of {name}", done.stderr)]
        self.codes[f"{len(self.codes)} {name}"] = done.returncode
        return done.returncode

    def told(self, figure: Callable[[str], None], *, but: tuple[str, ...] = ()) -> None:
        """No canary anywhere.

        Args:
            figure: what was looked through is told there.
            but: files in which one was put on purpose.
        """
        places = [*self.said, *everything(self.folder, but=but)]
        found = hits(places)
        told = f"{len(found)} hits in {len(places)} files and streams"
        figure(f"{len(self.codes)} paths x {len(PLANTED) + 1} canaries: {told}")
        assert found == []


def last(paths: Paths) -> str:
    """What the last command said on standard error."""
    return paths.said[-1][1].decode()


@pytest.fixture
def paths(folder: Path) -> Paths:
    return Paths(folder)


@pytest.fixture
def server() -> Iterator[Repeating]:
    with Repeating() as one:
        yield one


def test_what_is_planted_would_be_found(tmp_path: Path) -> None:
    """In text, JSON, HTML, addresses, base64 of a header, a Parquet file, a ledger and a packed file."""
    import gzip
    import sqlite3

    import pyarrow as pa
    import pyarrow.parquet as pq

    key = canary("JUDGE_KEY")
    for name, text in {
        "a.txt": f"x{key}y",
        "b.json": json.dumps({"k": f"Bearer {key}"}),
        "c.b64": base64.b64encode(f"user:{key}".encode()).decode(),
        "d.txt": f"it began with {key[:12]}",
    }.items():
        (tmp_path / name).write_text(text)
    pq.write_table(pa.table({"text": [key]}), tmp_path / "e.parquet", compression="zstd")
    (tmp_path / "f.gz").write_bytes(gzip.compress(key.encode()))
    ledger = sqlite3.connect(tmp_path / "g.sqlite")
    ledger.execute("create table t (x)")
    ledger.execute("insert into t values (?)", [key])
    ledger.commit()
    ledger.close()
    found = {one.removeprefix("JUDGE_KEY in ").partition(",")[0] for one in hits(everything(tmp_path))}
    assert found == {"a.txt", "b.json", "c.b64", "d.txt", "e.parquet", "f.gz", "g.sqlite"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_repeats_the_key_puts_it_nowhere(
    paths: Paths, server: Repeating, full: bool, figure: Callable[[str], None]
) -> None:
    """In errors of every status, web pages, other shapes, the judge's own words: by every kind of model."""
    some = ("401", "says", "page")
    kinds = {"endpoint": HOWS, "openai": some, "anthropic": some, "litellm": some} if full else {"endpoint": some[:2]}
    for kind, hows in kinds.items():
        for how in hows:
            judged(paths.folder, f"{kind}-{how}", at(server, how, kind))
            words = ("label", f"{kind}-{how}.yaml", *(("--debug",) if how in ("403", "says") else ()))
            if how in ("500", "page", "shape", "reset"):  # asked again and again: until it gives up
                words = (*words, "label.judge.timeout_s=2")
            paths.run(*words)
    assert any(canary("JUDGE_KEY") in sent for sent in server.seen), "it was sent, and could have been repeated"
    paths.told(figure)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_that_succeeds_and_all_that_shows_it(
    paths: Paths, server: Repeating, full: bool, figure: Callable[[str], None]
) -> None:
    """Check, plan, run, report, ledger, convert, doctor, plugins, and what a notebook shows."""
    judged(paths.folder, "well", at(server, "well"))
    run = str(Path("runs") / "well")
    words = [
        ("run", "well.yaml", "--json"),
        ("report", run, "--format", "html,md,json"),
        ("ledger", "show", "--json"),
        ("doctor", "well.yaml"),
    ]
    if full:
        words += [
            ("check", "well.yaml", "--json"),
            ("plan", "well.yaml"),
            ("plan", "well.yaml", "--json"),
            ("run", "well.yaml"),
            ("ledger", "show"),
            ("ledger", "--help"),
            ("convert", f"{run}/datasets", "out", "--to", "axolotl"),
            ("doctor", "--json"),
            ("plugins", "list", "--json"),
            ("plugins", "show", "endpoint"),
            ("plugins", "show", "openai"),
            ("schema", "recipe"),
            ("constitution", "test", "constitution.yaml", "--judge", "well.yaml", "--card", "card.json"),
        ]
    codes = {each: paths.run(*each) for each in words}
    well = ("run", "report", "ledger", "check", "plan")
    assert [each for each, code in codes.items() if code != 0 and each[0] in well] == []
    shown = (
        "import solon; from solon.models.endpoint import Endpoint; "
        "m = Endpoint(base_url='http://127.0.0.1:9/v1', model='m', api_key_env='JUDGE_KEY'); m.key(); "
        "print(repr(m), str(m), m.settings(), m.provider, m.describe()); "
        "r = solon.read_recipe('well.yaml') if hasattr(solon, 'read_recipe') else None; print(repr(r)); "
        "getattr(r, '_repr_html_', lambda: None)()"
    )
    assert paths.run(shown, program=("-c",)) == 0
    paths.told(figure)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_crash_with_the_key_at_hand_shows_it_in_no_traceback(
    paths: Paths, full: bool, figure: Callable[[str], None]
) -> None:
    """A plugin raises with the key in its message, with `--debug` and without; solon crashes into error.log."""
    (paths.folder / "loud.py").write_text(PLUGIN)
    text = CODE.replace("{kind: rules, rules: {brief: {length: words, max: 1}}}", '{kind: "loud:Loud"}')
    (paths.folder / "loud.yaml").write_text(f"constitution: constitution.yaml\nallow_import: true\n{text}")
    for words in [("label", "loud.yaml", "--debug"), *([("label", "loud.yaml")] if full else [])]:
        assert paths.run(*words) in (1, 2)
        assert "the server did not like" in last(paths)
    crash = (
        "import os, sys; from solon.cli import app, doctor\n"
        "def crash(*_, **__): raise RuntimeError('with ' + os.environ['OPENAI_API_KEY'] + ' at hand')\n"
        "app.app.registered_commands[:] = []; app.app.registered_groups[:] = []\n"
        "app.app.command('boom')(lambda: crash()); app.app.command('other')(lambda: None)\n"
        "sys.argv = ['solon', *sys.argv[1:]]; app.main()"
    )
    for words in [("boom",), *([("boom", "--debug")] if full else [])]:
        assert paths.run(*words, program=("-c", crash)) == 1
        assert "at hand" in last(paths)
    assert (paths.folder / ".solon" / "error.log").is_file()
    paths.told(figure)


@pytest.mark.parametrize(
    "judge",
    [
        "{kind: endpoint, base_url: 'http://127.0.0.1:9/v1', model: m, api_key: %s}",
        "{kind: endpoint, base_url: 'http://127.0.0.1:9/v1', model: m, api_key_env: %s}",
        "{kind: endpoint, base_url: 'http://127.0.0.1:9/v1', model: m, extra_body: {api_key: %s}}",
        "{kind: endpoint, base_url: 'http://127.0.0.1:9/v1', model: m, extra_body: {user: 'for %s'}}",
        "{kind: endpoint, base_url: 'http://me:%s@127.0.0.1:9/v1', model: m}",
        "{kind: endpoint, base_url: 'ftp://me:%s@127.0.0.1:9/v1', model: m}",
        "{kind: endpoint, base_url: 'http://127.0.0.1:9/v1?key=%s', model: m}",
    ],
    ids=["setting", "name", "body", "within", "password", "scheme", "query"],
)
def test_a_key_in_a_recipe_is_refused_and_not_shown(
    judge: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its value where it is in the environment, by its look, by the setting's name. It says what to do instead."""
    from solon.cli.failing import told
    from solon.errors import InputError
    from solon.recipe import read

    (tmp_path / "constitution.yaml").write_text(CONSTITUTION)
    (tmp_path / "candidates.jsonl").write_text(jsonl([{"prompt": "a", "responses": ["b", "c"]}]))
    by_look = "sk-proj-0123456789abcdefghijABCDEFGHIJ"
    monkeypatch.setenv("JUDGE_KEY", planted := in_a_url())
    for key in (by_look, planted):
        (tmp_path / "recipe.yaml").write_text(JUDGED % (judge % key))
        with pytest.raises(InputError) as caught:
            read(tmp_path / "recipe.yaml")
        said = "\n".join(told(caught.value.problems))
        assert "recipe.yaml:3:" in said
        assert "environment variable" in said
        assert key not in said
        assert key[:12] not in said
