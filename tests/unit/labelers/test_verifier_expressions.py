"""Expressions compared by value, in a process that may hang instead of us."""

import sys

import pytest

from solon.data.records import Completion, Failed, Prompt, Question, Scored
from solon.labelers.verifier import Verifier
from solon.sandbox.inside import Rung
from solon.sandbox.worker import Job, Worker, WorkerLost

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux can shut it in"),
]


async def outcome(given: str, reference: str, seconds: int = 5) -> tuple[Scored | Failed, str]:
    """What is said of a boxed expression."""
    pytest.importorskip("math_verify")
    check = {"expression": "boxed", "seconds": seconds}
    completion = Completion(text=rf"So \boxed{{{given}}}.", model="m")
    verifier = Verifier.model_validate({"checks": {"it": check}, "workers": 1})
    judgment = await verifier.label(Question(prompt=Prompt.of("p", reference=reference), options=(completion,)))
    assert isinstance(judgment.outcome, Scored | Failed)
    return judgment.outcome, judgment.rationale or ""


@pytest.mark.parametrize(
    ("given", "reference", "equal"),
    [
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", True),
        ("(x + 1)^2", "x^2 + 2x + 1", True),
        ("x^2 + 2x + 2", "(x+1)^2", False),
        ("sin(x)^2 + cos(x)^2", "1", True),
        ("2*pi", r"2\pi", True),
        ("sqrt(12)", r"2\sqrt{3}", True),
        ("x = 5", "5", True),
        (r"\{1, 2\}", r"\{2, 1\}", True),
        ("(1, 2)", "(2, 1)", False),
        ("[0, 1)", "[0,1]", False),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", True),
        (r"5\text{ cm}", "5", True),
        (r"\text{none}", "none", True),
        ("1/3", "0.333333", False),
        ("9\\%", "9", False),
        ("!!!", "5", False),
        ("__import__('os').system('true')", "5", False),
    ],
)
async def test_expressions_are_equal_when_their_values_are(given: str, reference: str, equal: bool) -> None:
    """However they are written."""
    assert (await outcome(given, reference))[0] == Scored(scores=(float(equal),))


@pytest.mark.parametrize("rung", ["namespaces", "landlock", "none"])
def test_they_are_compared_however_the_worker_is_shut_in(rung: Rung) -> None:
    """What math-verify loads late has to be within reach."""
    pytest.importorskip("math_verify")
    try:
        worker = Worker(["expression"], rung)
    except WorkerLost as error:
        pytest.skip(f"{rung}: {error}")
    for given, said in ((r"\int_0^1 x dx", "equal"), (r"\frac{3}{4}", "different")):
        result = worker.run(Job("expression", {"given": given, "wanted": r"\frac{1}{2}"}))
        assert (result.claim, result.err) == (said, "")
    worker.end()


@pytest.mark.parametrize("given", ["9^{9^{9^{9^{9}}}}", "100!!!!", r"\frac{1000000000!}{2}"])
async def test_a_response_that_cannot_be_compared_within_the_limits_is_not_equal(given: str) -> None:
    """It was not shown to be right; the run goes on."""
    result, says = await outcome(given, "x + 4", seconds=1)
    assert result == Scored(scores=(0.0,))
    assert "x + 4" in says


@pytest.mark.parametrize(
    ("reference", "says"),
    [("9^{9^{9^{9^{9}}}}", "cannot be compared in 1 s"), (r"\foo{", "is not an expression")],
)
async def test_a_reference_that_cannot_be_compared_is_a_failure(reference: str, says: str) -> None:
    """It is no fault of the response."""
    result, _ = await outcome("x + 1", reference, seconds=1)
    assert isinstance(result, Failed)
    assert says in (result.raw or "")
