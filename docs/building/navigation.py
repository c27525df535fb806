"""Which page stands where in the site: the pages themselves stay plain Markdown, without a table of contents in them.

A page that is named nowhere here, by name or by pattern, is a warning of Sphinx's, and so an error of ``make docs``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sphinx.util.matching import patfilter


class Entry(NamedTuple):
    """A page in the navigation: its name without ``.md``, the title that it has there, and what stands below it.

    A name with ``*`` is a pattern: it stands for the pages that it matches, but for those that are named anywhere, or
    that an earlier pattern has.
    """

    page: str
    title: str = ""
    below: tuple[Entry, ...] = ()


def pages(*names: str) -> tuple[Entry, ...]:
    """Entries with the titles that the pages have themselves."""
    return tuple(Entry(name) for name in names)


FRONT = "docs/index"
TREE = (
    Entry("docs/start", "Start here", pages("docs/projects")),
    Entry("docs/constitution", "Write a constitution"),
    Entry("docs/judges", "Judges", pages("docs/trust", "docs/view", "docs/labelers/*", "docs/models/*")),
    Entry("docs/datasets", "Datasets", pages("docs/interchange")),
    Entry(
        "docs/trainers",
        "Trainers",
        pages(
            "docs/trainers/sft",
            "docs/trainers/dpo",
            "docs/trainers/simpo",
            "docs/trainers/orpo",
            "docs/trainers/kto",
            "docs/trainers/reward",
            "docs/trainers/rewards",
            "docs/trainers/grpo",
            "docs/trainers/ppo",
            "docs/trainers/selfplay",
            "docs/trainers/*",
            "docs/tracking",
        ),
    ),
    Entry("docs/evaluation", "Evaluate and compare", pages("docs/compare", "docs/report")),
    Entry(
        "docs/plugins",
        "Plugins",
        pages("docs/plugins/*", "docs/testing", "examples/plugins/*", "examples/plugins/*/README"),
    ),
    Entry("docs/python", "Python", pages("examples/notebook/README", "docs/stability")),
    Entry("docs/scaling", "From laptop to GPU to cluster", pages("docs/plan")),
    Entry("docs/recipes", "Recipes by example", pages("examples/quickstart/README", "examples/*/README")),
    Entry(
        "docs/reference/README",
        "Reference",
        pages(
            "docs/recipe",
            "docs/reference/cli",
            "docs/reference/python",
            "docs/reference/records",
            "docs/reference/errors",
            "docs/reference/*",
        ),
    ),
    Entry("docs/results/README", "Results", pages("docs/results/quickstart", "docs/results/*")),
    Entry("docs/design/README", "Design decisions", pages("docs/design/*")),
    Entry("docs/alternatives", "Comparison with other tools"),
)
PROJECT = (
    *pages("CONTRIBUTING", "SECURITY", "CHANGELOG"),
    Entry("README", "README"),
    Entry("docs/README", "All pages"),
)


def below(page: str, found: Iterable[str]) -> str:
    """What is put at the end of a page: its part of the table of contents, hidden, or nothing.

    Args:
        page: its name, without ``.md``.
        found: the names of all pages of the site. An entry whose page is not among them is left out, as a checkout
            may lack it.
    """
    exist = set(found)
    if page == FRONT:
        return _toctree(_single(TREE, exist)) + _toctree(_single(PROJECT, exist), caption="Project")
    return _toctree(_children(exist).get(page, []))


def _single(entries: Iterable[Entry], exist: set[str]) -> list[Entry]:
    return [entry for entry in entries if entry.page in exist]


def _children(exist: set[str]) -> dict[str, list[Entry]]:
    """What stands below each page, patterns being the pages that they stand for."""
    inner = [entry for part in TREE for entry in part.below]
    taken = {entry.page for entry in (*TREE, *PROJECT, *inner)}
    children: dict[str, list[Entry]] = {}
    for part in TREE:
        children[part.page] = []
        for entry in part.below:
            if "*" in entry.page:
                matched = sorted(set(patfilter(exist, entry.page)) - taken)
                taken.update(matched)
                children[part.page] += pages(*matched)
            elif entry.page in exist:
                children[part.page].append(entry)
    return children


def _toctree(entries: Iterable[Entry], caption: str = "") -> str:
    lines = [f"{entry.title} </{entry.page}>" if entry.title else f"/{entry.page}" for entry in entries]
    if not lines:
        return ""
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *lines, "```", ""])
