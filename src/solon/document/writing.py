"""Plain data to YAML that ``load`` reads back as it was.

PyYAML's own dumper quotes what YAML 1.1 would misread, and leaves ``1e-5`` bare when it is text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_PLAIN_IS = {
    "null": r"|~|null|Null|NULL",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "merge": r"<<",
}


class _Dumper(yaml.SafeDumper):
    """Knows a plain scalar's type by the core schema of YAML 1.2."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to say it; None: whatever the first character
        None: [(f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{rule})\\Z")) for kind, rule in _PLAIN_IS.items()]
    }

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Nothing is written as an alias: a person reads the result."""
        return True


def dump(data: Any) -> str:
    """YAML of dicts, lists, texts, finite numbers, booleans and ``None``, keys in the order in which they are."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
