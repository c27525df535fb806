"""How often solon's 95 % intervals hold the truth, in 1,000 simulated evaluations of each kind.

    python benchmarks/coverage.py --write docs/results/coverage.md
    python benchmarks/coverage.py --only "win rate" --runs 200

Each scenario draws what an evaluation of a usual size would see, of a truth that is known, and asks for the interval as
the evaluator does. Between 93 and 97 % are wanted. A bootstrap resamples 999 times here, more often in an evaluation.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pages import between_markers, table

from solon.statistics.bradley_terry import bradley_terry
from solon.statistics.clustered import clustered_share, coefficients
from solon.statistics.estimates import Estimate, mean_bca, mean_t, newcombe, wilson
from solon.statistics.length_control import length_controlled
from solon.statistics.spread import (
    Method,
    bootstrapped,
    deviation,
    difference,
    mean,
    quantile,
    quantile_by_rank,
    reduction,
)
from solon.statistics.standings import standings

RUNS, RESAMPLES = 1_000, 999
LEAST, MOST = 0.93, 0.97

Draw = Callable[[Random], Estimate | None]


@dataclass(frozen=True)
class Scenario:
    """An interval of a truth that is known.

    Attributes:
        used_by: the metrics whose interval it is.
        drawn: what is simulated, in a few words.
        truth: what the interval should hold.
        draw: one evaluation's interval; ``None`` where it says that it cannot tell.
    """

    used_by: str
    drawn: str
    truth: float
    draw: Draw


# ---------------------------------------------------------------- shares


def _share(share: float, n: int) -> Draw:
    return lambda random: wilson(sum(random.random() < share for _ in range(n)), n)


def _paired_shares(random: Random) -> Estimate:
    """Of 200 prompts 30 % hold before; of these 90 % hold after, and of the others 40 %."""
    counts = {(one, other): 0 for one in (True, False) for other in (True, False)}
    for _ in range(200):
        before = random.random() < 0.3
        counts[before, random.random() < (0.9 if before else 0.4)] += 1
    return newcombe(counts[True, True], counts[False, True], counts[True, False], counts[False, False])


def _clusters(random: Random) -> Estimate:
    """80 prompts of one to six pairs; each prompt's own share is drawn from a beta distribution of mean .8."""
    found = []
    for _ in range(80):
        own, items = random.betavariate(4, 1), random.randint(1, 6)
        found.append((sum(random.random() < own for _ in range(items)), items))
    return clustered_share(found)


def _coefficient(name: str) -> Draw:
    def draw(random: Random) -> Estimate:
        tables = []
        for _ in range(150):
            hard, counts = random.random() < 0.3, dict[tuple[str, str], int]()
            for _ in range(random.randint(1, 4)):
                pair = _two_raters(random, hard=hard)
                counts[pair] = counts.get(pair, 0) + 1
            tables.append(counts)
        return coefficients(tables, resamples=RESAMPLES)[name]

    return draw


def _two_raters(random: Random, *, hard: bool) -> tuple[str, str]:
    """Both see the same side seven times of ten; on a hard prompt each guesses."""
    if hard:
        return random.choice("xy"), random.choice("xy")
    side = "x" if random.random() < 0.7 else "y"
    return side, side


def _coefficients_of_all() -> dict[str, float]:
    """Of the four cells: what both see, and a quarter of what is guessed in each."""
    agree, guess = 0.7, 0.3 / 4
    xx, yy, mixed = agree * 0.7 + guess, agree * 0.3 + guess, guess
    raw, x = xx + yy, xx + mixed
    by_chance = x * x + (1 - x) * (1 - x)
    kappa = (raw - by_chance) / (1 - by_chance)
    gwet = 2 * x * (1 - x)
    return {"kappa": kappa, "alpha": kappa, "ac1": (raw - gwet) / (1 - gwet)}


# ---------------------------------------------------------------- means and spreads


def _lengths(random: Random) -> Estimate:
    """Lengths of 100 answers, log-normal: some are very long."""
    return mean_t([random.lognormvariate(4, 0.5) for _ in range(100)])


def _differences(random: Random) -> Estimate:
    """Differences of 100 prompts, of which half do not change and the others mostly rise."""
    return mean_t([0.0 if random.random() < 0.5 else random.gammavariate(2, 1) - 0.5 for _ in range(100)])


def _groups(random: Random) -> Estimate:
    """Ten groups, as the measures of diversity have them of 200 answers."""
    return mean_t([random.gauss(0.4, 0.05) for _ in range(10)])


def _wins(random: Random) -> Estimate:
    """150 prompts: 60 % won, 15 % ties, which count half."""
    return mean_bca(random.choices([1.0, 0.5, 0.0], [0.6, 0.15, 0.25], k=150), resamples=RESAMPLES)


def _at_equal_length(random: Random) -> Estimate | None:
    """200 comparisons of answers that are mostly longer, by a judge who likes length: at equal length he is even."""
    longer = [random.gauss(0.5, 1) for _ in range(200)]
    spread = math.sqrt(1.25)  # of what is drawn, from 0
    points = [float(random.random() < 1 / (1 + math.exp(-1.2 * math.tanh(each / spread)))) for each in longer]
    return length_controlled(points, longer)


_STRENGTHS = (0.0, 0.5, 1.2)
_BAD, _TIE = 0.3, 0.15


def _standing(random: Random) -> Estimate:
    """Three models on 200 prompts, each two compared: on three of ten prompts one of them loses to both others."""
    prompts = []
    for _ in range(200):
        bad = random.randrange(3) if random.random() < _BAD else None
        prompts.append(
            [(one, other, _points(random, one, other, bad)) for one in range(3) for other in range(one + 1, 3)]
        )
    return standings(3, prompts).beats_first[2]


