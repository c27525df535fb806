"""What `solon plugins new` refuses, and how names follow from one."""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path

import pytest
import yaml

from solon.errors import DataError, PluginError
from solon.plugins.scaffolding import Names, write_package

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_all_names_follow_from_one() -> None:
    """The prefix of the package is not part of the kind."""
    names = Names("short-answers", "solon-short-answers", "solon_short_answers", "ShortAnswers", "short_answers")
    assert Names.of("short-answers") == Names.of("solon-short-answers") == names


def test_a_class_never_hides_what_its_module_imports() -> None:
    """`Labeler` is imported from solon.plugins in the module that it would be in."""
    assert Names.of("labeler").cls == "LabelerPlugin"


@pytest.mark.parametrize(("name", "better"), [("MyJudge", "my-judge"), ("3way", "way"), ("my judge", "my-judge")])
def test_what_is_no_name_is_refused_with_one_that_is(name: str, better: str, tmp_path: Path) -> None:
    """It becomes the name of a package, a module and a class."""
    with pytest.raises(PluginError, match=f"such as '{better}'"):
        write_package("labeler", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kind_that_is_installed_is_refused(tmp_path: Path) -> None:
    """Two of one name are both unusable."""
    with pytest.raises(PluginError, match=r"trainer 'dpo' is installed already, by solon .* such as 'my-dpo'"):
        write_package("trainer", "dpo", tmp_path)


def test_an_unknown_sort_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """Which there are is said too."""
    with pytest.raises(PluginError, match="did you mean 'trainer'"):
        write_package("trainr", "mine", tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A day's work may be in it."""
    (tmp_path / "solon-mine").mkdir()
    (tmp_path / "solon-mine" / "notes").write_text("keep")
    with pytest.raises(DataError, match="is there already"):
        write_package("labeler", "mine", tmp_path)
    assert [path.name for path in (tmp_path / "solon-mine").iterdir()] == ["notes"]


def test_a_trainers_usage_says_what_moves_a_tiny_model(tmp_path: Path) -> None:
    """The defaults are for large ones: what a newcomer tries first would learn nothing."""
    folder, _ = write_package("trainer", "mine", tmp_path)
    block = (folder / "README.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    for line in ("learning_rate: 2.0e-4", "epochs: 2", "batch_size: 32", "gradient_accumulation: 1"):
        assert f"  # {line}\n" in block
    settings = yaml.safe_load(block.replace("  # ", "  ", 5).replace("  the defaults", "  # the defaults"))["train"]
    quickstart = yaml.safe_load((EXAMPLES / "quickstart" / "recipe.yaml").read_text("utf-8"))["train"]
    assert settings == {"kind": "mine", "margin": 1.0, "lora": {"r": 16}} | {
        key: quickstart[key] for key in ("learning_rate", "epochs", "batch_size", "gradient_accumulation")
    }


def test_a_new_trainers_own_test_fails_where_its_margin_may_be_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that holds whatever the code does is worse than none."""
    folder, _ = write_package("trainer", "mine", tmp_path)
    source = folder / "src" / "solon_mine" / "__init__.py"
    (test,) = folder.rglob("test_*.py")
    monkeypatch.syspath_prepend(str(folder / "src"))

    def claim() -> None:
        sys.modules.pop("solon_mine", None)
        importlib.invalidate_caches()
        runpy.run_path(str(test))["test_a_margin_is_above_0"]()

    claim()
    source.write_text(source.read_text("utf-8").replace("default=1.0, gt=0,", "default=1.0,"), "utf-8")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        claim()


@pytest.mark.parametrize("sort", ["labeler", "trainer", "model", "evaluator", "constitution"])
def test_no_stand_in_is_left(sort: str, tmp_path: Path) -> None:
    """Each is a name of the package now."""
    folder, _ = write_package(sort, "mine", tmp_path)
    text = "".join(path.read_text("utf-8") for path in folder.rglob("*") if path.is_file())
    for stand_in in ("kind-name", "kind_name", "KindName", "USAGE", "GROUP", "NOUN", "TARGET", "DEPENDENCY", '"API"'):
        assert stand_in not in text
