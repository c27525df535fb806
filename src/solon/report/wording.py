"""Numbers in words: one way to write each kind, so that terminal, Markdown and HTML agree to the digit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from solon.data.records import Metric, Usage
from solon.report.labeled import Share
from solon.report.rows import Row
from solon.report.text import one_line

_LABELS = {
    "compliance": "Compliance",
    "accuracy": "Accuracy",
    "win_rate": "Win rate over untrained",
    "kl": "KL from untrained",
    "length": "Response length",
    "agreement": "Agreement",
    "first_slot_wins": "First shown wins",
    "toxicity": "Toxicity",
    "rating": "Rating",
    "grade": "Grade by people",
    "unsafe": "Unsafe answers",
    "distinct_1": "Distinct words",
    "distinct_2": "Distinct pairs of words",
    "distinct_3": "Distinct triples of words",
    "self_bleu": "Self-BLEU",
    "compression": "Compression",
    "lm_eval": "lm-eval",
    "refusals": "Refusals",
    "over_refusals": "Over-refusals",
}


def label(name: str) -> str:
    """A metric's name for people: ``Compliance: format`` for ``compliance/format``, ``Greedy accuracy``."""
    base, *rest = one_line(name, 80).split("/")
    if base == "length_controlled" and rest:
        return f"{label('/'.join(rest))} at equal length"
    words = _LABELS.get(base) or base.replace("_", " ").capitalize()
    if "greedy" in rest:
        rest.remove("greedy")
        words = f"Greedy {lower_first(words)}"
    return ": ".join([words, *(part.replace("_", " ") for part in rest)])


def lower_first(words: str) -> str:
    """A label in the middle of a sentence; abbreviations keep their capitals."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


def number(value: float | None, unit: str = "share") -> str:
    """A value in its unit: shares as percentages with one decimal; a dash where there is none, and never ``-0.0``."""
    if value is None or not math.isfinite(value):
        return "–"
    match unit:
        case "share":
            return f"{plain(100 * value, 1)}%"
        case "usd":
            return dollars(value)
        case "nats" | "tokens":
            return f"{plain(value, 1)} {unit}"
        case _:
            return plain(value, 2)


def span(metric: Metric) -> str:
    """The 95 % interval without its unit, e.g. ``24.9 to 32.1``; empty where there is none."""
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)) or metric.low == metric.high:
        return ""
    return f"{_bare(metric.low, metric.unit)} to {_bare(metric.high, metric.unit)}"


def with_interval(metric: Metric | None) -> str:
    """A number with its 95 % interval, where it has one: ``98.0% [96.5 to 98.9]``; a dash where there is none."""
    if metric is None:
        return "–"
    interval = span(metric)
    return f"{number(metric.value, metric.unit)} [{interval}]" if interval else number(metric.value, metric.unit)


def listed(parts: Sequence[str]) -> str:
    """Words in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def share_of(measured: Share) -> str:
    """A share with its interval: ``92.0% [91.0 to 92.9]``; a dash where nothing was measured."""
    if measured.interval is None:
        return number(measured.value)
    low, high = (_bare(end, "share") for end in measured.interval)
    return f"{number(measured.value)} [{low} to {high}]"


def coefficient(value: float | None) -> str:
    """A correlation or a coefficient of agreement, in [-1, 1]: ``.62``, ``−.05``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    digits = f"{abs(value):.2f}"
    return f"{'−' if value < 0 and float(digits) else ''}{digits.removeprefix('0') if float(digits) < 1 else digits}"


def correlation(measured: Share) -> str:
    """A correlation with its interval: ``.21 [.17 to .24]``."""
    if measured.interval is None:
        return coefficient(measured.value)
    low, high = (coefficient(end) for end in measured.interval)
    return f"{coefficient(measured.value)} [{low} to {high}]"


def _bare(value: float, unit: str) -> str:
    return number(value, unit).removesuffix("%").removesuffix(f" {unit}").removeprefix("$")


def change(row: Row) -> str:
    """The signed change: shares in points, everything else in its unit; empty where nothing is compared."""
    value = row.change
    if value is None:
        return ""
    if row.unit == "share":
        return f"{signed(100 * value, 1)} points"
    return f"{signed(value, 2 if row.unit in ('score', 'usd') else 1)}{f' {row.unit}' if row.unit != 'score' else ''}"


def difference(row: Row) -> str:
    """The 95 % interval of the change where it was measured, in points for shares; empty otherwise."""
    if row.change is None or row.pair is None or not (math.isfinite(row.pair.low) and math.isfinite(row.pair.high)):
        return ""
    scale, decimals = (100, 1) if row.unit == "share" else (1, 2 if row.unit in ("score", "usd") else 1)
    return f"{signed(scale * row.pair.low, decimals)} to {signed(scale * row.pair.high, decimals)}"


def plain(value: float, decimals: int) -> str:
    """``1.3``, ``−0.2``; what rounds to nothing has no sign."""
    return signed(value, decimals).removeprefix("+")


def signed(value: float, decimals: int) -> str:
    """``+1.3``, ``−0.2``; what rounds to nothing has no sign."""
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return f"{'−' if value < 0 else '+'}{text}"


def p_value(p: float | None) -> str:
    """``p < .001``, ``p = .012``, ``p = .68``; empty where no test was made."""
    if p is None or not math.isfinite(p):
        return ""
    if p < 0.001:
        return "p < .001"
    digits = f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"
    return f"p = {digits.removeprefix('0')}" if p < 0.995 else "p = 1"


def share(part: int, whole: int) -> str:
    """``part`` of ``whole`` as a percentage; a dash where the whole is nothing."""
    return number(part / whole) if whole else "–"


def dollars(usd: float) -> str:
    """An amount of money: cents, and where that would be nothing, two digits that count."""
    if 0 < usd < 0.01:
        return f"${usd:.2g}" if usd >= 0.0001 else "under $0.0001"
    return f"${usd:,.2f}"


def tokens(usage: Usage) -> str:
    """What went in and what came out, e.g. ``1.2M in (40% cached), 310k out``."""
    cached = f" ({100 * usage.cached_tokens / usage.input_tokens:.0f}% cached)" if usage.cached_tokens else ""
    return f"{short(usage.input_tokens)} in{cached}, {short(usage.output_tokens)} out"


def short(count: int) -> str:
    """A count in three or four characters: ``950``, ``13.0k``, ``1.2M``."""
    for size, suffix in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        # .99995 so that 999,960 is 1.0M and not 1000.0k
        if count >= size * 0.99995 and count >= 1_000:
            return f"{count / size:.1f}{suffix}"
    return str(count)


def counted(count: int, noun: str) -> str:
    """``1 pair``, ``3,261 pairs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def reasons(counts: Mapping[str, int]) -> str:
    """Counts with their reasons, most frequent first: ``200 tie order, 12 identical``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {one_line(reason, 80).replace('_', ' ')}" for reason, count in ordered if count)
