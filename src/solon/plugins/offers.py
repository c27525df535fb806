"""What installed packages offer under which name, and which of it may be loaded. Nothing here imports any of it.

``SOLON_PLUGINS`` limits the packages: ``off`` leaves solon's own plugins, ``name,name`` these packages besides.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib import invalidate_caches
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from itertools import chain
from pathlib import Path

from solon.errors import PluginError

OURS = "solon"
"""Our own package."""
LIMIT = "SOLON_PLUGINS"
"""The environment variable that says which third-party packages may be loaded."""
ALL_GROUPS = ("solon.models", "solon.labelers", "solon.trainers", "solon.evaluators", "solon.constitutions")


@dataclass(frozen=True)
class Offer:
    """One name that one installed package offers in one group. Making it imports nothing.

    Attributes:
        group, kind: the entry-point group, and the name in it.
        target: ``module:Class``.
        package, version: of the distribution; a version that is not known is ``?``.
        entry_point: it.
        refused: why it may not be loaded, with what to do about it; empty where it may.
    """

    group: str
    kind: str
    target: str
    package: str
    version: str
    entry_point: EntryPoint
    refused: str = ""

    def __str__(self) -> str:
        return f"{self.package} {self.version} ({self.target})"

    @property
    def ours(self) -> bool:
        """Whether it is solon's own."""
        return normalised(self.package) == OURS and _is_module_of_ours(self.target.partition(":")[0])

    @property
    def distribution(self) -> Distribution | None:
        """The installed package."""
        return self.entry_point.dist


@cache
def _is_module_of_ours(module: str) -> bool:
    first, *rest = module.split(".")
    file = Path(__file__).parents[1].joinpath(*rest)
    return first == OURS and (file.with_suffix(".py").is_file() or file.joinpath("__init__.py").is_file())


def normalised(package: str) -> str:
    """The name of a package as PEP 503 writes it: ``My_Judge`` and ``my-judge`` are one."""
    return re.sub(r"[-_.]+", "-", package).lower()


def offers(group: str) -> tuple[Offer, ...]:
    """All that installed packages offer in a group, sorted by name and package; also what may not be loaded.

    Raises:
        PluginError: ``SOLON_PLUGINS`` names a package that is not installed.
    """
    found = _installed(group)
    own = {offer.kind for offer in found if offer.ours}
    allowed = allowed_packages()
    return tuple(offer if offer.ours else replace(offer, refused=_refusal(offer, own, allowed)) for offer in found)


def offers_anew(group: str) -> tuple[Offer, ...]:
    """As ``offers``, also of what was installed since this process first looked: ``%pip install`` in a notebook."""
    invalidate_caches()
    _installed.cache_clear()
    return offers(group)


def limited_by(allowed: frozenset[str] | None) -> str:
    """What ``SOLON_PLUGINS`` says, as the beginning of a sentence about what it keeps out."""
    return f"{LIMIT}={os.environ.get(LIMIT, '')} " + ("allows no package but solon" if not allowed else "leaves it out")


def allowed_packages() -> frozenset[str] | None:
    """The third-party packages that ``SOLON_PLUGINS`` lets in, their names normalised; ``None`` where it lets in all.

    Raises:
        PluginError: it names a package that is not installed, or that offers nothing.
    """
    said = os.environ.get(LIMIT, "").strip()
    if not said:
        return None
    if said.lower() == "off":
        return frozenset()
    names = [normalised(name.strip()) for name in said.split(",") if name.strip()]
    there = sorted({normalised(offer.package) for group in ALL_GROUPS for offer in _installed(group)})
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise PluginError(
                f"{LIMIT}={said}: no installed package called {name!r} offers a plugin; those that do are "
                f"{', '.join(there)}{meant}. Name some of them, or set it to off, or unset it"
            )
    return frozenset(names) - {OURS}


def _refusal(offer: Offer, own: set[str], allowed: frozenset[str] | None) -> str:
    if normalised(offer.package) == OURS:
        place = offer.distribution.locate_file("") if offer.distribution else "an unknown folder"
        return (
            f"a package in {place} calls itself {OURS} and is not: find out what brought it there, and uninstall that; "
            f"after an update of {OURS} install it again, as what it offered before may have moved"
        )
    if offer.kind in own:
        return (
            f"solon has a plugin of that name itself, which goes on working: {offer.package} has to choose another "
            f"name, and can be uninstalled until then"
        )
    if allowed is not None and normalised(offer.package) not in allowed:
        return f"{limited_by(allowed)}: add {normalised(offer.package)} to it, or unset it"
    return ""


@cache
def _installed(group: str) -> tuple[Offer, ...]:
    found: dict[tuple[str, str, str], Offer] = {}
    # of several packages of one name only the first on the path is told: one that calls itself solon must not hide ours
    of_our_name = chain.from_iterable(one.entry_points.select(group=group) for one in distributions(name=OURS))
    for point in chain(entry_points(group=group), of_our_name):
        # both are missing of a package whose metadata are damaged, as one is that is being removed
        package = (point.dist.name if point.dist else "") or "(unknown package)"
        version = (point.dist.version if point.dist else "") or "?"
        # one package found twice on the path (an editable install beside its metadata) is one offer
        offer = Offer(group, point.name, point.value, package, version, point)
        if not (offer.ours and any(one.ours and one.kind == offer.kind for one in found.values())):
            found[point.name, package, point.value] = offer
    return tuple(offer for _, offer in sorted(found.items(), key=lambda each: each[0]))
