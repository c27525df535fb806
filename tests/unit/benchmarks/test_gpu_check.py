"""The GPU check's own arithmetic, and the wheels that it takes along: what can be tested without a card."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from solon.plugins.registry import load

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Its files are programs, which import one another."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "gpu"))
    yield
    for name in ("check", "pages", "plans", "verdicts", "wheels"):
        sys.modules.pop(name, None)


def test_every_plan_is_one_that_its_trainer_takes():
    """Of practice and tiny; and PPO's is the one that the target names."""
    import plans

    for plan in (*plans.FULL, *plans.TINY):
        load("solon.trainers", plan.kind).model_validate(plan.settings())
    ppo = next(plan for plan in plans.FULL if plan.kind == "ppo")
    assert (ppo.rollouts, ppo.length) == (64, 512)
    assert load("solon.trainers", "ppo").model_validate(ppo.settings()).rollouts == 64


def test_rows_have_the_tokens_that_the_plan_says(tmp_path):
    """A byte is a token; with the template's 24, the prompt is half and the response the other."""
    pytest.importorskip("transformers")
    import plans

    from solon.testing.llama31 import llama_31_tokenizer

    tokenizer = llama_31_tokenizer()

    def count(messages, **more):
        return len(tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **more)["input_ids"])

    for plan in plans.TINY:
        plans.write_rows(plan, tmp_path / plan.kind)
        rows = pq.read_table(tmp_path / plan.kind / "train.parquet").to_pylist()
        assert len(rows) >= plan.rows * plan.steps
        for row in rows:
            if plan.rollouts:
                assert count(row["prompt"], add_generation_prompt=True) == plan.length // 2
            else:
                answers = [row[side] for side in ("chosen", "rejected", "completion") if side in row]
                assert {count(row["prompt"] + answer) for answer in answers} == {plan.length}


def test_tokens_a_step_are_those_that_are_read():
    """DPO's rows are two sequences each, a rollout is one; 2 x 8 x 1,024, 8 x 1,024 and 64 x 512."""
    import plans

    tokens = {plan.kind: plan.tokens for plan in plans.FULL}
    assert (tokens["dpo"], tokens["kto"], tokens["ppo"]) == (16384, 8192, 32768)


def part(**more):
    """What a training on a GPU leaves."""
    return {"peak": 10.0, "estimated": 11.0, "seconds": 2.0, "tokens_a_second": 8192.0, **more}


def found(**more):
    """What was found by both backends, all well."""
    return {
        "dpo-unsloth": part(tokens_a_second=8192.0),
        "dpo-bitsandbytes": part(tokens_a_second=4096.0),
        "ppo-unsloth": part(peak=12.0),
        "reference-unsloth": {"ok": True, "apart": 1e-5, "moved": 2.0},
        "resume-bitsandbytes": {"ok": True, "apart": 0.0},
        **more,
    }


def judged(parts, *, tiny=False):
    """The page and whether it holds."""
    import plans
    import verdicts

    shown = [plan for plan in plans.FULL if plan.kind in ("dpo", "ppo")]
    return verdicts.page(parts, ["bitsandbytes", "unsloth"], shown, seconds=500.0, tiny=tiny)


def test_the_page_shows_measured_against_estimated_and_holds():
    """11 GiB estimated of 10 measured are 10 % too many."""
    text, held = judged(found())
    assert held
    assert "| dpo | unsloth | 10.00 | 11.00 | +10% | 2.00 | 8,192 |" in text
    assert "takes 2.00 times" in text
    assert "did not hold" not in text


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"dpo-unsloth": part(estimated=11.6)}, "`dpo-unsloth`: the estimate of memory is within 15%"),
        ({"ppo-unsloth": part(peak=16.1, estimated=16.1)}, "`ppo-unsloth`: at most 16 GiB"),
        ({"dpo-unsloth": part(tokens_a_second=6000.0)}, "`unsloth` takes 1.46 times"),
        ({"reference-unsloth": {"ok": False, "apart": 1.0, "moved": 2.0}}, "without its adapters"),
        ({"resume-bitsandbytes": {"ok": False, "apart": 1.0}}, "was cut and begun again"),
    ],
    ids=["estimate", "ppo", "speed", "reference", "resume"],
)
def test_what_does_not_hold_is_said(broken, says):
    """And the command fails."""
    text, held = judged(found(**broken))
    assert not held
    (line,) = [line for line in text.splitlines() if "did not hold" in line]
    assert says in line


