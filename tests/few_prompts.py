"""The first prompts of the quickstart, for recipes that are run at a small size."""

from __future__ import annotations

from pathlib import Path

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart"


def few_prompts(folder: Path, *, prompts: int = 24, held_out: int = 8) -> list[str]:
    """Writes them into ``folder``; the overrides that put them, short answers and a ledger there into a recipe."""
    for name, count in (("prompts", prompts), ("held_out", held_out)):
        lines = (QUICKSTART / f"{name}.jsonl").read_text("utf-8").splitlines(keepends=True)
        (folder / f"{name}.jsonl").write_text("".join(lines[:count]), "utf-8")
    places = [f"prompts={folder / 'prompts.jsonl'}", f"evaluate.prompts={folder / 'held_out.jsonl'}"]
    return [*places, f"ledger={folder / 'ledger.sqlite'}", "evaluate.max_tokens=12"]
