"""Whose a plugin is, and the one place where what somebody else's plugin raises or answers becomes an error of ours."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from solon.errors import PluginError, SolonError
from solon.plugins.offers import OURS, offers

if TYPE_CHECKING:
    from solon.labelers.base import Labeler
    from solon.plugins.base import Plugin

_FOLDER = re.compile(r"_beside_recipe_[0-9a-f]+\.")
_ANSWERS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "problems": ((list, tuple), "a list of texts"),
    "models": ((list, tuple), "a tuple of chat models"),
    "effects": ((dict,), "a mapping"),
    "expected_questions": ((int, float), "a number"),
    "evaluate": ((list, tuple), "a list of Metric"),
    "warnings": ((list, tuple), "a list of texts"),
}
"""What a plugin has to answer with, by the question."""


def target_of(plugin: type | Callable[..., Any]) -> str:
    """``module:Class`` as a recipe would name it."""
    return f"{_FOLDER.sub('', plugin.__module__)}:{plugin.__qualname__}"


def place_of(plugin: type[Plugin]) -> str:
    """Where a plugin is from: its package with its version, or the file beside a recipe; then its class."""
    target = target_of(plugin)
    if target != f"{plugin.__module__}:{plugin.__qualname__}":
        return f"{target} in {sys.modules[plugin.__module__].__file__}"
    top = _top(plugin.__module__)
    known = offers(plugin.group) if top != OURS else ()
    packages = (f"{one.package} {one.version}" for one in known if _top(one.target.partition(":")[0]) == top)
    package = next(packages, "")
    return f"{package}, {target}" if package else target


def called(plugin: type[Plugin]) -> str:
    """A plugin by its group, its name and where it is from, to begin a sentence with."""
    return f"{plugin.group.removeprefix('solon.').removesuffix('s')} {plugin.kind!r} ({place_of(plugin)})"


def culprit(error: BaseException) -> type[Plugin] | None:
    """The plugin of somebody else in whose module an error was raised, itself or by what it calls; ``None`` where none.

    What solon raises when a plugin calls it is not told apart from what solon raises by itself.
    """
    from solon.plugins.base import Plugin

    known: dict[str, type[Plugin]] = {}
    waiting = list(Plugin.__subclasses__())
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        if _top(one.__module__) != OURS and hasattr(one, "kind") and hasattr(one, "group"):
            known.setdefault(_owner(one.__module__), one)
            known[one.__module__] = one
    for module in reversed(list(_modules(error.__traceback__))):
        if _top(module) == OURS:
            return None
        if (found := known.get(module) or known.get(_owner(module))) is not None:
            return found
    return None


@contextmanager
def boundary(
    plugin: Plugin, deed: str = "", remedy: str = "Report it to its authors", *, ours_too: bool = False
) -> Iterator[None]:
    """Names whose plugin it is in whatever it raises in the block. What solon's own plugins raise goes through.

    Args:
        plugin: who is asked.
        deed: what it was asked for.
        remedy: what to do.
        ours_too: names solon's own as well.

    Raises:
        PluginError: it raised something that is no error of solon's.
    """
    try:
        yield
    except SolonError:
        raise
    except Exception as error:
        whose = culprit(error) or type(plugin)
        if _top(whose.__module__) == OURS and not ours_too:
            raise
        raise PluginError(raised(whose, error, deed=deed, remedy=remedy)) from error


def raised(plugin: type[Plugin], error: BaseException, *, deed: str = "", remedy: str) -> str:
    """That a plugin raised something, in words."""
    asked_for = f" when it was asked for {deed}" if deed else ""
    return f"{called(plugin)} raised {type(error).__name__}: {error}{asked_for}. {remedy}; --debug shows where"


def answer_of(plugin: Plugin, method: str, *arguments: object) -> Any:
    """What a plugin's method says, such as ``answer_of(plugin, "problems")``.

    Raises:
        PluginError: it raised, or answered with something else than it promises; names whose it is.
    """
    with boundary(plugin, f"{method}()"):
        answer = getattr(plugin, method)(*arguments)
    refuse_misshapen(plugin, method, answer)
    return answer


def name_of(plugin: Labeler) -> str:
    """What a plugin that has a ``name`` calls itself.

    Raises:
        PluginError: it raised, or its name is no text; names whose it is.
    """
    with boundary(plugin, "name"):
        name = plugin.name
    if not isinstance(name, str):
        raise PluginError(f"{called(type(plugin))} has the name {name!r:.80}, which is no text")
    return name


def refuse_misshapen(plugin: Plugin, name: str, answer: object) -> None:
    """Looks whether an answer is of the type that the method promises.

    Raises:
        PluginError: it is not; names whose it is.
    """
    kinds, promised = _ANSWERS[name]
    if not isinstance(answer, kinds):
        raise PluginError(
            f"{called(type(plugin))} answered {name}() with {answer!r:.80}, which is not {promised}. Report it to its "
            "authors"
        )


def _modules(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        yield str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next


def _owner(module: str) -> str:
    """The package that a module is of, or the folder beside a recipe; of one of several authors the module itself."""
    top = _top(module)
    has_file = getattr(sys.modules.get(top), "__file__", None) is not None
    return top if has_file or _FOLDER.match(module) else module


def _top(module: str) -> str:
    return module.partition(".")[0]
