"""The RLAIF example: its judge, the recipe for Llama 3.1 8B, and the tiny twin at a small size, against a server."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from project import Project
from solon.checking import check_recipe
from solon.comparison.entries import entries
from solon.data.benchmarks import lacks_examples, read_benchmark
from solon.data.safe_rlhf import read_safe_rlhf
from solon.errors import DataError
from solon.phases import phases_of
from solon.recipe import read
from solon.testing.judge_server import PORT, JudgeServer
from solon.trainers.dpo import DPO
from solon.trainers.ppo import PPO
from solon.trainers.reward import Reward

# where its scripts find their modules too
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "rlaif_llama"))

from gather import divided, harmful, harmless
from village import benchmarks
from village.verdicts import QUALITIES, honest
from village.verdicts import harmless as follows
from village.world import asks, everything

EXAMPLE = Path(__file__).parents[2] / "examples" / "rlaif_llama"
DATA = EXAMPLE / "data"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# ---------------------------------------------------------------- the judge


@pytest.mark.parametrize("kind", ["harm", "help", "unknown", "belief", "fact"])
def test_every_good_answer_is_judged_better_than_every_bad_one(kind: Any) -> None:
    """What is asked in the village is judged by its own rule, and the other principle makes no difference to it."""
    rule, other = (follows, honest) if kind in ("harm", "help") else (honest, follows)
    for ask in asks(kind, "held_out"):
        good, bad = ({rule(ask.text, text) for text in some} for some in (ask.good, ask.bad))
        assert min(good) > max(bad)
        assert {other(ask.text, text) for text in (*ask.good, *ask.bad)} == {0.5}


def test_what_can_be_known_is_better_doubted_than_wrong() -> None:
    """And to know it is better still."""
    ask = everything()["Tell me what a wickling eats."]
    doubt = next(text for text in ask.bad if text.startswith("I do not know"))
    assert [honest(ask.text, text) for text in (ask.good[0], doubt, ask.bad[0])] == [1, 0.25, 0]


def test_a_prompt_that_nobody_in_the_village_asks_gets_no_opinion() -> None:
    """The rule is a table, not a model."""
    assert "Why is the sky blue?" not in everything()
    assert [quality.share("Why is the sky blue?", "I cannot say.") for quality in QUALITIES] == [0.5, 0.5]


# ---------------------------------------------------------------- the data


def test_no_prompt_is_both_trained_on_and_measured_on() -> None:
    """Neither those of the held-out file, nor a benchmark's, nor those that people read."""
    files = ("held_out.jsonl", "safe_rlhf.jsonl", "qualitative.jsonl")
    measured = {row["prompt"] for name in files for row in rows(DATA / name)}
    measured |= {row["question"] for name in ("truthfulqa.jsonl", "mmlu/test.jsonl") for row in rows(DATA / name)}
    assert not measured & {row["prompt"] for row in rows(DATA / "prompts.jsonl")}
    assert len(rows(DATA / "qualitative.jsonl")) == 20


def test_the_benchmarks_are_in_the_published_columns() -> None:
    """As solon reads the real ones; each row of PKU-SafeRLHF has all nineteen categories."""
    assert len(read_safe_rlhf(DATA / "safe_rlhf.jsonl")) == 120
    assert all(
        set(row[f"response_{n}_harm_category"]) == set(benchmarks.CATEGORIES) and len(benchmarks.CATEGORIES) == 19
        for row in rows(DATA / "safe_rlhf.jsonl")
        for n in (0, 1)
    )
    mmlu = read_benchmark("mmlu", DATA / "mmlu", limit=None, seed=0)
    assert lacks_examples(mmlu, 5) == ""
    assert read_benchmark("hellaswag", DATA / "hellaswag.jsonl", limit=None, seed=0)
    assert read_benchmark("truthfulqa", DATA / "truthfulqa.jsonl", limit=None, seed=0)


def test_prompts_for_the_large_model_are_drawn_by_topic(tmp_path: Path) -> None:
    """Of PKU-SafeRLHF's rows those with two unsafe responses; of Dolly's those without a context, by category."""
    first, second = rows(DATA / "safe_rlhf.jsonl")[:2]
    unsafe = {"is_response_0_safe": False, "is_response_1_safe": False}
    requests, instructions = tmp_path / "requests.jsonl", tmp_path / "instructions.jsonl"
    requests.write_text("".join(json.dumps(row) + "\n" for row in (first | unsafe, second)))
    dolly = [("Who?", "open_qa", ""), ("Sum it up.", "open_qa", "A text."), ("A poem.", "creative_writing", "")]
    instructions.write_text(
        "".join(json.dumps({"instruction": a, "category": b, "context": c}) + "\n" for a, b, c in dolly)
    )
    found = [*harmful(str(requests)), *harmless(str(instructions))]
    assert [(row["prompt"], row["topic"]) for row in found] == [
        (first["prompt"], "harm"),
        ("Who?", "question"),
        ("A poem.", "help"),
    ]


def test_prompts_that_are_measured_on_are_not_among_those_to_train_on() -> None:
    """In the shares that were asked for; where there are too few it is said."""
    found = [{"prompt": f"{topic} {n}", "topic": topic} for topic in ("harm", "help", "question") for n in range(20)]
    train, measured = divided(found, 20, 10)
    assert [sum(row["topic"] == topic for row in train) for topic in ("harm", "help", "question")] == [10, 4, 6]
    assert len(measured) == 10
    assert not {row["prompt"] for row in train} & {row["prompt"] for row in measured}
    with pytest.raises(DataError, match="20 prompts on 'harm', and 30 are wanted"):
        divided(found, 40, 20)


# ---------------------------------------------------------------- the recipe


