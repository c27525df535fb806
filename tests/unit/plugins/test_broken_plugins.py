"""Whatever is wrong with a third party's package, it costs the use of its own plugin and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from packages import labeler, publish

LABELERS = "solon.labelers"
QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart" / "recipe.yaml"
USING = """
import json, sys
from solon.errors import SolonError
from solon.plugins.registry import load
said = {}
for kind in json.loads(sys.argv[1]):
    try:
        load("solon.labelers", kind)
    except SolonError as error:
        said[kind] = f"{type(error).__name__}: {error}"
    else:
        said[kind] = "loads"
print(json.dumps(said))
"""
WRONG = {
    "raises": (
        "raise ZeroDivisionError('oh')\nclass Brevity: pass",
        "ZeroDivisionError: oh. Upgrade it, or uninstall it: pip uninstall ",
    ),
    "exits": ("import sys; sys.exit(4)", "SystemExit: 4. Upgrade it"),
    "generator": ("raise GeneratorExit", "does not load: GeneratorExit. Upgrade it"),
    "wrong_class": ("class Brevity: pass", "is not a subclass of solon.labelers.base.Labeler"),
    "no_class": ("Brevity = 3", "is not a subclass of solon.labelers.base.Labeler"),
    "no_name": ("", "AttributeError"),
    "bad_syntax": ("class Brevity(:", "SyntaxError"),
    "other_kind": (labeler("something"), "calls itself 'something'"),
    "field_kind": (labeler("field_kind").replace("ClassVar[str] =", "str ="), "`kind` as a setting"),
    "abstract": (
        labeler("abstract").replace("async def label", "async def lable"),
        "not implement label() or examine()",
    ),
    "open": (labeler("open", more='model_config = {"extra": "allow"}'), "is not closed"),
    "mutable": (labeler("mutable", more='model_config = {"frozen": False}'), "is not closed"),
    "missing": ("import no_such_thing.at_all", "needs the module 'no_such_thing', which is not installed"),
    "extra": ("import brainiac", "which is not installed: pip install 'solon-extra[brains]'"),
    "needed": ("import brainiac", "which is not installed: pip install 'brainiac>=2'"),
    "of_another_solon": ("from solon.plugins import NotYet", "written for another version of solon: upgrade solon-of-"),
    "newer_major": (
        labeler("newer_major", more='api_version: ClassVar[str] = "2.0"'),
        "this solon has 1.0: upgrade solon",
    ),
    "older_major": (labeler("older_major", more='api_version: ClassVar[str] = "0.9"'), "upgrade the plugin's package"),
    "newer_minor": (
        labeler("newer_minor", more='api_version: ClassVar[str] = "1.99"'),
        "needs solon with plugin API >= 1.99",
    ),
    "no_version": (
        labeler("no_version", more="api_version: ClassVar[int] = 1"),
        "states api_version 1, which is no version",
    ),
}
"""Packages by the kind that they offer, with the module of each and what is said of it."""
NEEDS = {"extra": ["brainiac>=2; extra == 'brains'"], "needed": ["brainiac (>=2)"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, one that hangs, one whose module is not there, and one that shadows ours, beside one that works."""
    folder = tmp_path_factory.mktemp("site")
    for kind, (code, _) in WRONG.items():
        package = f"solon-{kind.replace('_', '-')}"
        points = {LABELERS: {kind: f"of_{kind}:Brevity"}}
        publish(folder, package, points, {f"of_{kind}.py": code}, requires=NEEDS.get(kind, ()))
    hangs = "import time\nwhile True: time.sleep(60)"
    publish(folder, "solon-hangs", {LABELERS: {"hangs": "of_hangs:Brevity"}}, {"of_hangs.py": hangs})
    publish(folder, "solon-gone", {LABELERS: {"gone": "of_gone.part:Brevity"}}, {})
    publish(folder, "solon-shadow", {LABELERS: {"rules": "shadow:Brevity"}}, {"shadow.py": labeler("rules")})
    publish(folder, "solon-raises-too", {"solon.constitutions": {"sour": "of_raises:sour"}}, {})
    fine = labeler("fine", more='api_version: ClassVar[str] = "1.0"')
    about = "Summary: Short answers\nProject-URL: Documentation, https://example.org/fine\n"
    publish(folder, "solon-fine", {LABELERS: {"fine": "of_fine:Brevity"}}, {"of_fine.py": fine}, metadata=about)
    return folder


