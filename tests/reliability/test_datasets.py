"""Datasets of strangers: what is no data is refused, and nothing of it is run or fetched."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("datasets", reason="datasets is not installed: pip install 'solon[train]'")

from hostile_models import Traces
from hubs import asked_here, datasets_ask
from solon.data import hub
from solon.data.tables import read_rows
from solon.errors import DataError
from solon.testing.hub import HubServer

SOURCE = Path(__file__).parents[2] / "src" / "solon"
PICKLED = ("rows.pkl", "rows.pickle", "rows.pt", "rows.npy", "rows.npz", "rows.joblib")
SCRIPT = "import datasets\nopen({trace!r}, 'w').close()\nclass Rows(datasets.GeneratorBasedBuilder): pass\n"
CARD = "---\nconfigs:\n- config_name: default\n  data_files: {files}\n---\n"
MAY_UNPICKLE = {"plugins/sending.py", "plugins/testing/probe.py"}
"""What a process of ours wrote for another, in a message that no file holds."""


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """An address of rows, and who asked for them."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Not to the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/rows.jsonl", asked
        server.shutdown()


def hostile(folder: Path, traces: Traces, url: str, secret: Path) -> dict[str, Path]:
    """Folders of datasets, each by what is wrong with it."""
    made = {name: folder / name.replace(" ", "-") for name in ("a script", "a script named as it", *PICKLED)}
    for name in ("a script", "a script named as it"):
        made[name].mkdir(parents=True)
        file = "rows.py" if name == "a script" else f"{made[name].name}.py"
        (made[name] / file).write_text(SCRIPT.format(trace=str(traces.folder / f"0-{name}")))
    for name in PICKLED:
        traces.lay(made[name], (name,))
    samples = folder / "an-archive-of-pickles"
    samples.mkdir()
    traces.tar_of(samples / "rows.tar", PICKLED)
    made["an archive of pickles"] = samples
    elsewhere = {
        "an address": url,
        "an absolute path": str(secret),
        "a path that goes up": f"../{secret.name}",
        "a chain of addresses": f"zip://rows.jsonl::{url}",
        "the home": "~/secret.jsonl",
    }
    for name, files in elsewhere.items():
        made[name] = folder / name.replace(" ", "-")
        made[name].mkdir()
        (made[name] / "README.md").write_text(CARD.format(files=f"'{files}'"))
    return made


def text_of(source: str) -> str:
    """All that can be read of a dataset; nothing where it is refused."""
    try:
        return "".join(str(row) for row in hub.rows(source))
    except DataError:
        return ""


@pytest.mark.slow
@pytest.mark.reliability("models")
def test_code_pickles_and_files_of_elsewhere_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """In a folder here, and in a repository on a hub; nothing runs, nothing is fetched, no secret is among the rows."""
    traces = Traces(tmp_path / "traces")
    monkeypatch.setenv("HOME", str(tmp_path))
    secrets = [tmp_path / "data" / "secret.jsonl", tmp_path / "secret.jsonl"]
    secrets[0].parent.mkdir()
    for secret in secrets:
        secret.write_text('{"prompt": "a secret"}\n')
    with listening() as (url, fetched), HubServer() as server:
        asked_here(server, tmp_path, monkeypatch)
        datasets_ask(server, tmp_path, monkeypatch)
        made = hostile(tmp_path / "data", traces, url, secrets[0])
        for number, (name, folder) in enumerate(made.items()):
            server.put(f"datasets/org/it{number}", folder)
            for source in (f"hf://{folder}", f"hf://org/it{number}"):
                assert "secret" not in text_of(source), name
        for name in PICKLED:
            with pytest.raises(DataError, match="are not read"):
                list(read_rows(made[name] / name))
        assert fetched == []
    assert traces.left() == []
    figure(f"{len(made)} hostile datasets, here and on a hub: 0 ran code, 0 files of elsewhere read")


@pytest.mark.reliability("models")
def test_nothing_in_our_source_trusts_code_or_opens_pickles(figure: Callable[[str], None]) -> None:
    """``trust_remote_code`` is false wherever it is written, and what reads pickles reads weights alone."""
    trusts = loads = 0
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.keyword(arg="trust_remote_code", value=value):
                    trusts += 1
                    assert isinstance(value, ast.Constant), where
                    assert value.value is False, where
                case ast.Dict(keys=keys, values=values):
                    for key, value in zip(keys, values, strict=True):
                        if isinstance(key, ast.Constant) and key.value == "trust_remote_code":
                            trusts += 1
                            assert isinstance(value, ast.Constant), where
                            assert value.value is False, where
                case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=attribute), keywords=keywords):
                    named = {each.arg: getattr(each.value, "value", None) for each in keywords}
                    if (module, attribute) == ("torch", "load"):
                        loads += 1
                        assert named.get("weights_only") is True, where
                    assert (module, attribute) != ("np", "load") or named.get("allow_pickle") in (None, False), where
                    assert module not in {"joblib", "dill", "shelve", "marshal"}, where
                    if module in {"pickle", "cloudpickle"} and attribute.startswith("load"):
                        assert where in MAY_UNPICKLE, where
                case _:
                    pass
    assert trusts
    assert loads
    figure(f"{trusts} times `trust_remote_code` in the source: all false; {loads} times `torch.load`: weights only")
