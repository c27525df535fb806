"""``solon plugins check PACKAGE``: whether the plugins of a package keep the contract, and what to do if not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli.options import Json, print_json, progress_for

if TYPE_CHECKING:
    from solon.plugins.testing.checking import Checked


def check(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="An installed package, e.g. solon-simplejudge.")],
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only the plugin of this name.")] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, metavar="SECONDS", help="How long one plugin may take.")
    ] = 600.0,
    json: Json = False,
) -> None:
    """Look whether a package's plugins keep the public contract. Each runs in a process of its own, nothing is spent.

    Exit code 1 if one breaks a clause.
    """
    from solon.errors import PluginError
    from solon.plugins.testing.checking import checked, offered_by

    found = [offer for offer in offered_by(package) if kind in (None, offer.kind)]
    if not found:
        kinds = ", ".join(offer.kind for offer in offered_by(package))
        raise PluginError(f"{package} offers no plugin called {kind!r}; it offers {kinds}")
    results = []
    with progress_for(quiet=json).stage("check", len(found), "plugins") as bar:
        for offer in found:
            results.append(checked(offer, longest_s=timeout))
            bar.advance(1)
    if json:
        plugins = [{**asdict(one), "passed": one.passed} for one in results]
        print_json({"passed": all(one.passed for one in results), "plugins": plugins})
    else:
        for one in results:
            _show(one)
        _conclude(results)
    if not all(one.passed for one in results):
        raise typer.Exit(1)


def _show(one: Checked) -> None:
    from solon.plugins.groups import NOUN
    from solon.plugins.testing.checking import clauses_of

    promises = {clause.id: f"a plugin {clause.promise}" for clause in clauses_of(one.group)}
    counts = [
        f"{len(one.of('passed'))} kept",
        f"{len(one.of('failed'))} broken",
        f"{len(one.of('skipped'))} not checked",
    ]
    screen.say(f"{NOUN[one.group]} {one.kind} of {one.package} {one.version} ({one.target})")
    screen.say(f"  {'keeps the contract' if one.passed else 'BREAKS the contract'}: {', '.join(counts)}")
    for verdict in one.of("failed"):
        screen.say(f"  broken   {verdict.clause}: {promises.get(verdict.clause, verdict.expected)}")
        for name, text in (("expected", verdict.expected), ("happened", verdict.happened), ("to do", verdict.remedy)):
            first, *rest = text.splitlines() or [""]
            screen.say("\n".join([f"           {name:<9} {first}", *(f"{'':21}{line}" for line in rest)]))
    for verdict in one.of("skipped"):
        screen.say(f"  skipped  {verdict.clause}: {verdict.happened}")


def _conclude(results: list[Checked]) -> None:
    broken = [one.kind for one in results if not one.passed]
    if broken:
        screen.say(f"\n{len(broken)} of {len(results)} break the contract: {', '.join(broken)}. What each clause")
        screen.say("is for: docs/plugins/testing.md. After a change: the same command again")
    else:
        screen.say(f"\nall {len(results)} keep the contract")
