"""The card of converted data: what is in it, what it was made of, what was left out, how its library reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from solon.data.front_matter import front_matter
from solon.interchange.shapes import LEFT_OUT, NOTES, Holding

if TYPE_CHECKING:
    from solon.interchange.converting import Converted

_MOST_NAMES = 20


def readme(
    converted: Converted,
    title: str,
    splits: dict[Holding, list[str]],
    needs: str,
    origin: Path | None,
    labelers: Sequence[str],
    folder: Path,
) -> str:
    """The card, with the front matter by which ``datasets.load_dataset`` finds each kind and split.

    Args:
        converted: what was done.
        title: the library's name.
        splits: of each kind.
        needs: what a user of the library writes, with ``FOLDER`` for where the files are.
        origin: the card of the source, where there is one: what it says of constitution and judges is said here too.
        labelers: who judged, as the rows say.
        folder: where the files are, written to their ends.
    """
    front = front_matter(("solon", converted.layout), splits, folder)
    rows = [f"| `{file}` | {count:,} |" for file, count in converted.files.items()]
    sections = [
        f"{front}\n# Data in the layout of {title}",
        "\n".join(made_of(origin) or _judged(labelers)),
        "\n".join(["| file | rows |", "|---|---:|", *rows]),
        f"## In {title}\n\n`FOLDER` is where this file is.\n\n{needs}",
        "## Left out\n\n" + ("\n".join(f"- {line}" for line in left_out(converted)) or "Nothing."),
        "## To know\n\n" + "\n".join(f"- {line}" for line in notes(converted)) if converted.notes else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def left_out(converted: Converted) -> list[str]:
    """What was left out, a line each."""
    lines = [
        f"{count:,} {kind} row{'s' * (count != 1)}, `{reason}`: {_meaning(reason, converted.layout)}"
        for kind, reasons in converted.dropped.items()
        for reason, count in reasons.items()
    ]
    if converted.left_out:
        said = ", ".join(f"`{name}` ({count:,} rows)" for name, count in converted.left_out.items())
        lines.append(f"what the layout of {converted.layout} does not hold: {said}")
    return lines


def notes(converted: Converted) -> list[str]:
    """What a person should know of the rows that were written, a line each."""
    return [f"{count:,} row{'s' * (count != 1)}: {NOTES[note]}" for note, count in converted.notes.items()]


def _meaning(reason: str, layout: str) -> str:
    return LEFT_OUT.get(reason, f"{layout} has no rows of this kind")


def made_of(card: Path | None) -> list[str]:
    """What a card of solon's says of how its data were made: the list under its title."""
    lines = card.read_text("utf-8", "replace").split("\n") if card is not None and card.is_file() else []
    if not any(line.strip() == "- solon" for line in lines[:10]):
        return []
    found: list[str] = []
    after_title = False
    for line in lines:
        after_title = after_title or line.startswith("# ")
        if after_title and line.startswith("- "):
            found.append(line)
        elif found or line.startswith("## "):
            break
    return found


def _judged(labelers: Sequence[str]) -> list[str]:
    names = ", ".join(f"`{name}`" for name in labelers[:_MOST_NAMES])
    more = f" and {len(labelers) - _MOST_NAMES} more" if len(labelers) > _MOST_NAMES else ""
    return [f"- Judged by: {names}{more}"] if labelers else ["- Who judged is not recorded in the source."]
