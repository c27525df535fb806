"""Imports what an entry point or a recipe names, and says whose fault it is when that does not go well.

Whatever a third party's module does while it is imported, it costs the use of its own plugin and nothing else.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import Distribution
from typing import Any, TypeVar

from solon import screen
from solon.errors import Interrupted, PluginError
from solon.plugins.checks import fault
from solon.plugins.groups import CONSTITUTIONS, NOUN
from solon.plugins.importing import (
    REMEDY,
    are_imports_allowed,
    is_elsewhere,
    looked_up,
    module_beside,
    parsed,
    recipe_folder,
)
from solon.plugins.offers import OURS, Offer, allowed_packages, limited_by, normalised
from solon.plugins.requirements import remedy_for

T = TypeVar("T")
PATIENCE_S = 15.0
"""After so many seconds of an import somebody should hear whose it is."""


def loaded(offer: Offer) -> Any:
    """What an entry point names.

    Raises:
        PluginError: it may not be loaded, does not load, or is no plugin; names the package and what to do.
    """
    said = f"{NOUN[offer.group]} {offer.kind!r} of {offer}"
    if offer.refused:
        raise PluginError(f"{said} is refused: {offer.refused}")
    if offer.ours:
        found = offer.entry_point.load()
    else:
        found = _guarded(offer.entry_point.load, said, whose=offer.package, package=offer.distribution)
    if wrong := fault(found, offer.group, offer.kind):
        remedy = "" if ": " in wrong else f". That is for the authors of {offer.package} to put right"
        raise PluginError(f"{said} {wrong}{remedy}")
    return found


def imported(group: str, kind: str) -> Any:
    """What ``module:Class`` in a recipe names.

    Raises:
        PluginError: the recipe does not allow it, there is no such module or name, it does not load, or is no plugin.
    """
    named = parsed(kind)
    said = f"{NOUN[group]} {kind!r}"
    if named is None or group == CONSTITUTIONS:
        raise PluginError(f"{said} is not of the form module:Class, such as my_judge:Brevity")
    if not are_imports_allowed():
        raise PluginError(f"{said} names code to import, and this recipe does not allow that: {REMEDY}")
    module_name, name = named
    elsewhere = is_elsewhere(module_name, recipe_folder())
    _refuse_limited(module_name, said, elsewhere=elsewhere)
    module = _guarded(lambda: _module(module_name, elsewhere=elsewhere), said, whose=module_name, package=None)
    if module is None:
        raise PluginError(f"{said}: there is no module {module_name!r} {looked_up()}")
    if not hasattr(module, name):
        where = getattr(module, "__file__", None) or module_name
        also = ": what is installed under that name comes before a file beside the recipe" if elsewhere else ""
        raise PluginError(f"{said}: there is no {name!r} in {where}{also}")
    found = getattr(module, name)
    if wrong := fault(found, group, None):
        raise PluginError(f"{said} {wrong}")
    return found


def _module(name: str, *, elsewhere: bool) -> Any:
    if not elsewhere:
        if (beside := module_beside(name)) is not None:
            return beside
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            return None
    return import_module(name)


def _refuse_limited(module: str, said: str, *, elsewhere: bool) -> None:
    """Holds ``SOLON_PLUGINS`` against what a recipe names.

    Raises:
        PluginError: it leaves the package out; under ``off`` a file beside the recipe too.
    """
    allowed = allowed_packages()
    top = module.partition(".")[0]
    if allowed is None or top == OURS:
        return
    if not allowed:
        raise PluginError(f"{said} is refused: {limited_by(allowed)}; unset it to use others")
    if elsewhere:
        from importlib.metadata import packages_distributions

        packages = packages_distributions().get(top, [])
        if packages and not any(normalised(package) in allowed for package in packages):
            raise PluginError(f"{said} is refused: {limited_by(allowed)}: add {normalised(packages[0])}, or unset it")


# ---------------------------------------------------------------- whatever a foreign module does


def _guarded(deed: Callable[[], T], said: str, *, whose: str, package: Distribution | None) -> T:
    """Does it, and puts whatever it raises into words.

    Raises:
        PluginError: it raised, or asked Python to exit.
        Interrupted: somebody pressed Ctrl-C while it was being imported.
    """
    try:
        with _telling_if_it_takes_long(said, whose):
            return deed()
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted while {said} was being imported. {_way_out(whose, package)}") from error
    except ModuleNotFoundError as error:
        missing = error.name or str(error)
        if package is None:
            raise PluginError(
                f"{said} does not load: it needs the module {missing!r}: {remedy_for(None, missing)}"
            ) from error
        if _is_of(package, missing):
            why = (
                f"its package holds no module {missing!r}. Reinstall it, or uninstall it: pip uninstall {package.name}"
            )
        else:
            why = f"it needs the module {missing!r}, which is not installed: {remedy_for(package, missing)}"
        raise PluginError(f"{said} does not load: {why}") from error
    except ImportError as error:
        if (error.name or "").partition(".")[0] == OURS:
            why = f"{error}. It was written for another version of solon: upgrade {whose}, or solon"
            raise PluginError(f"{said} does not load: {why}") from error
        raise PluginError(f"{said} does not load: {_told(error)}. {_way_out(whose, package)}") from error
    except BaseException as error:  # a module may even call sys.exit, and the user needs its package's name
        raise PluginError(f"{said} does not load: {_told(error)}. {_way_out(whose, package)}") from error


def _told(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _way_out(whose: str, package: Distribution | None) -> str:
    if package is None:
        return f"Look at {whose}"
    return f"Upgrade it, or uninstall it: pip uninstall {whose}"


def _is_of(package: Distribution, module: str) -> bool:
    """Whether a module that is missing would be the package's own: one of its entry points leads through it."""
    return any(
        point.group.startswith("solon.") and f"{point.module}.".startswith(f"{module}.")
        for point in package.entry_points
    )


@contextmanager
def _telling_if_it_takes_long(said: str, whose: str) -> Iterator[None]:
    """Names what is being imported on standard error once it has taken long: one that hangs must not be a riddle."""

    def tell() -> None:
        # nobody else can tell, as this process waits
        screen.say(
            f"solon: still importing {said}. If it hangs: Ctrl-C, then uninstall {whose}, or leave it out by "
            "SOLON_PLUGINS=off (or the names of other packages)",
            err=True,
        )

    timer = threading.Timer(PATIENCE_S, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
