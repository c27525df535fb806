"""``solon plugins list``: what is installed, without importing any of it."""

from __future__ import annotations

import typer

from solon.cli.options import Json, print_json, table

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _plugins() -> None:
    pass


@app.command("list")
def list_plugins(json: Json = False) -> None:
    """List every plugin and its package. Imports none of them."""
    from solon.plugins.registry import GROUPS, offers

    found = [offer for group in GROUPS for offer in offers(group)]
    if json:
        print_json(
            {
                "plugins": [
                    {
                        "group": offer.group,
                        "kind": offer.kind,
                        "package": offer.package,
                        "version": offer.version,
                        "target": offer.target,
                    }
                    for offer in found
                ]
            }
        )
        return
    from rich.console import Console

    rows = table("group", "kind", "package")
    for offer in found:
        rows.add_row(offer.group, offer.kind, f"{offer.package} {offer.version}")
    Console(highlight=False).print(rows)
