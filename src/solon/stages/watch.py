"""What an evaluator does while it is at work, as its progress bar shows it."""

from __future__ import annotations

from solon.progress import Bar
from solon.stream import Event, Stream


class Watch:
    """Shows an examiner's replies as they come: one evaluator may take hours of them."""

    def __init__(self) -> None:
        self.bar: Bar | None = None
        self.stream: Stream | None = None
        self.kind, self.replies, self.usd = "", 0, 0.0

    def measure(self, kind: str) -> None:
        """The next evaluator begins."""
        self.kind, self.replies = kind, 0
        self._show()

    def __call__(self, event: Event) -> None:
        """Told by the stream what happened."""
        if event.kind in ("answered", "from_ledger"):
            self.replies += 1
            self._show()

    def _show(self) -> None:
        if self.bar is not None and self.stream is not None:
            spent, self.usd = self.stream.tally.usd - self.usd, self.stream.tally.usd
            self.bar.advance(0, usd=spent, note=f"{self.kind}: {self.replies:,} replies" if self.replies else self.kind)
