"""Writes the reference pages anew: ``make reference``."""

from __future__ import annotations

from pathlib import Path

from reference.written import PAGES

FOLDER = Path(__file__).parents[2] / "reference"

for name, write in PAGES.items():
    (FOLDER / name).write_text(write(), "utf-8")
    print(FOLDER / name)
