"""What a tracker is told of a run besides its numbers: its name, its group, what was run. No secret is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from solon import keys
from solon.data.records import Constitution

_LEFT_OUT = ("sets", "compare", "phases", "track")


@dataclass(frozen=True)
class About:
    """A run, as trackers are told of it.

    Attributes:
        name: names it: ``recipe``, or ``recipe/entry/phase``.
        group: the recipe's name where it has several trainings: the entries of a comparison, or phases; else empty.
        config: what was run, as plain values.
    """

    name: str
    group: str
    config: Mapping[str, Any]

    def flat(self) -> dict[str, str]:
        """The configuration as one text a setting: ``recipe.train.beta``."""
        return dict(_flat(self.config))


def about(
    name: str,
    *,
    budget: str,
    recipe: Mapping[str, Any],
    constitution: Constitution,
    seed: int,
    versions: Mapping[str, str],
) -> About:
    """What is told of a run.

    Args:
        name: of the run, which begins with ``budget``.
        budget: names the recipe.
        recipe: as it is run, as plain values.
        constitution: that it is run under: its name, version and identity are told.
        seed: of the run.
        versions: of packages.
    """
    from solon import __version__

    config = {
        "solon": __version__,
        "recipe": {key: value for key, value in recipe.items() if key not in _LEFT_OUT},
        "constitution": {"name": constitution.name, "version": constitution.version, "id": constitution.id},
        "seed": seed,
        "versions": dict(versions),
    }
    return About(name, budget if name != budget else "", without_secrets(config))


def without_secrets(value: Any) -> Any:
    """Plain values without what nobody else should read.

    The value of an environment variable that names a key, token or password, the user in a URL, and folders of this
    machine are cut out wherever they stand.
    """
    if isinstance(value, Mapping):
        return {str(key): without_secrets(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    from solon.report.text import shorten_paths  # what shows reports is not needed to read a recipe

    return shorten_paths(without_passwords(str(value)))


def without_passwords(text: str) -> str:
    """A line without secrets, those that read like words among them: a tracker may be anybody's."""
    return keys.without_secrets(text, keys.named().values())


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _flat(each, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        for number, each in enumerate(value):
            yield from _flat(each, f"{key}.{number}")
    else:
        yield key, str(value)
