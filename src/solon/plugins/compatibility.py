"""Which plugins fit this solon: the version of what ``solon.plugins`` offers, and that which a plugin was made for."""

from __future__ import annotations

import re

API_VERSION = "1.0"
"""Of what ``solon.plugins`` exports. Another first number takes something away or changes its meaning; another second
number adds to it."""
_FORM = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


def misfit(stated: object) -> str:
    """Why a plugin that states this ``api_version`` cannot be used, and what to do; empty where it can."""
    match = _FORM.fullmatch(stated) if isinstance(stated, str) else None
    if match is None:
        remedy = "its author has to put it right"
        return f"states api_version {stated!r}, which is no version such as '{API_VERSION}': {remedy}"
    major, minor = int(match[1]), int(match[2])
    ours, newest = map(int, API_VERSION.split("."))
    if major < ours:
        return f"was written for plugin API {stated}, and this solon has {API_VERSION}: upgrade the plugin's package"
    if major > ours or minor > newest:
        return f"needs solon with plugin API >= {stated}, and this solon has {API_VERSION}: upgrade solon"
    return ""