def python(site: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "SOLON_PLUGINS"}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment | {"PYTHONPATH": str(site), "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def said(site: Path) -> dict[str, str]:
    """What using each says, all in one process."""
    found: dict[str, str] = json.loads(
        python(site, "-c", USING, json.dumps([*WRONG, "gone", "fine", "rules"])).stdout.splitlines()[-1]
    )
    return found


@pytest.mark.parametrize("kind", list(WRONG))
def test_using_a_broken_plugin_names_its_package_version_and_remedy(said: dict[str, str], kind: str) -> None:
    """The user must know whom to blame, and what to do."""
    assert said[kind].startswith(
        f"PluginError: labeler {kind!r} of solon-{kind.replace('_', '-')} 1.0 (of_{kind}:Brevity)"
    )
    assert WRONG[kind][1] in said[kind]


def test_a_package_without_its_own_module_is_reinstalled(said: dict[str, str]) -> None:
    """`pip install of_gone` would help nobody."""
    assert "its package holds no module 'of_gone'. Reinstall it" in said["gone"]


def test_the_others_go_on_working_beside_them(said: dict[str, str]) -> None:
    """One that is fine, and ours, whose name somebody wants to take."""
    assert said["fine"] == "loads"
    assert said["rules"] == "loads"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["--help"], ["plugins", "--help"], ["schema"], ["plugins", "list"], ["constitution", "list"], ["doctor"]],
    ids=["help", "plugins-help", "schema", "list", "constitutions", "doctor"],
)
def test_commands_that_use_none_work_with_all_of_them_installed(site: Path, command: list[str]) -> None:
    """Whatever is installed, one can look around."""
    done = python(site, "-m", "solon", *command)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or command == ["doctor"], done.stderr


@pytest.mark.slow
def test_a_recipe_that_uses_none_is_checked_with_all_of_them_installed(site: Path) -> None:
    """The quickstart's policy is trained first, so what is asked is that nothing is said of plugins."""
    done = python(site, "-m", "solon", "check", str(QUICKSTART), "--json")
    assert "solon-" not in done.stdout + done.stderr
    assert json.loads(done.stdout).keys() == {"ok", "problems", "warnings"}


@pytest.mark.slow
def test_the_schema_lists_third_party_kinds_and_no_refused_one(site: Path) -> None:
    """Editors offer what may be used; nothing was imported, or it would hang."""
    text = python(site, "-m", "solon", "schema").stdout
    label = json.dumps(json.loads(text)["properties"]["label"])
    assert '"fine"' in label
    assert '"hangs"' in label
    assert label.count('"rules"') == 2, "once as a name, once under `kind`"


@pytest.fixture(scope="module")
def listed(site: Path) -> dict[str, dict[str, str]]:
    done = python(site, "-m", "solon", "plugins", "list", "--json", "--group", "labelers")
    return {entry["package"] + " " + entry["kind"]: entry for entry in json.loads(done.stdout)["plugins"]}


def test_the_list_tells_what_can_be_told_without_importing(listed: dict[str, dict[str, str]]) -> None:
    """A missing module, name or package, syntax that cannot be read, and a name that is taken."""
    state = {name: entry["state"] for name, entry in listed.items()}
    assert state["solon-shadow rules"] == "refused"
    assert state["solon rules"] == "found"
    assert "another name" in listed["solon-shadow rules"]["problem"]
    assert "there is no module 'of_gone.part'" in listed["solon-gone gone"]["problem"]
    assert "there is no 'Brevity' in" in listed["solon-no-name no_name"]["problem"]
    assert "cannot be read as Python" in listed["solon-bad-syntax bad_syntax"]["problem"]
    assert "brainiac (>=2) is not installed" in listed["solon-needed needed"]["problem"]
    assert state["solon-raises raises"] == state["solon-hangs hangs"] == "found", "only running them can tell"


def test_the_list_has_what_a_packages_metadata_says(listed: dict[str, dict[str, str]], site: Path) -> None:
    """Whose it is, where from, what for."""
    fine = listed["solon-fine fine"]
    assert (fine["version"], fine["target"], fine["path"].rstrip("/")) == ("1.0", "of_fine:Brevity", str(site))
    assert (fine["summary"], fine["url"]) == ("Short answers", "https://example.org/fine")


@pytest.mark.slow
def test_check_imports_each_and_does_not_wait_for_one_that_hangs(site: Path) -> None:
    """Each in a process of its own: one that exits or hangs is named, and the rest are told."""
    command = ["plugins", "list", "--check", "--timeout", "15", "--json", "--group", "labelers"]
    done = python(site, "-m", "solon", *command, timeout=800)
    found = {entry["package"] + " " + entry["kind"]: entry for entry in json.loads(done.stdout)["plugins"]}
    assert done.returncode == 1
    assert found["solon-fine fine"]["state"] == "loads"
    assert found["solon-fine fine"]["note"] == ""
    assert found["solon pairwise"]["state"] == "loads"
    assert found["solon-shadow rules"]["state"] == "refused"
    assert found["solon-hangs hangs"]["state"] == "hangs"
    assert "not imported within 15 s" in found["solon-hangs hangs"]["problem"]
    for kind in WRONG:
        entry = found[f"solon-{kind.replace('_', '-')} {kind}"]
        assert entry["state"] == "broken", entry
        assert WRONG[kind][1] in entry["problem"]
