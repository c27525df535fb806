"""Reading what the label stage says of itself."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from label_summaries import CANARIES, cascade, human, panel, ranking
from solon.report.accounts import Cascade, Human, Panel, Ranking, known, within
from solon.report.labeled import Labeled, Share

LEAST = {"labeler": "rules", "judgments": 0}


def test_what_was_not_measured_is_not_there() -> None:
    """A labeler that rates has no pairs; nothing of it is a number."""
    labeled = Labeled.model_validate(LEAST)
    assert (labeled.pairs, labeled.first_slot, labeled.account, labeled.canaries) == (0, None, {}, {})
    assert labeled.alike == Share()
    assert labeled.length.share("longer_wins") is None


def test_the_share_of_pairs_that_are_alike_has_wilsons_interval() -> None:
    """Of 8 of 10: (0.8 + 1.9208/10 ∓ 1.96 √(0.16/10 + 0.9604/100)) / (1 + 3.8416/10) is 0.4902 and 0.9433."""
    alike = Labeled(**LEAST, pairs=10, consistent=8, order_dependent=2).alike
    assert (alike.value, alike.n) == (0.8, 10)
    assert alike.interval == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_length_comes_as_value_low_high_beside_its_n() -> None:
    """The way ``Verbosity.summary`` writes it."""
    said = {"longer_wins": [0.6, 0.55, 0.65], "longer_wins_n": 400, "correlation_of_pairs": [0.2, 0.1, 0.3]}
    length = Labeled.model_validate({**LEAST, "verbosity": said}).length
    assert length.share("longer_wins") == Share(value=0.6, low=0.55, high=0.65, n=400)
    assert length.share("correlation_of_pairs") == Share(value=0.2, low=0.1, high=0.3, n=0)
    assert length.share("correlation_of_ratings") is None


def test_canaries_without_a_verdict_are_in_no_share() -> None:
    """18 lost of 20 judged; 2 more failed."""
    lost = Labeled.model_validate({**LEAST, "canaries": CANARIES}).canaries["all"].share_lost
    assert (lost.value, lost.n) == (0.9, 20)


def test_a_thousand_judgments_cost_what_they_cost_on_average() -> None:
    """$5 for 2,500 is $2 for 1,000."""
    assert Labeled(labeler="x", judgments=2500, cost_usd=5.0).usd_a_thousand == 2.0


def test_what_a_later_version_adds_is_ignored_and_what_is_broken_is_not() -> None:
    """A report of a newer run is better than none; one of a wrong number is worse."""
    assert Labeled.model_validate({**LEAST, "mood": "good"}).labeler == "rules"
    with pytest.raises(ValidationError):
        Labeled.model_validate({**LEAST, "verbosity": {"longer_wins": [float("nan"), 0, 1]}})


def test_each_account_of_our_own_is_known_by_what_it_holds() -> None:
    """Nothing in ``run.json`` says whose it is, and no two have the same keys."""
    kinds = [type(known(account)) for account in (panel(), cascade(), ranking(), human())]
    assert kinds == [Panel, Cascade, Ranking, Human]


@pytest.mark.parametrize("account", [{}, {"note": "x"}, {"members": 3}, {"rows": "many"}, {"votes": [], "x": None}])
def test_an_account_of_somebody_else_s_is_known_by_nothing(account: dict[str, object]) -> None:
    """It may have any keys, ours among them."""
    assert known(account) is None  # type: ignore[arg-type]


def test_the_accounts_within_are_found_with_their_names() -> None:
    """A panel of rankings has one a member; a member without one is left out."""
    members = panel()["members"]
    members[1]["account"] = ranking()
    found = known(panel(members=members))
    assert found is not None
    assert within(found) == (("two", ranking()),)
