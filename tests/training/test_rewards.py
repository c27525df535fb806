"""Asking labelers from within a training: the ledger, what is missing, what arrives when, and whose random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opinions import Opinion, outcome
from rewarding import CONSTITUTION, digit, judge_at, serving
from solon.data.records import Candidates, Constitution, Failed, Judgment, Prompt, Question, Scored
from solon.errors import BudgetReached, PluginError, StageIncomplete, TrainingError
from solon.labelers.base import Label
from solon.labelers.pairwise import Pairwise
from solon.labelers.rating import RatingJudge
from solon.models.scripted import Scripted
from solon.testing import Fault, FaultServer
from solon.trainers.backend.rewards import curves, open_rewards
from solon.trainers.base import Job, Judging, Policy
from solon.trainers.grpo import GRPO
from solon.trainers.rewards import Score

ONE, TWO = Prompt.of("1?"), Prompt.of("2?")


@contextmanager
def scoring(reward: object, ledger: Path, **judging: object) -> Iterator[Score]:
    """Scores completions as a training does that has this under `reward`."""
    with open_rewards(GRPO.model_validate({"reward": reward}), job(ledger, **judging)) as score:
        yield score


def job(ledger: Path, **judging: object) -> Job:
    """A training's job, of which only `judging` is looked at."""
    context = Judging.model_validate({"constitution": CONSTITUTION, "ledger": ledger, "run": "mine", **judging})
    return Job(
        policy=Policy(model="none"),
        dataset=ledger.parent,
        out=ledger.parent,
        seed=0,
        report=lambda *_: None,
        kept=ledger.parent,
        go_on_from=lambda _: {},
        judging=context,
    )


def test_an_api_judge_is_asked_through_the_ledger_and_never_twice(tmp_path: Path) -> None:
    """The same completions again, in the same process or after a kill, ask for nothing; a new one asks once."""
    with serving(FaultServer(answer=lambda asked: digit(asked.text))) as server:
        with scoring(judge_at(server), tmp_path / "ledger.sqlite") as score:
            first = score([ONE, ONE, TWO], ["a", "b", "a"])
            assert score([ONE, ONE, TWO], ["a", "b", "a"]) == first
        assert len(server.requests) == 3
        with scoring(judge_at(server), tmp_path / "ledger.sqlite") as score:
            assert score([ONE, ONE, TWO], ["a", "b", "a"]) == first
            assert len(server.requests) == 3
            score([ONE], ["c"])
        assert len(server.requests) == 4
    assert all(total is not None and 0 <= total <= 1 for total in first.total)


def test_the_answers_do_not_depend_on_which_arrived_first(tmp_path: Path) -> None:
    """Every third request of the first ones fails and comes later; 40 completions are asked at once."""
    prompts = [Prompt.of(f"{number // 4}?") for number in range(40)]
    texts = [f"answer {number}" for number in range(40)]
    found = []
    for name, faults in (("quick", None), ("slow", [Fault.INTERNAL_ERROR, None, None] * 10)):
        with (
            serving(FaultServer(faults, answer=lambda asked: digit(asked.text), latency_s=0.02)) as server,
            scoring(judge_at(server, concurrency=40), tmp_path / name / "ledger.sqlite") as score,
        ):
            found.append(score(prompts, texts))
            assert server.most_at_once > 1
    assert found[0] == found[1]
    assert len(set(found[0].total)) > 1


def test_a_reward_that_cannot_be_had_is_missing_and_not_zero(tmp_path: Path) -> None:
    """A judge that may not see one of the completions, and rates the others at the end of its scale."""
    server = FaultServer(lambda asked: Fault.FILTERED if "bad" in asked.text else None, answer=lambda _: "5")
    with serving(server), scoring(judge_at(server), tmp_path / "ledger.sqlite") as score:
        rewarded = score([ONE, ONE, ONE], ["good", "bad", "better"])
    assert rewarded.total == (1.0, None, 1.0)
    assert curves(rewarded) == {"rewards/rating": 1.0, "rewards/missing": 1.0}


def test_completions_of_a_prompt_are_compared_with_one_another(tmp_path: Path) -> None:
    """Wherever in the batch they stand: the shorter wins, and equal texts of one prompt tie."""

    class Shorter(Opinion):
        """All pairs, in both orders."""

        def questions(self, candidates: Candidates, constitution: Constitution) -> list[Question]:
            some = candidates.completions
            pairs = [(one, other) for one in some for other in some if one is not other]
            return [
                Question(prompt=candidates.prompt, principles=constitution.principles, options=pair) for pair in pairs
            ]

    def says(question: Question) -> Scored:
        share = float(len(question.options[0].text) < len(question.options[1].text))
        return Scored(scores=(share, 1 - share))

    with scoring(Shorter(says=says), tmp_path / "ledger.sqlite") as score:
        rewarded = score([ONE, TWO, ONE, TWO, ONE], ["a", "long", "bb", "long", "ccc"])
    assert rewarded.total == (1.0, 0.5, 0.5, 0.5, 0.0)


