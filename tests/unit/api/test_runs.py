"""A recipe as a call, and what the run has left as an object."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import solon
from project import CONSTITUTION, RECIPE, Project, small_project
from solon.errors import DataError, RecipeError
from solon.labelers.rules import Rules
from solon.models.scripted import Scripted
from solon.recipe import read
from solon.tracking import MLflow, TensorBoard

BRIEF = {"kind": "rules", "rules": {"brief": {"length": "words", "max": 1}}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Sixty prompts with two answers each, labeled by a rule: a second."""
    made = small_project(tmp_path / "project")
    monkeypatch.chdir(made.folder)
    return made


@pytest.mark.slow
def test_three_lines_do_what_the_command_line_does(project: Project) -> None:
    """Sixty pairs; the same bytes as `solon run` writes."""
    code, _, said = project.solon("run", "recipe.yaml", "--quiet", "--run-dir", "by-hand")
    assert code == 0, said
    run = solon.run("recipe.yaml", progress=False)
    assert len(run.preferences.to_dataset()["train"]) == 60
    assert str(run.report()) == "runs/project/report.html"
    by_hand = project.folder / "by-hand" / "datasets" / "preference" / "train.parquet"
    assert (run.path / "datasets" / "preference" / "train.parquet").read_bytes() == by_hand.read_bytes()


async def test_a_run_works_in_a_running_loop_and_as_an_awaitable(project: Project) -> None:
    """A cell and a coroutine."""
    first = solon.run("recipe.yaml", progress=False)
    again = await solon.aio.run("recipe.yaml", progress=False)
    assert list(first.judgments) == list(again.judgments)


def test_everything_a_run_left_is_at_hand(project: Project) -> None:
    """60 prompts, two answers each: 120 judgments, of which none failed; 60 pairs, 120 labels."""
    run = solon.run("recipe.yaml", progress=False)
    assert len(run.judgments) == 120
    assert sum(1 for _ in run.judgments) == 120
    assert run.failed == []
    assert len(run.preferences) == 60
    assert next(iter(run.preferences)).chosen == "0"
    assert (len(run.unpaired), len(run.reward), len(run.sft)) == (120, 120, 60)
    assert run.constitution.name == "brief"
    assert run.name == "project"
    assert run.cost.usd == 0
    assert len(run.metrics) == 0
    assert "120 judgments by rules, 0 failed" in repr(run)


def test_a_run_is_opened_by_its_directory(project: Project) -> None:
    """Tomorrow, without running anything."""
    ran = solon.run("recipe.yaml", progress=False)
    opened = solon.open_run("runs/project")
    assert repr(opened) == repr(ran)
    assert opened.summary == ran.summary


def test_what_is_no_run_directory_says_so(project: Project) -> None:
    """The recipe's folder is what is given by mistake."""
    with pytest.raises(DataError, match=r"is not a run directory.*runs/quickstart"):
        solon.open_run(".")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("candidates", "holds no completions (it began at existing ones)", id="candidates"),
        pytest.param("checkpoint", "holds no checkpoint (`train` was not run)", id="checkpoint"),
        pytest.param("prompts", "holds no prompts dataset (there is preference, unpaired, reward, sft)", id="prompts"),
    ],
)
def test_what_a_run_does_not_hold_says_why(project: Project, name: str, said: str) -> None:
    """A missing file would say less."""
    run = solon.run("recipe.yaml", progress=False)
    with pytest.raises(DataError) as raised:
        getattr(run, name)
    assert said in str(raised.value)


def test_a_recipe_may_be_a_mapping_or_an_object(project: Project) -> None:
    """All three do the same; a mapping may hold instances."""
    by_file = solon.run("recipe.yaml", run_dir="a", progress=False)
    mapping = yaml.safe_load(RECIPE)
    rules = Rules.model_validate({key: value for key, value in mapping["label"].items() if key != "kind"})
    by_mapping = solon.run({**mapping, "label": rules}, run_dir="b", progress=False)
    by_object = solon.run(read(Path("recipe.yaml")).recipe, run_dir="c", progress=False)
    assert list(by_file.preferences) == list(by_mapping.preferences) == list(by_object.preferences)
    written = [(run.path / "recipe.yaml").read_text() for run in (by_mapping, by_object)]
    assert [yaml.safe_load(text)["label"]["kind"] for text in written] == ["rules", "rules"]


