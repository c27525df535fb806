"""A setting of a trainer that is misspelt is named by its place, with the right one, for every setting there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from solon.errors import RecipeError
from solon.plugins.registry import load, offers
from solon.recipe import read

OURS = [offer.kind for offer in offers("solon.trainers") if offer.package == "solon"]
RECIPE = """\
constitution: strict-format
dataset: pairs
policy: model
train:
  kind: {kind}
"""


def misspelt(name: str) -> str:
    """With the letters in the middle exchanged."""
    middle = next(place for place in range(len(name) // 2, len(name)) if name[place - 1] != name[place])
    return name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :]


@pytest.mark.parametrize("kind", OURS)
def test_a_misspelt_setting_is_found_at_its_place_with_the_right_name(kind: str, tmp_path: Path) -> None:
    """All at once, each at its line and column."""
    names = list(load("solon.trainers", kind).model_fields)
    recipe = tmp_path / "recipe.yaml"
    lines = [f"  {misspelt(name)}: 1\n" for name in names]
    recipe.write_text(RECIPE.format(kind=kind) + "".join(lines))
    with pytest.raises(RecipeError) as caught:
        read(recipe)
    found = [str(problem) for problem in caught.value.problems]
    for number, name in enumerate(names, start=6):
        says = f"{recipe}:{number}:3: unknown key {misspelt(name)!r} (did you mean {name!r}?"
        assert any(one.startswith(says) for one in found), f"{says}\n" + "\n".join(found)