def test_a_pairwise_judge_is_a_reward(tmp_path: Path) -> None:
    """One that always says A depends on the order, which is no preference."""
    judge = Pairwise(judge=Scripted(default="A"), pairing="all")
    with scoring(judge, tmp_path / "ledger.sqlite") as score:
        assert score([ONE, ONE, ONE], ["a", "b", "c"]).total == (0.5, 0.5, 0.5)


def test_several_rewards_are_weighted_and_kept_apart(tmp_path: Path) -> None:
    """.5 x 1 - 1 x .2 = .3."""
    rewards = [
        {"name": "good", "weight": 0.5, "labeler": Opinion(says=lambda _: outcome(1.0, options=1), shown=1)},
        {"name": "long", "weight": -1, "labeler": Opinion(says=lambda _: outcome(0.2, options=1), shown=1)},
    ]
    with scoring(rewards, tmp_path / "ledger.sqlite") as score:
        rewarded = score([ONE], ["a"])
    assert rewarded.total == (pytest.approx(0.3),)
    assert curves(rewarded) == {"rewards/good": 1.0, "rewards/long": 0.2, "rewards/missing": 0.0}


def test_a_held_out_judge_is_asked_at_every_so_many_calls_and_not_learned_from(tmp_path: Path) -> None:
    """Of four calls, the second and the fourth; its name may be that of a reward."""
    settings = GRPO.model_validate(
        {
            "reward": Opinion(says=lambda _: outcome(1.0, options=1), shown=1),
            "held_out_judge": Opinion(says=lambda _: outcome(0.25, options=1), shown=1),
            "check_every": 2,
        }
    )
    with open_rewards(settings, job(tmp_path / "ledger.sqlite")) as score:
        found = [score([ONE], ["a"]) for _ in range(4)]
    assert [one.total for one in found] == [(1.0,)] * 4
    assert [curves(one).get("gold/opinion") for one in found] == [None, 0.25, None, 0.25]


def test_random_numbers_of_the_training_are_left_alone(tmp_path: Path) -> None:
    """A judge that runs in the same process samples too; a training that goes on must not notice."""
    import torch

    def says(_: Question) -> Scored:
        torch.manual_seed(0)
        return Scored(scores=(0.5,))

    torch.manual_seed(1)
    before = torch.get_rng_state()
    with scoring(Opinion(says=says, shown=1), tmp_path / "ledger.sqlite") as score:
        score([ONE], ["a"])
    assert torch.equal(torch.get_rng_state(), before)


def test_it_stops_when_more_is_missing_than_the_recipe_allows(tmp_path: Path) -> None:
    """At 5 %, of 50 completions 2.5 + 3 sqrt(50 x .05 x .95) = 7.1 may be missing by chance: 7 may, 8 may not."""

    def failing(share: int) -> Opinion:
        def says(question: Question) -> Scored | Failed:
            number = int(question.options[0].text)
            return Failed(reason="refused", raw="I cannot") if number < share else Scored(scores=(1.0,))

        return Opinion(says=says, shown=1)

    texts = [str(number) for number in range(50)]
    with scoring(failing(7), tmp_path / "ledger.sqlite", max_failed=0.05) as score:
        assert score([ONE] * 50, texts).total.count(None) == 7
    with (
        scoring(failing(8), tmp_path / "ledger.sqlite", max_failed=0.05) as score,
        pytest.raises(StageIncomplete, match=r"8 of 50 rewards 'opinion' are missing; max_failed allows 5%.*I cannot"),
    ):
        score([ONE] * 50, texts)


def test_what_stops_a_stage_stops_a_training(tmp_path: Path) -> None:
    """A budget of the run, and a labeler that raises what it should not, with its name."""
    model = Scripted.model_validate({"default": "5", "remote": True, "price": {"input": 1e6, "output": 1e6}})
    with (
        scoring(RatingJudge(judge=model), tmp_path / "ledger.sqlite", max_usd=0.01) as score,
        pytest.raises(BudgetReached),
    ):
        score([ONE], ["a"])

    class Breaks(Opinion):
        async def examine(
            self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
        ) -> tuple[Judgment, ...]:
            raise ZeroDivisionError("by zero")

    breaks = Breaks(says=lambda _: outcome(1.0))
    with (
        scoring(breaks, tmp_path / "ledger.sqlite") as score,
        pytest.raises(PluginError, match=r"labeler 'opinion' .* raised ZeroDivisionError: by zero"),
    ):
        score([ONE], ["a"])


def test_a_job_that_does_not_say_under_what_is_refused(tmp_path: Path) -> None:
    """A labeler without a constitution has nothing to ask."""
    settings = GRPO.model_validate({"reward": Opinion(says=lambda _: outcome(1.0), shown=1)})
    bare = job(tmp_path / "ledger.sqlite")
    bare = Job(**{**vars(bare), "judging": None})
    with pytest.raises(TrainingError, match="its job does not say under what"), open_rewards(settings, bare):
        pass