def test_the_recipe_that_a_mapping_leaves_can_be_run(project: Project) -> None:
    """What is written into the run directory is the whole recipe."""
    first = solon.run({**yaml.safe_load(RECIPE), "seed": 3}, run_dir="a", progress=False)
    Path("again.yaml").write_text((first.path / "recipe.yaml").read_text())
    assert read(Path("again.yaml")).recipe.seed == 3
    assert list(solon.run("again.yaml", run_dir="b", progress=False).preferences) == list(first.preferences)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(None, id="as it is"),
        pytest.param({"seed": 4}, id="with overrides"),
        pytest.param({"seed": 4, "track": MLflow(uri="mlruns", experiment="mine")}, id="with a tracker"),
    ],
)
def test_the_recipe_that_an_object_leaves_can_be_run(project: Project, overrides: dict[str, object] | None) -> None:
    """With the trackers that it had, and without those that every recipe has."""
    first = solon.run(read(Path("recipe.yaml")).recipe, run_dir="a", overrides=overrides, progress=False)
    Path("again.yaml").write_text((first.path / "recipe.yaml").read_text())
    again = read(Path("again.yaml"))
    assert again.recipe.seed == (overrides or {"seed": 0})["seed"]
    assert again.recipe.track == ((overrides["track"],) if overrides and "track" in overrides else (TensorBoard(),))
    assert again.data.get("track") == (
        {"kind": "mlflow", "uri": "mlruns", "experiment": "mine"} if overrides and "track" in overrides else None
    )
    assert list(solon.run("again.yaml", run_dir="b", progress=False).preferences) == list(first.preferences)


def test_trackers_of_an_object_keep_their_kind(project: Project) -> None:
    """Several, one of them as it is by default."""
    settings = read(Path("recipe.yaml")).recipe
    track = (TensorBoard(), MLflow(uri="mlruns"))
    run = solon.run(settings.model_copy(update={"track": track}), progress=False)
    written = yaml.safe_load((run.path / "recipe.yaml").read_text())
    assert written["track"] == [{"kind": "tensorboard"}, {"kind": "mlflow", "uri": "mlruns"}]


def test_a_function_is_refused_where_only_what_a_file_could_say_is_read(project: Project) -> None:
    """It would be lost on the way."""
    sampling = {
        "constitution": "constitution.yaml",
        "prompts": "prompts.jsonl",
        "sample": {"model": Scripted(answer=lambda request: "Ho")},
        "label": BRIEF,
    }
    with pytest.raises(RecipeError, match=r"recipe\.sample\.model\.answer: holds a function"):
        solon.run({**sampling, "phases": {"first": {}}}, progress=False)
    with pytest.raises(RecipeError, match=r"overrides\.sample\.model\.answer: holds a function"):
        solon.run("recipe.yaml", overrides={"sample.model": sampling["sample"]["model"]}, progress=False)


def test_values_are_overridden_by_key(project: Project) -> None:
    """As on the command line, with Python's values."""
    run = solon.run("recipe.yaml", overrides={"build.held_out": 0.5, "label.rules.brief.max": 2}, progress=False)
    assert set(run.preferences.counts()) == {"train", "test"}
    typed = solon.run("recipe.yaml", overrides=["build.held_out=0.5"], run_dir="typed", progress=False)
    assert set(typed.preferences.counts()) == {"train", "test"}


def test_a_path_in_an_instance_is_relative_to_where_python_runs(project: Project, tmp_path: Path) -> None:
    """And one in a recipe file to that file: put into one, the first becomes absolute."""
    from solon.api.recipes import opened
    from solon.trainers.base import Policy

    (tmp_path / "elsewhere").mkdir()
    Path("models").mkdir()
    found = opened("recipe.yaml", {"policy": Policy(model="models")})
    assert found.data["policy"]["model"] == str(project.folder / "models")


def test_until_and_run_dir_are_those_of_the_command_line(project: Project) -> None:
    """One stage after the other, in a place of one's own."""
    run = solon.run("recipe.yaml", until="label", run_dir="here", progress=False)
    assert run.path == Path("here")
    with pytest.raises(DataError, match="`build` was not run"):
        _ = run.preferences


def test_every_problem_of_a_recipe_is_a_list_and_empty_when_there_is_none(project: Project) -> None:
    """`if problems:` is how it is asked."""
    assert solon.check("recipe.yaml") == []
    assert repr(solon.check("recipe.yaml")) == "ready to run"
    broken = solon.check(
        {"constitution": "nowhere.yaml", "candidates": "candidates.jsonl", "label": "rules", "sead": 1}
    )
    assert [problem.where for problem in broken] == ["recipe.label.rules", "recipe.sead"]
    assert "did you mean 'seed'?" in repr(broken)
    missing = solon.check({**yaml.safe_load(RECIPE), "constitution": "nowhere.yaml"})
    assert "nowhere.yaml" in repr(missing)


