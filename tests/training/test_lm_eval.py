"""lm-eval on both policies, on files in the benchmarks' own columns: the same numbers as without solon, by item."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from solon.data.records import Constitution, Metric, Principle
from solon.errors import DataError
from solon.evaluation.base import Evidence
from solon.evaluation.lm_eval import LMEval
from solon.models.scripted import Scripted
from solon.models.transformers import Transformers
from solon.testing.tiny import tiny_llama

pytest.importorskip("lm_eval")
CONSTITUTION = Constitution(name="c", principles=(Principle(id="p", text="Be good."),))
SUBJECTS = ("anatomy", "world_religions")


def rows_of(benchmark: str, n: int) -> list[dict[str, Any]]:
    """Rows with the columns of the hub."""
    if benchmark == "hellaswag":
        return [
            {
                "ind": number,
                "activity_label": "Baking",
                "ctx_a": f"A person [title] takes {number} eggs.",
                "ctx_b": "they",
                "ctx": "unused",
                "endings": [f"break {number}", "sing", "leave them", f"count to {number + 3}"],
                "label": str(number % 4),
            }
            for number in range(n)
        ]
    if benchmark == "mmlu":
        return [
            {
                "question": f"Which is number {number}? ",
                "subject": SUBJECTS[number % 2],
                "choices": [str(number), str(number + 1), "none", "all"],
                "answer": number % 4,
            }
            for number in range(n)
        ]
    answers = ["Yes, of course.", "No.", "Nobody knows."]
    return [
        {
            "question": f"Is {number} a colour?",
            "mc1_targets": {"choices": answers, "labels": [1, 0, 0]},
            "mc2_targets": {"choices": [*answers, f"It is {number}."], "labels": [1, 0, 1, 0]},
        }
        for number in range(n)
    ]


def written(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A file of rows."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where each benchmark lies."""
    folder = tmp_path_factory.mktemp("benchmarks")
    written(folder / "mmlu", "test", rows_of("mmlu", 10))
    written(folder / "mmlu", "dev", rows_of("mmlu", 12))
    return {
        "truthfulqa": str(written(folder, "truthfulqa", rows_of("truthfulqa", 5))),
        "hellaswag": str(written(folder, "hellaswag", rows_of("hellaswag", 6))),
        "mmlu": str(folder / "mmlu"),
    }


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Transformers]:
    """Two tiny models of different weights."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for seed, which in enumerate(("before", "after")):
        tiny_llama(folder / which, seed=seed)
        found[which] = Transformers(model=str(folder / which), threads=1)
    return found


def evidence(policies: Mapping[str, Any], kept: dict[str, Any]) -> Evidence:
    """Nothing but the models."""
    return Evidence(constitution=CONSTITUTION, pairs={}, policies=policies, keep=kept.__setitem__)  # type: ignore[arg-type]


def named(metrics: Sequence[Metric]) -> dict[tuple[str, str], Metric]:
    """By name and whose it is."""
    return {(metric.name, metric.of): metric for metric in metrics}


def directly(model: str, definition: str, file: Path, split: str, folder: Path, task: str) -> list[dict[str, Any]]:
    """lm-eval itself on a file, without any of solon: its samples."""
    import lm_eval.tasks
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    base = Path(str(lm_eval.tasks.__file__)).parent
    (folder / f"{task}.yaml").write_text(
        f"include: {base / definition}\ntask: {task}\ntag: []\ntraining_split: null\n"
        "dataset_path: json\ndataset_name: null\n"
        f"dataset_kwargs: {{data_files: {{{split}: {file}}}, cache_dir: {folder / 'cache'}}}\n"
    )
    found = simple_evaluate(
        model=HFLM(pretrained=model, device="cpu", batch_size=1),
        tasks=[task],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
    )
    samples: list[dict[str, Any]] = found["samples"][task]
    return samples


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "benchmark", "definition", "metric"),
    [
        ("truthfulqa_mc1", "truthfulqa", "truthfulqa/truthfulqa_mc1.yaml", "acc"),
        ("truthfulqa_mc2", "truthfulqa", "truthfulqa/truthfulqa_mc2.yaml", "acc"),
        ("hellaswag", "hellaswag", "hellaswag/hellaswag.yaml", "acc_norm"),
    ],
)
async def test_every_item_is_scored_as_by_lm_eval_itself(
    data: dict[str, str],
    policies: dict[str, Transformers],
    tmp_path: Path,
    task: str,
    benchmark: str,
    definition: str,
    metric: str,
) -> None:
    """Within 1e-4, item by item, for both models."""
    kept: dict[str, Any] = {}
    await LMEval(tasks=(task,), data={benchmark: data[benchmark]}, batch_size=3).evaluate(evidence(policies, kept))
    rows = kept[f"lm_eval_{task}"]
    for which in ("before", "after"):
        samples = directly(policies[which].model, definition, Path(data[benchmark]), "validation", tmp_path, task)
        assert len(samples) == len(rows)
        for sample, row in zip(samples, rows, strict=True):
            assert row[which] == pytest.approx(float(sample[metric]), abs=1e-4)


@pytest.mark.slow
async def test_a_task_is_a_metric_whose_difference_is_paired(
    data: dict[str, str], policies: dict[str, Transformers]
) -> None:
    """MMLU over all its subjects with five examples; shares get McNemar's test, probabilities sign flips."""
    measure = LMEval(tasks=("mmlu", "truthfulqa_mc2"), data={"mmlu": data["mmlu"], "truthfulqa": data["truthfulqa"]})
    kept: dict[str, Any] = {}
    found = named(await measure.evaluate(evidence(policies, kept)))
    assert list(found) == [(f"lm_eval/{task}", of) for task in measure.tasks for of in ("before", "after", "pair")]
    pair = found["lm_eval/mmlu", "pair"]
    assert (pair.n, pair.failed) == (10, 0)
    assert "McNemar" in pair.method
    assert "5 examples" in pair.method
    assert {row["item"].split(":")[0] for row in kept["lm_eval_mmlu"]} == {f"solon_mmlu_{name}" for name in SUBJECTS}
    mass = found["lm_eval/truthfulqa_mc2", "after"]
    assert 0 < mass.value < 1
    assert "sign-flip" in found["lm_eval/truthfulqa_mc2", "pair"].method


