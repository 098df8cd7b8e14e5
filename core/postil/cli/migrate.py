"""`postil migrate`: install or upgrade the schema."""

from __future__ import annotations

from typing import Annotated

import typer

from postil.cli.console import out, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("migrate")(migrate)


def migrate(
    database_url: Annotated[
        str | None, typer.Option(help="Database to migrate (default: POSTIL_DATABASE_URL).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Install or upgrade schema postil. Safe to run twice, and from several places at once."""
    from postil.postgres import migrate as migrations
    from postil.settings import load_settings

    done = migrations.migrate(load_settings(database_url=database_url).require_database_url())
    if as_json:
        print_json({"before": done.before, "after": done.after, "changed": done.changed})
    elif done.changed:
        out.print(f"schema postil: {done.before or 'none'} → {done.after}")
    else:
        out.print(f"schema postil: {done.after}, nothing to do")
