"""Settings of one of several kinds, told apart by the key that only that kind has: ``{forbidden: [idiot]}``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from solon.plugins.base import Settings


class ToldApart:
    """Says which kind a mapping is of, and refuses one of no kind or of several.

    Args:
        noun: what they are, e.g. ``rule``.
        kinds: the classes, by the key that names each.
        example: one, as a recipe writes it.
    """

    def __init__(self, noun: str, kinds: Mapping[str, type[Settings]], example: str) -> None:
        self._noun = noun
        self._kinds = kinds
        self._example = example

    def class_name(self, value: Any) -> str | None:
        """For pydantic's ``Discriminator``. The name of a class, and so never that of a key."""
        if isinstance(value, Settings):
            return type(value).__name__
        return next((kind.__name__ for key, kind in self._kinds.items() if key in value), None)

    def checked(self, value: Any) -> Any:
        """For pydantic's ``BeforeValidator``: the value itself.

        Raises:
            ValueError: it is of no kind, or of several.
        """
        if isinstance(value, Settings):
            return value
        known = ", ".join(self._kinds)
        if not isinstance(value, Mapping):
            raise ValueError(f"a {self._noun} is a mapping with one of {known}, for example {self._example}")
        named = [key for key in self._kinds if key in value]
        if len(named) > 1:
            raise ValueError(
                f"this {self._noun} is of several kinds ({', '.join(named)}): write one {self._noun} for each"
            )
        if not named:
            near = [match for key in value for match in difflib.get_close_matches(str(key), self._kinds, n=1)]
            raise ValueError(f"a {self._noun} has one of {known}" + (f" (did you mean {near[0]!r}?)" if near else ""))
        return value
