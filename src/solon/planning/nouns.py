"""What ``solon plan`` says."""

from __future__ import annotations

from solon.data.records import Noun
from solon.data.showing import html_table, text_table


class Ways(Noun):
    """US dollars of the same requests, bought in different ways; ``None`` where there is no such way.

    Attributes:
        plain: one request at a time, nothing read from a cache.
        cached: the constant beginning of each request is read from the provider's cache, where it is long enough. As
            many requests as may be under way at once still read it fresh, and write it.
        batched: as batches of the provider.
        both: as batches whose requests find the beginning in the cache.
    """

    plain: float | None = None
    cached: float | None = None
    batched: float | None = None
    both: float | None = None


class Row(Noun):
    """What one model is asked for one purpose.

    Attributes:
        phase: of the recipe that asks; empty where it has none.
        stage: ``sample``, ``label`` or ``evaluate``.
        part: what the requests are for: ``completions``, ``labels``, ``canaries``, ``answers``, or the kind of the
            evaluator that asks.
        where: the key of the model in the recipe: ``label.judge``; with the phase before it where there is one.
        model: its name.
        requests: about how many. Those asked again, because a reply could not be read or did not come, come on top.
        requests_low, requests_high: what it may be at least and at most, where that hangs on what a cascade escalates.
            Comparisons of a ranking by tournament are counted at their most in all three.
        in_ledger: of them, about how many the ledger holds the reply to: those cost nothing again.
        input_tokens: read, the constant beginnings included.
        output_tokens: written at most: each reply as long as ``max_tokens`` allows.
        counted_by: how the tokens of what is known already were counted.
        usd: as the recipe stands, nothing read from a cache; ``None`` where the price is not known.
        usd_low, usd_high: for ``requests_low`` and ``requests_high``.
        ways: the same, bought in other ways.
        batched: whether the recipe has it sent as batches.
        seconds: how long it takes at least at the limits in the recipe; ``None`` for models that run here, and for
            batches.
        batches: how many batches come one after another, since the later ones hang on the replies to those before;
            ``None`` where nothing is sent as batches.
    """

    phase: str = ""
    stage: str
    part: str
    where: str
    model: str
    requests: int
    requests_low: int
    requests_high: int
    in_ledger: int
    input_tokens: int
    output_tokens: int
    counted_by: str
    usd: float | None
    usd_low: float | None
    usd_high: float | None
    ways: Ways
    batched: bool
    seconds: float | None
    batches: int | None


class Change(Noun):
    """A setting that makes the same labels cheaper, by a cent at least.

    Attributes:
        where: the key of the model in the recipe.
        setting: what to write there.
        usd: what all the rows of this model cost as the recipe stands.
        usd_then: what they would cost.
    """

    where: str
    setting: str
    usd: float
    usd_then: float


class Disk(Noun):
    """About how many bytes a run leaves on the disk. Checkpoints are not counted.

    Attributes:
        candidates: ``candidates.jsonl``; 0 where the recipe begins later.
        judgments: ``judgments.jsonl``.
        ledger: what the replies add to the ledger.
    """

    candidates: int
    judgments: int
    ledger: int


class Plan(Noun):
    """What a recipe would ask of whom, what that would cost, how long it would take, and on what this rests.

    Attributes:
        rows: what is asked, in the order in which it is asked.
        requests: of all rows.
        usd: of all rows, as the recipe stands; ``None`` where a price is not known.
        usd_cheapest: with all ``changes``, every constant beginning found in its cache; ``None`` where ``usd`` is.
        changes: what makes it cheaper.
        seconds: how long all rows that are neither local nor batched take at least: stage after stage, different
            providers at the same time.
        disk: what it leaves on the disk.
        warnings: what will stop the run, or make it dearer than it has to be.
        notes: what the figures assume.
    """

    rows: tuple[Row, ...]
    requests: int
    usd: float | None
    usd_cheapest: float | None
    changes: tuple[Change, ...]
    seconds: float
    disk: Disk
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [text_table(_HEADS, self._cells())] if self.rows else ["no stage asks a model for anything"]
        return "\n".join([*lines, *(f"! {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        return html_table(_HEADS, self._cells(), " ".join(self.warnings))

    def _cells(self) -> list[tuple[str, ...]]:
        rows = [
            (
                one.where,
                one.model,
                f"{one.requests:,}",
                f"{one.input_tokens:,}",
                f"{one.output_tokens:,}",
                _usd(one.usd),
            )
            for one in self.rows
        ]
        return [*rows, ("all", "", f"{self.requests:,}", "", "", _usd(self.usd))]


_HEADS = ("for", "model", "requests", "tokens read", "written", "dollars")


def _usd(usd: float | None) -> str:
    return "unknown" if usd is None else f"{usd:,.2f}"
