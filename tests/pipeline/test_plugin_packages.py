"""The packages of examples/plugins and those that `plugins new` writes, installed for real into an environment."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from solon.plugins.testing.served import serving
from solon.testing.simulated_judge import answer_to

ROOT = Path(__file__).parents[2]
EXAMPLES = ("solon-simplejudge", "solon-rloo-lite", "solon-mymodel", "solon-haiku")
SORTS = ("labeler", "trainer", "model", "evaluator", "constitution")
MOST_LINES = 80

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RECIPE = """\
constitution: haiku
candidates: candidates.jsonl
label: {kind: simplejudge, judge: {kind: scripted, default: A}}
build: {held_out: 0}
"""
JUDGED = """\
constitution: constitution.yaml
candidates: candidates.jsonl
label: {{kind: pairwise, judge: {{kind: mymodel, url: "{url}", model: tiny}}}}
build: {{held_out: 0}}
"""
REWARDED = """\
constitution: {quickstart}/constitution.yaml
prompts: prompts.jsonl
policy: {{model: {quickstart}/models/policy, threads: 1}}
sample: {{max_tokens: 32}}
train:
  kind: rloo_lite
  reward: {{kind: rules, rules: {{reasoned: {{regex: "Reasoning:"}}}}}}
  learning_rate: 2.0e-3
  max_new_tokens: 32
  max_steps: 20
evaluate:
  prompts: held_out.jsonl
  with:
    - {{kind: compliance, rules: {{reasoned: {{regex: "Reasoning:"}}}}}}
"""


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that sees what this one has, with all nine packages on top. No network is used."""
    folder = tmp_path_factory.mktemp("plugins")
    venv.create(folder / "venv", with_pip=False)
    made = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    beneath = sysconfig.get_path("purelib")
    (site / "beneath.pth").write_text(f"import site; site.addsitedir({beneath!r})\n")
    packages = folder / "packages"
    copied = [packages / name for name in EXAMPLES]
    for sort in SORTS:
        solon(Path(sys.executable), "plugins", "new", sort, f"my-{sort}", "--dir", str(packages))
        copied.append(packages / f"solon-my-{sort}")
    for name in EXAMPLES:  # a build leaves files beside the sources
        subprocess.run(["cp", "-r", str(ROOT / "examples" / "plugins" / name), str(packages)], check=True)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    install = [sys.executable, "-m", "pip", "--python", str(made), "install", *options, *map(str, copied)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


def solon(python: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line of that environment."""
    command = [str(python), "-m", "solon.cli.app", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize("package", [*EXAMPLES, *(f"solon-my-{sort}" for sort in SORTS)])
def test_an_installed_package_keeps_the_contract(package: str, python: Path) -> None:
    """`plugins check` says so of each as it is, without a change."""
    done = solon(python, "plugins", "check", package, "--json")
    broken = [one for plugin in json.loads(done.stdout)["plugins"] for one in plugin["verdicts"] if one["remedy"]]
    assert (done.returncode, broken) == (0, [])


@pytest.mark.parametrize("sort", SORTS)
def test_a_new_package_passes_its_own_tests(sort: str, python: Path) -> None:
    """They inherit the same contract."""
    (package,) = python.parents[2].glob(f"packages/solon-my-{sort}")
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "tests"], cwd=package, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_recipe_names_the_packages_plugins(python: Path, tmp_path: Path) -> None:
    """A constitution and a labeler of two packages, from candidates to a dataset."""
    rows = [{"prompt": f"What is {n}?", "responses": [f"{n}", f"It is {n}"]} for n in range(3)]
    (tmp_path / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = solon(python, "label", "recipe.yaml", "--run-dir", "run", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    judged = [json.loads(line) for line in (tmp_path / "run" / "judgments.jsonl").read_text().splitlines()]
    assert {one["labeler"] for one in judged} == {"simplejudge:scripted"}


def test_the_trainer_of_a_package_teaches_a_policy_what_a_labeler_rewards(python: Path, tmp_path: Path) -> None:
    """From a constitution to a report: the reward is a labeler's, and 24 answers to other prompts show it."""
    quickstart = ROOT / "examples" / "quickstart"
    for name, rows in (("prompts.jsonl", 8), ("held_out.jsonl", 24)):
        lines = (quickstart / name).read_text("utf-8").splitlines(keepends=True)[:rows]
        (tmp_path / name).write_text("".join(lines))
    (tmp_path / "recipe.yaml").write_text(REWARDED.format(quickstart=quickstart))
    done = solon(python, "run", "recipe.yaml", "--run-dir", "run", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "evaluation" / "metrics.json").read_text())
    (paired,) = [one for one in metrics if (one["name"], one["of"]) == ("compliance/reasoned", "pair")]
    assert paired["low"] > 0, paired
    assert "rloo_lite" in (tmp_path / "run" / "report.md").read_text()


def test_the_model_of_a_package_judges_through_its_own_wire_format(python: Path, tmp_path: Path) -> None:
    """A server that speaks as the package expects, and knows who is polite, decides what the dataset prefers."""

    def answer(path: str, body: Any) -> dict[str, Any]:
        assert path == "/api/chat"
        said = answer_to(body).text
        message = {"role": "assistant", "content": said}
        return {"message": message, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": len(said)}

    rows = [{"prompt": f"What is {n}?", "responses": [f"{n}, idiot", f"Gladly: {n}"]} for n in range(4)]
    (tmp_path / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "constitution.yaml").write_text("name: polite\nprinciples: [{id: polite, text: Be polite.}]\n")
    with serving(answer) as server:
        (tmp_path / "recipe.yaml").write_text(JUDGED.format(url=server.url))
        for stage in ("label", "build"):
            done = solon(python, stage, "recipe.yaml", "--run-dir", "run", "--quiet", cwd=tmp_path)
            assert done.returncode == 0, done.stderr
    assert server.asked == 8, "four pairs in both orders"
    built = parquet.read_table(tmp_path / "run" / "datasets" / "preference" / "train.parquet").to_pylist()
    assert sorted(row["chosen"][0]["content"] for row in built) == [f"Gladly: {n}" for n in range(4)]


def test_a_package_that_is_not_there_is_named_with_the_nearest(python: Path) -> None:
    """It is a misprint mostly."""
    done = solon(python, "plugins", "check", "solon-hiaku")
    assert done.returncode == 2
    assert "did you mean 'solon-haiku'?" in done.stderr


@pytest.mark.parametrize("package", EXAMPLES)
def test_no_example_is_longer_than_eighty_lines(package: str) -> None:
    """Of Python source, blank lines aside: a plugin is something that one writes in an afternoon."""
    (source,) = (ROOT / "examples" / "plugins" / package / "src").glob("*/__init__.py")
    assert sum(bool(line.strip()) for line in source.read_text("utf-8").splitlines()) <= MOST_LINES
