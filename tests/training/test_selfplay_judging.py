"""What a labeler says of two policies' answers, as self-play counts it: without a model or a training."""

import pytest

from opinions import Opinion, always
from rewarding import CONSTITUTION
from solon.data.records import Candidates, Completion, Failed, Prompt, Scored
from solon.labelers.cascade import Cascade
from solon.labelers.panel import Panel
from solon.trainers.backend.selfplay.judging import Bench
from solon.trainers.base import Judging


@pytest.fixture
def bench(tmp_path):
    """Makes a bench of a labeler."""

    def make(labeler, **settings):
        judging = Judging(constitution=CONSTITUTION, ledger=tmp_path / "ledger.sqlite", run="mine", **settings)
        return Bench(labeler, judging)

    return make


def answered(*texts):
    """One answer to each of as many prompts."""
    return [
        Candidates(prompt=Prompt.of(f"{place}?"), completions=(Completion(text=text, model="policy"),))
        for place, text in enumerate(texts)
    ]


def by_logits(logits):
    """A reward model that gives each text a logit."""
    return Opinion(says=lambda question: Scored(scores=(logits[question.options[0].text],), scale="logit"), shown=1)


def test_two_policies_are_compared_on_one_scale(bench):
    """A reward model is unsure of "odd" (sigmoid(0) = .5), of which the judge then says .2; sigmoid(-1) = .2689 and
    sigmoid(3) = .9526.

    "bad" (.2689) is better than "odd" (.2), which the bare numbers, -1 and .2, have the wrong way round. The means are
    those of (.2689, .9526) and (.2, .2689).
    """
    cheap = by_logits({"bad": -1.0, "odd": 0.0, "good": 3.0})
    labeler = Cascade(first=cheap, then=always(0.2, "dear", shown=1), band=0.1)
    compared = bench(labeler).compared(answered("odd", "bad"), answered("bad", "good"))
    assert (compared.estimate.value, compared.n) == (1.0, 2)
    assert (compared.reward, compared.reward_before) == pytest.approx((0.61075, 0.23445), abs=1e-4)
    scales = {judgment.outcome.scale for judgment in compared.judgments}
    assert scales == {"share"}


def test_a_panel_concludes_what_is_compared(bench):
    """Where one member gives logits and another shares: the first prompt's share failed, so its mean is a logit there,
    and a share beside those of the second.
    """

    def says(question):
        fails = question.prompt.id == answered("")[0].prompt.id
        return Failed(reason="refused", raw="no") if fails else Scored(scores=(0.5,))

    members = (by_logits({"bad": -1.0, "good": 3.0}), Opinion(says=says, called="other", shown=1))
    labeler = Panel(members=members, vote="mean", min_votes=1)
    compared = bench(labeler).compared(answered("bad", "bad"), answered("good", "good"))
    # (.9526 + (.9526 + .5) / 2) / 2 and (.2689 + (.2689 + .5) / 2) / 2
    assert (compared.reward, compared.reward_before) == pytest.approx((0.83944, 0.32671), abs=1e-4)


def test_scores_of_old_and_new_answers_are_on_one_scale(bench):
    """A labeler of somebody else's that gives logits for one prompt and shares for the other: sigmoid(0) = .5."""

    def says(question):
        text = question.options[0].text
        return Scored(scores=(0.0,), scale="logit") if text == "logit" else Scored(scores=(float(text),))

    compared = bench(Opinion(says=says, shown=1)).compared(answered("logit", "0.2"), answered("logit", "0.4"))
    assert (compared.reward, compared.reward_before) == pytest.approx((0.45, 0.35))


def test_without_a_verdict_there_is_no_win_rate(bench):
    """0 of 0 is no share: as a number it would say that the new policy is worse."""
    compared = bench(always("refused", shown=1), max_failed=1.0).compared(answered("a", "b"), answered("c", "d"))
    assert compared.numbers() == {"selfplay/n": 0, "selfplay/failed": 2}


@pytest.mark.slow  # for what it imports
def test_no_two_rounds_of_any_training_have_the_same_seed():
    """The second round of seed 0 is not the first of seed 1; the first of each is the training's own."""
    from solon.trainers.backend.selfplay.training import seed_of_round

    seeds = {seed_of_round(seed, number) for seed in range(30) for number in range(1, 6)}
    assert len(seeds) == 150
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert [seed_of_round(seed, 1) for seed in (0, 7)] == [0, 7]
