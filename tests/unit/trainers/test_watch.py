"""The watch over a training's numbers: when each alarm is raised, when it is not, and how often."""

import math
import sys

import pytest

from solon.trainers.alarms import Alarms
from solon.trainers.watch import Watch

NAN = math.nan


def curve(**series):
    """Steps from 1 with the named series; ``None`` leaves a number out. ``__`` in a name is a slash."""
    lines = []
    for values in zip(*series.values(), strict=True):
        named = zip((name.replace("__", "/") for name in series), values, strict=True)
        lines.append({name: value for name, value in named if value is not None})
    return lines


def raised(lines, settings=None, **more):
    """``(name, step, value)`` of every alarm that the lines raise."""
    watch = Watch(Alarms.model_validate(settings or {}), **more)
    alarms = [alarm for step, line in enumerate(lines, start=1) for alarm in watch.see(step, line)]
    return [(alarm.name, alarm.step, pytest.approx(alarm.value)) for alarm in alarms]


GOLD_FALLS = curve(objective__rewards=[1, 2, 3, 4, 5], gold__people=[0.9, 0.8, 0.7, 0.6, 0.5])
CHOSEN_FALL = curve(logps__chosen=[-10.0] * 5 + [-40.0] * 6)
SPIKE = curve(grad_norm=[0.5] * 10 + [5.5])

FIRES = {
    "kl-ours": (curve(objective__kl=[1.9, 2.1]), ("kl", 2, 2.1)),
    "kl-trl": (curve(kl=[1.9, 2.1]), ("kl", 2, 2.1)),
    "entropy-ours": (curve(objective__entropy=[0.02, 0.009]), ("entropy", 2, 0.009)),
    "entropy-trl": (curve(entropy=[0.02, 0.009]), ("entropy", 2, 0.009)),
    "no-spread": (curve(frac_reward_zero_std=[0.99] + [1.0] * 5), ("no_spread", 6, 1.0)),
    "clipped-ours": (curve(completions__clipped=[0.8, 0.81]), ("clipped", 2, 0.81)),
    "clipped-trl": (curve(completions__clipped_ratio=[0.8, 0.81]), ("clipped", 2, 0.81)),
    "clip-ratio-ours": (curve(policy__clip_fraction=[0.3, 0.31]), ("clip_ratio", 2, 0.31)),
    "clip-ratio-trl": (curve(clip_ratio__region_mean=[0.3, 0.31]), ("clip_ratio", 2, 0.31)),
    "length-ours": (curve(lengths__mean=[90.0, 91.0]), ("length", 2, 0.91)),
    "length-trl": (curve(completions__mean_length=[90.0, 91.0]), ("length", 2, 0.91)),
    # after 5 steps at -10, each at -40 moves the smoothed value by a fifth of what is left: 30 (1 - .8^5) = 20.17
    "chosen": (CHOSEN_FALL, ("chosen_logps", 10, 30 * (1 - 0.8**5))),
    "spike": (SPIKE, ("grad_norm", 11, 11.0)),
    "hacking": (GOLD_FALLS, ("reward_hacking", 5, 1.0)),
    "nan": (curve(loss=[0.5, NAN], grad_norm=[1.0, math.inf]), ("nan", 2, 2.0)),
    "nan-held-out": (curve(eval_loss=[NAN]), ("nan", 1, 1.0)),
    "nan-ppo": (curve(loss__value=[NAN]), ("nan", 1, 1.0)),
}

QUIET = {
    "kl": curve(kl=[2.0] * 3),
    "entropy": curve(entropy=[0.01] * 3),
    "spread-now-and-then": curve(frac_reward_zero_std=[1.0, 1.0, 1.0, 1.0, 0.5] * 4),
    "other-numbers": curve(rewards__missing=[NAN], epoch=[1.0], rewards__chosen=[-100.0]),
    # one pair of ten the other way round gives tau .8, two give .6: (8 - 2) / 10
    "gold-noise": curve(objective__rewards=[1, 2, 3, 4, 5], gold__people=[0.9, 0.7, 0.8, 0.5, 0.6]),
    "gold-and-reward-fall": curve(objective__rewards=[5, 4, 3, 2, 1], gold__people=[0.9, 0.8, 0.7, 0.6, 0.5]),
    "gold-spread-only": curve(reward=[1, 2, 3, 4, 5], gold__people__std=[0.9, 0.8, 0.7, 0.6, 0.5]),
    "one-low-batch": curve(logps__chosen=[-10.0] * 8 + [-90.0] + [-10.0] * 8),
    "early-spike": curve(grad_norm=[0.5] * 9 + [50.0]),
    "spike-below-clipping": curve(grad_norm=[0.01] * 20 + [0.9]),
    "spike-above-nothing": curve(grad_norm=[0.0] * 20 + [5.0]),
    "length-unknown": curve(other=[1.0]),
}


def test_a_training_in_rounds_is_measured_by_each_round_alone():
    """The second begins with other responses, 30 nats less likely, and steps as long as those of the first."""
    rounds = [1.0] * 12 + [2.0] * 12
    falls = [-10.0] * 12 + [-40.0] * 12
    norms = [5.5] * 2 + [0.5] * 10 + [5.5] * 2 + [0.5] * 10
    assert raised(curve(selfplay__round=rounds, logps__chosen=falls, grad_norm=norms)) == []
    together = raised(curve(logps__chosen=falls, grad_norm=norms))
    assert [(name, step) for name, step, _ in together] == [("grad_norm", 13), ("chosen_logps", 17)]


