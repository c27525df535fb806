"""What checks say of a response, and what becomes of a judgment when they cannot say."""

import sys
from typing import Any

import pytest
from pydantic import ValidationError

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Principle,
    Prompt,
    Question,
    Scored,
)
from solon.errors import MissingExtra
from solon.labelers.verifier import Verifier

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="code is run on Linux only")


def question(text: str, reference: str | None = None) -> Question:
    """One completion to be scored."""
    return Question(prompt=Prompt.of("p", reference=reference), options=(Completion(text=text, model="m"),))


async def judged(check: dict[str, Any], text: str, reference: str | None = None) -> Judgment:
    """One check, as a recipe writes it, on one response."""
    return await Verifier.model_validate({"checks": {"it": check}, "workers": 1}).label(question(text, reference))


async def score(check: dict[str, Any], text: str, reference: str | None = None) -> float:
    """What it gives."""
    outcome = (await judged(check, text, reference)).outcome
    assert isinstance(outcome, Scored), outcome
    return outcome.scores[0]


@pytest.mark.parametrize(
    ("check", "text", "reference", "right"),
    [
        ({"number": "last"}, "48/2 = 24 clips, so 48+24 = 72.", "Natalia sold 48+24 = 72 clips.\n#### 72", True),
        ({"number": "last"}, "It is 72, I think of 3", "72", False),
        ({"number": "last"}, "3.5", "5", False),
        ({"number": "last"}, "$1,000", "1000", True),
        ({"number": "last"}, "50 %", "0.5", True),
        ({"number": "last"}, "50 %", "50", False),
        ({"number": "last", "percent": "ignored"}, "50 %", "50", True),
        ({"number": "last", "percent": "ignored"}, "50 %", "0.5", False),
        ({"number": "last", "absolute": 0.01}, "3.15", "3.14", True),
        ({"number": "last", "absolute": 0.01}, "3.1501", "3.14", False),
        ({"number": "last", "relative": 0.1}, "110", "100", True),
        ({"number": "last", "relative": 0.1}, "89.9", "100", False),
        ({"number": "last", "relative": 0.1}, "-110", "-100", True),
        ({"number": "last"}, "72 or 73,5", "72", False),
        ({"number": "last"}, "no idea", "72", False),
        ({"number": "only"}, "72", "72", True),
        ({"number": "only"}, "72 of 73", "72", False),
        ({"number": "only", "extract": "Answer: (.*)"}, "7 + 5:\nAnswer: 12 apples\nSee 3.", "12", True),
        ({"number": "last", "extract": "Answer: (.*)"}, "Answer is 12", "12", False),
        ({"number": "boxed"}, r"3 so \boxed{\frac{1}{2}} or 7", r"Thus \boxed{0.5}.", True),
        ({"number": "boxed"}, "0.5", "0.5", False),
        ({"expression": "boxed"}, r"\boxed{x + 1}", "x+1", True),
        ({"expression": "boxed"}, r"\boxed{1e3}", "1000", True),
        ({"expression": "boxed"}, r"\boxed{0.0000001}", "0.0000002", False),
        ({"expression": "boxed"}, "x + 1", "x+1", False),
        ({"expression": "all", "extract": "= (.*)"}, "y = 2", "2.0", True),
        ({"tags": ["think", "answer"]}, "<think>a</think><answer>b</answer>", None, True),
        ({"forbidden": ["duh"]}, "duh", None, False),
        ({"json_schema": {"type": "array"}, "within": "fence"}, "```json\n[1]\n```", None, True),
    ],
)
async def test_what_needs_no_process_is_decided_by_value(
    check: dict[str, Any], text: str, reference: str | None, right: bool
) -> None:
    """Numbers, equal texts and rules."""
    assert await score(check, text, reference) == float(right)


