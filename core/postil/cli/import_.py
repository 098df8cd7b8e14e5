"""`postil import`: bring event logs and agent trajectories in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postil.cli.console import err, exit_with, out, print_json, show_error, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from postil.errors import PostilError
    from postil.importers import FileReport, Options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Event logs (.xes, .xes.gz), trajectories (.traj).")
    ],
    tenant: Annotated[str | None, typer.Option(help="Tenant to write to (default: POSTIL_TENANT).")] = None,
    name: Annotated[
        str | None, typer.Option(help="What stands before each run's id (default: the log file's own name).")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Zone of times that carry none, as in Europe/Rome; without it they are refused."),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="Database to write to (default: POSTIL_DATABASE_URL).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Import recorded histories, with their original times.

    A case of an event log becomes a run and its events stages; a trajectory becomes a run and its steps tool calls.
    A second import of the same file changes nothing. A case that is wrong is named and left out, the others go in.
    Exit 0: all of it is in. 1: something in a file was bad. 2: a file could not be read, or there is no database.
    """
    from postil.errors import ConfigurationError, PostilError
    from postil.settings import load_settings

    try:
        from postil.importers import import_file
        from postil.importers.writer import Writer
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"Importing needs {missing.name}.", advice="pip install 'postil[import]'"
        ) from None

    options = _options(name, timezone)
    settings = load_settings(database_url=database_url, tenant=tenant)
    reports: list[FileReport] = []
    stopped: PostilError | None = None
    with _progress() as progress:
        writer = Writer(settings.require_database_url(), settings.tenant, on_wait=_say_waiting(progress))
        try:
            for file in files:
                task = progress.add_task(visible(file.name.encode("utf-8", "replace").decode()), total=None)
                start, advance = partial(_start, progress, task), partial(_advance, progress, task)
                reports.append(import_file(file, writer, options, on_start=start, on_progress=advance))
        except PostilError as error:
            stopped = error
        except KeyboardInterrupt:
            stopped = PostilError("Interrupted.", advice="")
        finally:
            writer.close()
    code = max([report.exit_code for report in reports] + [stopped.exit_code if stopped else 0])
    if as_json:
        print_json(
            {
                "tenant": settings.tenant,
                "files": [report.as_json() for report in reports],
                "stopped": {"what": stopped.what, "advice": stopped.advice} if stopped else None,
                "exit_code": code,
            }
        )
    else:
        for report in reports:
            _show(report)
        if len(reports) > 1:
            _show_total(reports)
    if stopped:
        show_error(stopped)
        err.print("  What was imported stays whole; import again to complete it.", style="dim")
    exit_with(code)


def _options(name: str | None, timezone: str | None) -> Options:
    from zoneinfo import ZoneInfo

    from postil.errors import ConfigurationError
    from postil.importers import Options

    try:
        zone = None if timezone is None else ZoneInfo(timezone)
    except (ValueError, OSError, KeyError):
        raise ConfigurationError(
            f"There is no time zone {timezone!r}.", advice="Name it as in Europe/Rome or UTC."
        ) from None
    if name is not None and not (name.strip() and name.isprintable() and len(name) <= 100):
        raise ConfigurationError(
            "--name must have 1 to 100 printable characters.", advice="Choose a shorter, plainer name."
        )
    return Options(name=name, zone=zone)


def _progress() -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def _start(progress: Progress, task: TaskID, size: int) -> None:
    progress.update(task, total=size)


def _advance(progress: Progress, task: TaskID, read: int) -> None:
    progress.update(task, completed=read)


def _say_waiting(progress: Progress) -> Callable[[PostilError, float], None]:
    said = False

    def say(error: PostilError, _seconds: float) -> None:
        nonlocal said
        if not said:
            said = True
            progress.console.print(f"waiting for the database: {error.what}", style="yellow")

    return say


def _show(report: FileReport) -> None:
    from rich.text import Text

    counts = f"{report.new:>9,} new  {report.unchanged:>9,} unchanged"
    line = Text.assemble((f"  {visible(report.file.rpartition('/')[2]):<28} ", "bold"), counts)
    line.append(f"  {report.records:>9,} {report.records_called:<7}{report.seconds:>7.1f} s")
    for count, called in ((report.conflicts, "in conflict"), (report.bad, "left out")):
        if count:
            line.append(f"  {count:,} {called}", "red")
    if not report.complete:
        line.append("  incomplete", "red")
    out.print(line)
    for remark, times in report.remarks.items():
        out.print(f"    {times:,} {remark}", style="dim")
    for problem in report.problems:
        err.print(f"    {problem.what}", style="red")
        err.print(f"      {problem.advice}", style="dim")
    more = report.conflicts + report.bad - len(report.problems)
    if more > 0:
        err.print(f"    … and {more:,} more", style="dim")


def _show_total(reports: list[FileReport]) -> None:
    new, unchanged = sum(report.new for report in reports), sum(report.unchanged for report in reports)
    events, seconds = sum(report.events for report in reports), sum(report.seconds for report in reports)
    changed = f"{events:,} events written" if events else "nothing changed"
    out.print(f"  {'in all':<28} {new:>9,} new  {unchanged:>9,} unchanged  {changed}, {seconds:.1f} s")
