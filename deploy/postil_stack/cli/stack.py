"""`postil up`, `down`, `status` and `doctor`: the embedded stack from the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from postil.cli.console import err, exit_with, out, print_json

if TYPE_CHECKING:
    from postil.settings import Settings
    from postil_stack.state_file import PartRecord, StackRecord

COLOURS = {"ready": "green", "external": "cyan", "starting": "yellow", "restarting": "yellow"}
ORDER = ("postgres", "kafka", "relay", "audit", "serve")


def _directory(given: str) -> Path:
    if not given:  # as Path it would be the directory one happens to be in
        raise typer.BadParameter("It is empty: name a directory.")
    return Path(given)


DataDir = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", parser=_directory, help="Where the data is (default: .postil)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)
    app.command("doctor")(doctor)


def up(
    data: DataDir = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the dashboard (0: any free one).", min=0, max=65535)
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return as soon as all is ready.")] = False,
    kafka: Annotated[
        str,
        typer.Option(metavar="embedded|memory", help="'memory' needs no download; nothing in it survives."),
    ] = "embedded",
    demo: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Once all is ready, review this folder as `postil demo` does.",
        ),
    ] = None,
) -> None:
    """Start PostgreSQL, Kafka, the relay, the audit log and the dashboard, all on this machine.

    The first start downloads Apache Kafka (45 MB). Ctrl-C, or `postil down`, ends it in order.
    A PostgreSQL or Kafka of your own, named by POSTIL_DATABASE_URL or POSTIL_KAFKA_BOOTSTRAP_SERVERS, is used instead.
    """
    if kafka not in {"embedded", "memory"}:
        raise typer.BadParameter("choose embedded or memory", param_hint="--kafka")

    from postil_stack import detached

    if detach:
        # The supervisor imports what it needs in its own process; this one, which only waits for it, does not as well.
        data_dir = _settings(data).data_dir
        given = ["--data", str(data_dir.absolute()), "--kafka", kafka]
        given += [] if port is None else ["--port", str(port)]
        given += [] if demo is None else ["--demo", str(demo.absolute())]
        with _Terminal(stays=False) as terminal:
            detached.start(given, data_dir, terminal)
        return

    from postil.errors import PostilError
    from postil_stack import stack

    settings = stack.settings_to_start_with(data, http_port=port)
    if (pipe := detached.reporter_of_this_process()) is not None:
        try:
            stack.run(settings, kafka=kafka, report=pipe, demo=demo)
        except PostilError as error:
            pipe.failed(error)
            raise
        return
    with _Terminal(stays=True) as terminal:
        stack.run(settings, kafka=kafka, report=terminal, demo=demo)


def down(data: DataDir = None) -> None:
    """End the stack in order: dashboard, audit log, relay (which drains), Kafka, PostgreSQL. The data stays."""
    from postil_stack import stack

    settings = _settings(data)
    if stack.down(settings.data_dir):
        out.print(f"  ended; the data stays in {settings.data_dir}")
    else:
        out.print(f"  nothing runs in {settings.data_dir}")


def status(data: DataDir = None, as_json: AsJson = False) -> None:
    """Say what runs, since when, and what is wrong. Exit 0: all is well, 1: something is not, 2: nothing runs here."""
    from postil_stack import state_file as record
    from postil_stack.errors import NotRunning

    data_dir = _settings(data).data_dir.absolute()
    known = record.read(data_dir)
    if known is None:
        if as_json:
            print_json({"running": False, "data_dir": str(data_dir)})
            exit_with(2)
        raise NotRunning(f"No stack runs in {data_dir}.", advice="Start one with `postil up`.")
    running = record.is_owned(data_dir)
    parts = {name: _seen(known.processes[name]) for name in ORDER if name in known.processes}
    # A part the supervisor has not come to yet is not ready either.
    well = (
        running
        and len(parts) == len(ORDER)
        and all(part["status"] in {"ready", "external"} for part in parts.values())
    )
    if as_json:
        wanted = ("database_url", "audit_dir", "data_dir", "kafka_topic")
        answer = {
            "running": running,
            "healthy": well,
            "pid": known.pid,
            "http_url": known.http_url,
            "bootstrap_servers": known.settings.get("kafka_bootstrap_servers"),
            "kafka": known.kafka,
            **{name: known.settings.get(name) for name in wanted},
            "processes": parts,
        }
        print_json(answer)
    else:
        if not running:
            out.print("  its supervisor is gone: `postil up` recovers, `postil down` clears up", style="red")
        for part in parts.values():
            _line(part["label"], part["version"], part["status"], part["uptime"] or 0.0, part["message"])
        out.print(f"  {'dashboard at':<16}{known.http_url}")
    exit_with(0 if well else 1)


def doctor(data: DataDir = None, as_json: AsJson = False) -> None:
    """Check everything the stack needs, each line with what to do. Exit 0: fine, 1: something is bad, 2: could not tell."""
    from dataclasses import asdict

    from postil_stack.doctor.checks import examine

    findings = list(examine(_settings(data)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        colours = {"ok": "green", "note": "yellow", "bad": "red", "unknown": "magenta"}
        for finding in findings:
            out.print(f"  [{colours[finding.verdict]}]{finding.verdict:<9}[/]{finding.name:<14}", end="")
            out.print(finding.found, markup=False)
            if finding.advice:
                out.print(f"{'':<25}{finding.advice}", style="dim", markup=False)
    verdicts = {finding.verdict for finding in findings}
    exit_with(1 if "bad" in verdicts else 2 if "unknown" in verdicts else 0)


def _settings(data: Path | None) -> Settings:
    from postil.settings import load_settings

    return load_settings(data_dir=data)


def _seen(part: PartRecord) -> dict[str, Any]:
    """What the record says, corrected by what is so: a process may have died with its supervisor."""
    alive = part.alive or part.status in {"external", "restarting", "failing"}
    return {
        "label": part.label,
        "status": part.status if alive else "dead",
        "pid": part.pid,
        "version": part.version,
        "uptime": round(time.time() - part.since, 1) if part.since and part.alive else None,
        "restarts": part.restarts,
        "message": part.message,
    }


def _line(label: str, version: str | None, state: str, seconds: float, message: str | None) -> None:
    """One part, as in: postgres 18.4   ready   0.6 s   data in .postil/."""
    name = f"{label} {version}" if version and not version.startswith("memory") else label
    out.print(f"  {name:<16}[{COLOURS.get(state, 'red')}]{state:<11}[/]{_duration(seconds):>8}   ", end="")
    out.print(message or "", markup=False)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min" if minutes < 60 else f"{hours} h {minutes % 60} min"


class _Terminal:
    """Shows a start on the terminal: a line per part as it becomes ready, a bar while something is downloaded."""

    def __init__(self, *, stays: bool) -> None:
        self._stays = stays
        self._up = False
        self._bar = Progress(
            TextColumn("  Apache Kafka, once"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=err,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def part(self, name: str, seen: PartRecord, seconds: float) -> None:
        """Show what is news: ready for the first time or again, or dead."""
        if seen.status != "starting" and not (seen.status == "ready" and name == "serve" and not self._up):
            _line(seen.label, seen.version, seen.status, seconds if not self._up else 0.0, seen.message)

    def download(self, done: int, total: int) -> None:
        """Move the bar."""
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("jars", total=total)
        self._bar.update(self._task, completed=done)
        if done >= total:
            self._bar.stop()

    def ready(self, stack: StackRecord) -> None:
        """Say where the dashboard is, and how to end it all."""
        self._up = True
        out.print(f"  {'dashboard':<16}[bold]{stack.http_url}[/]")
        if stack.kafka == "memory":
            out.print("  Kafka is in memory: nothing in it survives. For a first look only.", style="yellow")
        err.print("  Ctrl-C ends it" if self._stays else "  `postil down` ends it", style="dim")
