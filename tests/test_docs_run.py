"""What a page tells its reader to type does run: every page's commands and code, in their order, in a new project.

The folder is what ``solon init quickstart`` writes, with ``examples/`` and ``.venv`` in it as in a checkout, so that
commands for either place run. It has few prompts, which takes seconds instead of a minute, and has been run once, so
``runs/quickstart`` is there. No provider is asked, and no hub.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doc_blocks import PAGES, ROOT, blocks, each_page
from few_prompts import few_prompts
from solon.project import create


def test_pages_are_run() -> None:
    """Or the test below would pass on nothing."""
    assert len([page for page in PAGES if any(block.runs for block in blocks(page))]) > 10


def link_or_copy(source: str, target: str) -> None:
    """Weights are large, and nothing writes into them."""
    (os.link if source.endswith(".safetensors") else shutil.copy2)(source, target)


def environment(home: Path) -> dict[str, str]:
    """That of somebody who has activated solon's environment, and has neither keys nor a network."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_TOKEN"))}
    return {
        **kept,
        "HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parent),
    }


def session(page: Path, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Runs a page from top to bottom."""
    words = [sys.executable, str(Path(__file__).parent / "doc_session.py"), str(page)]
    return subprocess.run(words, cwd=folder, env=environment(home), capture_output=True, text=True, timeout=800)


@contextmanager
def one_at_a_time(page: Path, lock: Path) -> Iterator[None]:
    """Waits for other processes of these tests whose page starts a judge's server too: they take the same ports."""
    with lock.open("w") as file:
        if "judge_server" in page.read_text("utf-8"):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project that was run; the examples and the environment are beside it as at the top of the repository."""
    folder = tmp_path_factory.mktemp("pages") / "quickstart"
    create(folder)
    left_out = shutil.ignore_patterns("runs", ".solon", "__pycache__")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=left_out, copy_function=link_or_copy)
    for project in (folder, folder / "examples" / "quickstart"):
        few_prompts(project)
    for name in ("constraints.txt", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    run = [sys.executable, "-m", "solon", "run", "recipe.yaml", "--quiet"]
    subprocess.run(run, cwd=folder, env=environment(folder.parent), check=True, capture_output=True)
    return folder


def test_what_a_page_does_is_there_for_the_rest_of_it(tmp_path: Path) -> None:
    """Folders, variables, names of Python and files, in the order of the page; what is not run is not."""
    (tmp_path / "page.md").write_text(
        """\
<!-- before: mkdir data -->
```sh
cd data
export SAID=so
```
<!-- file: a.txt -->
```text
one
```
```console
$ cat a.txt; echo $SAID; echo 2; echo 3
one
so
...
3
```
<!-- exit code: 3 -->
```sh
exit 3
```
```python
import asyncio
from pathlib import Path
found = await asyncio.sleep(0, Path("a.txt").read_text())
```
```python
assert found == "one\\n"
```
<!-- not run: it would fail -->
```sh
false
```
""",
        "utf-8",
    )
    assert session(tmp_path / "page.md", tmp_path, tmp_path).stderr == ""


@pytest.mark.parametrize(
    "block",
    [
        "```sh\nfalse\ntrue\n```",
        "```console\n$ echo 1\n2\n```",
        "```python\nassert 1 == 2\n```",
        "```sh\nfalse | true\n```",
    ],
    ids=["sh", "console", "python", "pipe"],
)
def test_a_page_that_is_wrong_fails_with_the_place(block: str, tmp_path: Path) -> None:
    """A command that fails, an output that is another, an error, the first part of a pipe."""
    (tmp_path / "page.md").write_text(f"# A page\n\n{block}\n", "utf-8")
    done = session(tmp_path / "page.md", tmp_path, tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path / 'page.md'}:3" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", each_page(*(page for page in PAGES if any(block.runs for block in blocks(page)))))
def test_a_page_runs_from_top_to_bottom(page: Path, checkout: Path, tmp_path: Path) -> None:
    """A command that fails at the first try is the last that many people try."""
    folder = tmp_path / "quickstart"
    shutil.copytree(checkout, folder, symlinks=True, copy_function=link_or_copy)
    with one_at_a_time(page, checkout.parents[2] / "judges.lock"):
        done = session(page, folder, tmp_path)
    assert done.returncode == 0, done.stderr
