"""The commands of the consumers, as the command line gathers them through its entry point."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import typer


def register(app: typer.Typer) -> None:
    """Add `consume`, `audit`, `verify`, and the dashboard's where it is installed."""
    import postil_consumers.audit.cli as audit_cli
    import postil_consumers.verify.cli as verify_cli

    consume = typer.Typer(help="Run one consumer of the event log.", no_args_is_help=True)
    audit = typer.Typer(help="Work with the audit log's files.", no_args_is_help=True)
    audit_cli.register(consume, audit)
    verify_cli.register(app)
    app.add_typer(consume, name="consume")
    app.add_typer(audit, name="audit")
    if find_spec("postil_consumers.dashboard.cli"):
        import_module("postil_consumers.dashboard.cli").register(app)
