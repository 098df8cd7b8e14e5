"""`postil relay`: publish the event log, show the relay's state, and manage parked runs."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

relay_app = typer.Typer(
    help="Publish the event log to Kafka until stopped, or show the state of the relay.",
    invoke_without_command=True,
)


def register(app: typer.Typer) -> None:
    """Add `postil relay`."""
    app.add_typer(relay_app, name="relay")


@relay_app.callback()
def relay(context: typer.Context) -> None:
    """Publish the event log to Kafka until stopped (SIGTERM drains), or show the state of the relay."""
    if context.invoked_subcommand is not None:
        return
    from postil.settings import load_settings
    from postil_relay.process import run_until_stopped

    run_until_stopped(load_settings())


@relay_app.command()
def status(as_json: Json = False) -> None:
    """Show who publishes and how many events wait. Exit 1 if none publishes, an event waits for over 10 s, or a run is parked."""
    from postil.cli.console import exit_with, out, print_json
    from postil_relay.process import database
    from postil_relay.status import read_status

    with database() as connection:
        now = read_status(connection)
    if as_json:
        print_json(now.as_dict())
    else:
        for label, value in now.lines():
            out.print(f"{label:<20}{value}")
    exit_with(0 if now.healthy else 1)


@relay_app.command()
def parked(as_json: Json = False) -> None:
    """List the runs whose next event Kafka refuses, with the reason. Exit 1 if there are any."""
    from dataclasses import asdict

    from rich.table import Table

    from postil.cli.console import exit_with, out, print_json
    from postil_relay.parking import parked_runs
    from postil_relay.process import database

    with database() as connection:
        runs = parked_runs(connection)
    if as_json:
        print_json([asdict(run) for run in runs])
    elif not runs:
        out.print("no run is parked")
    else:
        table = Table("tenant", "run", "before", "held", "since", "why", box=None, pad_edge=False)
        for run in runs:
            why = "being published again" if run.unparking else run.reason
            table.add_row(
                run.tenant, run.run_id, f"{run.run_seq:,}", f"{run.held:,}", f"{run.parked_at:%F %T}", why
            )
        out.print(table)
    exit_with(1 if runs else 0)


@relay_app.command()
def unpark(
    run_id: Annotated[str, typer.Argument(help="The parked run.")],
    tenant: Annotated[str | None, typer.Option(help="Its tenant (default: POSTIL_TENANT).")] = None,
) -> None:
    """Publish a parked run from where it stopped. First remove the reason why Kafka refused it."""
    from postil.cli.console import out
    from postil.errors import PostilError
    from postil.settings import load_settings
    from postil_relay.parking import request_unpark
    from postil_relay.process import database

    of_tenant = load_settings(tenant=tenant).tenant
    with database() as connection:
        if not request_unpark(connection, of_tenant, run_id):
            raise PostilError(
                f"Run {run_id} of tenant {of_tenant} is not parked.",
                advice="List them with `postil relay parked`.",
            )
    out.print(f"{of_tenant}/{run_id} will be published by the relay")
