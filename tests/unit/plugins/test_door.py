"""``solon.plugins`` is the one door for authors: complete, typed, light, and the same for mypy as for Python."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import solon.plugins
import solon.plugins.training

DOORS = [pytest.param(solon.plugins, id="plugins"), pytest.param(solon.plugins.training, id="training")]


def seen_by_mypy(door: ModuleType) -> dict[str, str]:
    """The names under ``TYPE_CHECKING``, each with ``module.name``."""
    (block,) = [node for node in ast.parse(inspect.getsource(door)).body if isinstance(node, ast.If)]
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("door", DOORS)
def test_editors_and_python_see_the_same_names(door: ModuleType) -> None:
    """``__all__``, what a type checker reads, and what is imported on demand are three lists of one thing."""
    seen = seen_by_mypy(door)
    assert sorted(seen) == sorted(door.__all__)
    if door is solon.plugins.training:
        pytest.importorskip("torch")
    for name, where in seen.items():
        module, _, inner = where.rpartition(".")
        __import__(module)
        assert getattr(door, name) is getattr(sys.modules[module], inner), name
    assert set(door.__all__) <= set(dir(door))


@pytest.mark.parametrize("door", DOORS)
def test_an_unknown_name_is_an_attribute_error(door: ModuleType) -> None:
    """As of any module: ``from solon.plugins import Labeller`` must not import everything first."""
    with pytest.raises(AttributeError, match=r"has no attribute 'Labeller'"):
        _ = door.Labeller


def test_the_door_itself_is_light() -> None:
    """What nobody asks for is not imported."""
    code = "import sys, solon.plugins; print(sorted({'pydantic', 'torch', 'aiohttp', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_plugin_author_needs_no_torch() -> None:
    """A labeler, a chat model and an evaluator are read where torch is not installed."""
    code = (
        "import sys, solon.plugins as door\n"
        "[getattr(door, name) for name in door.__all__]\n"
        "print(sorted({'torch', 'transformers', 'trl', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
