"""What is said of reward hacking that happened: two trainings of ``examples/reward_hacking``, as they logged it.

``trajectories/hacked.jsonl`` and ``held.jsonl`` are the 22 and 28 rounds of hacked.yaml and held.yaml, seed 0, to six
digits; their tables are in docs/results/reward_hacking.md.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from solon.data.records import Checkpoint
from solon.report.distrust import distrust
from solon.report.summary import Summary, Trained
from solon.report.watched import Watched, watched
from solon.trainers.alarms import Alarms
from solon.trainers.watch import Watch

Steps = tuple[dict[str, float], ...]


def trained(name: str) -> Steps:
    """The rounds of one of the two."""
    lines = (Path(__file__).parent / "trajectories" / f"{name}.jsonl").read_text("utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


def judged(steps: Steps) -> Watched:
    """Its one held-out judge."""
    (judge,) = watched(steps)
    assert judge.judge == "gold"
    return judge


def doubts(steps: Steps) -> list[str]:
    """What the report says of the last checkpoint."""
    checkpoint = Checkpoint(path="c", base_model="m", form="lora", trainer="ppo", dataset="0" * 16)
    summary = Summary(name="x", seed=0, solon="", trained=Trained(checkpoint=checkpoint), steps=steps)
    return [doubt for doubt in distrust(summary) if "Held-out judge" in doubt or "gold was highest" in doubt]


def raised(steps: Steps, **limits: float) -> dict[str, int]:
    """Each alarm and the first round that raised it."""
    alarms = Alarms.model_validate({name: {"limit": limit} for name, limit in limits.items()})
    watch, found = Watch(alarms, longest=48), dict[str, int]()
    for step in steps:
        for alarm in watch.see(int(step["step"]), step):
            found.setdefault(alarm.name, alarm.step)
    return found


def test_the_judge_of_the_hacked_run_turned_and_its_policy_ended_beyond() -> None:
    """From .91 in round 3 to .65 in the last, a distance of 6.4 away."""
    judge = judged(trained("hacked"))
    assert judge.turn is not None
    assert judge.best is not None
    assert (judge.best.step, judge.ends_beyond) == (3, True)
    assert judge.turn.fall == pytest.approx(0.26, abs=0.005)
    (doubt,) = doubts(trained("hacked"))
    assert "The last checkpoint is not the best one" in doubt


def test_the_reward_of_the_hacked_run_stays_high_while_its_judge_falls() -> None:
    """It dipped once, in round 5, and came back: whoever looks at it alone sees nothing that stays."""
    points = judged(trained("hacked")).points
    rewards = [point.proxy for point in points if point.proxy is not None]
    dips = [index + 1 for index in range(1, len(rewards)) if rewards[index] < rewards[index - 1] - 0.5]
    assert dips == [5]
    best, late = points[2], points[-8:]
    assert max(point.gold for point in late) < best.gold - 0.2
    assert best.proxy is not None
    assert min(rewards[-8:]) > best.proxy


def test_the_held_run_did_not_end_beyond_its_judges_best() -> None:
    """A small turn on the way, of .05, from which the policy came back."""
    judge = judged(trained("held"))
    assert judge.turn is not None
    assert judge.turn.fall < 0.06
    assert not judge.ends_beyond
    assert not any("not the best one" in doubt for doubt in doubts(trained("held")))


def test_the_alarm_for_reward_hacking_comes_early_where_less_agreement_is_asked_for() -> None:
    """Five checks seldom agree almost without exception; by a weaker limit the hacked run is told in round 6."""
    assert raised(trained("hacked")) == {"kl": 4}
    assert raised(trained("hacked"), reward_hacking=0.4) == {"kl": 4, "reward_hacking": 6}
    assert raised(trained("held")) == {"kl": 8}