def test_an_unknown_set_or_phase_is_refused(project: Project) -> None:
    """With those that there are."""
    recipe = {**yaml.safe_load(RECIPE), "sets": {"large": {"seed": 1}}}
    with pytest.raises(RecipeError, match="no set 'big'; its sets: large"):
        solon.run(recipe, sets="big", progress=False)
    assert solon.run(recipe, sets="large", progress=False).summary.seed == 1
    with pytest.raises(RecipeError, match="no such phase"):
        solon.run("recipe.yaml", phase="second", progress=False)


def test_a_recipe_of_phases_gives_the_last_and_holds_the_others(project: Project) -> None:
    """Each phase is a run of its own."""
    own = {**yaml.safe_load(RECIPE), "phases": {"first": {}, "second": {"build": {"held_out": 0.5}}}}
    run = solon.run(own, run_dir="both", progress=False)
    assert list(run.phases) == ["first", "second"]
    assert run.path == Path("both/second")
    assert len(run.phases["first"].preferences.test) == 0
    assert list(solon.open_run("both").phases) == ["first", "second"]


def test_a_plan_and_advice_are_tables(project: Project) -> None:
    """Nothing is asked of anybody."""
    assert solon.plan("recipe.yaml").requests == 0
    assert repr(solon.plan("recipe.yaml")) == "no stage asks a model for anything"
    assert "dpo" in repr(solon.advise("recipe.yaml"))


def test_the_report_is_shown_with_a_link_and_nothing_of_it_runs(project: Project) -> None:
    """The page is linked; embedded, it is in a frame without scripts, as text that cannot leave its attribute."""
    (project.folder / "constitution.yaml").write_text(CONSTITUTION.replace("name: brief", "name: '<script>x</script>'"))
    run = solon.run("recipe.yaml", progress=False)
    report = run.report()
    html = report._repr_html_()
    assert 'href="runs/project/report.html"' in html
    frame = report.embed(300)._repr_html_()
    assert frame.startswith('<iframe sandbox="" srcdoc="')
    assert "<" not in frame.removeprefix("<iframe").removesuffix("></iframe>")
    assert "<script" not in run._repr_html_()


def test_other_formats_of_the_report_are_written_when_asked_for(project: Project) -> None:
    """And an unknown one is refused."""
    run = solon.run("recipe.yaml", progress=False)
    assert str(run.report(["json"])) == "runs/project/report.json"
    assert Path("runs/project/report.json").is_file()
    with pytest.raises(DataError, match="'pdf' is no format"):
        run.report(["pdf"])  # type: ignore[list-item]


def test_an_unknown_format_is_refused_before_anything_is_done(project: Project) -> None:
    """Though no report is asked for yet."""
    with pytest.raises(DataError, match="'pdf' is no format of the report; there are html, md, json"):
        solon.run("recipe.yaml", formats=["pdf"], until="label", progress=False)  # type: ignore[list-item]
    assert not Path("runs").exists()


@pytest.mark.parametrize("jobs", [0, -1])
def test_fewer_than_one_training_at_a_time_is_refused(project: Project, jobs: int) -> None:
    """Nobody would ever begin."""
    with pytest.raises(RecipeError, match=f"jobs: is {jobs}"):
        solon.compare("recipe.yaml", ["dpo"], jobs=jobs, progress=False)


def test_training_into_the_directory_of_a_run_is_refused(project: Project) -> None:
    """Its name, recipe and constitution would be those of the training."""
    run = solon.run("recipe.yaml", progress=False)
    before = {name: (run.path / name).read_bytes() for name in ("run.json", "recipe.yaml")}
    with pytest.raises(DataError, match=r"runs/project: holds another run, 'project'.*out="):
        solon.train(run, "models/policy", out=run.path, progress=False)
    with pytest.raises(DataError, match="holds another run"):  # though it has the name
        solon.train(run, "models/policy", out=run.path, name="project", progress=False)
    assert {name: (run.path / name).read_bytes() for name in before} == before
    with pytest.raises(DataError, match="runs: holds what other runs have left"):
        solon.train(run, "models/policy", out=run.path.parent, progress=False)
    assert not Path("runs/run.json").exists()


def test_the_datasets_of_a_run_are_converted_in_a_line(project: Project) -> None:
    """As `solon convert` does it."""
    done = solon.run("recipe.yaml", progress=False).convert("trl", "for-trl")
    assert done.layout == "trl"
    assert done.files["preference/train.parquet"] == 60
    assert Path("for-trl/preference/train.parquet").is_file()


def test_pandas_gets_a_row_a_record(project: Project) -> None:
    """With the split beside it."""
    pytest.importorskip("pandas")
    run = solon.run("recipe.yaml", overrides={"build.held_out": 0.5}, progress=False)
    frame = run.preferences.to_pandas()
    assert len(frame) == 60
    assert set(frame["split"]) == {"train", "test"}
