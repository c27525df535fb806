"""What newcomers and sceptics read: the first screen, the order of the pages, and what is said of other tools."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

ORDER = [
    "start.md",
    "constitution.md",
    "judges.md",
    "datasets.md",
    "trainers.md",
    "evaluation.md",
    "plugins.md",
    "python.md",
    "scaling.md",
    "recipes.md",
    "reference/README.md",
    "results/README.md",
    "design/README.md",
    "alternatives.md",
]


def links(text: str) -> list[str]:
    """Where a text leads, in its order, without the headings."""
    return [link.partition("#")[0] for link in re.findall(r"\]\(([^):\s]+)\)", text)]


def test_the_first_screen_of_the_readme_says_what_to_type_and_where_to_go() -> None:
    """Most readers leave after it: what it is, two commands, what they show, and a way on for each of them."""
    screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:60])
    assert "make quickstart" in screen
    assert "make test" in screen
    assert "Compliance rose from" in screen
    ways = ["start.md", "scaling.md", "compare.md", "plugins.md", "python.md", "recipes.md", "alternatives.md"]
    assert [page for page in ways if f"docs/{page}" not in links(screen)] == []
    assert "examples/labeling/README.md" in links(screen)


def test_the_index_has_the_pages_in_the_order_in_which_they_are_needed() -> None:
    """And every page of its own level at least once."""
    found = links((DOCS / "README.md").read_text("utf-8"))
    assert [link for link in dict.fromkeys(found) if link in ORDER] == ORDER
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md", "index.md"}
    assert sorted(pages - set(found)) == []


def test_every_design_decision_is_in_the_index() -> None:
    """Somebody asked the question that it answers."""
    pages = {path.name for path in (DOCS / "design").glob("*.md")} - {"README.md"}
    assert sorted(pages - set(links((DOCS / "design" / "README.md").read_text("utf-8")))) == []


def test_what_is_said_of_other_tools_names_its_source() -> None:
    """A claim about others that nobody can check is worth less than a blank."""
    text = (DOCS / "alternatives.md").read_text("utf-8")
    table = text[text.index("| | solon |") :].partition("\n\n")[0].splitlines()
    tools = [cell.strip() for cell in table[0].split("|")[3:-1]]
    letters = dict(zip(tools, "dcitalo", strict=True))
    sources = {name: letter for letter, name in re.findall(r"^- \*\*(\w)\*\* ([\w-]+)", text, re.MULTILINE)}
    assert sources == letters
    for row in table[2:]:
        cells = [cell.strip() for cell in row.split("|")[3:-1]]
        assert len(cells) == len(tools), row
        for tool, cell in zip(tools, cells, strict=True):
            assert not cell or re.match(rf"(✓|\(✓\)|–) {letters[tool]}\b", cell), f"{tool}: {cell!r} in {row}"


def test_the_versions_compared_are_dated() -> None:
    """Tools change faster than pages."""
    text = (DOCS / "alternatives.md").read_text("utf-8")
    named = dict(re.findall(r"^- \*\*\w\*\* ([\w-]+) ([\d.]+\d):", text, re.MULTILINE))
    assert len(named) == 7
    assert re.search(r"^Dated \d+ \w+ \d{4}\.", text, re.MULTILINE)
    assert [name for name, version in named.items() if not re.search(rf"\| \[{name}\].*\| {version} \|", text)] == []
