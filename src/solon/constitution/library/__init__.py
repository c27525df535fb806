"""Constitutions by name: those that solon ships, beside this file, and those that other packages register."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

from solon.constitution.reading import SUFFIXES, load, read
from solon.data.records import Constitution
from solon.document import Document
from solon.errors import ConstitutionError, PluginError, Problem, SolonError
from solon.plugins import registry

GROUP = "solon.constitutions"


def harmlessness() -> Constitution:
    """Declines to help with harm, without contempt for who asks."""
    return _shipped("harmlessness")


def honesty() -> Constitution:
    """Says what is so, as surely as it is known."""
    return _shipped("honesty")


def helpfulness() -> Constitution:
    """Answers the question that was asked, in the form and length that serve it."""
    return _shipped("helpfulness")


def strict_format() -> Constitution:
    """Every response in three parts: answer, confidence, reasoning."""
    return _shipped("strict-format")


def shipped_path(name: str) -> Path:
    """The file of a shipped constitution: what a user copies to write their own."""
    return Path(__file__).with_name(f"{name}.yaml")


@cache
def _shipped(name: str) -> Constitution:
    return load(shipped_path(name))


def resolve(name_or_path: str | Path) -> Constitution:
    """A constitution from a file, or one that an installed package registers under a name.

    What has a folder or an ending such as ``.yaml`` in it is a path; anything else is a name first, then a file. A file
    that bears the name of an installed constitution is read as ``./name``.

    Raises:
        ConstitutionError: the file has errors, or there is neither such a name (with the nearest) nor such a file.
        PluginError: the package that registers it is broken, or several register the name.
    """
    return find(name_or_path)[0]


def find(name_or_path: str | Path) -> tuple[Constitution, Document | None]:
    """As ``resolve``, with the document of a file, which knows where each principle stands; ``None`` for a name."""
    text = str(name_or_path)
    looks_like_a_path = "/" in text or "\\" in text or Path(text).suffix.lower() in SUFFIXES
    if isinstance(name_or_path, Path) or looks_like_a_path:
        return read(name_or_path)
    names = registry.kinds(GROUP)
    if text in names:
        return registered(text), None
    if Path(text).exists():
        return read(text)
    near = difflib.get_close_matches(text, names, n=1)
    what = f"no constitution is called {text!r}, and there is no such file; installed: {', '.join(names)}"
    raise ConstitutionError([Problem("", what, f"did you mean {near[0]!r}?" if near else "")])


def registered(name: str) -> Constitution:
    """The constitution that an installed package registers under ``name``.

    Raises:
        PluginError: none does, several do, or what is registered gives no ``Constitution``.
    """
    made = registry.load(GROUP, name)
    try:
        found = made()
    except Exception as error:  # of whatever package it is
        if isinstance(error, SolonError) or made.__module__ == __name__:
            raise
        raise PluginError(
            f"constitution {name!r} ({made.__module__}:{made.__qualname__}) raised {type(error).__name__}: {error}. "
            "Report it to its authors"
        ) from error
    if not isinstance(found, Constitution):
        raise PluginError(
            f"constitution {name!r} gave {type(found).__name__} and not solon.data.records.Constitution: "
            "its entry point must name a function without arguments that returns one"
        )
    return found
