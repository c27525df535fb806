"""What others build on: every public name with its arguments, and every record with its fields, as it was released."""

from __future__ import annotations

import ast
import builtins
import difflib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import solon
import solon.aio
from public_api import SNAPSHOT, written

REMEDY = """\
The public interface differs from tests/public_api.txt:

{changes}

If that is meant: `python tests/public_api.py` writes it anew. Say it in CHANGELOG.md under Unreleased. What is added
is a minor version. What goes away or changes its meaning must work on for one minor version at least, with a
DeprecationWarning that names what takes its place, and its entry begins with "Deprecated:" or "Removed:"
(docs/stability.md). If solon.plugins lost or changed a name, solon.plugins.API_VERSION gets a new major number.
"""


def test_the_public_interface_is_as_it_was_released() -> None:
    """A name that somebody imports must not vanish by a change that nobody noticed."""
    before, now = SNAPSHOT.read_text("utf-8").splitlines(), written().splitlines()
    changes = "\n".join(difflib.unified_diff(before, now, "released", "now", n=0, lineterm=""))
    assert before == now, REMEDY.format(changes=changes)


@pytest.mark.parametrize("name", solon.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    """It is imported when it is used, so a misprint would wait for its first user."""
    found = getattr(solon, name)
    assert name.startswith("__") or inspect.getdoc(found)


def test_what_editors_see_is_what_there_is() -> None:
    """Names are looked up late; type checkers and editors read the imports under TYPE_CHECKING."""
    tree = ast.parse(Path(solon.__file__).read_text("utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(checked)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(seen) == sorted(set(solon.__all__) - {"__version__"})
    for name, where in seen.items():
        module, _, attribute = where.rpartition(".")
        found = sys.modules["solon.aio"] if where == "solon.aio" else getattr(sys.modules[module], attribute)
        assert getattr(solon, name) is found


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="module 'solon' has no attribute 'lable'"):
        _ = solon.lable


def test_importing_solon_imports_nothing_else() -> None:
    """Every command and every plugin pays for it."""
    code = "import sys; before = set(sys.modules); import solon; print(sorted(set(sys.modules) - before))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in ast.literal_eval(out.stdout) if name.partition(".")[0] not in sys.stdlib_module_names] == [
        "solon",
        "solon.doors",
    ]


@pytest.mark.slow
def test_labeling_from_python_loads_nothing_heavy() -> None:
    """Judges behind an API need no torch."""
    code = (
        "import sys, solon\n"
        "rules = {'kind': 'rules', 'rules': {'brief': {'length': 'words', 'max': 1}}}\n"
        "solon.label([{'prompt': 'x', 'responses': ['a', 'b b']}], ['Be brief.'], rules, ledger=None, progress=False)\n"
        "print({'torch', 'transformers', 'datasets', 'IPython'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_no_public_name_hides_one_of_pythons_own() -> None:
    """`from solon import *` in a notebook must not take `open` away."""
    assert set(solon.__all__) & set(dir(builtins)) - {"__version__"} == set()


@pytest.mark.parametrize("name", solon.aio.__all__)
def test_awaited_calls_have_the_arguments_of_those_that_are_not(name: str) -> None:
    """One page describes both."""
    assert inspect.signature(getattr(solon.aio, name)) == inspect.signature(getattr(solon, name))
    assert inspect.iscoroutinefunction(getattr(solon.aio, name))
