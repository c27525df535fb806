"""Metrics by name, as a table, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.data.records import Metric, Usage
from solon.data.showing import html_table, text_table
from solon.errors import PluginError
from solon.report.facts import Cost, total
from solon.report.rows import Row, part_of
from solon.report.wording import change, dollars, p_value, with_interval
from solon.screen import visible

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Measured(Row):
    """All that has one name: ``before`` and ``after`` the training, ``pair`` that compares them, ``labels``.

    ``change``, ``p_value`` and ``verdict`` say what became of it; each number is a ``Metric`` with its interval and n.
    """

    labels: Metric | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those that are there."""
        return (*super().metrics, *((self.labels,) if self.labels is not None else ()))

    @property
    def now(self) -> Metric:
        """The number to look at first: of the trained model, or what compares the two, or of the labels."""
        return self.after or self.pair or self.metrics[-1]

    def __repr__(self) -> str:
        return visible(f"<{_line(self)}>")


class Metrics(Mapping[str, Measured]):
    """Metrics by their names, in the order in which they were measured.

    Attributes:
        all: each number by itself.
    """

    all: tuple[Metric, ...]

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.all = tuple(metrics)
        self._named = _named(self.all)

    def __getitem__(self, name: str) -> Measured:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def to_pandas(self) -> pd.DataFrame:
        """A row a number, in the columns of ``Metric``.

        Raises:
            PluginError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise PluginError("to_pandas() needs pandas, which is not installed: pip install pandas") from error
        return pd.DataFrame([metric.model_dump() for metric in self.all], columns=list(Metric.model_fields))

    def __repr__(self) -> str:
        return text_table(_NAMES, map(_cells, self.values())) if self else "no metrics"

    def _repr_html_(self) -> str:
        return html_table(_NAMES, map(_cells, self.values())) if self else "no metrics"


_NAMES = ("metric", "before", "after", "change", "p", "n", "failed")


def _cells(row: Measured) -> Sequence[str]:
    compared = (row.pair or row.labels) if row.after is None else row.after
    return (
        row.name,
        with_interval(row.before),
        with_interval(compared),
        change(row),
        p_value(row.p_value),
        f"{row.now.n:,}",
        f"{row.now.failed:,}" if row.now.failed else "",
    )


def _line(row: Measured) -> str:
    before = f"{with_interval(row.before)} → " if row.before is not None else ""
    after = with_interval((row.pair or row.labels) if row.after is None else row.after)
    verdict = "" if row.verdict == "none" else f", {row.verdict}"
    return f"{row.name}: {before}{after}{verdict}, n={row.now.n:,}"


def _named(metrics: Sequence[Metric]) -> dict[str, Measured]:
    found: dict[str, dict[str, Metric]] = {}
    for metric in metrics:
        found.setdefault(metric.name, {}).setdefault(metric.of, metric)
    return {name: Measured(name=name, part=part_of(name, found), **of) for name, of in found.items()}


class Costs(Mapping[str, Cost]):
    """What each stage that asked models used, by its name; what the ledger answered counts as what it had cost."""

    def __init__(self, stages: Iterable[Cost]) -> None:
        self._stages = {cost.stage: cost for cost in stages}

    def __getitem__(self, stage: str) -> Cost:
        return self._stages[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    @property
    def usd(self) -> float:
        """US dollars of all stages together."""
        return sum(cost.usd for cost in self.values())

    @property
    def usage(self) -> Usage:
        """Tokens of all stages together."""
        return total(list(self.values()))

    def _rows(self) -> list[tuple[str, str, str, str]]:
        every = [*self.values(), Cost("all", self.usage, self.usd)]
        return [
            (one.stage, f"{one.usage.input_tokens:,}", f"{one.usage.output_tokens:,}", dollars(one.usd))
            for one in every
        ]

    def __repr__(self) -> str:
        return text_table(("stage", "tokens read", "written", "dollars"), self._rows())

    def _repr_html_(self) -> str:
        return html_table(("stage", "tokens read", "written", "dollars"), self._rows())
