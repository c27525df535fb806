"""Every recipe of ``examples/labeling`` through the command line, offline, to the datasets that come of it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from labeling_examples import LABELING, Ran, recipe_of, solon
from solon.checking import check_recipe
from solon.constitution import lint, load
from solon.data.records import Message
from solon.models.base import Request
from solon.models.classifier import SequenceClassifier
from solon.planning import plan_of
from solon.recipe import read
from solon.testing import Asked, Fault
from solon.testing.batch_formats import RowFault
from solon.testing.judge_server import JudgeServer
from solon.testing.merit import KIND, RUDE

DESK = {"clerk": 3, "poet": 2, "grump": 1, "guesser": 0}
MANNERS = {"clerk": 1, "poet": 1, "guesser": 1, "grump": 0}
"""How good what each writer of the candidates wrote is: under the constitution, and for those who see manners alone."""


@dataclass(frozen=True)
class Expected:
    """What a recipe gives.

    Attributes:
        judgments: made, all of them with a verdict.
        requests: that reach the server.
        rows: of each dataset.
        worth: of each writer: a chosen response is by one of more worth than the rejected one's.
    """

    judgments: int
    requests: int
    rows: dict[str, int]
    worth: dict[str, int] = field(default_factory=lambda: DESK)


# 24 sums with 4 responses and 16 requests with 3: 144 responses, and 24 * 3 + 16 * 2 = 104 matches of a knockout
COMPARED = {"preference": 104, "unpaired": 115, "sft": 40}
RATED = {"preference": 104, "unpaired": 144, "reward": 144, "sft": 40}
RANKED = {"preference": 104, "unpaired": 144, "sft": 40}
RECIPES = {
    # 3 principles on sums and 2 on requests: 24 * 4 * 3 + 16 * 3 * 2
    "rating": Expected(384, 384, RATED),
    # both orders: 2 * (24 * 3 * 3 + 16 * 2 * 2)
    "pairwise": Expected(560, 560, COMPARED),
    # all principles in one question: 2 * 104
    "pairwise_reasoning": Expected(208, 208, COMPARED),
    # a ranking a prompt, in 4 orders
    "ranking_listwise": Expected(40, 160, RANKED),
    # both orders of at most 5 comparisons of 4 responses, 3 of 3: no more than 2 * (24 * 5 + 16 * 3) = 336
    "ranking_tournament": Expected(40, 310, RANKED),
    # 2 rounds of a critique and a revision: 144 * 2 * 2; where nothing was to mend, there is no row
    "critique": Expected(144, 576, {"preference": 81, "unpaired": 140, "sft": 59}),
    # clerk and guesser break no rule, poet and grump one: 2 pairs a sum, 2 a request
    "rules": Expected(144, 0, {"preference": 80, "unpaired": 144, "reward": 144, "sft": 40}, {**MANNERS, "poet": 0}),
    # a slip in each of 10, and two right answers without a box
    "verifier_maths": Expected(
        32,
        0,
        {"preference": 12, "unpaired": 32, "reward": 32, "sft": 10},
        {"as-asked": 1, "another-form": 1, "slip": 0, "no-box": 0},
    ),
    # an untested answer to each of 6, and two that cheat
    "verifier_code": Expected(
        14, 0, {"preference": 8, "unpaired": 14, "reward": 14, "sft": 6}, {"tested": 1, "untested": 0, "cheat": 0}
    ),
    # one rude response to each of 40 prompts; between the others it sees no difference
    "classifier": Expected(144, 0, {**RATED, "preference": 40}, MANNERS),
    # it also prefers a kind word, of which some have more
    "reward_model": Expected(144, 0, {**RATED, "preference": 79}, MANNERS),
    # 3 members; three pairs are lost to the one that leans to what comes first
    "panel": Expected(208, 624, {"preference": 101, "unpaired": 112, "sft": 40}),
    # 208 to the hasty judge, and 70 of them to the careful one
    "cascade": Expected(208, 278, COMPARED),
    # 20 pairs; on two of them people balance each other
    "human": Expected(40, 0, {"preference": 18, "unpaired": 36, "sft": 18}),
    # on those two the judge decides
    "human_agreement": Expected(40, 40, {"preference": 20, "unpaired": 40, "sft": 20}),
    # 12 pairs of a clerk and a grump, two of which the file has the wrong way round
    "existing_data": Expected(24, 24, {"preference": 12, "unpaired": 24, "sft": 12}),
    # 8 prompts with 3 pairs each, one of which depends on the order for the tiny judge
    "transformers": Expected(
        48, 0, {"preference": 23, "unpaired": 17, "sft": 8}, {"three-parts": 1, "two-parts": 0, "plain": 0}
    ),
    # the script knows 17 of the sums' rude responses
    "scripted": Expected(144, 0, {"preference": 17, "unpaired": 144, "reward": 144, "sft": 40}, MANNERS),
}
BEHIND_A_NETWORK = {
    "endpoint": Expected(208, 208, COMPARED),
    "openai": Expected(208, 208, COMPARED),
    "anthropic": Expected(208, 208, COMPARED),
    "litellm": Expected(208, 208, COMPARED),
    "openai_batch": Expected(144, 144, RATED),
    "anthropic_batch": Expected(144, 144, RATED),
}
FROM_THE_HUB = "hate_speech"
EVERY = sorted([*RECIPES, *BEHIND_A_NETWORK, FROM_THE_HUB])


# ---------------------------------------------------------------- before anything runs


def test_every_recipe_is_in_the_readme_with_what_it_asks_and_gives() -> None:
    """Where a user looks first, a number that is wrong is worse than none."""
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.yaml\) \|.*\| ([\d,]+) \| ([^|]*) \|$", _readme(), re.MULTILINE)
    told = {name: (int(requests.replace(",", "")), came.strip()) for name, requests, came in rows}
    known = {**RECIPES, **BEHIND_A_NETWORK}
    assert {path.stem for path in LABELING.glob("*.yaml")} == {"constitution", *EVERY}
    assert told.keys() == set(EVERY)
    for name, expected in known.items():
        rows_told = {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", told[name][1])}
        assert (name, told[name][0], rows_told) == (name, expected.requests, expected.rows)


@pytest.mark.parametrize("name", EVERY)
def test_every_recipe_is_ready_to_run(name: str) -> None:
    """A shipped recipe with a problem is a first impression lost. The one from the hub is only read here."""
    found = check_recipe(read(recipe_of(name)))
    assert (found.problems, found.warnings) == ([], [])


def test_the_constitution_is_clean() -> None:
    """Each principle has cases, and none repeats another."""
    constitution = load(LABELING / "constitution.yaml")
    assert lint(constitution) == []
    assert len(constitution.cases) == 12


@pytest.mark.parametrize("name", sorted({*RECIPES, *BEHIND_A_NETWORK} - {"ranking_tournament", "cascade"}))
def test_the_plan_says_how_many_requests_there_will_be(name: str) -> None:
    """Exactly, for all but the two whose number depends on what the judge says."""
    plan = plan_of(read(recipe_of(name)))
    remote = 0 if name in {"classifier", "reward_model", "transformers", "scripted"} else plan.requests
    assert remote == {**RECIPES, **BEHIND_A_NETWORK}[name].requests


def test_the_plan_of_a_tournament_is_an_upper_bound() -> None:
    """How many comparisons a sort takes depends on what the judge says."""
    planned = plan_of(read(recipe_of("ranking_tournament"))).requests
    assert RECIPES["ranking_tournament"].requests <= planned <= 1.1 * RECIPES["ranking_tournament"].requests


@pytest.mark.parametrize(
    ("name", "variable"),
    [("pairwise", "OPENAI_API_KEY"), ("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")],
)
def test_one_line_sends_a_recipe_to_a_real_provider(name: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README says: then nothing is missing but the key, and the price is known."""
    monkeypatch.delenv(variable, raising=False)
    kind = variable.split("_")[0].lower()
    (line,) = {line for line in re.findall(r"label\.judge='([^']*)'", _readme()) if f"kind: {kind}" in line}
    opened = read(recipe_of(name), [f"label.judge={line}"])
    assert [problem.message for problem in check_recipe(opened).problems if variable not in str(problem)] == []
    assert len(check_recipe(opened).problems) == 1
    assert plan_of(opened).usd


