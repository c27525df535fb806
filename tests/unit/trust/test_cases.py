"""Running a constitution's own cases through a judge."""

import math
import re
from pathlib import Path

import pytest

from solon.constitution.judge import read_judge
from solon.data.records import Case, Constitution, Principle
from solon.errors import InputError
from solon.labelers.pairwise import Pairwise
from solon.labelers.rules import Rules
from solon.ledger import Ledger
from solon.models.base import Request
from solon.models.scripted import Scripted
from solon.stream import Stream
from solon.trust.cases import CaseReport, run_cases

SECTIONS = re.compile(r"\[([0-9a-f]{6}) A\]\n(.*?)\n\[\1 B\]\n(.*?)\n\[\1 end\]", re.DOTALL)
SHORT = Principle(id="short", text="The response is short.")


def constitution(*pairs: tuple[str, str]) -> Constitution:
    cases = tuple(Case(principle="short", prompt="p", better=better, worse=worse) for better, worse in pairs)
    return Constitution(name="brief", principles=(SHORT,), cases=cases)


def shorter(request: Request) -> str:
    """A judge that means what SHORT says, and has no verdict on responses of equal length."""
    match = SECTIONS.search(request.messages[-1].content)
    assert match is not None
    _, first, second = match.groups()
    return "A" if len(first) < len(second) else "B" if len(second) < len(first) else "Both are fine."


async def report(tmp_path: Path, about: Constitution, judge: Scripted) -> CaseReport:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        async with Stream(ledger, run="test", stage="test"):
            return await run_cases(about, Pairwise(judge=judge))


async def test_a_case_passes_when_both_orders_prefer_the_better(tmp_path):
    """Each case is asked twice, with its own principle in the question."""
    judge = Scripted(answer=shorter)
    found = await report(tmp_path, constitution(("a", "bbb"), ("ccc", "d")), judge)
    assert [(each.number, each.verdict) for each in found.results] == [(1, "passed"), (2, "wrong")]
    assert (found.n, found.accuracy, found.passed) == (2, 0.5, False)
    assert (found.results[0].better_first, found.results[0].better_second) == (1.0, 1.0)
    assert (found.results[1].better_first, found.results[1].better_second) == (0.0, 0.0)
    assert len(judge.seen) == 4
    assert all(SHORT.text in request.messages[0].content for request in judge.seen)


async def test_a_judge_that_prefers_a_place_passes_no_case(tmp_path):
    """Asked in one order alone it would pass every case whose better response stands there."""
    found = await report(tmp_path, constitution(("a", "bbb"), ("ccc", "d")), Scripted(default="A"))
    assert [each.verdict for each in found.results] == ["order_dependent", "order_dependent"]
    assert (found.results[0].better_first, found.results[0].better_second) == (1.0, 0.0)
    assert found.accuracy == 0.0


async def test_a_judge_without_a_preference_is_tied(tmp_path):
    """P(A) = P(B) = 1/2 in both orders: no preference, and no dependence on the order either."""
    half = math.log(0.5)
    judge = Scripted(replies=({"when": "p", "say": "A", "choices": {"A": half, "B": half}},))
    found = await report(tmp_path, constitution(("a", "bbb")), judge)
    assert [each.verdict for each in found.results] == ["tied"]


async def test_nonsense_is_a_failure_and_not_a_score(tmp_path):
    """What was not judged neither passes nor counts against the accuracy; what the judge said is shown."""
    found = await report(tmp_path, constitution(("a", "b"), ("c", "ddd")), Scripted(answer=shorter))
    failed, passed = found.results
    assert (failed.verdict, failed.better_first, failed.better_second) == ("failed", None, None)
    assert failed.reason == "the judge gave no verdict: 'Both are fine.'"
    assert passed.verdict == "passed"
    assert (found.n, found.accuracy, found.passed, found.count("failed")) == (1, 1.0, False, 1)


async def test_when_nothing_was_judged_there_is_no_accuracy(tmp_path):
    """Not 0, which would be a judge that is always wrong."""
    found = await report(tmp_path, constitution(("a", "b")), Scripted(default="I would rather not say."))
    assert (found.n, found.accuracy) == (0, None)


async def test_results_are_told_as_they_come(tmp_path):
    """For a progress bar."""
    told: list[int] = []
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        async with Stream(ledger, run="test", stage="test"):
            judge = Pairwise(judge=Scripted(answer=shorter))
            await run_cases(
                constitution(("a", "bb"), ("c", "dd")), judge, on_result=lambda each: told.append(each.number)
            )
    assert sorted(told) == [1, 2]


async def test_a_constitution_without_cases_cannot_be_tested():
    """It is said before a judge is asked."""
    with pytest.raises(InputError, match="constitution 'brief' has no cases to run"):
        await run_cases(constitution(), Pairwise(judge=Scripted(default="A")))


async def test_a_labeler_that_rates_is_tested_by_its_scores():
    """The better response has to get the higher score; equal scores are a tie."""
    rules = Rules.model_validate({"rules": {"short": {"length": "characters", "max": 2}}})
    found = await run_cases(constitution(("a", "bbb"), ("ccc", "d"), ("e", "f")), rules)
    assert [each.verdict for each in found.results] == ["passed", "wrong", "tied"]


LABELER = "kind: pairwise\njudge:\n  kind: scripted\n  default: A\n"


def test_a_judge_is_read_from_a_mapping_a_file_or_a_recipe(tmp_path):
    """All three name the same labeler."""
    (tmp_path / "judge.yaml").write_text(LABELER, "utf-8")
    indented = "".join(f"  {line}\n" for line in LABELER.splitlines())
    (tmp_path / "recipe.yaml").write_text(f"prompts: p.jsonl\nlabel:\n{indented}train: dpo\n", "utf-8")
    expected = Pairwise(judge=Scripted(default="A"))
    assert read_judge("{kind: pairwise, judge: {kind: scripted, default: A}}") == expected
    assert read_judge(str(tmp_path / "judge.yaml")) == expected
    assert read_judge(str(tmp_path / "recipe.yaml")) == expected


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ("{kind: pairwize, judge: scripted}", "--judge:1:1: no labeler is called 'pairwize'"),
        ("{kind: pairwise, judg: scripted}", "--judge:1:18: unknown key 'judg' (did you mean 'judge'?"),
        (
            "{kind: pairwise, judge: {kind: scripted, defualt: A}}",
            "--judge:1:42: unknown key 'defualt' (did you mean 'default'?",
        ),
        ("{kind: pairwise", "--judge:1:16: a bracket is not closed"),
        ("{kind: a, kind: b}", "--judge:1:11: duplicate key 'kind', first on line 1"),
        ("nowhere.yaml", "nowhere.yaml: no such file"),
    ],
)
def test_what_is_wrong_with_a_judge_is_said_at_its_place(judge, message):
    """A mapping on the command line has columns as well."""
    with pytest.raises(InputError) as caught:
        read_judge(judge)
    assert message in str(caught.value)


def test_a_file_that_is_no_mapping_is_no_judge(tmp_path):
    """A list of judges, say."""
    (tmp_path / "judge.yaml").write_text("- pairwise\n", "utf-8")
    with pytest.raises(InputError, match="a judge is a mapping with `kind`, or a recipe with `label`"):
        read_judge(str(tmp_path / "judge.yaml"))
