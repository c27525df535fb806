"""What a package's metadata says it needs: which of it is missing here, and which of its extras brings a module."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, version

from solon.plugins.offers import normalised

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]+)['"]""")


def unmet(package: Distribution) -> Iterator[str]:
    """Each requirement of a package that this environment does not meet, in words; those of its extras left aside."""
    for text in package.requires or ():
        if _EXTRA.search(text) or not _applies(text):
            continue
        name = _name(text)
        try:
            there = version(name)
        except PackageNotFoundError:
            yield f"{text.partition(';')[0].strip()} is not installed"
            continue
        if not _meets(text, there):
            yield f"it needs {text.partition(';')[0].strip()}, and {name} {there} is installed"


def remedy_for(package: Distribution | None, module: str) -> str:
    """What to install for a module that one of a package's plugins misses."""
    wanted = normalised(module.partition(".")[0])
    if package is None:
        return f"pip install {wanted}"
    for text in package.requires or ():
        if normalised(_name(text)) == wanted:
            extra = _EXTRA.search(text)
            return f"pip install '{package.name}[{extra[1]}]'" if extra else f"pip install '{_requirement(text)}'"
    return f"pip install {wanted}, if that is its package's name: {package.name} does not say that it needs it"


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    return match[1] if match else requirement


def _requirement(text: str) -> str:
    return re.sub(r"\s+", "", text.partition(";")[0]).replace("(", "").replace(")", "")


def _applies(text: str) -> bool:
    """Whether the marker of a requirement holds here; where nothing can tell, it does."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return ";" not in text
    try:
        marker = Requirement(text).marker
    except InvalidRequirement:
        return False
    return marker is None or marker.evaluate({"extra": ""})


def _meets(text: str, there: str) -> bool:
    """Whether a version is one that a requirement asks for; where nothing can tell, it is."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.version import InvalidVersion
    except ImportError:
        return True
    try:
        return Requirement(text).specifier.contains(there, prereleases=True)
    except (InvalidRequirement, InvalidVersion):
        return True
