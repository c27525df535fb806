"""The contract as a table for people: what ``docs/plugins/testing.md`` holds."""

from __future__ import annotations

from collections.abc import Iterator

from solon.plugins.groups import GROUPS, NOUN
from solon.plugins.testing.checking import clauses_of
from solon.plugins.testing.settings import ALL


def page() -> str:
    """Every clause of every group, in Markdown: those that all share first."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield from ("## Every plugin", "", *_table("solon.labelers", shared=True))
    for group in GROUPS:
        yield from ("", f"## Every {NOUN[group]}", "", *_table(group, shared=False))


def _table(group: str, *, shared: bool) -> Iterator[str]:
    ours = {one.id for one in ALL} if group != "solon.constitutions" else set()
    yield from ("| clause | a plugin … | because |", "|---|---|---|")
    for one in clauses_of(group):
        if (one.id in ours) == shared:
            yield f"| `{one.id}` | {one.promise} | {one.why} |"
