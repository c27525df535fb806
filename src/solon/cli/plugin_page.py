"""A plugin and its settings on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from solon import screen
from solon.cli.named import show_named

if TYPE_CHECKING:
    from rich.console import Console

    from solon.plugins.describing import Setting
    from solon.plugins.page import Page

_LONGEST = 60


def page(console: Console, plugin: Page) -> None:
    """What it is for, then each of its settings."""
    console.print(screen.styled((plugin.title, "bold")))
    if plugin.text:
        console.print(f"\n{plugin.text}")
    if plugin.facts:
        console.print()
        show_named(console, plugin.facts)
    settings = plugin.settings
    if settings:
        from rich.padding import Padding

        console.print(screen.styled("\n", ("settings", "bold")))
        for setting in settings:
            line = screen.styled((setting.name, "bold"), f": {_facts(setting)}")
            console.print(Padding(line, (0, 0, 0, 2)))
            if setting.help:
                console.print(Padding(setting.help, (0, 0, 0, 6)))


def _facts(setting: Setting) -> str:
    """Type, range and default in a line."""
    told = setting.type + (f", {setting.range}" if setting.range else "")
    if setting.required:
        return f"{told}; required"
    if setting.type == "mapping" and isinstance(setting.default, dict):
        return f"{told}; its own defaults are below"
    text = json.dumps(setting.default, ensure_ascii=False)
    return f"{told}; default {text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'}"
