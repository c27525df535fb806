"""Plugins that break one clause each of those that all plugins keep."""

# ruff: noqa: D102 - each method is what its class says

from __future__ import annotations

import math
import threading
from typing import Any, ClassVar

from pydantic import ConfigDict, PrivateAttr

from broken_plugins.labelers import Judge


class Unversioned(Judge):
    """States no API."""

    api_version: ClassVar[str | None] = None


class Undescribed(Judge):
    """Has a setting that nobody explains."""

    secretive: int = 3


class Open(Judge):
    """Takes any key."""

    model_config = ConfigDict(extra="ignore")


class Thawed(Judge):
    """Can be changed."""

    model_config = ConfigDict(frozen=False)


class Keyed(Judge):
    """Holds a key.

    Attributes:
        api_key: the key itself.
    """

    api_key: str = "sk-1"


class Forgetful(Judge):
    """Loses a setting on the way.

    Attributes:
        tries: how often.
    """

    tries: int = 3

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "tries": self.tries + 1}


class Eternal(Judge):
    """Has a setting that is no JSON.

    Attributes:
        patience: in seconds.
    """

    patience: float = math.inf


class Locked(Judge):
    """Holds what stays in its process."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
