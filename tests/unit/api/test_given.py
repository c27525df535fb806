"""What is of the wrong type or empty is refused before any work, with what was given and what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import solon
from solon.errors import InputError
from solon.models.scripted import Scripted

CANDIDATES = [{"prompt": "What is 2 + 2?", "responses": ["4", "It is 4"]}]
BRIEF = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        pytest.param(lambda: solon.label(CANDIDATES, ["x"], None), "labeler: is None", id="labeler None"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.train([], "p", None, out="o"), "trainer: is None", id="trainer None"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.read_constitution(None), "constitution: is None", id="constitution None"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.read_constitution(3), "constitution: is of type int", id="constitution 3"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.run(3), "recipe: is of type int.*path of a file", id="recipe 3"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.run(None), "recipe: is None", id="recipe None"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.build(None), "judgments: is None", id="judgments None"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.train(3, "p", out="o"), "dataset: is of type int", id="dataset 3"),  # type: ignore[arg-type]
        pytest.param(
            lambda: solon.evaluate("p", ["Hi"], 3, against="q"),  # type: ignore[arg-type]
            "evaluators: is of type int",
            id="evaluators 3",
        ),
        pytest.param(
            lambda: solon.sample(["Hi"], Scripted(default="Ho"), progress=None),  # type: ignore[arg-type]
            "progress: is None.*False for none",
            id="progress None",
        ),
        pytest.param(lambda: solon.run(""), "recipe: is an empty text", id="recipe empty"),
        pytest.param(lambda: solon.run({}, run_dir=""), "run_dir: is an empty text", id="run_dir empty"),
        pytest.param(lambda: solon.train([], "p", out=""), "out: is an empty text", id="out empty"),
        pytest.param(lambda: solon.read_constitution(""), "constitution: is an empty text", id="constitution empty"),
        pytest.param(lambda: solon.sample(["Hi"], ""), "policy: is an empty text", id="model empty"),
        pytest.param(lambda: solon.sample(["Hi"], None), "policy: is None", id="model None"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.run({}, progress=3), "progress: is 3", id="progress 3"),  # type: ignore[arg-type]
        pytest.param(lambda: solon.read_prompts(""), "prompts: is an empty text", id="prompts empty"),
        pytest.param(lambda: solon.read_candidates(" "), "candidates: is an empty text", id="candidates blank"),
        pytest.param(lambda: solon.label("", ["x"], BRIEF), "candidates: is an empty text", id="candidates empty"),
        pytest.param(lambda: solon.train("", "p", out="o"), "dataset: is an empty text", id="dataset empty"),
    ],
)
def test_what_is_of_the_wrong_type_or_empty_is_refused_at_once(call: Callable[[], object], said: str) -> None:
    """An empty text is no path to the current folder, whose files would all be read."""
    Path("prompts.jsonl").write_text('{"prompt": "Hi", "responses": ["a", "b"]}\n')
    with pytest.raises(InputError, match=said):
        call()
    assert [path.name for path in Path().iterdir()] == ["prompts.jsonl"]


def test_sets_that_are_none_are_a_problem_of_the_recipe() -> None:
    """`check` lists what is wrong, whatever it is."""
    recipe = {"constitution": "c.yaml", "candidates": "c.jsonl", "label": BRIEF, "sets": 3}
    assert "recipe.sets" in repr(solon.check(recipe, sets="a"))


def test_judgments_of_elsewhere_are_shown_by_their_ids() -> None:
    """Two lists put together: what is not known of one stands there by its name."""
    labels = solon.label(CANDIDATES, ["Be brief."], BRIEF, ledger=None, progress=False)
    other = [{"prompt": "Hi", "responses": ["a", "b b"]}]
    elsewhere = solon.label(other, ["Be brief."], BRIEF, ledger=None, progress=False)
    labels.extend(elsewhere)
    shown = labels._repr_html_()
    assert "What is 2 + 2?" in shown
    assert elsewhere[0].prompt in shown
    assert elsewhere[0].options[0] in shown
