"""Notebooks as people run them: in a kernel, cell by cell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.rglob("*.ipynb"))


def executed(notebook: Any, folder: Path, *, allow_errors: bool = False) -> Any:
    """The notebook with its outputs, run in a fresh kernel in a folder."""
    nbclient.NotebookClient(
        notebook, timeout=800, allow_errors=allow_errors, resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def of_cells(*sources: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def texts(cell: Any) -> str:
    """All that a cell shows as text."""
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_a_notebook_in_git_holds_no_outputs_and_nothing_of_a_machine(path: Path) -> None:
    """Outputs are noise in a change, and tell whose machine it was. `jupyter nbconvert --clear-output` strips them."""
    notebook = json.loads(path.read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert {cell["execution_count"] for cell in code} == {None}
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    assert not re.search(r"/(home|Users|work|tmp|root)/", path.read_text("utf-8"))


@pytest.mark.slow
def test_the_example_notebook_changes_the_model(tmp_path: Path) -> None:
    """From a clean copy: the model learns the constitution of the notebook, as it says."""
    path = EXAMPLES / "notebook" / "constitution_to_model.ipynb"
    (tmp_path / path.name).write_bytes(path.read_bytes())
    done = executed(nbformat.read(tmp_path / path.name, 4), tmp_path)
    cells = {cell.source.partition(" =")[0]: cell for cell in done.cells if cell.cell_type == "code"}
    shares = re.search(r"^compliance +([\d.]+)%.*?([\d.]+)%", texts(cells["rules"]), re.MULTILINE)
    assert shares is not None
    before, after = map(float, shares.groups())
    assert before < 15
    assert after > 50
    for name in ("policy", "labeler" if "labeler" in cells else "judge", "checkpoint", "rules"):
        bars = [output for output in cells[name].outputs if output.output_type == "display_data"]
        assert len(bars) == 1, name  # one that was drawn over, not one for every step


@pytest.mark.slow
def test_progress_in_a_kernel_is_one_output_with_its_last_state(tmp_path: Path) -> None:
    """Without widgets, which a saved notebook could not show."""
    done = executed(
        of_cells(
            "import solon, sys\n"
            "rules = {'kind': 'rules', 'rules': {'brief': {'length': 'words', 'max': 1}}}\n"
            "given = [{'prompt': f'{n}', 'responses': ['a', 'b b']} for n in range(500)]\n"
            "labels = solon.label(given, ['Be brief.'], rules)\n",
            "print('ipywidgets' in sys.modules, len(labels))",
        ),
        tmp_path,
    )
    (bar,) = done.cells[0].outputs
    assert bar.output_type == "display_data"
    assert bar.data["text/plain"] == "label     500 of 500 prompts, 1,000 judgments"
    assert "<progress" not in bar.data["text/html"]
    assert texts(done.cells[1]).strip() == "False 1000"


@pytest.mark.slow
def test_interrupting_a_cell_keeps_what_was_answered_and_the_next_goes_on(tmp_path: Path) -> None:
    """As the stop button does it: a signal to the kernel. The seventh request presses it."""
    cell = "found = solon.sample([f'prompt {n}' for n in range(40)], model, n=1)\nprint(len(found), len(asked))"
    done = executed(
        of_cells(
            "import os, signal, solon\n"
            "from solon.models.base import Price\n"
            "from solon.models.scripted import Scripted\n"
            "asked = []\n"
            "def answer(request):\n"
            "    asked.append(request.messages[-1].content)\n"
            "    if len(asked) == 7:\n"
            "        os.kill(os.getpid(), signal.SIGINT)\n"
            "    return 'Ho'\n"
            "model = Scripted(answer=answer, remote=True, price=Price(input=0, output=0.001))",
            cell,
            "before = len(asked)\nprint(before < 40)",
            cell,
            "await solon.aio.sample(['one more'], model, n=1, progress=False)",
        ),
        tmp_path,
        allow_errors=True,
    )
    errors = [[output.ename for output in one.outputs if output.output_type == "error"] for one in done.cells]
    assert errors == [[], ["KeyboardInterrupt"], [], [], []]
    assert texts(done.cells[2]).strip() == "True"
    assert texts(done.cells[3]).splitlines()[-1] == "40 40"  # none was asked twice
    assert "1 completion of 1 prompt" in texts(done.cells[4])
