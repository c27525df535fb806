"""How the labels were made, in facts and tables."""

from __future__ import annotations

from typing import Any

import pytest

from label_summaries import CANARIES, LISTED, STATED, share
from solon.data.records import Metric, Usage
from solon.report.label_facts import label_told
from solon.report.labeled import Labeled
from solon.report.rows import rows
from solon.report.summary import Summary, summarise


def told(**said: Any) -> dict[str, str]:
    """The facts of a stage that says this."""
    labeled = Labeled.model_validate({"labeler": "pairwise:judge", "judgments": 1000, **said})
    return {fact.name: fact.text for fact in label_told(Summary(name="x", seed=0, solon="", labeled=labeled)).facts}


def test_nothing_is_shown_that_was_not_measured() -> None:
    """Rules compare nothing, cost nothing, and have no account."""
    assert told() == {"labeled by": "pairwise:judge: 1,000 judgments, 0 failed"}


def test_a_run_without_labels_says_nothing_of_labels() -> None:
    """It began at a dataset."""
    nothing = label_told(Summary(name="x", seed=0, solon=""))
    assert (nothing.facts, nothing.tables) == ([], [])


@pytest.mark.parametrize(
    ("said", "name", "text"),
    [
        (
            {"failed": {"unparseable": 3, "too_long": 5}},
            "labeled by",
            "pairwise:judge: 1,000 judgments, 8 failed (5 too long, 3 unparseable)",
        ),
        (
            {"pairs": 10, "consistent": 8, "order_dependent": 2},
            "order",
            "80.0% [49.0 to 94.3] of 10 pairs judged alike in both orders",
        ),
        (
            {"first_slot": share(0.55, 0.5, 0.6, 980)},
            "first slot",
            "the answer shown first won 55.0% [50.0 to 60.0] of 980 decided comparisons",
        ),
        (
            {
                "verbosity": {
                    "longer_wins": [0.613, 0.58, 0.64],
                    "longer_wins_n": 1200,
                    "correlation_of_pairs": [0.21, 0.17, 0.24],
                    "correlation_of_pairs_n": 1300,
                }
            },
            "length",
            (
                "the longer answer won 61.3% [58.0 to 64.0] of 1,200 decided pairs; "
                "being ahead and being longer correlate by .21 [.17 to .24] (n 1,300)"
            ),
        ),
        (
            {"verbosity": {"correlation_of_ratings": [-1, -1, -1], "correlation_of_ratings_n": 40}},
            "length",
            "score and length correlate by −1.00 [−1.00 to −1.00] (n 40)",
        ),
        (
            {"canaries": CANARIES},
            "canaries",
            (
                "90.0% [69.9 to 97.2] of 20 lost, and all should (2 without a verdict, 1 tied, 1 won); "
                "refusals, which may be right: 3 of 5 lost"
            ),
        ),
        ({"canaries": {"refusal": CANARIES["refusal"]}}, "canaries", "refusals, which may be right: 3 of 5 lost"),
        (
            {"models": [LISTED]},
            "price",
            (
                "large at openai: $2.00 in, $8.00 out a million tokens, $0.50 from a cache, 50% of that in batches, "
                "by https://example.com/pricing on 2026-11-21"
            ),
        ),
        (
            {"models": [STATED]},
            "price",
            "small at localhost:8000/v1: $0.10 in, $0.40 out a million tokens, as the recipe states",
        ),
        (
            {"batches": [{"provider": "openai", "id": f"batch_{n}", "requests": 100} for n in range(7)]},
            "batches",
            (
                "7 provider batches, 700 requests: batch_0 (openai), batch_1 (openai), batch_2 (openai), "
                "batch_3 (openai), batch_4 (openai), and 2 more in run.json"
            ),
        ),
        (
            {"cost_usd": 2.5, "usage": {"input_tokens": 10_000, "output_tokens": 100}},
            "labels cost",
            "$2.50, $2.50 for 1,000 judgments; tokens 10.0k in, 100 out",
        ),
        (
            {"usage": Usage(input_tokens=500, estimated=True).model_dump()},
            "labels cost",
            (
                "$0.00, $0.00 for 1,000 judgments; tokens 500 in, 0 out; "
                "the most that it can be, as a server did not count"
            ),
        ),
    ],
)
def test_each_thing_that_was_measured_has_its_sentence(said: dict[str, Any], name: str, text: str) -> None:
    """With its n, and its interval where there is one."""
    assert told(**said)[name] == text


def test_a_model_that_costs_nothing_has_no_price_to_tell() -> None:
    """One that runs here."""
    assert "price" not in told(models=[{"name": "judge", "price": {"input": 0, "output": 0}}])


def test_voters_and_canaries_have_a_table_each() -> None:
    """The refusals are a row like the others; what stands under ``all`` is in the fact."""
    votes = {
        "pairwise:a": {"pairs": 10, "consistent": 8, "order_dependent": 2, "first_slot": share(0.5, 0.4, 0.6, 19)},
        "rating:b": {},
    }
    labeled = Labeled.model_validate({"labeler": "x", "judgments": 20, "votes": votes, "canaries": CANARIES})
    voters, canaries = label_told(Summary(name="x", seed=0, solon="", labeled=labeled)).tables
    assert voters.heads == ("", "same in both orders", "n", "first slot", "n")
    assert voters.rows == (
        ("pairwise:a", "80.0% [49.0 to 94.3]", "10", "50.0% [40.0 to 60.0]", "19"),
        ("rating:b", "–", "–", "–", "–"),
    )
    assert canaries.rows == (
        ("empty", "100.0% [72.2 to 100.0]", "10", "0", "0", "2"),
        ("master key", "80.0% [49.0 to 94.3]", "8", "1", "1", "0"),
        ("refusal", "60.0% [23.1 to 88.2]", "3", "2", "0", "0"),
    )


def test_what_the_stage_counted_is_not_told_again_by_an_evaluator(run_dir) -> None:
    """``agreement`` counts the same judgments again for its order consistency; the agreement itself is its own."""
    names = [fact.name for fact in label_told(summarise(run_dir)).facts]
    assert names == ["labeled by", "order", "first slot", "agreement", "examiner"]


def test_coefficients_of_agreement_stand_together_and_not_in_the_table_of_numbers() -> None:
    """Under each principle that both were asked about alone, too."""

    def coefficient(name: str, value: float) -> Metric:
        return Metric(
            name=name, of="labels", value=value, low=value - 0.05, high=value + 0.05, n=1200, unit="score", method="x"
        )

    metrics = [
        coefficient("kappa/order_consistency", 0.5),
        *(coefficient(f"{name}/agreement/polite", 0.7) for name in ("kappa", "alpha", "ac1")),
    ]
    summary = Summary(name="x", seed=0, solon="", metrics=tuple(metrics))
    assert [(fact.name, fact.text) for fact in label_told(summary).facts] == [
        ("order", "kappa .50 [.45 to .55] on 1,200; 0 is what chance gives"),
        (
            "agreement",
            (
                "under polite: kappa .70 [.65 to .75], alpha .70 [.65 to .75], AC1 .70 [.65 to .75] on 1,200; "
                "0 is what chance gives"
            ),
        ),
    ]
    assert rows(summary.metrics) == ()
