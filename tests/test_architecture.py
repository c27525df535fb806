"""The import rule: light at the top, one way along the flow, torch only behind one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "solon"
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "accelerate", "safetensors", "unsloth", "litellm", "vllm"}
SLOW_TO_IMPORT = HEAVY | {"scipy", "matplotlib", "statsmodels", "openai", "anthropic", "lm_eval", "sacrebleu"}

# A module may import from its own layer and from those above it in this list.
LAYERS = [
    ["errors", "doors", "installing", "parent", "starting", "loops", "confining", "interrupts", "keys", "screen"],
    ["__init__"],
    ["data.records", "data.identity", "data.results", "data.showing"],
    ["plugins", "plugins.base", "document"],
    ["statistics", "sandbox"],
    ["models.base", "models.batch", "models.estimate", "models.remote", "models.prices", "models.deadlines"],
    ["labelers.base", "labelers.together", "trainers.alarms", "trainers.base", "evaluation.base"],
    ["plugins.groups", "plugins.checks", "plugins.requirements", "plugins.describing"],
    [
        "plugins.registering",
        "plugins.sending",
        "plugins.loading",
        "plugins.hints",
        "plugins.inspecting",
        "plugins.trying",
    ],
    ["plugins.registry"],
    ["plugins.page"],
    ["data"],
    ["constitution", "labelers.prompt", "labelers.neutral"],
    ["ledger"],
    ["stream"],
    ["models"],
    ["labelers", "evaluation.comparison"],
    ["trainers"],
    ["evaluation"],
    ["trust"],
    ["report"],
    ["tracking"],
    ["overriding", "measuring", "recipe_parts", "recipe", "recipe_schema"],
    ["progress", "notebook", "rundir"],
    ["stages"],
    ["viewing"],
    ["exporting"],
    ["interchange"],
    ["phases"],
    ["pipeline", "checking", "planning", "doctor", "project", "advice"],
    ["comparison"],
    ["api"],
    ["aio"],
    ["plugins.testing", "plugins.scaffolding"],
    ["cli", "__main__"],
]


@cache
def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(SOURCE.rglob("*.py"))
    }


def layer_of(module: str) -> int:
    fits = [
        (len(name), number)
        for number, names in enumerate(LAYERS)
        for name in names
        if module == name or module.startswith(name + ".")
    ]
    assert fits, f"solon.{module} has no place in LAYERS"
    return max(fits)[1]


@cache
def imports(path: Path, *, top_level_only: bool) -> list[str]:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(tree.body) if top_level_only else list(ast.walk(tree))
    names = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@pytest.mark.parametrize("module", [name for name in modules() if not name.startswith("testing")])
def test_imports_point_one_way(module: str) -> None:
    """A stage reads what came before it; nothing reads what comes after, so each part can be used without the rest."""
    known = modules()
    mine = layer_of(module)
    for name in imports(known[module], top_level_only=True):
        target = name.removeprefix("solon.")
        if name.startswith("solon.") and target in known:
            assert layer_of(target) <= mine, f"solon.{module} imports {name}, which comes after it"


@pytest.mark.parametrize("module", [name for name in modules() if "backend" not in name.split(".")])
def test_only_backend_modules_import_torch_at_the_top(module: str) -> None:
    """Settings, checking and labeling through an API must run where torch is not installed."""
    found = {name.split(".")[0] for name in imports(modules()[module], top_level_only=True)}
    assert not found & SLOW_TO_IMPORT


def test_only_models_and_backends_speak_to_language_models() -> None:
    """Everything else asks through the stream, so that nothing is paid for outside the ledger.

    ``viewing`` only answers a browser on this machine: it has aiohttp's server, and none of its client.
    """
    for module, path in modules().items():
        if module.split(".")[0] in {"models", "testing"}:
            continue
        if module.split(".")[0] == "viewing":
            assert {"aiohttp.ClientSession", "aiohttp.client"}.isdisjoint(imports(path, top_level_only=False)), module
            assert "ClientSession" not in path.read_text("utf-8"), module
            continue
        found = {name.split(".")[0] for name in imports(path, top_level_only=False)}
        assert {"aiohttp", "httptools"}.isdisjoint(found), module


@pytest.mark.parametrize("command", ["import solon", "import solon.cli.app"])
def test_importing_solon_loads_nothing_heavy(command: str) -> None:
    """`solon --help` must answer at once, also where torch is not installed."""
    code = f"import sys; {command}; print(sorted({SLOW_TO_IMPORT!r} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_checking_a_recipe_loads_nothing_heavy() -> None:
    """`solon check` and the settings of every plugin of ours are read without torch."""
    code = (
        "import sys\n"
        "from solon.plugins.registry import GROUPS, load, offers\n"
        "import solon.pipeline, solon.checking, solon.planning\n"
        "[load(g, o.kind) for g in GROUPS for o in offers(g) if o.package == 'solon']\n"
        f"print(sorted({SLOW_TO_IMPORT!r} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_no_file_grows_past_400_lines() -> None:
    """A file that long holds more than one idea."""
    long = {
        name: lines for name, path in modules().items() if (lines := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}
