"""What the label stage found out about its providers while it asked. It is of that hour, so no page holds it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from solon.report.labeled import Part
from solon.report.reading import parse, read_json
from solon.report.tables import Fact
from solon.report.text import one_line


class _Found(Part):
    """As ``solon.stream.findings.Found``."""

    provider: str
    most: NonNegativeInt
    answered: NonNegativeInt = 0
    throttled: NonNegativeInt = 0
    in_flight: NonNegativeFloat | None = None
    per_second: NonNegativeFloat = 0.0


class _Label(Part):
    providers: tuple[_Found, ...] = ()


class _Timings(Part):
    label: _Label = Field(default=_Label())


def limits_found(run_dir: Path) -> tuple[Fact, ...]:
    """One fact a provider that was asked for labels: how many requests at once it bore, and how many a second.

    Raises:
        DataError: ``timings.json`` is broken.
    """
    path = run_dir / "timings.json"
    if not path.is_file():
        return ()
    timings = parse(_Timings, read_json(path), str(path), "record of times")
    return tuple(Fact("limit", _said(found)) for found in timings.label.providers if found.answered)


def _said(found: _Found) -> str:
    rate = f"{found.per_second:,.0f}" if found.per_second >= 10 else f"{found.per_second:.2g}"
    who = one_line(found.provider, 60)
    if found.in_flight is None:
        return f"{who}: none met with up to {found.most:,} in flight, {rate} replies a second"
    slots, times = max(1, round(found.in_flight)), f"{found.throttled:,} time{'' if found.throttled == 1 else 's'}"
    return f"{who}: settled at {slots:,} in flight, {rate} replies a second; asked for fewer {times}"
