"""What a process that is a fork finds, and how it ends: as one of Python's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from preloaded.starting import FORKS, Forked, folder_for
from project import small_project

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FORKS, reason="SOLON_FORKS=1 asks for forks")]
AROUND = {**os.environ, "OMP_NUM_THREADS": "1"}
TOLD = """\
import json, os, sys, tempfile
from pathlib import Path

mask = os.umask(0)
told = {
    "arguments": sys.argv,
    "folder": os.getcwd(),
    "home": os.environ.get("HOME"),
    "own": os.environ.get("SOLON_OWN"),
    "temporary": tempfile.gettempdir(),
    "first on the path": sys.path[0],
    "said": sys.stdin.read(),
    "open": os.read(int(sys.argv[1]), 100).decode(),
    "mask": mask,
    "terminal": sys.stdout.isatty(),
    "name": __name__,
}
if sys.argv[2] == "whether":
    told["forked"] = "torch" in sys.modules
print(json.dumps(told))
print("at the end", file=sys.stderr)
"""


def script(folder: Path, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "solon").write_text(text, "utf-8")
    return str(folder / "solon")


def both(words: Sequence[str], environment: Mapping[str, str] = AROUND) -> list[subprocess.CompletedProcess[str]]:
    """What the real Python makes of it, and the one that asks for a fork."""
    pythons = (sys.executable, str(folder_for(AROUND) / "python"))
    return [
        subprocess.run([python, *words], env=environment, capture_output=True, text=True, timeout=300)
        for python in pythons
    ]


@pytest.mark.parametrize("options", [[], ["-P"]], ids=["", "-P"])
def test_it_has_all_that_whoever_asked_gave_it(options: list[str], tmp_path: Path) -> None:
    """Arguments, variables, folder, mask of new files, standard input, and files that were open, by their number."""
    program, found = script(tmp_path / "s", TOLD), []
    (tmp_path / "tmp").mkdir()
    for python in (sys.executable, str(folder_for(AROUND) / "python")):
        with (tmp_path / "file").open("w+") as file:
            file.write("what it holds")
            file.seek(0)
            done = subprocess.run(
                [python, *options, program, str(file.fileno()), "a b", "\udcff"],
                env={**AROUND, "SOLON_OWN": "1", "TMPDIR": str(tmp_path / "tmp")},
                cwd=tmp_path,
                input="told\n",
                pass_fds=[file.fileno()],
                umask=0o027,
                capture_output=True,
                text=True,
            )
        assert (done.returncode, done.stderr) == (0, "at the end\n")
        found.append({**json.loads(done.stdout), "number": 0})
    real, fork = found
    real["arguments"][1] = fork["arguments"][1] = "a number"
    assert fork == real
    assert real["mask"] == 0o027
    assert real["open"] == "what it holds"


@pytest.mark.parametrize(
    "ending",
    [
        "pass",
        "raise SystemExit(3)",
        "raise SystemExit('a reason')",
        "raise SystemExit",
        "1 / 0",
        "raise KeyboardInterrupt",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import atexit, threading; atexit.register(print, 'last'); threading.Timer(0.1, print, ['before']).start()",
    ],
)
def test_it_ends_as_it_would(ending: str, tmp_path: Path) -> None:
    """By the same code or signal, with the same last words."""
    real, fork = both([script(tmp_path, f"print('first')\n{ending}\n")])
    assert (fork.returncode, fork.stdout) == (real.returncode, real.stdout)
    assert fork.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_signal_reaches_it_and_nothing_of_it_is_left(number: signal.Signals, tmp_path: Path) -> None:
    """Whoever has waited for the end of one that was killed finds it gone."""
    project = small_project(tmp_path / "project")
    code, _, said = project.solon("build", "recipe.yaml")
    assert code == 0, said
    process = Forked(["view", "recipe.yaml", "--no-browser", "--as", "me"], project.folder, AROUND)
    assert process.stderr is not None
    assert any("http" in line for line in process.stderr)
    assert len(started_in(project.folder)) == 2
    process.send_signal(number)
    process.communicate(timeout=60)
    assert started_in(project.folder) == []
    assert process.returncode == (-number if number == signal.SIGKILL else 0)


def started_in(folder: Path) -> list[str]:
    """Processes whose folder it is."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it has ended since, or is somebody else's
            found += [link.parent.name] if link.readlink() == folder else []
    return found


def test_it_is_a_fork_where_that_is_the_same_and_only_there(tmp_path: Path) -> None:
    """Or tests would take their time again, and nobody would see why; with another home libraries read other files."""
    program = script(tmp_path, "import sys; print('torch' in sys.modules)")
    assert [done.stdout for done in both([program])] == ["False\n", "True\n"]
    assert [done.stdout for done in both([program], {**AROUND, "HOME": "/elsewhere"})] == ["False\n", "False\n"]
    assert [done.stdout for done in both(["-c", "import sys; print('torch' in sys.modules)"])] == ["False\n"] * 2


def test_a_training_of_a_fork_is_a_fork(tmp_path: Path) -> None:
    """In the environment that it is given there is one to ask."""
    program = script(
        tmp_path,
        "import os, sys\n"
        "from pathlib import Path\n"
        "import tensorboard.compat.tensorflow_stub, transformers, trl\n"  # libraries put variables there
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from preloaded.client import socket_of\n"
        "from solon.trainers.base import Policy\n"
        "from solon.trainers.launch import environment_of\n"
        f"environment = environment_of(Policy(model={str(tmp_path)!r}, threads=1), temporary=Path({str(tmp_path)!r}))\n"
        "print(socket_of(Path(sys.executable).parent, environment).exists())\n",
    )
    fork = both([program])[1]
    assert (fork.stdout, fork.stderr) == ("True\n", "")