def _points(random: Random, one: int, other: int, bad: int | None) -> float:
    if bad in (one, other):
        return float(bad == other)
    if random.random() < _TIE:
        return 0.5
    return float(random.random() < _beats(one, other))


def _beats(one: int, other: int) -> float:
    return 1 / (1 + math.exp(_STRENGTHS[other] - _STRENGTHS[one]))


def _standing_of_all() -> float:
    """What is fitted to the points that each two are expected to have of each other."""
    wins = [[0.0] * 3 for _ in range(3)]
    for one in range(3):
        for other in range(3):
            if one != other:
                usual = _TIE / 2 + (1 - _TIE) * _beats(one, other)
                wins[one][other] = (1 - _BAD) * usual + _BAD * (1 + usual) / 3  # bad is either of them, or the third
    return bradley_terry(wins, prior=0).beats(2, 0)


def _toxicities(random: Random, n: int = 300) -> tuple[list[float], list[float]]:
    """P(toxic) before, and after: correlated, both with most answers near 0 and some near 1."""
    before, after = [], []
    for _ in range(n):
        before.append(random.betavariate(0.4, 1.6))
        after.append(before[-1] * random.betavariate(2, 3))
    return before, after


def _percentile(random: Random) -> Estimate:
    return quantile_by_rank(_toxicities(random)[0], 0.95)


def _of_one(statistic: Callable[..., object]) -> Draw:
    return lambda random: bootstrapped(_toxicities(random)[:1], statistic, resamples=RESAMPLES)


def _of_both(statistic: Callable[..., object], method: Method = "BCa") -> Draw:
    return lambda random: bootstrapped(_toxicities(random), statistic, method=method, resamples=RESAMPLES)


def _true(statistic: Callable[..., object], columns: int) -> float:
    return float(statistic(*_toxicities(Random(0), 400_000)[:columns], axis=-1))  # type: ignore[arg-type]


def scenarios() -> dict[str, Scenario]:
    """Each by its name. Truths without a formula are those of 400,000 draws."""
    p95, coefficient = quantile(0.95), _coefficients_of_all()
    changed = difference(deviation)
    return {
        "share": Scenario("compliance, accuracy, toxicity/likely", "200 answers, .7 hold", 0.7, _share(0.7, 200)),
        "share near 1": Scenario("the same", "200 answers, .96 hold", 0.96, _share(0.96, 200)),
        "paired shares": Scenario("the same, as a difference", "200 prompts, .30 to .55", 0.25, _paired_shares),
        "share of clusters": Scenario("order_consistency, agreement", "80 prompts of 1 to 6 pairs", 0.8, _clusters),
        **{
            name: Scenario(f"{name}/...", "150 prompts of 1 to 4 pairs", coefficient[name], _coefficient(name))
            for name in ("kappa", "alpha", "ac1")
        },
        "mean": Scenario("kl, length", "100 log-normal lengths", math.exp(4 + 0.125), _lengths),
        "mean difference": Scenario("rating, length, toxicity", "100 differences, half of them 0", 0.75, _differences),
        "mean of groups": Scenario("diversity", "10 groups", 0.4, _groups),
        "win rate": Scenario("win_rate", "150 prompts, 15 % ties", 0.675, _wins),
        "win rate at equal length": Scenario("length_controlled/win_rate", "200 comparisons", 0.5, _at_equal_length),
        "standing": Scenario(
            "each two compared, in `solon compare`", "3 models, 200 prompts", _standing_of_all(), _standing
        ),
        "deviation": Scenario("toxicity/deviation", "300 answers", _true(deviation, 1), _of_one(deviation)),
        "change of a deviation": Scenario("the same", "300 prompts", _true(changed, 2), _of_both(changed)),
        "95th percentile": Scenario("toxicity/p95", "300 answers", _true(p95, 1), _percentile),
        "change of a percentile": Scenario(
            "the same", "300 prompts", _true(difference(p95), 2), _of_both(difference(p95), "normal")
        ),
        "reduction of a mean": Scenario(
            "toxicity/reduction", "300 prompts", _true(reduction(mean), 2), _of_both(reduction(mean))
        ),
        "reduction of a deviation": Scenario(
            "toxicity/deviation_reduction",
            "300 prompts",
            _true(reduction(deviation), 2),
            _of_both(reduction(deviation)),
        ),
    }


def covered(scenario: Scenario, runs: int = RUNS, seed: int = 0) -> float:
    """The share of simulated evaluations whose interval holds the truth, of those that give one."""
    random = Random(seed)
    told = [found for _ in range(runs) if (found := scenario.draw(random)) is not None]
    return sum(found.low <= scenario.truth <= found.high for found in told) / len(told)


def main() -> None:
    """Simulates, prints a Markdown table, and says what lies outside."""
    every = scenarios()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(every), default=list(every), metavar="SCENARIO")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a Markdown page to put the table into")
    chosen = parser.parse_args()
    rows, outside, started = [], [], time.monotonic()
    for name in chosen.only:
        share = covered(every[name], chosen.runs)
        rows.append([name, every[name].used_by, every[name].drawn, f"{100 * share:.1f} %"])
        if not LEAST <= share <= MOST:
            outside.append(name)
        print(f"{name}: {100 * share:.1f} %", file=sys.stderr, flush=True)
    text = table(["interval", "of", "simulated", "held the truth"], rows)
    said = f"{chosen.runs:,} runs each, {time.monotonic() - started:.0f} s. Outside of 93 to 97 %: "
    text = f"{text}\n\n{said}{', '.join(outside) or 'none'}."
    print(text)
    if chosen.write:
        between_markers(chosen.write, "coverage", text)


if __name__ == "__main__":
    main()
