"""Which files a dataset's card names: those of the dataset alone may be read.

``datasets`` reads whatever file the front matter of a card names: one anywhere on this machine, whose lines would then
go to a judge, or one of an address that is asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from solon.errors import DataError, Problem

CARDS = ("README.md", ".huggingface.yaml")
"""Files that ``datasets`` takes settings from."""
_OF_FILES = frozenset({"data_files", "data_dir", "path"})
_TOP, _CONFIGS, _FILES = range(3)
"""Where in the settings something stands: at the top, among the configurations, or where files are named."""
_MERGE = "<<"
_REMEDY = "only files of the dataset itself are read: download what it names, look at it, and give the files"


def check_card(address: str, card: Path) -> None:
    """Refuses a card that names files outside of its dataset, before anything of them is asked for.

    Args:
        address: of the dataset, for people.
        card: one of ``CARDS``.

    Raises:
        DataError: it names one; says which.
    """
    for named in _named(_front_matter(card), _TOP):
        if "://" in named or "::" in named or named.startswith(("/", "~", "\\")) or ".." in Path(named).parts:
            raise DataError([Problem(address, f"its {card.name} names files outside of it: {named!r}", _REMEDY)])


def check_files(address: str, files: Iterable[str], inside: str) -> None:
    """Refuses files that do not lie where the dataset does; of those that were found, whoever named them.

    Args:
        address: of the dataset, for people.
        files: where they are.
        inside: what each has to begin with.

    Raises:
        DataError: one lies elsewhere; says which.
    """
    for file in files:
        if not file.startswith(inside) or ".." in Path(file).parts:
            raise DataError([Problem(address, f"it would be read from a file outside of it: {file!r}", _REMEDY)])


def _front_matter(card: Path) -> yaml.Node | None:
    """The settings in a card as they are written: aliases and merges, which may unfold to anything, stay what they are.

    ``None`` where they cannot be read, which ``datasets`` says: it reads them with PyYAML too. Our own reader refuses
    more, and what is left out here would be read there.
    """
    try:
        text = card.read_text("utf-8-sig")
        if card.suffix == ".md":
            before, _, rest = text.partition("---")
            text = "" if before.strip() else rest.partition("\n---")[0]
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


def _named(settings: yaml.Node | None, at: int) -> Iterator[str]:
    """The texts under the settings that name files; of what is there twice by an alias, once."""
    seen: set[tuple[int, int]] = set()
    left: list[tuple[yaml.Node | None, int]] = [(settings, at)]
    while left:
        node, at = left.pop()
        if node is None or (id(node), at) in seen:
            continue
        seen.add((id(node), at))
        match node:
            case yaml.ScalarNode() if at == _FILES:
                yield str(node.value)
            case yaml.SequenceNode():
                left += [(each, at) for each in node.value]
            case yaml.MappingNode():
                left += [(value, below) for key, value in node.value if (below := _below(key, at)) is not None]
            case _:
                pass


def _below(key: yaml.Node, at: int) -> int | None:
    """Where a value stands under that key; ``None`` where no file is named."""
    name = key.value
    if name == _MERGE or at == _FILES:
        return at
    if at == _TOP:
        return _CONFIGS if name == "configs" else None
    return _FILES if isinstance(name, str) and name in _OF_FILES else at
