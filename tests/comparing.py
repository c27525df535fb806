"""A recipe that compares, for tests that run nothing."""

from __future__ import annotations

from pathlib import Path

RECIPE = """
constitution: helpful
prompts: prompts.jsonl
policy: {model: policy}
label: {kind: pairwise, judge: {kind: scripted, default: A}}
train: {kind: dpo, beta: 0.3, epochs: 2}
evaluate: {prompts: held_out.jsonl, with: [length]}
compare:
"""


def recipe(folder: Path, compare: str) -> Path:
    """The file, with its constitution beside it; ``compare`` is what stands under that key."""
    file = folder / "recipe.yaml"
    constitution = "name: helpful\nprinciples: [{id: brief, text: Be brief.}]\n"
    (folder / "constitution.yaml").write_text(constitution, "utf-8")
    file.write_text(RECIPE.replace("helpful", "constitution.yaml").lstrip() + compare, "utf-8")
    return file