def _readme() -> str:
    return (LABELING / "README.md").read_text("utf-8")


# ---------------------------------------------------------------- each recipe, to the end of build


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {"classifier"}))
async def test_a_recipe_labels_everything_and_builds_what_the_readme_says(name: str, tmp_path: Path) -> None:
    """No judgment fails, no request is made twice, and what is chosen is known to be no worse."""
    async with JudgeServer() as server:
        _as_expected(await solon("run", name, tmp_path, server), RECIPES[name], name)
        assert len(server.requests) == RECIPES[name].requests


@pytest.mark.slow
async def test_with_nearly_a_third_of_all_requests_failing_every_provider_labels_everything(tmp_path: Path) -> None:
    """100 % labeled, at most 1.5 requests a judgment, and the same rows as without faults.

    With this seed no call meets six faults in a row and is left to the next run, which one in some 4,000 does.
    """
    rows = dict.fromkeys((RowFault.EXPIRED, RowFault.FAILED, RowFault.MISSING), 0.1)

    async def one(name: str, expected: Expected) -> None:
        async with JudgeServer(share=0.3, shares=rows, seed=1) as server:
            _as_expected(await solon("run", name, tmp_path / name, server), expected, name)
            asked = len(server.requests) + server.came.total()
            assert expected.requests < asked <= 1.5 * expected.judgments, name

    await asyncio.gather(*(one(name, expected) for name, expected in BEHIND_A_NETWORK.items()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (Fault.UNAUTHORIZED, "key"),
        (Fault.QUOTA_USED_UP, "quota|credit"),
        (Fault.NOT_FOUND, "model"),
    ],
)
async def test_what_fails_for_good_is_asked_once_and_said(fault: Fault, named: str, tmp_path: Path) -> None:
    """64 questions could be under way at once, and asking them all would only be refused 64 times."""

    def script(asked: Asked) -> Fault:
        return fault

    async def one(name: str) -> None:
        async with JudgeServer(script=script) as server:
            ran = await solon("label", name, tmp_path / name, server)
            assert (name, ran.code, len(server.requests)) == (name, 1, 1)
            (told,) = [line for line in ran.said.splitlines() if line.startswith("solon: ")]
            assert re.search(named, told), told
            assert "Traceback" not in ran.said

    await asyncio.gather(*(one(name) for name in ("endpoint", "openai", "anthropic", "litellm")))


