"""The layouts: how each library holds preferences, labelled responses, demonstrations and prompts.

``LAYOUTS`` names them all. What each was checked with stands in ``docs/interchange.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solon.interchange.layouts import axolotl, distilabel, llama_factory, openrlhf, solon, trl
from solon.interchange.shapes import Holding, Shape, Target


@dataclass(frozen=True)
class Layout:
    """One library's way to hold data.

    Attributes:
        name: as ``--to`` and ``--from`` take it.
        title: as people call the library.
        shapes: how its rows are read.
        targets: how its rows are written, of each kind that it has.
        needs: what its user writes to train on the files, in Markdown; ``FOLDER`` stands for where they are.
        beside: JSON files that it reads beside the data, by name.
    """

    name: str
    title: str
    shapes: Sequence[Shape]
    targets: Mapping[Holding, Target]
    needs: Callable[[dict[Holding, list[str]]], str]
    beside: Callable[[dict[Holding, list[str]]], dict[str, Any]] = lambda _: {}


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("solon", "solon", solon.SHAPES, solon.TARGETS, solon.needs),
        Layout("trl", "TRL", trl.SHAPES, trl.TARGETS, trl.needs),
        Layout("axolotl", "Axolotl", axolotl.SHAPES, axolotl.TARGETS, axolotl.needs),
        Layout(
            "llama-factory",
            "LLaMA-Factory",
            llama_factory.SHAPES,
            llama_factory.TARGETS,
            llama_factory.needs,
            lambda files: {llama_factory.INFO: llama_factory.dataset_info(files)},
        ),
        Layout("openrlhf", "OpenRLHF", openrlhf.SHAPES, openrlhf.TARGETS, openrlhf.needs),
        Layout("distilabel", "distilabel", distilabel.SHAPES, distilabel.TARGETS, distilabel.needs),
    )
}
