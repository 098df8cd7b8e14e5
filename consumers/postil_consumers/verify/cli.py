"""`postil verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postil.cli.console import err, exit_with, out, print_json

if TYPE_CHECKING:  # the command line starts without the modules of the comparison
    from postil_consumers.verify.report import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    wait: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds to wait for events that are still on their way.")
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that Postgres, Kafka and the audit log hold the same events, byte for byte.

    Every run's run_seq goes 1, 2, 3 …; every annotation has its event and the reverse; every event reached Kafka
    at least once and in order within its run; the audit log has each exactly once, and its own chain is sound.
    Writers may continue meanwhile: what is written after the start is not required.

    Exit 0: sound. 1: wrong; each fault is named with its place. 2: inconclusive, because something is not there yet.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from postil.settings import load_settings
    from postil_consumers.verify.verification import verify as run

    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def step(what: str, total: int | None, more: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], total=total, advance=more)

        report = run(load_settings(), wait=wait, step=step)
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report)
    exit_with(report.exit_code)


def _print(report: Report) -> None:
    for line in report.lines():
        out.print(line)
    for findings, style in (
        (report.findings, "red"),
        (report.inconclusive, "yellow"),
        (report.remarks, "dim"),
    ):
        for finding in findings:
            out.print(f"  {finding}", style=style)
        if findings.unlisted:
            out.print(f"  and {findings.unlisted:,} more", style=style)
    if report.exit_code != 2:
        out.print(f"  {report.verdict}", style="bold red" if report.exit_code else "bold green")
        return
    late = report.inconclusive.counts["unpublished"] + report.inconclusive.counts["lag"]
    if not late:
        out.print(f"  {report.verdict}", style="bold yellow")
        return
    out.print(f"  {report.verdict}: {late:,} events are not where they will be", style="bold yellow")
    hint = "Wait for the relay and the audit log to catch up (`postil status`), or give --wait more seconds."
    out.print(f"  {hint}", style="dim")
