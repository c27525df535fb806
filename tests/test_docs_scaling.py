"""The memory that ``docs/scaling.md`` states is what ``solon doctor`` says, whose arithmetic may change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from solon.cli.app import app

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
LLAMA = ["--model", "meta-llama/Llama-3.1-8B-Instruct"]


def stated() -> Iterator[Any]:
    """Each cell of the table, with the options that its column stands for."""
    text = PAGE.read_text("utf-8")
    lines = text[text.index("| trainer | default |") :].partition("\n\n")[0].splitlines()
    columns = [re.findall(r"[-\w]+", cell.strip(" `")) for cell in lines[0].split("|")[2:-1]]
    for line in lines[2:]:
        trainer, *cells = (cell.strip(" `") for cell in line.split("|")[1:-1])
        for column, cell in zip(columns, cells, strict=True):
            if cell:
                options = [] if column == ["default"] else column
                yield pytest.param(trainer, options, cell, id=" ".join([trainer, *options]))


@pytest.mark.parametrize(("trainer", "options", "gib"), list(stated()))
def test_memory_on_the_page_is_the_doctors(trainer: str, options: list[str], gib: str) -> None:
    """A reader buys or rents a card by it."""
    said = CliRunner().invoke(app, ["doctor", *LLAMA, "--trainer", trainer, *options, "--json"])
    assert f"{json.loads(said.stdout)['card_gib']:.1f}" == gib


@pytest.mark.parametrize(("options", "gib"), [("--weights bfloat16", "26.0"), ("--rank 0 --weights float32", "150.1")])
def test_memory_in_the_sentence_below_is_the_doctors(options: str, gib: str) -> None:
    """The same for adapters on 16-bit weights, and for all weights."""
    assert re.search(rf"`{options}`[^`]*?(`dpo` needs )?{re.escape(gib)}\b", PAGE.read_text("utf-8"))
    said = CliRunner().invoke(app, ["doctor", *LLAMA, "--trainer", "dpo", *options.split(), "--json"])
    assert f"{json.loads(said.stdout)['card_gib']:.1f}" == gib


def test_the_table_is_read() -> None:
    """Or the tests above would pass on nothing."""
    assert len(list(stated())) == 18