@pytest.mark.parametrize(
    ("check", "reference", "says"),
    [
        ({"number": "last"}, None, "the prompt has no reference answer"),
        ({"number": "last"}, "3,5", "the reference answer '3,5' is not a number"),
        ({"number": "last"}, "2 of 3", "the reference answer '2 of 3' is not a number"),
        ({"expression": "all"}, None, "the prompt has no reference answer"),
        ({"expression": "all"}, " ", "the reference answer '' is not an expression"),
        ({"code": "asserts"}, None, "the prompt has no reference answer: it holds the tests"),
        ({"code": "asserts"}, "f(2) = 4", "the tests are not Python: cannot assign to function call here"),
        ({"code": "stdio"}, "[]", "the tests are an empty list"),
        ({"answer": "exact"}, None, "the prompt has no reference answer"),
    ],
)
async def test_without_a_reference_to_compare_with_nothing_is_said(
    check: dict[str, Any], reference: str | None, says: str
) -> None:
    """Nothing is known of the response, so it is not 0."""
    outcome = (await judged(check, "5", reference)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason == "error"
    assert outcome.raw is not None
    assert outcome.raw.startswith(f"check 'it': {says}")


async def test_the_rationale_says_what_was_given_and_what_is_right() -> None:
    """For those that failed, in a few words; and the score is their mean."""
    verifier = Verifier.model_validate(
        {"checks": {"right": {"number": "last"}, "form": {"tags": ["answer"]}, "polite": {"forbidden": ["duh"]}}}
    )
    judgment = await verifier.label(question("It is 5", "72"))
    assert judgment.outcome == Scored(scores=(1 / 3,))
    assert judgment.rationale == "right: 5 instead of 72; form: the rule does not hold"
    assert judgment.labeler == "verifier"


async def test_all_is_one_or_nothing() -> None:
    """A response passes or does not."""
    checks = {"right": {"number": "last"}, "short": {"length": "words", "max": 1}}
    strict = Verifier.model_validate({"checks": checks, "mode": "all"})
    assert (await strict.label(question("72", "72"))).outcome == Scored(scores=(1.0,))
    assert (await strict.label(question("It is 72", "72"))).outcome == Scored(scores=(0.0,))


async def test_each_completion_is_judged_once_whatever_the_number_of_principles() -> None:
    """Checks read no principles."""
    constitution = Constitution(name="c", principles=(Principle(id="p", text="x"), Principle(id="q", text="y")))
    verifier = Verifier.model_validate({"checks": {"right": {"number": "last"}}})
    completions = tuple(Completion(text=text, model="m") for text in ("5", "6"))
    judgments = await verifier.examine(
        Candidates(prompt=Prompt.of("p", reference="5"), completions=completions), constitution
    )
    assert [judgment.outcome for judgment in judgments] == [Scored(scores=(1.0,)), Scored(scores=(0.0,))]
    assert {judgment.principles for judgment in judgments} == {("p", "q")}


def test_how_many_work_at_once_changes_no_verdict() -> None:
    """So another number does not have everything judged again; the rest does."""
    checks = {"right": {"number": "last"}}
    one, two = (Verifier.model_validate({"checks": checks, "workers": workers}) for workers in (1, 2))
    assert one.effects() == two.effects()
    assert one.settings() != two.settings()
    assert one.effects() != Verifier.model_validate({"checks": checks, "mode": "all"}).effects()


@pytest.mark.parametrize(
    ("check", "says"),
    [
        ({"numbr": "last"}, "did you mean 'number'?"),
        ({}, "a check has one of number, expression, code, pattern, regex"),
        ("number", "a check is a mapping with one of"),
        ({"number": "last", "code": "asserts"}, "of several kinds (number, code)"),
        ({"number": "boxed", "extract": "x"}, "`boxed` says where to look already"),
        ({"expression": "boxed", "extract": "x"}, "`boxed` says where to look already"),
        ({"number": "first"}, "'last', 'only' or 'boxed'"),
        ({"number": "last", "relative": -1}, "greater than or equal to 0"),
        ({"number": "last", "extract": "("}, "is not a regular expression"),
        ({"code": "asserts", "tests": "x ="}, "the tests are not Python"),
        ({"code": "asserts", "tests": [{"input": "", "output": ""}]}, "`tests` for asserts are Python statements"),
        ({"code": "stdio", "tests": "assert f()"}, "`tests` for stdio are a list"),
        ({"code": "stdio", "tests": []}, "`tests` for stdio are a list"),
        ({"code": "asserts", "memory_mb": 1}, "greater than or equal to 64"),
        ({"code": "asserts", "seconds": 0}, "greater than 0"),
    ],
)
def test_a_check_that_cannot_be_meant_is_refused_with_the_reason(check: Any, says: str) -> None:
    """Before anything is spent."""
    with pytest.raises(ValidationError) as caught:
        Verifier.model_validate({"checks": {"it": check}})
    assert says in str(caught.value)


def test_checks_that_need_no_process_have_no_problems_anywhere() -> None:
    """Nothing is started to find that out."""
    checks = {"right": {"number": "last"}, "form": {"tags": ["answer"]}}
    assert Verifier.model_validate({"checks": checks}).problems() == []


async def test_without_math_verify_expressions_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the recipe is checked, and when one is to be compared."""
    monkeypatch.setitem(sys.modules, "math_verify", None)
    verifier = Verifier.model_validate({"checks": {"equal": {"expression": "boxed"}}, "isolation": "best_effort"})
    assert "pip install 'solon[verify]'" in verifier.problems()[0]
    with pytest.raises(MissingExtra, match="comparing expressions"):
        await verifier.label(question(r"\boxed{x}", "y"))


@needs_linux
@pytest.mark.slow
def test_checks_that_need_a_process_have_no_problems_here() -> None:
    """The tests below run them."""
    checks = {"runs": {"code": "asserts"}, "equal": {"expression": "boxed"}}
    assert Verifier.model_validate({"checks": checks}).problems() == []
    assert Verifier.model_validate({"checks": {"equal": {"expression": "boxed"}}}).problems() == []