@pytest.mark.slow
async def test_the_same_model_twice_differs_in_no_item(data: dict[str, str], policies: dict[str, Transformers]) -> None:
    """Nothing is drawn anew between the two."""
    same = {"before": policies["before"], "after": policies["before"]}
    measure = LMEval(tasks=("hellaswag", "mmlu"), data={"hellaswag": data["hellaswag"], "mmlu": data["mmlu"]})
    kept: dict[str, Any] = {}
    found = named(await measure.evaluate(evidence(same, kept)))
    assert all(row["before"] == row["after"] for rows in kept.values() for row in rows)
    assert found["lm_eval/mmlu", "pair"].value == 0.0


@pytest.mark.slow
async def test_sequences_that_are_cut_are_counted(tmp_path: Path, policies: dict[str, Transformers]) -> None:
    """lm-eval takes the end of what is too long, and mentions it in a log."""
    long = rows_of("hellaswag", 3)
    long[1]["ctx_a"] = "so many eggs " * 2_000
    measure = LMEval(tasks=("hellaswag",), data={"hellaswag": str(written(tmp_path, "long", long))})
    (before, *_) = await measure.evaluate(evidence(policies, {}))
    assert "4 sequences of all tasks cut" in before.method


def test_mass_of_true_answers_does_not_underflow() -> None:
    """Log-probabilities of -2,000 have no probability that a float could hold: by hand e^-1 / (e^-1 + e^-3)."""
    from solon.evaluation.backend.harness import _true_mass

    sample = {
        "filtered_resps": [(-2_001.0, False), (-2_003.0, False)],
        "doc": {"mc2_targets": {"labels": [1, 0]}},
    }
    assert _true_mass(sample) == pytest.approx(1 / (1 + math.exp(-2)))


@pytest.mark.slow
async def test_a_limit_takes_items_by_hash_and_an_unknown_subject_is_named(
    tmp_path: Path, data: dict[str, str], policies: dict[str, Transformers]
) -> None:
    """The same items for both models, whatever order the file is in."""
    kept: dict[str, Any] = {}
    await LMEval(tasks=("hellaswag",), data={"hellaswag": data["hellaswag"]}, limit=2).evaluate(
        evidence(policies, kept)
    )
    assert len(kept["lm_eval_hellaswag"]) == 2
    rows = [row | {"subject": "alchemy"} for row in rows_of("mmlu", 2)]
    odd = LMEval(tasks=("mmlu",), data={"mmlu": str(written(tmp_path, "mmlu", rows))}, shots={"mmlu": 0})
    with pytest.raises(DataError, match="MMLU has no subject 'alchemy'"):
        await odd.evaluate(evidence(policies, {}))


