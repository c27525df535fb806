"""A missing key or package stops a run at its start, and not when the stage that needs it has its turn."""

from __future__ import annotations

import asyncio

import pytest

from project import RECIPE, SAMPLING, Project
from solon.testing.judge_server import JudgeServer

pytestmark = pytest.mark.slow  # a process or several for each test

KEY = "SOLON_TEST_KEY"
TINY_LLAMA = '{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}'


def judge(base_url: str) -> str:
    return f"{{kind: endpoint, base_url: '{base_url}', model: m, api_key_env: {KEY}}}"


NOBODY = judge("http://127.0.0.1:1/v1")
RULES = "{kind: rules, rules: {brief: {length: words, max: 1}}}"
LABELED = SAMPLING.replace(RULES, "{kind: pairwise, judge: JUDGE}")
GIVEN = RECIPE.replace(RULES, "{kind: pairwise, judge: JUDGE}")
EVALUATED = (
    SAMPLING + "policy: {model: model, threads: 1}\n"
    "train: dpo\n"
    "evaluate: [length, {kind: win_rate, judge: {kind: pairwise, judge: JUDGE}}]\n"
)
PHASES = """\
constitution: constitution.yaml
prompts: prompts.jsonl
sample: {n: 2, max_tokens: 20, model: {kind: scripted, default: a long one}}
build: {held_out: 0}
policy: {model: model, threads: 1}
phases:
  first: {label: {kind: rules, rules: {brief: {length: words, max: 1}}}, train: dpo}
  second: {label: {kind: pairwise, judge: JUDGE}, train: dpo}
"""


def with_policy(project: Project) -> None:
    """A folder that looks like a model: none of these tests comes as far as loading it."""
    model = project.folder / "model"
    model.mkdir()
    (model / "config.json").write_text(TINY_LLAMA)
    (model / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    (model / "tokenizer.json").write_text("{}")


@pytest.mark.parametrize(
    ("recipe", "sampled"),
    [
        pytest.param(LABELED, "candidates.jsonl", id="of the labeler"),
        pytest.param(EVALUATED, "candidates.jsonl", id="of an evaluator"),
        pytest.param(PHASES, "first/candidates.jsonl", id="of a later phase"),
    ],
)
def test_a_missing_key_stops_a_run_before_anything_is_sampled(project: Project, recipe: str, sampled: str) -> None:
    """Thousands of completions, and perhaps a training, would be waited for in vain."""
    with_policy(project)
    project.write("recipe.yaml", recipe.replace("JUDGE", NOBODY))
    code, out, err = project.solon("run", "recipe.yaml")
    assert code == 2, out + err
    assert err.count(KEY) == 1, err
    assert not (project.run_dir / sampled).exists()


def test_a_comparison_side_by_side_makes_no_data_for_entries_that_cannot_end(project: Project) -> None:
    """The data that all learn from come first, and each entry would be refused after that alone."""
    with_policy(project)
    compared = "compare: {dpo: {kind: dpo}, kto: {kind: kto}}\n"
    project.write("recipe.yaml", EVALUATED.replace("JUDGE", NOBODY) + compared)
    code, out, err = project.solon("compare", "recipe.yaml", "--jobs", "2")
    assert code != 0, out
    assert KEY in err
    assert not list(project.run_dir.parent.rglob("candidates.jsonl"))


def test_up_to_a_stage_only_what_that_needs_has_to_be_there(project: Project) -> None:
    """Sampled here and judged elsewhere."""
    project.write("recipe.yaml", LABELED.replace("JUDGE", NOBODY))
    code, _, err = project.solon("sample", "recipe.yaml")
    assert code == 0, err
    assert (project.run_dir / "candidates.jsonl").is_file()


async def test_what_is_labeled_already_needs_its_key_no_more(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that is done with the same inputs asks nobody, also where one after it is done anew."""
    async with JudgeServer() as server:
        project.write("recipe.yaml", GIVEN.replace("JUDGE", judge(server.base_url)))
        monkeypatch.setenv(KEY, "of a test")
        code, _, err = await asyncio.to_thread(project.solon, "run", "recipe.yaml")
        assert code == 0, err
    monkeypatch.delenv(KEY)
    code, out, err = await asyncio.to_thread(project.solon, "run", "recipe.yaml", "build.min_margin=0.3")
    assert code == 0, err
    assert "label     done before, with the same inputs" in out + err
