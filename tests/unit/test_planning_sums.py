"""What a plan says as a whole: changes, warnings, the ledger, the disk, and how it looks in a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from solon.cli.app import app
from solon.ledger import Ledger
from solon.planning import Plan, plan_of
from solon.progress import Silent
from solon.recipe import read
from solon.stages.label import label
from solon.stages.run import opened_run

LONG = "Be kind. " * 600


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose constitution is long enough for every cache, and 20 prompts with two responses."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "constitution.yaml").write_text(json.dumps({"name": "c", "principles": [{"id": "kind", "text": LONG}]}))
    lines = [json.dumps({"prompt": f"prompt {n}", "responses": ["yes " * 20, "no " * 20]}) + "\n" for n in range(20)]
    (tmp_path / "candidates.jsonl").write_text("".join(lines))
    return tmp_path


def recipe(folder: Path, judge: dict[str, Any], **more: Any) -> Path:
    path = folder / "recipe.yaml"
    label = {"kind": "pairwise", "judge": judge}
    content = {"constitution": "constitution.yaml", "candidates": "candidates.jsonl", "label": label, **more}
    path.write_text(json.dumps(content))
    return path


def planned(folder: Path, judge: dict[str, Any], **more: Any) -> Plan:
    return plan_of(read(recipe(folder, judge, **more)))


CLAUDE = {"kind": "anthropic", "model": "claude-sonnet-4-5", "concurrency": 4}
LOCAL = {"kind": "scripted", "default": "A"}


def test_what_would_be_cheaper_is_said_with_its_key(folder: Path) -> None:
    """Half the price in batches; and its cache is there for the asking."""
    plan = planned(folder, {**CLAUDE, "cache": False})
    batch, cache = plan.changes
    ways = plan.rows[0].ways
    assert (batch.where, batch.setting, cache.setting) == ("label.judge", "batch: true", "cache: true")
    assert batch.usd == cache.usd == plan.usd == ways.plain
    assert batch.usd_then == ways.batched == pytest.approx(batch.usd / 2)
    assert cache.usd_then == ways.cached
    assert plan.usd_cheapest == ways.both


def test_what_the_recipe_has_already_is_no_change(folder: Path) -> None:
    """As it stands is in batches; the cache is on and may be hit."""
    plan = planned(folder, {**CLAUDE, "batch": True})
    assert plan.changes == ()
    assert plan.usd == plan.rows[0].ways.batched
    assert plan.usd_cheapest == plan.rows[0].ways.both


def test_the_cache_of_openai_is_there_for_the_asking_too(folder: Path) -> None:
    """From gpt-5.6 on; earlier models keep beginnings unasked, so that there is nothing to set."""
    settings = {"kind": "openai", "cache": False, "concurrency": 4}
    later, earlier = (planned(folder, {**settings, "model": model}) for model in ("gpt-6-sol", "gpt-5.4-mini"))
    assert [change.setting for change in later.changes] == ["batch: true", "cache: true"]
    assert later.changes[1].usd_then == later.rows[0].ways.cached
    assert [change.setting for change in earlier.changes] == ["batch: true"]


def test_a_change_that_saves_less_than_a_cent_is_not_worth_a_line(folder: Path) -> None:
    """It would read "$0.00 instead of $0.00". Of $0.02, batches save a cent, and of $0.019 they do not."""

    def said(usd: float) -> list[str]:
        price = {"input": 0, "output": usd / (40 * 16) * 1e6, "batch": 0.5}
        return [change.setting for change in planned(folder, {**CLAUDE, "price": price}).changes]

    assert (said(0.021), said(0.019)) == (["batch: true"], [])


def test_a_model_that_reasons_is_told_that_it_has_no_room(folder: Path) -> None:
    """16 tokens suffice for a letter, and not for the thoughts before it."""
    luna = {"kind": "openai", "model": "gpt-6-luna"}
    (only,) = planned(folder, luna).warnings
    assert only == (
        "gpt-6-luna (label.judge) reasons before it answers, and would be cut off at 16 tokens, its thoughts included: "
        "set a `max_tokens` of 1000 or more"
    )
    assert planned(folder, {**luna, "reasoning_effort": "none"}).warnings == ()


def test_a_cap_below_the_estimate_is_said(folder: Path) -> None:
    """It is better known before than after the run has stopped; some 40 x 1,700 tokens at $3 a million are $0.21."""
    capped = planned(folder, {**CLAUDE, "max_usd": 0.02}, max_usd=0.01)
    assert capped.warnings == (
        "the recipe may cost $0.21 and is stopped at max_usd $0.01",
        "claude-sonnet-4-5 (label.judge) may cost $0.21 and is stopped at its max_usd $0.02",
    )
    assert planned(folder, {**CLAUDE, "max_usd": 1}, max_usd=1).warnings == ()


def test_a_price_that_is_not_known_is_said(folder: Path) -> None:
    """A sum without it would be too small, so there is none."""
    plan = planned(folder, {**CLAUDE, "model": "claude-next"}, max_usd=1)
    assert (plan.usd, plan.usd_cheapest) == (None, None)
    assert plan.warnings == (
        "the price is not known of claude-next (label.judge): add `price: {input: ..., output: ...}`",
    )


def test_what_the_ledger_holds_is_found_and_the_ledger_left_alone(folder: Path) -> None:
    """After labeling, all 40 replies are there; the plan makes and changes no file."""
    path = recipe(folder, LOCAL)
    assert plan_of(read(path)).notes[-1].startswith("There is no ledger yet")
    assert not Path(".solon").exists()
    with opened_run(read(path), folder / "run", Silent()) as run:
        label(run)
    before = {file: file.read_bytes() for file in Path(".solon").rglob("*") if file.is_file()}
    (row,) = plan_of(read(path)).rows
    assert (row.requests, row.in_ledger) == (40, 40)
    assert {file: file.read_bytes() for file in Path(".solon").rglob("*") if file.is_file()} == before


def test_the_disk_is_about_what_a_run_takes(folder: Path) -> None:
    """Within a fifth of what labeling writes, but for what SQLite needs in any case; replies here are short."""
    path = recipe(folder, LOCAL)
    disk = plan_of(read(path)).disk
    with opened_run(read(path), folder / "run", Silent()) as run:
        label(run)
    assert disk.candidates == 0
    assert disk.judgments == pytest.approx((folder / "run" / "judgments.jsonl").stat().st_size, rel=0.2)
    with Ledger.open(".solon/ledger.sqlite"):
        pass  # brings the write-ahead log into the file
    assert disk.ledger == pytest.approx(Path(".solon/ledger.sqlite").stat().st_size, rel=0.4)


def test_the_table_fits_into_a_hundred_columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every column there is, and a model of a long name."""
    monkeypatch.setenv("COLUMNS", "100")
    path = recipe(folder, {**CLAUDE, "answers_as": "x"}, canaries=1.0)
    out = CliRunner().invoke(app, ["plan", str(path)]).output
    table = out.split("\n\n")[0].splitlines()
    assert table[0].split() == [
        "for",
        "model",
        "requests",
        "read",
        "written",
        "dollars",
        "batched",
        "cached",
        "both",
        "time",
    ]
    assert [line.split()[0] for line in table[1:]] == ["labels", "canaries", "all"]
    assert max(map(len, table)) <= 100
    usd = plan_of(read(path)).usd
    assert usd is not None
    assert f"`batch: true` on label.judge: ${usd / 2:,.2f} instead of ${usd:,.2f}" in out


def test_everything_is_in_the_json(folder: Path) -> None:
    """For whoever plans by a program."""
    path = recipe(folder, CLAUDE)
    said = json.loads(CliRunner().invoke(app, ["plan", str(path), "--json", "--seconds-per-request", "10"]).output)
    assert said == plan_of(read(path), seconds_per_request=10).model_dump(mode="json")
    assert said["seconds"] == 40 * 10 / 4
    assert said["rows"][0]["counted_by"] == "3.5 characters a token"