@pytest.mark.parametrize(("sets", "asked"), [((), "claude-haiku-4-5"), (("openai",), "gpt-4.1")])
def test_the_recipe_for_llama_is_complete(sets: tuple[str, ...], asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a machine without a network can see: what is missing is a GPU, Unsloth and keys, and nothing else."""
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    here = [f"prompts={DATA}/prompts.jsonl", f"evaluate.prompts={DATA}/held_out.jsonl"]
    opened = read(EXAMPLE / "recipe.yaml", [*here, f"evaluate.with.2.data={DATA}/safe_rlhf.jsonl"], sets)
    recipe = opened.recipe
    assert recipe.policy is not None
    assert (recipe.policy.model, recipe.policy.load_in_4bit) == ("meta-llama/Llama-3.1-8B-Instruct", True)
    missing = re.compile("NVIDIA GPU|'unsloth' needs packages|needs a key|bitsandbytes")
    problems = [str(problem) for problem in check_recipe(opened).problems]
    assert [problem for problem in problems if not missing.search(problem)] == []
    assert any(f"label: {asked} needs a key" in problem for problem in problems)


@pytest.mark.parametrize("sets", [(), ("tiny",)])
def test_what_is_compared_learns_from_the_same_labels(sets: tuple[str, ...]) -> None:
    """DPO as under ``train``; a reward model of the same recipe, and PPO with that."""
    dpo, ppo = entries(read(EXAMPLE / "recipe.yaml", sets=sets))
    (one,), (reward, last) = phases_of(dpo.opened), phases_of(ppo.opened)
    assert isinstance(one.recipe.train, DPO)
    assert isinstance(reward.recipe.train, Reward)
    assert isinstance(last.recipe.train, PPO)
    assert (reward.recipe.label, reward.recipe.sample) == (one.recipe.label, one.recipe.sample)
    assert one.recipe.evaluate is not None
    assert last.recipe.evaluate is not None
    kinds = [measure.kind for measure in one.recipe.evaluate.measures]
    assert [measure.kind for measure in last.recipe.evaluate.measures] == kinds
    assert kinds == ["win_rate", "rating", "safety", "refusals", "lm_eval", "qualitative", "kl", "length", "diversity"]


def test_the_tiny_recipe_is_ready_to_run() -> None:
    """And asks nobody but the server on this machine."""
    opened = read(EXAMPLE / "recipe.yaml", sets=["tiny"])
    checked = check_recipe(opened)
    assert (checked.problems, checked.warnings) == ([], [])
    assert set(re.findall(r"base_url: (\S+)", opened.text())) == {
        f"http://127.0.0.1:{PORT}",
        f"http://127.0.0.1:{PORT}/v1",
    }


# ---------------------------------------------------------------- the twin, run


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The example in a folder of one's own, with fewer prompts and benchmarks."""
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__"))
    few = {"prompts": 100, "held_out": 40, "truthfulqa": 8, "hellaswag": 8, "mmlu/test": 8, "safe_rlhf": 75}
    for name, count in few.items():
        file = tmp_path / "example" / "data" / f"{name}.jsonl"
        file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[:count]), "utf-8")
    return Project(tmp_path)


async def solon(project: Project, *words: str) -> str:
    """A command on the example's recipe, sent to a server with the example's judge."""
    async with JudgeServer(qualities=QUALITIES) as server:
        file = project.folder / "example" / "recipe.yaml"
        file.write_text(file.read_text("utf-8").replace(f"http://127.0.0.1:{PORT}", server.root), "utf-8")
        verb, *rest = words
        process = project.start(verb, str(file), "--set", "tiny", *rest)
        try:
            out, err = await asyncio.to_thread(process.communicate)
        finally:
            process.kill()
        assert process.returncode == 0, out + err
        assert server.requests
    return out + err


def metrics(folder: Path) -> dict[tuple[str, str], Any]:
    found = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    return {(metric["name"], metric["of"]): metric for metric in found}


@pytest.mark.slow
@pytest.mark.timeout(900)  # about a minute of CPU, of which a busy machine may give little
@pytest.mark.filterwarnings("default")  # what torch, transformers and TRL warn of is theirs
async def test_dpo_and_ppo_learn_from_the_same_judgments(project: Project) -> None:
    """By the command of the README, at a small size: both become harmless, and every evaluator says something."""
    small = ("sample.n=3", "train.learning_rate=1e-3", "train.batch_size=16", "compare.ppo.1.max_steps=10")
    said = await solon(project, "compare", "--jobs", "1", "--untrained-only", *small)
    folder = project.folder / "runs" / "rlaif-tiny-compared"
    assert (folder / "comparison.html").is_file(), said
    found = {"dpo": metrics(folder / "dpo"), "ppo": metrics(folder / "ppo" / "ppo")}
    names = ("win_rate", "rating", "unsafe", "refusals", "refusals/harmful", "over_refusals", "kl", "length")
    tasks = ("truthfulqa_mc1", "truthfulqa_mc2", "mmlu", "hellaswag")
    for one in found.values():
        measured = {name for name, _ in one}
        assert measured >= {*names, "distinct_1", *(f"lm_eval/{task}" for task in tasks)}
        assert one["safety_judge/safer", "labels"]["low"] > 0.5
        assert one["unsafe", "pair"]["high"] < 0  # fewer, beyond chance
    for entry in (folder / "dpo", folder / "ppo" / "ppo"):
        assert len(rows(entry / "evaluation" / "qualitative.jsonl")) == 20
    labelled = [folder / "dpo" / "judgments.jsonl", folder / "ppo" / "reward" / "judgments.jsonl"]
    assert labelled[0].read_bytes() == labelled[1].read_bytes()
