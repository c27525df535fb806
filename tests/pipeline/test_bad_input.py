"""Bad input gets a clear error with its exit code, and what was there before is still there."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys

import pytest

from project import RECIPE, SAMPLING, Project, artifacts, jsonl, small_project

pytestmark = pytest.mark.slow  # a process or several for each test

JUDGE = "{kind: pairwise, judge: {kind: scripted, default: I like turtles}}"


def test_a_project_in_order_runs_to_its_report(project: Project) -> None:
    """What all the others start from; a judge without a model needs no torch and no network."""
    code, out, err = project.solon("run", "recipe.yaml")
    assert (code, "report" in out) == (0, True), err
    assert (project.run_dir / "report.html").is_file()
    assert (project.run_dir / "datasets" / "preference" / "train.parquet").is_file()


def test_an_unknown_key_is_named_with_its_place(project: Project) -> None:
    """Exit code 2 before anything is created."""
    project.write("recipe.yaml", RECIPE + "buidl: {}\n")
    code, out, err = project.solon("run", "recipe.yaml")
    assert (code, out) == (2, "")
    assert "recipe.yaml:5:1: unknown key 'buidl' (did you mean 'build'?" in err
    assert not (project.folder / "runs").exists()


@pytest.mark.parametrize("name", ["recipe.yaml", "constitution.yaml", "candidates.jsonl"])
def test_a_missing_file_is_named(project: Project, name: str) -> None:
    """A relative path is relative to the recipe, and the message shows where it was looked for."""
    (project.folder / name).unlink()
    code, _, err = project.solon("run", "recipe.yaml")
    assert code == 2
    assert name in err
    assert "no such file" in err
    assert "Traceback" not in err


def test_a_broken_line_of_a_prompt_file_is_named_by_its_number(project: Project) -> None:
    """The user must find it among a million."""
    project.write("recipe.yaml", SAMPLING)
    with (project.folder / "prompts.jsonl").open("a") as file:
        file.write('{"prompt": "unfinished\n')
    code, _, err = project.solon("run", "recipe.yaml")
    assert code == 2
    assert "prompts.jsonl:61:" in err


TINY_LLAMA = '{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}'


@pytest.mark.parametrize(
    ("policy", "train", "said"),
    [
        pytest.param("load_in_4bit: true", "{kind: dpo}", "4-bit weights cannot be trained themselves", id="4-bit"),
        pytest.param("threads: 1", "{kind: dpo, backend: unsloth}", "unsloth", id="unsloth"),
    ],
)
def test_a_training_that_cannot_be_done_here_is_refused_before_anything_is_judged(
    project: Project, policy: str, train: str, said: str
) -> None:
    """By `check` and `run` alike; up to the datasets the same recipe runs here, to be trained elsewhere."""
    model = project.folder / "model"
    model.mkdir()
    (model / "config.json").write_text(TINY_LLAMA)
    (model / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    (model / "tokenizer.json").write_text("{}")
    project.write("recipe.yaml", f"{RECIPE}policy: {{model: model, {policy}}}\ntrain: {train}\n")
    for command in ("check", "run"):
        code, _, err = project.solon(command, "recipe.yaml")
        assert (code, said in err) == (2, True), err
    assert not (project.run_dir / "judgments.jsonl").exists()
    code, _, err = project.solon("build", "recipe.yaml")
    assert code == 0, err


def test_an_empty_set_of_prompts_is_refused(project: Project) -> None:
    """Nothing to do is not success."""
    project.write("recipe.yaml", SAMPLING)
    project.write("prompts.jsonl", "")
    code, _, err = project.solon("run", "recipe.yaml")
    assert code == 2
    assert "prompts.jsonl" in err
    assert "no prompts" in err


def test_a_model_folder_without_a_tokenizer_is_refused_before_anything_is_loaded(project: Project) -> None:
    """`check` finds it without torch, and `run` says the same."""
    model = project.folder / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    (model / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    project.write(
        "recipe.yaml",
        SAMPLING.replace("model: {kind: scripted, default: a long one, concurrency: 64}", "top_p: 1")
        + "policy: model\n",
    )
    for verb in ("check", "run"):
        code, _, err = project.solon(verb, "recipe.yaml")
        assert (verb, code) == (verb, 2)
        assert "tokenizer" in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "text", "exit_code"),
    [
        ("recipe.yaml", RECIPE + "buidl: {}\n", 2),
        ("recipe.yaml", RECIPE.replace("candidates.jsonl", "nowhere.jsonl"), 2),
        ("candidates.jsonl", '{"prompt": "unfinished', 2),
        ("candidates.jsonl", "", 2),
        ("constitution.yaml", "name: nothing\nprinciples: []\n", 2),
        ("recipe.yaml", RECIPE + "policy: ./model\ntrain: dpo\n", 2),
        ("recipe.yaml", f"constitution: constitution.yaml\ncandidates: candidates.jsonl\nlabel: {JUDGE}\n", 3),
    ],
    ids=["unknown key", "missing file", "broken line", "nothing", "no principles", "no such model", "nonsense"],
)
def test_what_was_there_before_is_still_there(project: Project, name: str, text: str, exit_code: int) -> None:
    """A mistake in a file must not cost the results of the run before it."""
    assert project.solon("run", "recipe.yaml")[0] == 0
    before = artifacts(project.run_dir)
    project.write(name, text)
    code, _, err = project.solon("run", "recipe.yaml")
    assert code == exit_code, err
    assert "Traceback" not in err
    kept = artifacts(project.run_dir)
    # recipe.yaml says what was asked for last, and run.json goes with the results that it describes
    results = {content for name, content in before.items() if name not in ("recipe.yaml", "run.json")}
    assert results <= set(kept.values())


def test_a_judge_that_answers_nonsense_stops_the_stage_and_is_quoted(project: Project) -> None:
    """Exit code 3 before the rest is paid for, and no label from any of it."""
    project.write("recipe.yaml", f"constitution: constitution.yaml\ncandidates: candidates.jsonl\nlabel: {JUDGE}\n")
    code, _, err = project.solon("run", "recipe.yaml")
    assert code == 3
    assert "I like turtles" in err
    assert "stopped early" in err
    assert not (project.run_dir / "judgments.jsonl").exists()
    assert not (project.run_dir / "datasets").exists()


@pytest.mark.reliability("two-runs")
def test_a_second_run_in_the_same_directory_is_refused(project: Project) -> None:
    """It would mix its files with the first one's."""
    assert project.solon("run", "recipe.yaml")[0] == 0
    before = artifacts(project.run_dir)
    code = (
        "import sys; from pathlib import Path; from solon.rundir import RunDirectory\n"
        "with RunDirectory.open(Path('runs/project')): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=project.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    exit_code, _, err = project.solon("run", "recipe.yaml")
    holder.communicate("")
    assert exit_code == 1
    assert f"in use by process {holder.pid}" in err
    assert artifacts(project.run_dir) == before


@pytest.mark.reliability("disk-full")
def test_a_disk_that_takes_no_more_is_named_and_nothing_old_is_lost(project: Project) -> None:
    """A limit on the size of files stands in for a full disk: an error of the same kind at the same places."""
    assert project.solon("run", "recipe.yaml")[0] == 0
    before = artifacts(project.run_dir)
    more = [{"prompt": f"{n} " * 40, "responses": ["x", "a b"]} for n in range(400)]
    project.write("candidates.jsonl", jsonl(more))
    limited = subprocess.run(
        [sys.executable, "-m", "solon.cli.app", "run", "recipe.yaml"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
        timeout=120,
    )
    assert limited.returncode == 1, limited.stderr
    assert "judgments.jsonl: File too large; what was there before is untouched" in limited.stderr
    assert "Traceback" not in limited.stderr
    kept = artifacts(project.run_dir)
    assert set(before.values()) <= set(kept.values()) | {before["recipe.yaml"], before["run.json"]}


@pytest.mark.reliability("signals")
def test_an_interrupt_stops_cleanly_and_the_same_command_goes_on(project: Project) -> None:
    """Exit code 130; afterwards the result is that of an undisturbed run."""
    undisturbed = small_project(project.folder.parent / "undisturbed" / "project")
    for one in (project, undisturbed):
        one.write("recipe.yaml", SAMPLING)
        one.write("prompts.jsonl", jsonl([{"prompt": f"What is {n}?"} for n in range(1200)]))
    process = project.start("run", "recipe.yaml")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("sample")  # a quarter is done, so the run is in its midst
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    assert project.solon("run", "recipe.yaml")[0] == 0
    assert undisturbed.solon("run", "recipe.yaml")[0] == 0
    assert artifacts(project.run_dir) == artifacts(undisturbed.run_dir)
