"""A comparison that is small enough to read: dpo is better than kto, and ppo did not get to its end."""

from __future__ import annotations

from typing import Any

from solon.comparison.differences import against_untrained, between
from solon.comparison.record import UNTRAINED, Comparison, Side, Spent, Standing
from solon.data.records import Metric
from solon.evaluation.base import Both
from solon.evaluation.paired import Held, paired_shares
from solon.trainers.used import Used

HELD: dict[str, list[Held]] = {
    "dpo": [*[(False, True)] * 38, *[(False, False)] * 2],
    "kto": [*[(False, True)] * 12, *[(False, False)] * 28],
}


def side(name: str, seconds: float, **fields: Any) -> Side:
    """An entry that trained for so long."""
    spent = Spent(
        used=Used(seconds=seconds, cpu_seconds=seconds, peak_gib=0.5), models=("policy",), rows=100, judged=200, usd=1.5
    )
    return Side.model_validate({"name": name, "trainers": (name,), "run_dir": name, "spent": spent, **fields})


def comparison(**fields: Any) -> Comparison:
    """The whole of it; ``fields`` take the place of its own."""
    metrics = {name: tuple(paired_shares("compliance", held)) for name, held in HELD.items()}
    kl = {"dpo": 2.0, "kto": 0.5}
    metrics = {
        name: (*own, Metric(name="kl", of="pair", value=kl[name], low=0, high=3, n=40, unit="nats"))
        for name, own in metrics.items()
    }
    items: dict[str, dict[str, dict[str, Both]]] = {
        name: {"compliance": {f"p{number}": both for number, both in enumerate(held)}} for name, held in HELD.items()
    }
    share = Metric(name="win_rate", of="pair", value=0.8, low=0.7, high=0.9, n=40)
    itself = share.model_copy(update={"value": 0.5, "low": 0.5, "high": 0.5})
    own = {
        "name": "mine",
        "seed": 7,
        "solon": "1.0",
        "recipe": "train: {kind: dpo}\n",
        "sides": (
            side("dpo", 10.0),
            side("kto", 25.0, alarms={"kl": 2}),
            Side(name="ppo", trainers=("reward", "ppo"), run_dir="ppo", failed="the loss is not a number."),
        ),
        "metrics": metrics,
        "against_untrained": against_untrained(metrics),
        "between": between(metrics, items),
        "standings": {
            "win_rate": (
                Standing(name=UNTRAINED, beats_untrained=itself, points={}),
                Standing(name="dpo", beats_untrained=share, points={UNTRAINED: share}),
                Standing(name="kto", beats_untrained=share, points={UNTRAINED: share}),
            )
        },
        "warnings": ("win_rate: the judge has also labeled",),
    }
    return Comparison.model_validate({**own, **fields})
