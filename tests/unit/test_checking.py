"""What can be known to be wrong before anything is spent."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from solon.checking import check_recipe
from solon.recipe import read

RECIPE = """\
constitution: honesty
prompts: prompts.jsonl
sample: {model: {kind: scripted, default: a}}
policy: org/model
label: {kind: rules, rules: {short: {length: words, max: 1}}}
train: dpo
evaluate: {prompts: held_out.jsonl, with: [length]}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Two prompts to train on and one other to evaluate on."""
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    (tmp_path / "held_out.jsonl").write_text('{"prompt": "three"}\n')
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


def problems(recipe: Path, *overrides: str) -> list[str]:
    return [problem.what for problem in check_recipe(read(recipe, overrides)).problems]


def test_a_recipe_in_order_has_no_problems(recipe: Path) -> None:
    """What the others are compared with."""
    assert problems(recipe) == []


def test_a_held_out_prompt_that_is_trained_on_is_found_before_training(recipe: Path) -> None:
    """After it, all would have been paid for in vain. Spelling does not hide it."""
    (recipe.parent / "held_out.jsonl").write_text('{"prompt": "three"}\n{"prompt": " TWO "}\n')
    (only,) = problems(recipe)
    assert only.startswith("1 of 2 prompts in held_out.jsonl are trained on too, the first being ' TWO '")


def test_a_prompt_that_an_evaluator_brings_and_that_is_trained_on_is_found_before_training(recipe: Path) -> None:
    """After it, the evaluator would refuse; a held-out prompt may well be among its own."""
    (recipe.parent / "chosen.jsonl").write_text('{"prompt": "Two"}\n{"prompt": "three"}\n{"prompt": "four"}\n')
    (only,) = problems(recipe, "evaluate.with=[length, {kind: qualitative, prompts: chosen.jsonl}]")
    assert only == "1 of 3 prompts that qualitative brings are trained on too"


def test_an_evaluation_without_a_held_out_prompt_is_found_before_training(recipe: Path) -> None:
    """A share of 0 holds out nothing."""
    (only,) = problems(recipe, "evaluate.prompts=null", "build.held_out=0")
    assert only.startswith("no prompt is held out to evaluate on")


def test_prompts_that_cannot_be_read_do_not_hide_what_else_is_wrong(recipe: Path) -> None:
    """All problems at once."""
    (recipe.parent / "prompts.jsonl").unlink()
    (recipe.parent / "held_out.jsonl").unlink()
    assert problems(recipe) == ["there is no such file", "there is no such file"]


def test_a_held_out_prompt_of_a_given_dataset_is_found_too(recipe: Path) -> None:
    """A recipe that begins at a dataset can leak its own test as well as any other."""
    rows = [{"prompt": [{"role": "user", "content": text}], "chosen": [], "rejected": []} for text in ("a?", "b?")]
    folder = recipe.parent / "preference"
    folder.mkdir()
    schema = pa.schema(
        [(name, pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))) for name in rows[0]]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "train.parquet")
    (recipe.parent / "leaked.jsonl").write_text('{"prompt": "b?"}\n{"prompt": "c?"}\n')
    recipe.write_text(
        "constitution: strict-format\ndataset: preference\npolicy: policy\ntrain: dpo\n"
        "evaluate: {prompts: leaked.jsonl, with: [length]}\n"
    )
    (only,) = [problem for problem in problems(recipe) if "leaked" in problem]
    assert "1 of 2 prompts in leaked.jsonl are trained on too, the first being 'b?'" in only


def warnings(recipe: Path, *overrides: str) -> list[str]:
    """Those of the recipe itself; the constitution has remarks of its own."""
    found = check_recipe(read(recipe, overrides)).warnings
    return [f"{one.where.rpartition(': ')[2]}: {one.what}" for one in found if "recipe.yaml" in one.where]


GIVEN = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label: {kind: pairwise, judge: {kind: scripted, default: A}}
"""


