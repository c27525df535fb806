"""Judges that decide only when they have seen everything: they measure as they label."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from opinions import Opinion, outcome, said
from solon.data.build import Build, build
from solon.data.records import Candidates, Constitution, Metric, Principle, Prompt, Question, Scored
from solon.evaluation.agreement import Agreement
from solon.evaluation.base import Evidence, Pair
from solon.evaluation.comparison import compare
from solon.evaluation.win_rate import WinRate
from solon.labelers.base import Labeler
from solon.labelers.cascade import Cascade
from solon.labelers.panel import Panel

CONSTITUTION = Constitution(name="c", principles=(Principle(id="good", text="Be good."),))


def answered(answers: Sequence[tuple[str, str]]) -> Evidence:
    """Prompt n was answered ``answers[n] = (before, after)``."""
    pairs = tuple(
        Pair(Prompt.of(f"prompt {number}"), said(before), said(after)) for number, (before, after) in enumerate(answers)
    )
    return Evidence(constitution=CONSTITUTION, pairs={"sample": pairs})


async def win_rate(judge: Labeler, answers: Sequence[tuple[str, str]]) -> Metric:
    """That of the later answers."""
    return (await WinRate(judge=judge).evaluate(answered(answers)))[0]


async def chosen(labeler: Labeler, answers: Sequence[tuple[str, str]]) -> list[str]:
    """The responses that become the better ones where the same answers are labeled and built."""
    groups = [
        Candidates(prompt=pair.prompt, completions=(pair.before, pair.after))
        for pair in answered(answers).pairs["sample"]
    ]
    judgments = [one for group in groups for one in await labeler.examine(group, CONSTITUTION)]
    revise = labeler.conclude(lambda: iter(judgments))
    revised = judgments if revise is None else map(revise, judgments)
    rows = build(groups, revised, CONSTITUTION, Build(held_out=0), seed=0).preference.train
    return [row.chosen for row in rows]


def of_two_scales() -> Cascade:
    """The cheap labeler gives any text a logit of 2, a share of .88, and is not sure of `fine` ones; the other gives
    these a share of .95.
    """

    def cheap(question: Question) -> Scored:
        sure = 0.5 if "fine" in question.options[0].text else 1.0
        return Scored(scores=(2.0,), scale="logit", probability=sure)

    return Cascade(
        first=Opinion(says=cheap, called="cheap", shown=1),
        then=Opinion(says=lambda _: outcome(0.95, options=1), called="dear", shown=1),
    )


async def test_a_cascade_of_logits_and_shares_measures_what_it_would_label() -> None:
    """.95 is less than 2 and more than the share that this logit is."""
    answers = [(f"plain {number}", f"fine {number}") for number in range(4)]
    assert await chosen(of_two_scales(), answers) == [after for _, after in answers]
    assert (await win_rate(of_two_scales(), answers)).value == 1.0


async def test_labels_are_held_against_what_a_cascade_would_label() -> None:
    """The labels prefer the `fine` one, and so does the cascade."""
    groups = tuple(
        Candidates(prompt=Prompt.of(f"{number}"), completions=(said("plain"), said("fine"))) for number in range(4)
    )
    labels = Opinion(says=lambda question: outcome(float(question.options[0].text == "fine")))
    judgments = tuple([one for group in groups for one in await labels.examine(group, CONSTITUTION)])
    evidence = Evidence(constitution=CONSTITUTION, pairs={}, candidates=groups, judgments=judgments)
    found = await Agreement.model_validate({"with": of_two_scales()}).evaluate(evidence)
    (share,) = [metric for metric in found if metric.name == "agreement"]
    assert (share.value, share.n) == (1.0, 4)


async def test_a_logit_and_a_share_are_compared_as_shares() -> None:
    """Of a labeler that gives now one and now the other, and has nothing to conclude."""
    mixed = Opinion(
        says=lambda question: (
            Scored(scores=(2.0,), scale="logit") if question.options[0].text == "plain" else outcome(0.95, options=1)
        ),
        shown=1,
    )
    (one,) = await compare(mixed, [(Prompt.of("?"), said("plain"), said("fine"))], CONSTITUTION)
    assert one.preferred == "second"


@pytest.mark.slow
async def test_a_panel_whose_votes_are_weighed_measures_what_it_would_label() -> None:
    """Two members guess, two know, one knows better and says the opposite: its majority is right in seven of eight, and
    its weighed vote nearly always.
    """

    def noisy(accuracy: float, seed: int) -> Opinion:
        def says(question: Question) -> Scored:
            first, second = (option.text for option in question.options)
            right = Random(f"{seed}:{sorted((first, second))}").random() < accuracy
            value = float((len(first) < len(second)) == right)
            return Scored(scores=(value, 1 - value))

        return Opinion(says=says, called=f"right {accuracy}")

    members = (noisy(0.55, 1), noisy(0.95, 2), noisy(0.9, 3), noisy(0.55, 4), noisy(0.1, 5))
    answers = [(f"{number} and more", f"{number}") for number in range(400)]
    found = {vote: await win_rate(Panel(members=members, vote=vote), answers) for vote in ("majority", "weighted")}
    assert found["majority"].value < 0.88 < 0.95 < found["weighted"].value
