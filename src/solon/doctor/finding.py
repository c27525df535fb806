"""What was looked at, and what puts it right."""

from __future__ import annotations

from solon.data.records import Noun


class Finding(Noun):
    """One thing that was looked at.

    Attributes:
        what: it.
        ok: whether nothing is wrong: it is there, or few need it.
        found: what was found.
        remedy: the command or the step that puts it right, or that adds what few need.
    """

    what: str
    ok: bool
    found: str
    remedy: str = ""
