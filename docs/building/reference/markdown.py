"""Markdown from docstrings in Google's style, and the few things that every reference page is made of."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence

NOTE = "<!-- Written by `make reference` from the code. What is changed here is lost. -->"
_SECTION = re.compile(r"^(Args|Attributes|Class attributes|Returns|Raises|Yields|Note|Example|Examples):$")
_ITEM = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*)(?: \([^)]*\))?: ?(.*)$")


def page(title: str, *parts: str) -> str:
    """A whole page: its title, what says that it is generated, and its parts with an empty line between."""
    return "\n\n".join([f"# {title}", NOTE, *filter(None, map(str.strip, parts))]) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing where there are no rows."""
    lines = [_row(row) for row in rows]
    return "\n".join([_row(header), _row(["---"] * len(header)), *lines]) if lines else ""


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells) + " |"


def code(text: str) -> str:
    """Text in the type of code, on one line."""
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}"


def fenced(text: str, language: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.strip()}\n```"


def inline(text: str) -> str:
    """The inline marks of a docstring as those of Markdown: its code has two ticks a side."""
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def prose(docstring: str | None) -> str:
    """A docstring as Markdown. Sections become lists; what stands under ``::`` becomes a block of text."""
    return "\n\n".join(_parts(inspect.cleandoc(docstring or "").splitlines()))


def _parts(lines: Sequence[str]) -> Iterator[str]:
    for first, *rest in _paragraphs(lines):
        if _SECTION.match(first):
            yield f"**{first}**\n\n{_items(rest)}"
        elif first.startswith("    "):
            yield fenced(inspect.cleandoc("\n".join(["", first, *rest])), "text")
        elif first != "::":
            yield inline("\n".join([first, *rest])).removesuffix("::") + (
                ":" if rest and rest[-1].endswith("::") else ""
            )


def _paragraphs(lines: Sequence[str]) -> Iterator[list[str]]:
    """Runs of lines between empty ones; what is indented stays together, and with the name of its section."""
    now: list[str] = []
    for line in [*lines, ""]:
        indented = line.startswith("    ") or not line
        if now and (not line or _SECTION.match(line)) and not _holds_on(now):
            yield now
            now = []
        elif now and _holds_on(now) and not indented:
            yield [each for each in now if each or _SECTION.match(now[0]) is None]
            now = []
        if line or now:
            now.append(line)
    if any(now):
        yield now


def _holds_on(now: Sequence[str]) -> bool:
    return bool(_SECTION.match(now[0])) or now[0].startswith("    ")


def _items(lines: Sequence[str]) -> str:
    """``name: text`` as a list; a section without names is a paragraph."""
    inner = inspect.cleandoc("\n".join(["", *lines])).splitlines()
    found: list[str] = []
    for line in inner:
        item = _ITEM.match(line)
        if item is not None:
            names = ", ".join(code(name) for name in item[1].split(", "))
            found.append(f"- {names}: {inline(item[2])}")
        elif found:
            found.append(f"  {inline(line.strip())}")
        else:
            return inline("\n".join(inner))
    return "\n".join(found)
