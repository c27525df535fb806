"""One plugin with all that can be said of it: what ``solon plugins show`` prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solon.errors import PluginError
from solon.plugins.base import base_folder
from solon.plugins.boundary import target_of
from solon.plugins.checks import stated_version
from solon.plugins.describing import Setting, about, schema_of, settings_of
from solon.plugins.groups import CONSTITUTIONS, GROUPS, NOUN, a_noun
from solon.plugins.importing import imports_allowed
from solon.plugins.inspecting import Entry, entries
from solon.plugins.registry import kinds, load


@dataclass(frozen=True)
class Page:
    """A plugin that is shown.

    Attributes:
        group, kind: its place.
        made: its class; of a constitution the function.
        entry: what the list says of it; ``None`` of one that is named as ``module:Class``.
    """

    group: str
    kind: str
    made: Callable[..., Any]
    entry: Entry | None

    @property
    def title(self) -> str:
        """What it is and whose, in a line."""
        where = target_of(self.made)
        if where == self.kind:  # as a recipe names it, which does not say in which folder
            where = str(sys.modules[self.made.__module__].__file__)
        whose = f" of {self.entry.package} {self.entry.version}" if self.entry and self.entry.package else ""
        return f"{self.kind}: {a_noun(self.group)}{whose} ({where})"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What its class says besides its settings."""
        known = []
        if (record := getattr(self.made, "consumes", None)) is not None:
            known.append(("consumes", record.__name__))
        if (gives := getattr(self.made, "gives", None)) is not None:
            known.append(("gives", str(gives)))
        if (version := stated_version(self.made)) is not None:
            known.append(("api_version", str(version)))
        if self.entry is not None and self.entry.url:
            known.append(("documentation", self.entry.url))
        return known

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Its settings; none of a constitution."""
        return settings_of(self.made) if self.group != CONSTITUTIONS and isinstance(self.made, type) else ()

    @property
    def text(self) -> str:
        """What it says that it is for."""
        return about(self.made)

    def as_json(self) -> dict[str, Any]:
        """All of it, with the JSON Schema of what a recipe holds of it."""
        whose = self.entry.model_dump(include={"package", "version", "target", "summary", "url"}) if self.entry else {}
        return {
            "group": self.group,
            "kind": self.kind,
            **whose,
            "description": self.text,
            "settings": [setting.model_dump() for setting in self.settings],
            "schema": schema_of(self.made) if self.group != CONSTITUTIONS and isinstance(self.made, type) else None,
        }


def found(kind: str, group: str | None = None) -> Page:
    """The plugin of a name, imported now.

    Args:
        kind: its name in a recipe; or ``module:Class``, the module being looked up where solon runs too.
        group: its entry-point group, where several have a plugin of that name.

    Raises:
        PluginError: there is none (with the nearest name), several groups have one, or it does not load.
    """
    if ":" in kind:
        return _imported(kind, [group] if group is not None else list(GROUPS))
    there = [one for one in GROUPS if any(entry.kind == kind for entry in entries([one]))]
    if group is None:
        if len(there) > 1:
            options = " or ".join(f"--group {one.removeprefix('solon.')}" for one in there)
            raise PluginError(f"{kind!r} is {' and '.join(map(a_noun, there))}: say which by {options}")
        group = there[0] if there else _nearest(kind)
    made = load(group, kind)
    entry = next((one for one in entries([group]) if one.kind == kind and one.state != "refused"), None)
    return Page(group, kind, made, entry)


def _imported(kind: str, groups: Sequence[str]) -> Page:
    trouble: PluginError | None = None
    with base_folder(Path.cwd()), imports_allowed():
        for group in groups:
            try:
                return Page(group, kind, load(group, kind), None)
            except PluginError as error:
                trouble = trouble or error
                if "is not a subclass" not in str(error):
                    raise
    assert trouble is not None
    nouns = ", ".join(NOUN[group] for group in groups if group != CONSTITUTIONS)
    raise trouble if len(groups) == 1 else PluginError(f"{kind!r} is none of {nouns}") from trouble


def _nearest(kind: str) -> str:
    """Raises that no group has it.

    Raises:
        PluginError: with the nearest name of all.
    """
    from difflib import get_close_matches

    names = {name: group for group in GROUPS for name in kinds(group)}
    near = get_close_matches(kind, names, n=1)
    meant = f"did you mean {near[0]!r}, {a_noun(names[near[0]])}? " if near else ""
    raise PluginError(f"no plugin is called {kind!r}: {meant}`solon plugins list` shows all")
