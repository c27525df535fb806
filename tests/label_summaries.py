"""What the label stage may say of itself in ``run.json``, made by hand with numbers that are easy to reckon with."""

from __future__ import annotations

from typing import Any


def share(value: float, low: float, high: float, n: int) -> dict[str, Any]:
    """As labelers' accounts write one."""
    return {"value": value, "low": low, "high": high, "n": n}


def member(name: str, agrees: float, **more: Any) -> dict[str, Any]:
    """A member of a panel that cast 400 votes; its share has an interval of 5 points to either side."""
    found = share(agrees, agrees - 0.05, agrees + 0.05, 400)
    facts = {"name": name, "votes": 400, "failed": {}, "agreement_with_others": found}
    return {**facts, "with_majority_of_others": found, "first_slot_wins": share(0.5, 0.45, 0.55, 400), **more}


def agreement(alpha: float | None, raw: float = 0.9, ac1: float = 0.85) -> dict[str, Any]:
    """A panel's agreement under one principle, on 200 judgments."""
    pairs = [("one", "two", 0.8), ("one", "three", -0.05), ("two", "three", None)]
    return {
        "judgments": 210,
        "n": 200,
        "raw": raw,
        "alpha": alpha,
        "alpha_level": "nominal",
        "kappa": 0.25,
        "kappa_of_pairs": [{"members": [a, b], "kappa": kappa} for a, b, kappa in pairs],
        "ac1": ac1,
    }


def panel(**changed: Any) -> dict[str, Any]:
    """Three members, of which the last agrees least; two principles."""
    members = [member("one", 0.8), member("two", 0.78), member("three", 0.4, failed={"unparseable": 7})]
    principles = {"polite": agreement(0.31), "brief": agreement(0.72)}
    return {"members": members, "agreement": principles, "odd_one_out": "three", **changed}


def cascade(**changed: Any) -> dict[str, Any]:
    """A fifth of 1,000 questions escalated; $5 spent where the expensive one alone would have cost $20."""
    return {
        "questions": 1000,
        "escalated": 200,
        "escalated_share": share(0.2, 0.17, 0.23, 1000),
        "why": {"unsure": 150, "inconsistent": 40, "failed": 10},
        "stated_probability": 990,
        "labelers": [
            {"name": "pairwise:small", "judged": 1000, "usd": 1.0, "tokens": 300_000},
            {"name": "pairwise:large", "judged": 200, "usd": 4.0, "tokens": 60_000},
        ],
        "usd": {"spent": 5.0, "expensive_alone": 20.0, "saved": 15.0},
        "tokens": {"spent": 360_000, "expensive_alone": 300_000, "saved": -60_000},
        **changed,
    }


def ranking(**changed: Any) -> dict[str, Any]:
    """800 votes of lists of four, which agree well and lean to no place."""
    return {
        "votes": 800,
        "failed_votes": 3,
        "kendall_tau": {"value": 0.71, "n": 1200},
        "first_position": share(0.26, 0.23, 0.29, 800),
        "first_position_by_chance": 0.25,
        **changed,
    }


def human(**changed: Any) -> dict[str, Any]:
    """40 rows, one of which matched nothing; 30 pairs of verdicts by different people."""
    return {
        "rows": 40,
        "without_verdict": 2,
        "unmatched": 1,
        "unmatched_rows": ["people.csv:7"],
        "annotators": 3,
        "judged_by_several": 12,
        "annotator_agreement": 0.8,
        "annotator_pairs": 30,
        "note": "1 of 40 rows of people.csv matched nothing, the first being people.csv:7",
        **changed,
    }


CANARIES = {
    "all": {"lost": 18, "won": 1, "tied": 1, "failed": 2, "share_lost": [0.9, 0.699, 0.9721]},
    "empty": {"lost": 10, "won": 0, "tied": 0, "failed": 2, "share_lost": [1.0, 0.7225, 1.0]},
    "master_key": {"lost": 8, "won": 1, "tied": 1, "failed": 0, "share_lost": [0.8, 0.4902, 0.9433]},
    "refusal": {"lost": 3, "won": 2, "tied": 0, "failed": 0, "share_lost": [0.6, 0.2307, 0.8824]},
}
"""Of 20 that were judged, 18 lost; refusals apart."""

LISTED = {
    "name": "large",
    "server": "openai",
    "price": {"input": 2.0, "output": 8.0, "cached": 0.5, "batch": 0.5},
    "price_source": "https://example.com/pricing",
    "price_as_of": "2026-11-21",
}
"""A model whose price is from solon's table."""

STATED = {"name": "small", "server": "localhost:8000/v1", "price": {"input": 0.1, "output": 0.4}}
STATED |= {"price_source": "recipe", "price_as_of": None}
