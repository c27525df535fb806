"""Which ways of judging make fewer wrong rows of the same calls: benchmarks/labeling/planted.py, small."""

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from solon.labelers.base import Labeler
from solon.labelers.cascade import Cascade
from solon.labelers.pairwise import Pairwise
from solon.labelers.panel import Panel
from solon.labelers.ranking import RankingJudge
from solon.labelers.rating import RatingJudge
from solon.models.base import ChatModel

sys.path.append(str(Path(__file__).parents[3] / "benchmarks" / "labeling"))
simulated, spending, ways, outcomes, planted = map(
    import_module, ("simulated", "spending", "ways", "outcomes", "planted")
)
CALLS = 800


@pytest.fixture(scope="module")
def found():
    """What each way of judging makes of 800 calls of judges with a bit of every fault."""
    names = (ways.ONE_ORDER, ways.BOTH, ways.PANEL, ways.CASCADE)
    return of_world(ways.MIXED, *names, calls=CALLS)


def of_world(world, *names, calls, seeds=1):
    (found,) = outcomes.outcomes(world, lambda crew: crew.of_two(names), (calls,), seeds).values()
    return found


def wrong(outcome) -> float:
    return outcomes.wrong(outcome.all_rows)


def rows_of(judge, labeler_of: Callable[[ChatModel], Labeler], *, budget: float, one_order: bool = False):
    """The rows that a labeler makes of a judge's replies within a budget."""
    method = spending.Method("a way", labeler_of(ways.chat(judge)), one_order=one_order)
    run = spending.labeled(method, judge.truth, judge.bill, budget)
    return spending.built(method, judge.truth, run, budget)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["both orders", "panel of 3, majority", "cascade, `sure: 0.9`"])
def test_at_equal_cost_it_makes_fewer_wrong_rows_than_asking_in_one_order(name: str, found) -> None:
    """The claim of the results page; there with its margins."""
    assert wrong(found[name]) < wrong(found["one order"])


