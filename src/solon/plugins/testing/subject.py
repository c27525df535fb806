"""What is checked: a plugin, made with settings for which nothing but this machine is needed."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from solon.plugins.base import CheckedWith, Plugin, Settings
from solon.plugins.testing.clauses import Broken
from solon.plugins.testing.served import Served, Server, serving
from solon.starting import python

P = TypeVar("P", bound=Plugin)

CANARY = "canary-key-that-must-not-be-written-down"
"""Stands in the environment where a plugin finds its key."""


class Subject(Generic[P]):
    """One plugin under one contract.

    Args:
        given: its class, or an instance.
        checked_with: the settings of the class: as ``Plugin.checked_with``, which it takes the place of.

    Attributes:
        cls: its class.
        server: the server that it asks, where it is checked with one.
    """

    def __init__(self, given: type[P] | P, checked_with: CheckedWith | None = None) -> None:
        self.cls: type[P] = given if isinstance(given, type) else type(given)
        self.server: Server | None = None
        self._given, self._checked_with = given, checked_with
        self._open = ExitStack()
        atexit.register(self._open.close)

    @cached_property
    def plugin(self) -> P:
        """An instance."""
        if not isinstance(self._given, type):
            _show_keys(self._given)
            return self._given
        settings = self.settings
        for name, value in settings.items():
            if name.endswith("_env") and isinstance(value, str):
                os.environ.setdefault(value, CANARY)
        try:
            made = self._given.model_validate(settings)
        except Exception as error:
            raise Broken(
                expected=f"{self.cls.__name__}(**settings) with {settings or 'no settings'}",
                happened=error,
                remedy="state in the class settings that it can be checked with, offline and tiny: "
                "`checked_with: ClassVar = {...}`",
            ) from error
        _show_keys(made)
        return made

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What ``checked_with`` says; a server is started where it needs one."""
        said = self.cls.checked_with if self._checked_with is None else self._checked_with
        if isinstance(said, Served):
            self.server = self._open.enter_context(serving(said.answer))
            return dict(said.settings(self.server.url))
        return dict(said() if callable(said) else said)

    @property
    def is_installed(self) -> bool:
        """Whether it comes by an entry point, or was registered."""
        return self.found is self.cls

    @property
    def found(self) -> Any:
        """What the registry gives for its kind.

        Raises:
            PluginError: nothing, with the reason.
        """
        from solon.plugins.registry import load

        return load(self.cls.group, self.cls.kind)

    @cached_property
    def folder(self) -> Path:
        """A folder for whatever is written; gone when this process ends."""
        folder = Path(tempfile.mkdtemp(prefix="solon-contract-"))
        self._open.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def elsewhere(self) -> dict[str, Any]:
        """What ``solon.plugins.testing.probe`` says of its class in a new process that imports nothing else."""
        return probed({"module": self.cls.__module__, "class": self.cls.__qualname__})


def probed(question: Mapping[str, Any], **environment: str) -> dict[str, Any]:
    """What the probe answers in a new process, which finds the modules that this one finds."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    answer = subprocess.run(  # noqa: S603 - ours, in our own interpreter
        python("solon.plugins.testing.probe"),
        input=json.dumps(question),
        env=os.environ | {"PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if answer.returncode:
        told = (answer.stderr or answer.stdout).strip().splitlines() or ["it said nothing"]
        raise Broken(
            expected="a new process imports the plugin's module by its name",
            happened=told[-1],
            remedy="put the class into a module of an installed package",
        )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _show_keys(settings: Settings) -> None:
    """Puts something into every environment variable that settings name for a key, so that one can be looked for."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name.endswith("_env") and isinstance(value, str):
            os.environ.setdefault(value, CANARY)
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, Settings):
                _show_keys(part)
