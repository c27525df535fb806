"""docs/constitution.md shows constitutions that work, and says of the linter what the linter does."""

import re
from pathlib import Path

import pytest

from solon.constitution import lint, load, resolve
from solon.constitution.linting import FEWEST_SHARED, FEWEST_WORDS, LONGER_ALWAYS, MOST_WORDS, REPEATS
from solon.data.records import Case, Constitution, Principle, RatingScale

GUIDE = (Path(__file__).parents[3] / "docs" / "constitution.md").read_text("utf-8")
BLOCK = re.compile(r"^(?P<fence>`{3,})(?P<form>yaml|markdown)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (match["form"], match["text"]) for match in BLOCK.finditer(GUIDE) if match["text"].startswith(("name:", "---"))
]


def saved(folder: Path, form: str, text: str) -> Path:
    path = folder / ("support.md" if form == "markdown" else "support.yaml")
    path.write_text(text, "utf-8")
    return path


def test_the_guide_has_examples_of_both_forms():
    """Otherwise the next test would test nothing."""
    assert [form for form, _ in EXAMPLES] == ["yaml", "yaml", "markdown"]


@pytest.mark.parametrize(("form", "text"), EXAMPLES)
def test_every_constitution_in_the_guide_loads(tmp_path, form, text):
    """And whatever has cases raises no remark."""
    constitution = load(saved(tmp_path, form, text))
    assert constitution.name == "support"
    if form == "yaml" and constitution.cases:
        assert lint(constitution) == []


def test_the_id_in_the_guide_is_that_of_its_first_example(tmp_path):
    """A reader who types it in sees the same."""
    assert f"id {load(saved(tmp_path, *EXAMPLES[0])).id}; 1 warning" in GUIDE


@pytest.mark.parametrize("model", [Constitution, Principle, RatingScale, Case])
def test_every_field_is_in_the_guide(model):
    """A field that is not there would not be found."""
    assert [name for name in model.model_fields if f"`{name}`" not in GUIDE] == []


def test_the_guide_names_the_thresholds_of_the_linter():
    """They are constants, and a change would leave the page behind."""
    assert f"at least {REPEATS:.0%}".replace("%", " %") in GUIDE
    assert (FEWEST_SHARED, LONGER_ALWAYS) == (3, 4)  # "three" and "four" there
    assert f"fewer than {FEWEST_WORDS} words" in GUIDE
    assert f"more than {MOST_WORDS} (" in GUIDE


def test_the_guides_python_works():
    """The last example."""
    assert resolve("honesty").principle("calibrated").text
