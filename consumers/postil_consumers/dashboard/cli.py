"""`postil serve`: the dashboard."""

from __future__ import annotations

import re
from typing import Annotated

import typer


def _host_names(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", name):
            raise typer.BadParameter(f"{name!r} is not a host name; give it without scheme and port.")
    return names


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: POSTIL_HTTP_HOST)")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on (default: POSTIL_HTTP_PORT)")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A host name to serve, in addition to localhost and IP addresses",
            envvar="POSTIL_HTTP_ALLOW_HOST",
            callback=_host_names,
        ),
    ] = None,
    any_local_user: Annotated[
        bool,
        typer.Option(
            "--any-local-user",
            envvar="POSTIL_HTTP_ANY_LOCAL_USER",
            help="On loopback, serve every user of this machine and not only this one",
        ),
    ] = False,
) -> None:
    """Serve the dashboard: its page, its API and its live feed. Runs until SIGTERM or Ctrl-C."""
    from postil.settings import load_settings
    from postil_consumers.dashboard import server

    settings = load_settings(http_host=host, http_port=port)
    server.serve(settings, hosts=allow_host or (), any_local_user=any_local_user)