@pytest.mark.parametrize("name", ["both orders", "panel of 3, majority"])
def test_of_as_many_rows_for_the_same_calls_fewer_are_wrong(name: str, found) -> None:
    """The clearest 8 of 100 calls, so that leaving out the hard pairs is open to both."""
    kept, kept_of_one_order = found[name].kept(), found["one order"].kept()
    assert [len(rows) for rows in kept] == [len(rows) for rows in kept_of_one_order] == [CALLS * 8 // 100]
    assert outcomes.wrong(outcomes.together(kept)) < outcomes.wrong(outcomes.together(kept_of_one_order))


@pytest.mark.slow
def test_the_other_order_heals_position_and_the_same_order_again_does_not() -> None:
    """At the same calls and pairs: dropping contradictions takes out noise either way, a leaning only one way."""
    world = ways.World("position", position=1.5)
    of = of_world(world, ways.TWICE, ways.BOTH, calls=600)
    assert of[ways.TWICE].prompts == of[ways.BOTH].prompts == (300,)
    assert wrong(of[ways.BOTH]) < wrong(of[ways.TWICE])


def test_a_panel_heals_what_its_members_get_wrong_each_on_its_own_and_not_what_all_do() -> None:
    """Judges of one family share their errors, and agreement cannot show it."""
    apart = of_world(ways.World("apart", misled=0.3), ways.PANEL, calls=600)
    together = of_world(ways.World("together", misled=0.3, one_family=True), ways.PANEL, calls=600)
    assert wrong(apart[ways.PANEL]) < wrong(together[ways.PANEL])


def test_each_way_costs_what_its_docs_page_says(found) -> None:
    """Calls a pair; a cascade asks two and then, of a judge 20 times as dear, none or two."""
    assert [found[name].prompts[0] for name in (ways.ONE_ORDER, ways.BOTH, ways.PANEL)] == [800, 400, 133]
    (spent,), (prompts,) = found[ways.CASCADE].spent, found[ways.CASCADE].prompts
    assert (spent - 2 * prompts) % 40 == 0
    assert spent <= CALLS


def perfect(**more):
    """Reads every text right, and has no leaning."""
    truth = simulated.Truth(seed=1, **more)
    return simulated.Judge("perfect", truth, simulated.Bill(), discrimination=1e6)


@pytest.mark.parametrize(
    "labeler_of",
    [
        lambda model: Pairwise(judge=model),
        lambda model: Pairwise(judge=model, answer="text"),
        lambda model: RatingJudge(judge=model),
        lambda model: RankingJudge(judge=model),
        lambda model: RankingJudge(judge=model, method="tournament"),
        lambda model: Panel(members=(Pairwise(judge=model), Pairwise(judge=model))),
        lambda model: Cascade(first=Pairwise(judge=model), then=Pairwise(judge=model)),
    ],
    ids=["pairwise", "in words", "rating", "listwise", "tournament", "panel", "cascade"],
)
def test_a_judge_without_faults_gives_no_wrong_row(labeler_of: Callable[[ChatModel], Labeler]) -> None:
    """Every error of the tables is the judges': none comes from how questions are asked, read or built."""
    rows = rows_of(perfect(completions=3), labeler_of, budget=60)
    assert len(rows) >= 15
    assert not any(row.wrong for row in rows)


def test_a_judge_that_always_takes_the_first_gives_no_rows_in_both_orders() -> None:
    """And half of them wrong in one order, where nobody can see it."""
    judge = replace(perfect(), discrimination=0.0, position=50.0)
    assert rows_of(judge, lambda model: Pairwise(judge=model), budget=200) == []
    rows = rows_of(judge, lambda model: Pairwise(judge=model), budget=200, one_order=True)
    assert len(rows) == 200
    assert 70 <= sum(row.wrong for row in rows) <= 130  # four standard deviations around 100


def test_words_and_log_probabilities_make_the_same_rows_of_comparisons() -> None:
    """So what the tables say of all rows holds for judges that give no probabilities."""
    judge = replace(perfect(), discrimination=1.5, position=0.8)
    measured = rows_of(judge, lambda model: Pairwise(judge=model), budget=200)
    in_words = rows_of(judge, lambda model: Pairwise(judge=model, answer="text"), budget=200)
    assert [(row.wrong, row.longer) for row in measured] == [(row.wrong, row.longer) for row in in_words]
    assert {row.margin for row in in_words} == {1.0}


def test_a_judge_says_the_same_in_every_run_and_something_else_in_another_draw() -> None:
    """All is drawn from the content of the question."""
    judge = replace(perfect(), discrimination=1.5)

    def run(judge):
        return rows_of(judge, lambda model: Pairwise(judge=model), budget=100)

    assert run(judge) == run(judge)
    assert run(judge) != run(replace(judge, draw=1))


def test_a_smaller_budget_is_the_beginning_of_a_larger_one() -> None:
    """So one run tells of all budgets."""
    both = [ways.BOTH]
    of = outcomes.outcomes(ways.MIXED, lambda crew: crew.of_two(both), (60, 120), 1)
    (few,), (more,) = of[60][ways.BOTH].rows, of[120][ways.BOTH].rows
    assert more[: len(few)] == few
    assert len(few) < len(more)


def test_margins_that_say_everything_have_an_area_of_1() -> None:
    """Two right rows above one wrong row; a half where one is above and one is below."""
    rows = [spending.Row(0.1, True, False), spending.Row(0.2, False, False), spending.Row(0.3, False, False)]
    assert outcomes.told_by_margin(rows) == 1.0
    assert outcomes.told_by_margin([replace(rows[0], margin=0.25), *rows[1:]]) == 0.5


@pytest.mark.slow
def test_weights_make_of_an_adversary_a_witness() -> None:
    """A majority suffers from a member that prefers the worse; weights read it the other way round."""
    pytest.importorskip("crowdkit")
    of = of_world(ways.MIXED, ways.ADVERSARY, ways.ADVERSARY_WEIGHTED, calls=1500)
    assert wrong(of[ways.ADVERSARY_WEIGHTED]) < wrong(of[ways.ADVERSARY])


@pytest.mark.slow
def test_the_benchmark_prints_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row of a table has as many cells as its head."""
    pytest.importorskip("scipy")
    for part in ("budgets", "vague", "faults", "more"):
        monkeypatch.setattr(sys, "argv", ["planted.py", "--quick", "--only", part])
        planted.main()
    cells = 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        cells = line.count("|") if after.startswith("|---") else cells
        assert line.count("|") == cells
    assert len(lines) > 40