@pytest.fixture
def given(recipe: Path) -> Path:
    """Four prompts that have their responses: one, one twice, two, and two on a topic without a principle."""
    rows = [
        {"prompt": "one", "responses": ["a"], "topic": "maths"},
        {"prompt": "two", "responses": ["a", "a"], "topic": "maths"},
        {"prompt": "three", "responses": ["a", "b"], "topic": "maths"},
        {"prompt": "four", "responses": ["a", "b"]},
    ]
    (recipe.parent / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (recipe.parent / "constitution.yaml").write_text(
        "name: sums\nprinciples: [{id: sums, text: Shows sums., topics: [maths]}]\n"
    )
    recipe.write_text(GIVEN)
    return recipe


def test_prompts_about_which_nothing_can_be_asked_are_counted(given: Path) -> None:
    """They would be read, and no judgment would come of them."""
    few = (
        "nothing can be asked about 2 of 4 prompts: pairwise needs more responses that differ, and of these each has 1"
    )
    none = "nothing is asked about 1 of 4 prompts: no principle applies to their topic"
    assert warnings(given) == [f"label: {few}", f"label: {none}"]
    assert warnings(given, "label.kind=rating") == [f"label: {none}"]


def test_one_completion_a_prompt_is_too_few_to_compare(recipe: Path) -> None:
    """What is sampled is as little as what is given; rules rate each by itself."""
    compared = "label={kind: pairwise, judge: {kind: scripted}}"
    (only,) = warnings(recipe, "sample.n=1", compared)
    assert only.startswith("label: nothing can be asked about 2 of 2 prompts: pairwise needs more")
    assert warnings(recipe, "sample.n=1") == warnings(recipe, compared) == []


def test_settings_of_sampling_that_nothing_reads_are_named(given: Path) -> None:
    """Where the responses are given, nothing is sampled; the longest answer still holds for an evaluation."""
    (only,) = [one for one in warnings(given, "sample={n: 2, max_tokens: 9}") if one.startswith("sample")]
    assert only == (
        "sample: `n`, `max_tokens` changes nothing: the recipe begins at `candidates`, and nothing is sampled"
    )
    trained = ("policy=org/model", "train=dpo", "evaluate=[length]")
    assert not [one for one in warnings(given, "sample={max_tokens: 9}", *trained) if one.startswith("sample")]


def test_settings_of_building_that_nothing_reads_are_named(recipe: Path) -> None:
    """Of prompts some are held out and no pairs are made; a veto is heard by whoever asks a labeler for rewards."""
    rules = "{kind: rules, rules: {short: {length: words, max: 1}}}"
    built = "build={min_margin: 0.2, held_out: 0.3, pairs: all, veto_below: 0.4}"
    assert warnings(recipe, built) == []
    for kind, asks, more in (("grpo", "reward", ""), ("ppo", "reward", ""), ("selfplay", "labeler", "own")):
        prompted = ("label=null", "sample={}", f"train={{kind: {kind}, {asks}: {rules}}}", built)
        found = [one for one in check_recipe(read(recipe, prompted)).warnings if one.where.endswith(": build")]
        assert [one.what for one in found] == [
            f"`min_margin`, `pairs` changes nothing: trainer '{kind}' learns from prompts, and nothing else is built"
        ]
        assert ("the trainer has `train.min_margin`, `train.pairs`" in found[0].remedy) == bool(more)
    given = ("label=null", "sample={}", "prompts=null", "dataset=prompts.jsonl", "build.held_out=0.3")
    (only,) = [one for one in warnings(recipe, *given) if one.startswith("build")]
    assert only == "build: `held_out` changes nothing: the recipe begins at `dataset`, and nothing is built"


@pytest.mark.parametrize(
    "labels",
    [
        "label={kind: human, file: people.jsonl}",
        "label={kind: panel, members: [{kind: human, file: people.jsonl}, {kind: rules, rules: {a: {regex: a}}}]}",
    ],
)
def test_a_rating_off_the_scale_of_the_constitution_is_found(given: Path, labels: str) -> None:
    """Wherever the labeler stands. Its scale ends at 5, and the run would stop; an end of one's own is another."""
    (given.parent / "people.jsonl").write_text('{"prompt": "one", "response": "a", "score": 7}\n')
    found = ["people.jsonl:1: the score 7 is not on the scale from 1 to 5"]
    assert problems(given, labels) == found
    assert problems(given, labels.replace("people.jsonl}", "people.jsonl, low: 0, high: 10}", 1)) == []