def _as_expected(ran: Ran, expected: Expected, name: str) -> None:
    assert ran.code == 0, ran.said
    labeled = ran.summary("label")
    assert (name, labeled["judgments"], labeled["failed"]) == (name, expected.judgments, {})
    assert (name, ran.rows) == (name, expected.rows)
    if name == "critique":
        return  # what it prefers was written by nobody before
    writer = _writers(name)
    for row in ran.dataset("preference"):
        prompt, chosen, rejected = (row[part][0]["content"] for part in ("prompt", "chosen", "rejected"))
        assert expected.worth[writer[prompt, chosen]] >= expected.worth[writer[prompt, rejected]], row


def _writers(name: str) -> dict[tuple[str, str], str]:
    """Who wrote each response to each prompt."""
    data = {"verifier_maths": "maths", "verifier_code": "code", "transformers": "three_parts"}.get(name, "candidates")
    rows = [json.loads(line) for line in (LABELING / "data" / f"{data}.jsonl").read_text("utf-8").splitlines()]
    return {(row["prompt"], one["response"]): one["model"] for row in rows for one in row["responses"]}


# ---------------------------------------------------------------- what a recipe's comments and the README say besides


@pytest.mark.slow
async def test_the_simulated_judge_passes_every_case_of_the_constitution(tmp_path: Path) -> None:
    """12 of 12: what is sent through it is judged as the constitution means it."""
    async with JudgeServer() as server:
        judge = f"{{kind: pairwise, judge: {{kind: endpoint, model: judge, base_url: {server.base_url}}}}}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "solon.cli.app", "constitution", "test", str(LABELING / "constitution.yaml"),
            "--judge", judge, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
    assert process.returncode == 0, out + err
    assert b"12 of 12 cases passed" in out


