"""``solon plugins list`` and ``show``: what is there, without importing any of it, and what one can be set to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from solon import screen
from solon.cli import plugins_check, plugins_new
from solon.cli.options import Json, print_json, progress_for, table

if TYPE_CHECKING:
    from solon.plugins.inspecting import Entry

app = typer.Typer(no_args_is_help=True)
app.command("check")(plugins_check.check)
app.command("new")(plugins_new.new)

Group = Annotated[
    str | None,
    typer.Option("--group", metavar="GROUP", help="models, labelers, trainers, evaluators or constitutions."),
]


@app.callback()
def _plugins() -> None:
    pass


@app.command("list")
def list_plugins(
    group: Group = None,
    check: Annotated[
        bool, typer.Option("--check", help="Import each, in a process of its own, and say whether it loads.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, metavar="SECONDS", help="With --check: how long one import may take.")
    ] = 60.0,
    json: Json = False,
) -> None:
    """List every plugin, its package, and what keeps it from being used. Imports none of them, unless --check is given.

    Exit code 1 if --check finds one that does not load.
    """
    from solon.plugins.groups import GROUPS
    from solon.plugins.inspecting import entries
    from solon.plugins.trying import tried

    found = entries([_group(group)] if group is not None else tuple(GROUPS))
    if check:
        with progress_for(quiet=json).stage("check", len(found), "plugins") as bar:
            found = tried(found, longest_s=timeout, told=lambda _: bar.advance(1))
    if json:
        print_json({"plugins": [entry.model_dump() for entry in found]})
    else:
        _show(found, checked=check)
    if check and any(entry.state in ("broken", "hangs") for entry in found):
        raise typer.Exit(1)


@app.command("show")
def show(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Its name in a recipe, or module:Class.")],
    group: Group = None,
    json: Json = False,
) -> None:
    """Show what a plugin is for and each of its settings: type, default, range. --json gives its JSON Schema."""
    from solon.cli.plugin_page import page
    from solon.plugins.page import found

    plugin = found(kind, _group(group) if group is not None else None)
    if json:
        print_json(plugin.as_json())
    else:
        page(screen.console(), plugin)


def _group(said: str) -> str:
    """The entry-point group that was meant.

    Raises:
        PluginError: there is none of that name.
    """
    from difflib import get_close_matches

    from solon.errors import PluginError
    from solon.plugins.groups import GROUPS

    short = {group.removeprefix("solon."): group for group in GROUPS}
    name = said.removeprefix("solon.")
    if found := short.get(name) or short.get(f"{name}s"):
        return found
    near = get_close_matches(name, short, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    raise PluginError(f"there is no group {said!r}; groups are {', '.join(short)}{meant}")


def _show(found: tuple[Entry, ...], *, checked: bool) -> None:
    """A line a plugin; below, what is wrong with those that cannot be used, and what is known of their packages."""
    console = screen.console()
    rows = table("kind", "package", "loads" if checked else "state", "from")
    group = ""
    for entry in found:
        if entry.group != group:
            group = entry.group
            rows.add_row(screen.styled((group, "bold")))
        package = f"{entry.package} {entry.version}" if entry.package else "(this process)"
        origin = entry.target if entry.source == "entry point" else f"registered: {entry.target}"
        state = entry.state if entry.state != "found" else "not tried" if checked else "found"
        rows.add_row(f"  {entry.kind}", package, state, origin)
    console.print(rows)
    for entry in found:
        if entry.problem or entry.note:
            console.print(f"\n{entry.group} {entry.kind} of {entry.package}: {entry.problem or entry.note}")
    others = {entry.package: entry for entry in found if entry.package not in ("", "solon")}
    if others:
        console.print()
    for name, entry in sorted(others.items()):
        told = [text for text in (entry.summary, entry.url) if text]
        console.print(f"{name} {entry.version}, in {entry.path}" + (f": {', '.join(told)}" if told else ""))
    if not checked:
        console.print(
            "\nfound: nothing was imported. --check imports each; `solon plugins show KIND` says what one can be set to"
        )
