"""The licences of what is installed, as the packages' metadata say, and which of them a permissive project may need.

The list is ``licences.md`` beside this file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pins import normal

OURS = "solon"
_OF_USERS = ("", "train", "report", "openai", "anthropic", "litellm", "panel", "verify")
"""The extras whose packages may bind no user to more than their notice; the others are chosen one by one."""
_COPYLEFT = re.compile(
    r"\b(A?GPL|GNU (Affero )?General Public|Affero|SSPL|EUPL|CC-BY-NC|Commons Clause|BUSL)", re.IGNORECASE
)
_WEAK = re.compile(r"\b(LGPL|GNU Lesser|GNU Library)", re.IGNORECASE)
_CLASSIFIER = re.compile(r"^License :: (?:OSI Approved :: )?(.+)$")
_LONGEST = 60
LOOKED_UP: Mapping[str, str] = {}
"""Licences of packages whose metadata names none, from the licence file that they hold."""
_IN_FILES = (
    ("Apache License", "Apache-2.0"),
    ("MIT License", "MIT"),
    ("Permission is hereby granted, free of charge", "MIT"),
    ("Redistribution and use in source and binary forms", "BSD"),
    ("Mozilla Public License", "MPL-2.0"),
)
CHOSEN: Mapping[str, str] = {
    "unsloth": "extra `unsloth`: Apache-2.0 in its metadata, and files under AGPL-3.0 inside",
    "unsloth_zoo": "needed by it: LGPL-3.0",
}
"""What only an extra that is asked for by name brings, with what is to know; never a part of `all`."""


@dataclass(frozen=True)
class Licensed:
    """A package and its licence.

    Attributes:
        name: of the package.
        version: that is installed.
        licence: as its metadata, or else the licence file in it, says; empty where neither does.
        extras: of solon that bring it; the empty name is what is always there.
    """

    name: str
    version: str
    licence: str
    extras: tuple[str, ...]


def licences(folder: Path) -> list[Licensed]:
    """Every package in ``site-packages`` but solon itself, by name."""
    there = {normal(str(one.metadata["Name"])): one for one in distributions(path=[str(folder)])}
    brought = _brought(there)
    return [
        Licensed(name, one.version, licence_of(one), tuple(sorted(brought.get(name, ()))))
        for name, one in sorted(there.items())
        if name != OURS
    ]


def refused(found: Iterable[Licensed]) -> Iterator[str]:
    """What of them a permissive project may not bring, or nobody knows, a sentence each."""
    for one in found:
        of_users = sorted(set(one.extras) & set(_OF_USERS))
        if not one.licence:
            yield f"{one.name} {one.version} names no licence: read it, and say in LOOKED_UP of supply/licences.py"
        elif is_copyleft(one.licence) and of_users:
            names = ", ".join(f"solon[{extra}]" if extra else "solon" for extra in of_users)
            yield f"{one.name} {one.version} is under {one.licence}, and {names} would bring it to every user"


def is_copyleft(licence: str) -> bool:
    """Whether every part of a licence binds what is built on it; of several to choose from one may be taken."""
    choices = re.split(r"\s+OR\s+|\s*;\s*or\s+", licence, flags=re.IGNORECASE)
    return all(_COPYLEFT.search(_WEAK.sub("", choice)) is not None for choice in choices)


def page(found: Iterable[Licensed]) -> str:
    """The list as Markdown."""
    found = list(found)
    counts = Counter(one.licence for one in found)
    rows = [f"| {one.name} | {one.version} | {one.licence} | {_told(one.extras)} |" for one in found]
    often = ", ".join(f"{licence} {number}" for licence, number in counts.most_common(6))
    chosen = "\n".join(f"- `{name}`, {what}" for name, what in CHOSEN.items())
    return (
        "# Licences\n\nWritten by `make audit` from the metadata of the packages that `make test` installs. "
        f"{len(found)} packages; the most frequent: {often}.\n\n"
        f"Not installed by it, and never brought by `all`:\n\n{chosen}\n\n"
        "| package | version | licence | brought by |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def licence_of(one: Distribution) -> str:
    """What a package says of its licence: the expression, else the classifiers, else the first line, else its file."""
    said = one.metadata
    name = normal(str(said["Name"]))
    classified = [match[1] for each in said.get_all("Classifier", ()) if (match := _CLASSIFIER.match(each))]
    words = next(iter(said.get_all("License", ())), "").strip()
    first = words.splitlines()[0].strip() if words and words != "UNKNOWN" else ""
    short = first if 0 < len(first) <= _LONGEST and not first.startswith("Copyright") else ""
    found = (
        next(iter(said.get_all("License-Expression", ())), "")
        or " AND ".join(classified)
        or short
        or _in_files(one, words)
    )
    return " ".join(str(found or LOOKED_UP.get(name, "")).replace("|", "/").split())


def _in_files(one: Distribution, words: str) -> str:
    """The licence that the text of a licence is, among those that texts are known of."""
    texts = [words]
    files = [file for file in one.files or () if re.match(r"(LICEN[CS]E|COPYING)", file.name, re.IGNORECASE)]
    texts += [Path(str(file.locate())).read_text("utf-8", "replace") for file in files]
    return next((name for text in texts for begins, name in _IN_FILES if begins in text[:2000]), "")


def _brought(there: Mapping[str, Distribution]) -> dict[str, set[str]]:
    """The extras of solon that bring each package, by way of what they need."""
    needs = {name: list(_needs(one)) for name, one in there.items()}
    found: dict[str, set[str]] = {}
    extras = {extra for _, extra in needs.get(OURS, ())}
    for extra in extras | {""}:
        waiting = [name for name, of in needs.get(OURS, ()) if of == extra and name != OURS]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in there:
                continue
            seen.add(name)
            found.setdefault(name, set()).add(extra)
            waiting += [other for other, of in needs[name] if of == ""]
    return found


def _needs(one: Distribution) -> Iterator[tuple[str, str]]:
    """What a package needs, with the extra that asks for it; conditions of platforms are taken as met."""
    for line in one.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", line)
        if name is not None:
            yield normal(name[0]), extra[1] if extra else ""


def _told(extras: tuple[str, ...]) -> str:
    """The extras that bring it; only solon itself where it does."""
    if "" in extras:
        return "solon"
    return ", ".join(extras) if extras else "tests and tools"