def test_files_that_are_none_are_found_before_anything_is_loaded(tmp_path: Path, data: dict[str, str]) -> None:
    """By ``solon check``, with file, line and column."""
    rows = rows_of("hellaswag", 2)
    rows[1]["endings"] = ["one"]
    (problem,) = LMEval(tasks=("hellaswag",), data={"hellaswag": str(written(tmp_path, "bad", rows))}).problems()
    assert "bad.jsonl:2" in problem
    assert "column 'endings': four texts expected" in problem
    assert LMEval(tasks=("mmlu",), data={"mmlu": data["mmlu"]}).problems() == []
    (tmp_path / "empty").mkdir()
    (problem,) = LMEval(tasks=("mmlu",), data={"mmlu": str(tmp_path / "empty")}).problems()
    assert "no file whose name begins with 'test'" in problem
    (problem,) = LMEval(tasks=("mmlu",), data={"mmlu": str(written(tmp_path, "t", rows_of("mmlu", 2)))}).problems()
    assert "mmlu is asked with 5 examples, and there is no file of them" in problem


def test_data_and_examples_of_tasks_that_are_not_run_are_refused(data: dict[str, str]) -> None:
    """They would change nothing."""
    with pytest.raises(ValidationError, match="no task reads 'mmlu'"):
        LMEval(tasks=("hellaswag",), data={"mmlu": data["mmlu"]})
    with pytest.raises(ValidationError, match="'mmlu' is none of the tasks"):
        LMEval(tasks=("hellaswag",), shots={"mmlu": 5})


async def test_models_without_weights_at_hand_are_refused(data: dict[str, str]) -> None:
    """An API gives no log-probabilities of a text."""
    remote = {"before": Scripted(default="x"), "after": Scripted(default="x")}
    with pytest.raises(DataError, match="weights at hand"):
        await LMEval(tasks=("hellaswag",), data={"hellaswag": data["hellaswag"]}).evaluate(evidence(remote, {}))


def test_of_a_task_that_reads_answers_in_several_ways_the_first_counts() -> None:
    """lm-eval logs each item once for every filter: counted twice, the same model would differ from itself."""
    from solon.evaluation.backend.harness import _of_one_filter

    samples = [{"doc_id": n, "filter": name} for n in range(3) for name in ("strict", "flexible")]
    assert [(one["doc_id"], one["filter"]) for one in _of_one_filter(samples)] == [(n, "strict") for n in range(3)]


@pytest.mark.slow
async def test_a_task_that_lm_eval_cannot_run_is_named(policies: dict[str, Transformers]) -> None:
    """A misspelt one, for example: no traceback of lm-eval's."""
    with pytest.raises(DataError, match=r"lm_eval: lm-eval has no task called 'helaswag'"):
        await LMEval(tasks=("helaswag",)).evaluate(evidence(policies, {}))


def test_answers_of_mmlu_that_are_texts_are_numbers_to_lm_eval(tmp_path: Path) -> None:
    """It would look "2" up among A to D, and every item would be wrong."""
    from solon.data.benchmarks import read_benchmark

    rows = [row | {"answer": str(row["answer"])} for row in rows_of("mmlu", 4)]
    found = read_benchmark("mmlu", written(tmp_path, "mmlu", rows), limit=None, seed=0)
    assert [row["answer"] for row in found["test"]] == [0, 1, 2, 3]


def test_a_subject_with_too_few_examples_is_found_before_anything_is_loaded(tmp_path: Path) -> None:
    """lm-eval would stop in the middle."""
    written(tmp_path / "m", "test", rows_of("mmlu", 4))
    written(tmp_path / "m", "dev", rows_of("mmlu", 9))
    (problem,) = LMEval(tasks=("mmlu",), data={"mmlu": str(tmp_path / "m")}).problems()
    assert "mmlu is asked with 5 examples, and subject 'world_religions' has 4" in problem


@pytest.mark.slow
def test_a_task_that_lm_eval_lacks_is_found_before_anything_is_trained() -> None:
    """With the nearest that it has; those of which files are read are known."""
    (problem,) = LMEval(tasks=("arc_chalenge", "gsm8k", "mmlu")).problems()
    assert problem == "lm-eval has no task called 'arc_chalenge' (did you mean 'arc_challenge'?)"