@pytest.mark.slow
async def test_the_hate_speech_recipe_runs_with_the_tiny_classifier_in_its_place(tmp_path: Path) -> None:
    """The labels have the same names, so the weights are all that differs: in either recipe they say the same."""
    _as_expected(await solon("run", "classifier", tmp_path, None), RECIPES["classifier"], "classifier")
    stand_in = f"label.model={LABELING / 'models' / 'rudeness'}"
    ran = await solon("run", FROM_THE_HUB, tmp_path, None, stand_in, "label.threads=1")
    _as_expected(ran, RECIPES["classifier"], FROM_THE_HUB)
    said = (tmp_path / "runs" / name / "judgments.jsonl" for name in ("classifier", FROM_THE_HUB))
    assert len({path.read_bytes() for path in said}) == 1


@pytest.mark.slow
async def test_weighing_the_votes_of_a_panel_asks_nobody_again(tmp_path: Path) -> None:
    """The votes are in the ledger; only what they come to is computed anew, and finds the judge that leans."""
    async with JudgeServer() as server:
        first = await solon("label", "panel", tmp_path, server)
        account = first.summary("label")["account"]
        assert account["odd_one_out"] == "pairwise:judge-first"
        weighted = await solon("label", "panel", tmp_path, server, "label.vote=weighted")
        assert weighted.code == 0, weighted.said
        assert len(server.requests) == RECIPES["panel"].requests


@pytest.mark.slow
async def test_existing_data_is_read_from_parquet_as_from_csv(tmp_path: Path) -> None:
    """The same rows in another file give the same dataset, and ask for nothing that is in the ledger."""
    table = pyarrow.csv.read_csv(LABELING / "data" / "preferences.csv")
    pq.write_table(table, tmp_path / "preferences.parquet")
    async with JudgeServer() as server:
        from_csv = await solon("run", "existing_data", tmp_path, server)
        chosen = from_csv.dataset("preference")
        from_parquet = await solon(
            "run", "existing_data", tmp_path, server, f"candidates={tmp_path / 'preferences.parquet'}"
        )
        assert from_parquet.code == 0, from_parquet.said
        assert from_parquet.dataset("preference") == chosen
        assert len(server.requests) == RECIPES["existing_data"].requests


@pytest.mark.slow
async def test_the_tiny_classifiers_can_be_made_again(tmp_path: Path) -> None:
    """A script that is not run does not work for long. Every rude word is found, and no kind one taken for rude."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, str(LABELING / "make_classifiers.py"), "--out", str(tmp_path), stderr=subprocess.DEVNULL
    )
    assert await made.wait() == 0
    assert (tmp_path / "reward" / "model.safetensors").stat().st_size < 100_000
    classifier = SequenceClassifier(model=str(tmp_path / "rudeness"), label="nothate", threads=1)
    requests = [
        Request(messages=(Message(role="assistant", content=f"What a {word} day."),), max_tokens=1)
        for word in (*RUDE, *KIND)
    ]
    replies = await classifier.complete_batch(requests)
    assert [reply.text for reply in replies] == ["hate"] * len(RUDE) + ["nothate"] * len(KIND)
