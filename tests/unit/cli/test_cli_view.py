"""`solon view` from the command line: started, reached, ended; and what it says where it cannot."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from typer.testing import CliRunner

from solon.cli.app import app
from solon.errors import DataError
from viewed import small_run, write_run

ADDRESS = re.compile(r"open (http://127\.0\.0\.1:(\d+)/\?token=[\w-]{43})$")


@contextmanager
def started(*words: str, folder: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The command under way, the address that it printed, and the lines before that."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LOGNAME": "login", **more}
    process = subprocess.Popen(
        [sys.executable, "-m", "solon.cli.app", "view", *words],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            if match := ADDRESS.match(lines[-1]):
                yield process, match[1], lines
                break
        else:
            raise AssertionError(lines)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_it_serves_until_it_is_ended_and_says_where_the_verdicts_are(tmp_path: Path, ending: signal.Signals) -> None:
    """The page comes with the token, not without; then exit code 0, and the next command is named."""
    run = small_run(tmp_path / "run")
    (run / "human.jsonl").write_text("")
    with started("run", "--no-browser", folder=tmp_path) as (process, address, lines):
        assert lines[0] == "reading run"
        assert "verdicts are recorded as 'login'" in lines[1]
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )
        with pytest.raises(urllib.error.HTTPError, match="401"):
            opener.open(address.partition("?")[0])
        with opener.open(address) as page:
            assert "<title>solon view</title>" in page.read().decode()
        process.send_signal(ending)
        assert process.stderr is not None
        rest = process.stderr.read()
        assert process.wait(30) == 0
    assert "verdicts are in run/human.jsonl" in rest
    assert "agreement with the judge: solon report run" in rest
    assert "Traceback" not in rest


@pytest.mark.slow
@pytest.mark.reliability("pages")
def test_nobody_reaches_it_but_through_127_0_0_1_and_with_the_token(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Every other address of this machine is closed, of any other name nothing is said; no option opens it."""
    small_run(tmp_path / "run")
    with started("run", "--no-browser", folder=tmp_path) as (_, address, _lines):
        port = int(address.partition("/?")[0].rpartition(":")[2])
        others = {"127.0.0.2", "::1", *socket.gethostbyname_ex(socket.gethostname())[2]} - {"127.0.0.1"}
        for other in others:
            with pytest.raises(OSError, match=r"refused|assign|unreachable|not supported"):
                socket.create_connection((other, port), timeout=5)
        strangers = [
            ("GET", {}),
            ("GET", {"Host": f"evil.example:{port}"}),
            ("POST", {"Origin": "http://evil.example", "Content-Type": "application/json"}),
            ("POST", {"Origin": address.partition("/?")[0], "Content-Type": "application/json"}),
            ("OPTIONS", {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}),
        ]
        for method, headers in strangers:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(method, "/api/say", body="{}" if method == "POST" else None, headers=headers)
            answer = connection.getresponse()
            assert answer.status in (401, 403, 421)
            assert answer.getheader("Access-Control-Allow-Origin") is None
            connection.close()
    for option in ("--host", "--bind", "--address"):
        assert CliRunner().invoke(app, ["view", "run", option, "0.0.0.0"]).exit_code == 2
    figure(f"{len(others)} other addresses closed, {len(strangers)} of {len(strangers)} strangers refused")


@pytest.mark.slow
def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    """And the remedy."""
    run = small_run(tmp_path / "run")
    with started(str(run), "--no-browser", folder=tmp_path) as (_, address, _lines):
        port = address.split(":")[2].partition("/")[0]
        words = [sys.executable, "-m", "solon.cli.app", "view", str(run), "--no-browser", "--port", port]
        second = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1].startswith(f"solon: cannot listen on port {port}: ")
    assert second.stderr.endswith("give another --port\n")


@pytest.mark.parametrize("name", ["runs/none", "empty"])
def test_a_run_that_is_not_there_is_an_error_with_a_remedy(tmp_path: Path, name: str) -> None:
    """Also a folder that is no run."""
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(app, ["view", str(tmp_path / name), "--no-browser"])
    assert isinstance(result.exception, DataError)
    assert result.exception.exit_code == 2
    assert "give the folder that `solon run` wrote" in str(result.exception)


def test_escapes_of_a_terminal_in_a_name_are_spelled_out(tmp_path: Path) -> None:
    """A folder may be called anything; what is printed moves no cursor."""
    run = write_run(tmp_path / "run\x1b[31m", [], [])
    (run / "run.json").write_text(json.dumps({"name": "x"}))
    result = CliRunner().invoke(app, ["view", str(run), "--no-browser", "--as", "me"])
    assert "\x1b" not in result.output


def test_a_name_is_needed_and_has_an_end(tmp_path: Path) -> None:
    """It is written into every line."""
    run = small_run(tmp_path / "run")
    for name in (" ", "x" * 81):
        assert CliRunner().invoke(app, ["view", str(run), "--as", name]).exit_code == 2


@pytest.mark.parametrize(("port", "message"), [("65536", "or equal to 65535"), ("-1", "or equal to 0")])
def test_a_port_that_is_none_is_a_wrong_option(tmp_path: Path, port: str, message: str) -> None:
    """And no error of the system's."""
    result = CliRunner().invoke(app, ["view", str(small_run(tmp_path / "run")), "--as", "me", "--port", port])
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.slow
def test_a_browser_is_opened_with_an_address_of_its_own(tmp_path: Path) -> None:
    """By --browser, whatever browser that is: here one that writes down what it was given."""
    run = small_run(tmp_path / "run")
    browser = tmp_path / "browser"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'told')!r}, 'w').write(sys.argv[1])\n")
    browser.chmod(0o755)
    with started(str(run), "--browser", folder=tmp_path, BROWSER=f"{browser} %s") as (_, address, _lines):
        deadline = time.monotonic() + 60
        while not (tmp_path / "told").exists() or not (tmp_path / "told").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    opened = (tmp_path / "told").read_text()
    assert opened.partition("?token=")[0] == address.partition("?token=")[0]
    assert opened != address