def test_a_part_that_failed_has_no_numbers_and_fails_the_check():
    """Its last words are on the page."""
    text, held = judged(found(**{"dpo-bitsandbytes": {"error": "stopped after 75 s"}}))
    assert not held
    assert "| dpo | bitsandbytes | failed | failed | failed | failed | failed |" in text
    assert "- `dpo-bitsandbytes` failed: stopped after 75 s" in text


def test_parts_come_in_the_order_of_their_weight_and_fit_the_time_as_far_as_they_are_needed(tmp_path):
    """DPO and PPO by both, then the checks, then the rest, which may find the time up."""
    import check
    import plans

    listed = [part.name for part in check.parts(["bitsandbytes", "unsloth"], plans.FULL, tiny=False, work=tmp_path)]
    assert listed[:5] == ["model", "dpo-bitsandbytes", "dpo-unsloth", "ppo-bitsandbytes", "ppo-unsloth"]
    assert listed[5:8] == ["reference-bitsandbytes", "reference-unsloth", "resume-bitsandbytes"]
    assert len(listed) == len(set(listed)) == 1 + 2 * len(plans.FULL) + 3
    assert check.NINE_MINUTES < 540
    assert check.do(check.Part("late", ("-c", "1"), 60.0), {}, tmp_path, 4.0) == {"error": "not begun: the time was up"}


def test_a_process_that_fails_or_takes_too_long_is_told_of(tmp_path):
    """Its last line; what it printed is in its log."""
    import check

    failed = check.do(check.Part("bad", ("-c", "raise SystemExit('no card')"), 60.0), {}, tmp_path, 60.0)
    assert failed["error"] == "no card"
    slow = check.do(check.Part("slow", ("-c", "import time; time.sleep(60)"), 0.2), {}, tmp_path, 60.0)
    assert slow["error"].startswith("stopped after")


def test_solon_is_found_by_its_entry_points_without_being_installed(tmp_path):
    """The GPU machine takes it from the tree."""
    from importlib.metadata import distributions

    import check

    check.install(None, tmp_path)
    (solon,) = distributions(path=[str(tmp_path)])
    assert solon.name == "solon"
    places = {point.name: point.value for point in solon.entry_points if point.group == "solon.trainers"}
    assert places["dpo"] == "solon.trainers.dpo:DPO"


def test_a_folder_without_wheels_is_named_with_the_command_that_fills_it(tmp_path):
    """Rather than an import error later."""
    import check

    with pytest.raises(SystemExit, match="make gpu-wheels"):
        check.install(tmp_path, tmp_path / "site")


def test_a_wheel_loses_what_is_not_used_and_its_list_of_files_knows(tmp_path):
    """A web application, and kernels for other cards."""
    import wheels

    kept = ["unsloth/__init__.py", "bitsandbytes/libbitsandbytes_cpu.so", "bitsandbytes/libbitsandbytes_cuda130.so"]
    lost = ["studio/app.js", "unsloth_cli/main.py", "bitsandbytes/libbitsandbytes_cuda118.so"]
    lost += ["bitsandbytes/libbitsandbytes_cuda1301.so", "bitsandbytes/libbitsandbytes_rocm70.so"]
    wheel = tmp_path / "one-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as written:
        for name in kept + lost:
            written.writestr(name, "x" * 10_000)
        written.writestr("one-1.dist-info/RECORD", "".join(f"{name},sha256=0,1\n" for name in kept + lost))
    wheels.slim(wheel, ("130",))
    with zipfile.ZipFile(wheel) as read:
        assert sorted(read.namelist()) == sorted([*kept, "one-1.dist-info/RECORD"])
        assert read.read("one-1.dist-info/RECORD").decode() == "".join(f"{name},sha256=0,1\n" for name in kept)
    assert list(tmp_path.iterdir()) == [wheel]


def test_what_pydantic_needs_is_taken_in_the_version_that_it_takes():
    """It refuses every other."""
    import wheels

    assert wheels._exactly("pydantic-core", "pydantic").startswith("pydantic-core==")
