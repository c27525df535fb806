"""``solon compare`` from the command line: three entries side by side, one of which fails, and again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from project import Project
from solon.comparison.record import UNTRAINED, Comparison

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # what torch and TRL warn of is theirs
QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
RECIPE = f"""\
constitution: {QUICKSTART / "constitution.yaml"}
prompts: prompts.jsonl
policy: {{model: {QUICKSTART / "models" / "policy"}, threads: 1}}
sample: {{n: 4, max_tokens: 24}}
label:
  kind: rules
  rules: {{brief: {{length: words, max: 6}}, answer: {{regex: "Answer"}}}}
build: {{held_out: 0}}
train: {{kind: dpo, max_steps: 2, batch_size: 8, gradient_accumulation: 1}}
evaluate:
  prompts: held_out.jsonl
  with:
    - {{kind: compliance, rules: {{brief: {{length: words, max: 6}}}}}}
    - {{kind: win_rate, judge: {{kind: rules, rules: {{brief: {{length: words, max: 6}}}}}}}}
    - kl
ledger: ledger.sqlite
compare:
  dpo: {{kind: dpo}}
  ppo:
    - {{kind: reward, lora: {{r: 4}}, max_steps: 2, batch_size: 8, gradient_accumulation: 1}}
    - {{kind: ppo, lora: {{r: 4}}, max_steps: 2, batch_size: 4, gradient_accumulation: 1, max_new_tokens: 12}}
  broken: {{label: {{kind: rules, rules: {{brief: {{max: 999}}, answer: {{regex: ".*"}}}}}}}}
"""


def _lines(name: str, count: int) -> str:
    return "".join((QUICKSTART / name).read_text("utf-8").splitlines(keepends=True)[:count])


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, int, str]:
    """The project, with the exit code and what was said on standard error."""
    project = Project(tmp_path_factory.mktemp("compared"))
    project.write("recipe.yaml", RECIPE)
    project.write("prompts.jsonl", _lines("prompts.jsonl", 24))
    project.write("held_out.jsonl", _lines("held_out.jsonl", 12))
    code, _, err = project.solon("compare", "recipe.yaml", "--jobs", "2", "--run-dir", "runs/all", "name=mine")
    return project, code, err


def _read(project: Project) -> Comparison:
    return Comparison.model_validate_json((project.folder / "runs" / "all" / "comparison.json").read_bytes())


def test_an_entry_that_fails_is_named_and_the_others_are_compared(compared: tuple[Project, int, str]) -> None:
    """The work of hours is not lost to one learning rate; the exit code says that it was done in part."""
    project, code, err = compared
    found = _read(project)
    assert code == 3, err
    assert [(side.name, bool(side.failed)) for side in found.sides] == [
        ("dpo", False),
        ("ppo", False),
        ("broken", True),
    ]
    assert "no preference dataset came out of the judgments" in found.sides[2].failed
    assert "broken failed, and the others go on" in err
    assert list(found.metrics) == ["dpo", "ppo"]


def test_what_each_took_is_measured(compared: tuple[Project, int, str]) -> None:
    """Time and memory of the training processes; PPO learned from a reward model of the same verdicts."""
    project, _, _ = compared
    dpo, ppo, _ = _read(project).sides
    assert (dpo.trainers, ppo.trainers) == (("dpo",), ("reward", "ppo"))
    assert dpo.spent is not None
    assert ppo.spent is not None
    assert dpo.spent.used.cpu_seconds > 0 < dpo.spent.used.peak_gib
    assert dpo.spent.models == ("policy",)
    assert ppo.spent.models == ("policy",)  # the reward model is an adapter on the policy's base
    assert ppo.spent.tokens is not None
    assert dpo.spent.tokens is not None
    assert ppo.spent.tokens > dpo.spent.tokens
    assert ppo.run_dir == "ppo/ppo"
    timings = json.loads((project.folder / "runs" / "all" / "dpo" / "timings.json").read_bytes())
    assert timings["train"]["training"]["beside"] == 2


def test_each_two_are_tested_on_the_same_prompts(compared: tuple[Project, int, str]) -> None:
    """Twelve held-out prompts; judges compared each two, the untrained policy among them."""
    project, _, _ = compared
    found = _read(project)
    named = {tested.metric: tested for tested in found.between}
    assert named["compliance"].difference.n == 12
    assert (named["compliance"].one, named["compliance"].other) == ("dpo", "ppo")
    (own,) = found.standings.values()
    assert [one.name for one in own] == [UNTRAINED, "dpo", "ppo"]
    assert set(own[1].points) == {UNTRAINED, "ppo"}
    assert found.same_data


def test_again_does_nothing_twice_and_says_the_same(compared: tuple[Project, int, str]) -> None:
    """What is done is skipped, its replies are in the ledger, and the page has the same bytes, one at a time too."""
    project, _, _ = compared
    before = {path: path.read_bytes() for path in (project.folder / "runs" / "all").glob("comparison.*")}
    assert len(before) == 3
    again = ("compare", "recipe.yaml", "--jobs", "1", "--run-dir", "runs/all", "name=mine", "--json")
    code, out, err = project.solon(*again)
    assert code == 3, err
    assert "train     done before, with the same inputs" in err
    assert [path for path, was in before.items() if path.read_bytes() != was] == []
    assert [side["name"] for side in json.loads(out)["sides"]] == ["dpo", "ppo", "broken"]


def test_the_page_stands_by_itself(compared: tuple[Project, int, str]) -> None:
    """Nothing is loaded from anywhere, and no script is in it."""
    project, _, _ = compared
    page = (project.folder / "runs" / "all" / "comparison.html").read_text("utf-8")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "broken did not get to its end and is not compared" in page
