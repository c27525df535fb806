"""Watches the numbers of a training and raises alarms. Pure: the same numbers raise the same alarms, in any process."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass

from solon.trainers.alarms import Alarm, Alarms, Limit
from solon.trainers.gauges import (
    KL,
    Gauge,
    Metrics,
    divergence,
    each_round,
    fall,
    first,
    lasting,
    length,
    not_numbers,
    spike,
)

_REST = 0.1  # an alarm is raised again only after its number was this share of the limit on the right side of it
_LARGEST = sys.float_info.max  # what is larger is no JSON


@dataclass(frozen=True)
class _Rule:
    """One alarm: what it says with ``{value}``, ``{limit}`` and ``{metric}``, what to do, and which side is beyond."""

    says: str
    remedy: str
    beyond: Callable[[float, float], bool] = operator.gt


_STAY = "lower train.learning_rate, or make it dearer to leave the reference (beta, or the KL coefficient)"
_LESS = "lower train.learning_rate, or stop earlier (train.max_steps)"
_RULES = {
    "kl": _Rule("the KL to the reference is {value}, above {limit}", _STAY),
    "entropy": _Rule("the policy's entropy is {value}, below {limit}: it hardly varies any more", _STAY, operator.lt),
    "reward_hacking": _Rule(
        "the held-out judge falls while the reward rises (Kendall's tau of both {value} or more, not below {limit})",
        "look at what the reward pays for; stop earlier (train.max_steps) or stay nearer to the reference",
        operator.ge,
    ),
    "no_spread": _Rule(
        "in each of the last five steps a share of {value} of the groups, not below {limit}, have rewards that are all "
        "alike: they teach nothing",
        "take harder or easier prompts, more completions a prompt, or a reward with more steps",
        operator.ge,
    ),
    "clipped": _Rule(
        "a share of {value} of the completions are cut at their longest, above {limit}",
        "let completions be longer, or reward those that end",
    ),
    "clip_ratio": _Rule(
        "a share of {value} of the probability ratios are clipped, above {limit}: steps are too long", _LESS
    ),
    "length": _Rule(
        "completions are on average {value} of the longest they may be, above {limit}",
        "look whether the reward pays for length; let completions be longer, or reward those that end",
    ),
    "chosen_logps": _Rule(
        "chosen responses are {value} nats less likely than in the first steps, above {limit}",
        "raise train.sft_weight where the trainer has it, or lower train.learning_rate",
    ),
    "grad_norm": _Rule("the gradient norm is {value} times its running median, above {limit}", _LESS),
    "nan": _Rule("not a number: {metric}", "lower train.learning_rate, or look for broken weights in policy.model"),
}


class Watch:
    """Raises alarms on the numbers that it is shown. What it remembers does not grow with the training.

    Restored by showing it the same numbers again.

    Args:
        settings: the limits.
        longest: tokens after which a completion is cut, where the trainer samples any.
    """

    def __init__(self, settings: Alarms, *, longest: int | None = None) -> None:
        gauges: dict[str, Gauge] = {
            "kl": first(*KL),
            "entropy": first("objective/entropy", "entropy"),
            "reward_hacking": divergence(),
            "no_spread": lasting("frac_reward_zero_std"),
            "clipped": first("completions/clipped", "completions/clipped_ratio"),
            "clip_ratio": first("policy/clip_fraction", "clip_ratio/region_mean", "clip_ratio"),
            "length": length(longest),
            "chosen_logps": each_round(fall),
            "grad_norm": each_round(spike),
            "nan": not_numbers,
        }
        self._armed = [_Armed(name, gauge, getattr(settings, name)) for name, gauge in gauges.items()]

    def see(self, step: int, metrics: Metrics) -> list[Alarm]:
        """The alarms that the numbers of this step raise. Values that are no numbers are NaN."""
        return [alarm for armed in self._armed if (alarm := armed.see(step, metrics)) is not None]


class _Armed:
    """One alarm at work: raised when its number crosses the limit, and again only after it has come back."""

    def __init__(self, name: str, gauge: Gauge, setting: Limit) -> None:
        self.name, self.gauge, self.setting, self.rule = name, gauge, setting, _RULES[name]
        self.raised = False
        self.times = 0

    def see(self, step: int, metrics: Metrics) -> Alarm | None:
        limit = self.setting.limit
        if limit is None or (reading := self.gauge(metrics)) is None:
            return None
        metric, value = reading
        if not self.rule.beyond(value, limit):
            margin = limit * (1 + _REST if self.rule.beyond is operator.lt else 1 - _REST)
            self.raised = self.raised and self.rule.beyond(value, margin)
            return None
        if self.raised:
            return None
        self.raised = True
        self.times += 1
        said = self.rule.says.format(value=f"{value:.3g}", limit=f"{limit:g}", metric=metric)
        return Alarm(
            name=self.name,
            metric=metric,
            step=step,
            value=max(-_LARGEST, min(value, _LARGEST)),
            limit=limit,
            text=f"at step {step} {said}",
            remedy=self.rule.remedy,
            stop=self.setting.stop,
            times=self.times,
        )
