"""The page of a recipe of several phases: what each of them came to, and where its own report is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup, escape

from solon.data.artifacts import atomic
from solon.report.headline import headline
from solon.report.summary import summarise

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{hash}'">
<title>{name}</title>
<style>{style}</style>
</head>
<body>
<header><p class="eyebrow">solon <span>{name}</span></p><h1>{last}</h1></header>
<main>
{sections}</main>
</body>
</html>
"""
_PHASE = """\
<section><h2>{number}. <a href="{folder}/{page}">{folder}</a></h2><p>{headline}</p></section>
"""


def write_phases(run_dir: Path, phases: Sequence[Path]) -> Path:
    """Writes ``report.html`` of a run of several phases, below which each has its own folder; returns it.

    Args:
        run_dir: where it goes.
        phases: the run directories of the phases that were done, in order.

    Raises:
        DataError: one of them is no run directory.
        StorageError: the disk is full or not writable.
    """
    said = [headline(summarise(folder)) for folder in phases]
    style = files("solon.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    sections = Markup().join(
        Markup(_PHASE).format(  # noqa: S704 - our own
            number=number,
            folder=folder.name,
            page="report.html" if (folder / "report.html").is_file() else "run.json",
            headline=escape(sentence),
        )
        for number, (folder, sentence) in enumerate(zip(phases, said, strict=True), 1)
    )
    page = Markup(_PAGE).format(  # noqa: S704 - our own
        hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
        name=run_dir.absolute().name,
        style=Markup(style),  # noqa: S704 - our own
        last=said[-1],
        sections=sections,
    )
    path = run_dir / "report.html"
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return path
