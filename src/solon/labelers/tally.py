"""Judgments counted: how many failed and for which reason, and when it is no use to ask for more.

The label stage counts so, and every training that asks labelers while it trains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import assert_never

from pydantic import JsonValue

from solon.data.position import Position
from solon.data.records import Failed, Judgment, Revised, Scored, Usage
from solon.errors import StageIncomplete
from solon.labelers.base import Labeler
from solon.stream import Stream

ENOUGH_TO_TELL = 50
"""Judgments after which what mostly fails is stopped instead of paid for to its end."""

ASKED_AGAIN = ("unavailable", "malformed")
"""Why a judge gave no reply at all: nothing is in the ledger, so the next run asks again."""


@dataclass
class Tokens:
    """A sum of ``Usage`` that grows in place: another record for each judgment takes ten times as long."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False

    def add(self, usage: Usage) -> None:
        """Counts one more."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cached_tokens += usage.cached_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.estimated |= usage.estimated


class Tally:
    """Counts judgments and stops the asking when too many failed.

    Args:
        limit: share of the judgments that may fail, in [0, 1].
        labeler: whose they are.
    """

    def __init__(self, limit: float, labeler: Labeler) -> None:
        self.limit, self.labeler = limit, labeler
        self.judgments = 0
        self.failed: Counter[str] = Counter()
        self.said: dict[str, str] = {}
        self.usage, self.cost = Tokens(), 0.0
        self.position = Position()

    def add(self, judgments: Sequence[Judgment]) -> int:
        """Counts one prompt's judgments; how many of them failed."""
        before = self.failed.total()
        self.position.add(judgments)
        for judgment in judgments:
            self.judgments += 1
            self.usage.add(judgment.usage)
            self.cost += judgment.cost_usd
            match judgment.outcome:
                case Scored() | Revised():
                    pass
                case Failed(reason=reason, raw=raw):
                    self.failed[reason] += 1
                    self.said.setdefault(reason, raw or "")
                case _:
                    assert_never(judgment.outcome)
        return self.failed.total() - before

    def note(self, stream: Stream) -> str:
        """What the progress bar says of the judgments so far.

        Requests run ahead of the judgments, which are counted in the order of the prompts, and a judgment may rest on
        several: so the ledger's part is told of the requests.
        """
        parts = [f"{self.judgments:,} judgments"]
        if asked := stream.tally.asked:
            parts.append(f"{stream.tally.from_ledger:,} of {asked:,} requests from the ledger")
        if stream.tally.throttled:
            parts += [str(found) for found in stream.found() if found.throttled]
        return ", ".join(parts)

    def stop_if_hopeless(self) -> None:
        """Stops early when what failed is beyond what chance explains of judgments within the limit."""
        share = self.failed.total() / max(1, self.judgments)
        if self.judgments >= ENOUGH_TO_TELL and share > max(2 * self.limit, 0.5):
            self._stop("stopped early")

    def stop_if_nothing(self) -> None:
        """At the end: that there was anything to judge."""
        if not self.judgments:
            raise StageIncomplete(
                "nothing was judged: no principle applies to any of the prompts, or none of them has the completions "
                f"that {self.labeler.kind!r} asks for. Look at `topics` in the constitution, and at the candidates"
            )

    def stop_if_too_many(self) -> None:
        """At the end: the limit as it was set."""
        if self.failed.total() > self.limit * self.judgments:
            self._stop("all were asked")

    def _stop(self, when: str) -> None:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.failed.most_common())
        reason = self.failed.most_common(1)[0][0]
        said = self.said[reason]
        example = f" {self.labeler.name} said, for example: {said[:200]!r}." if said else ""
        remedy = (
            f"Run again to ask for those that were {reason}"
            if reason in ASKED_AGAIN
            else "Asking again would give the same replies: change the judge or its settings, or the constitution"
        )
        raise StageIncomplete(
            f"{self.failed.total():,} of {self.judgments:,} judgments failed ({reasons}); max_failed allows "
            f"{self.limit:.0%}; {when}.{example} No failed judgment became a label, and every reply is in the ledger. "
            f"{remedy}"
        )

    def summary(self) -> dict[str, JsonValue]:
        """What ``run.json`` and the report hold of them."""
        return {
            "judgments": self.judgments,
            "failed": dict(sorted(self.failed.items())),
            **self.position.summary(),
            "usage": asdict(self.usage),
            "cost_usd": round(self.cost, 6),
        }