@pytest.mark.parametrize("name", FIRES)
def test_each_alarm_is_raised_where_its_number_crosses_the_limit(name):
    """Computed by hand; both our names and TRL's are read."""
    lines, (alarm, step, value) = FIRES[name]
    assert raised(lines, longest=100) == [(alarm, step, value)]


@pytest.mark.parametrize("name", QUIET)
def test_no_alarm_is_raised_on_this_side_of_the_limit(name):
    """An alarm that cries wolf is switched off."""
    assert raised(QUIET[name], longest=100) == []


@pytest.mark.parametrize("name", FIRES)
def test_an_alarm_without_a_limit_is_off(name):
    """As for somebody who knows that this number is large here."""
    lines, (alarm, _, _) = FIRES[name]
    assert raised(lines, {alarm: None}, longest=100) == []


@pytest.mark.parametrize("name", FIRES)
def test_stop_goes_with_the_alarm_it_was_set_on(name):
    """The default limit stays."""
    lines, (alarm, step, _) = FIRES[name]
    watch = Watch(Alarms.model_validate({alarm: {"stop": True}}), longest=100)
    found = [each for number, line in enumerate(lines, start=1) for each in watch.see(number, line)]
    assert [(each.name, each.step, each.stop) for each in found] == [(alarm, step, True)]


def test_a_length_is_held_against_a_maximum_that_is_known():
    """A trainer that samples nothing has none."""
    assert raised(curve(lengths__mean=[1e9])) == []


def test_an_alarm_is_raised_once_a_crossing():
    """It is armed again at 1.8, a tenth below the limit: at 1.9 a number that wavers would raise it at every turn."""
    values = [1.0, 2.5, 3.0, 1.9, 2.5, 1.7, 2.2]
    assert raised(curve(kl=values)) == [("kl", 2, 2.5), ("kl", 7, 2.2)]


def test_a_lower_limit_is_armed_again_above_it():
    """.0105 is within a tenth of .01, .02 is not."""
    values = [0.005, 0.0105, 0.005, 0.02, 0.005]
    assert raised(curve(entropy=values)) == [("entropy", 1, 0.005), ("entropy", 5, 0.005)]


def test_crossings_are_counted():
    """The report says how often, where it names the first."""
    watch = Watch(Alarms())
    found = [alarm for step, kl in enumerate([3, 0, 3, 0, 3]) for alarm in watch.see(step, {"kl": kl})]
    assert [alarm.times for alarm in found] == [1, 2, 3]


def test_a_step_may_raise_several():
    """All of them are said."""
    assert [name for name, *_ in raised([{"kl": 3.0, "entropy": 0.0, "loss": NAN}])] == ["kl", "entropy", "nan"]


def test_the_sentence_has_step_value_and_limit():
    """It stands alone: in a terminal, in an error, in the report."""
    (alarm,) = Watch(Alarms()).see(40, {"objective/kl": 2.3456})
    assert alarm.text == "at step 40 the KL to the reference is 2.35, above 2"
    assert (alarm.metric, alarm.value, alarm.limit) == ("objective/kl", 2.3456, 2.0)
    assert alarm.remedy


def test_the_rewards_between_two_checks_count():
    """The judge is asked every third step only; the reward of those steps alone falls, that of all steps rises."""
    rewards = [step + (-5 * step if step % 3 == 0 else 5 * step) for step in range(1, 16)]
    gold = [1 - step / 20 if step % 3 == 0 else None for step in range(1, 16)]
    lines = curve(reward=rewards, gold__people=gold)
    assert raised(lines) == [("reward_hacking", 15, 1.0)]


def test_the_same_numbers_restore_it():
    """A training that goes on after a kill: alarms are raised as if nothing had happened."""
    chosen = [-10.0 - step for step in range(60)]
    norms = [0.5 + 20 * (step % 17 == 16) for step in range(60)]
    lines = curve(logps__chosen=chosen, grad_norm=norms, kl=[1.5 + step % 3 for step in range(60)])
    whole = Watch(Alarms())
    expected = [alarm for step, line in enumerate(lines) for alarm in whole.see(step, line)]
    assert {alarm.name for alarm in expected} == {"chosen_logps", "grad_norm", "kl"}
    for kept in (7, 33):
        watch = Watch(Alarms())
        before = [alarm for step, line in enumerate(lines[:kept]) for alarm in watch.see(step, line)]
        after = [alarm for step, line in enumerate(lines[kept:], start=kept) for alarm in watch.see(step, line)]
        assert before + after == expected


def test_its_memory_does_not_grow():
    """A training may have a million steps."""

    def kept(steps):
        watch = Watch(Alarms())
        for step in range(steps):
            watch.see(step, {"grad_norm": 1.0, "logps/chosen": -1.0, "reward": 1.0, "gold/a": 1.0})
        cells = [
            cell.cell_contents for armed in watch._armed for cell in getattr(armed.gauge, "__closure__", None) or ()
        ]
        return sum(sys.getsizeof(cell) + (len(cell) if hasattr(cell, "__len__") else 0) for cell in cells)

    assert kept(3000) == kept(300)


def test_numbers_without_measure_raise_an_alarm_and_no_error():
    """A training that diverges reports 1e308 before it reports NaN; the watch must not be what ends it."""
    watch = Watch(Alarms())
    norms = curve(grad_norm=[1e-300] * 10 + [1e300], logps__chosen=[-1e308] * 5 + [1e308] * 6, reward=[1e308] * 11)
    for line in norms:
        line["gold/a"] = -1e308
    (found,) = [alarm for step, line in enumerate(norms) for alarm in watch.see(step, line)]
    assert (found.name, found.value) == ("grad_norm", sys.float_info.max)
