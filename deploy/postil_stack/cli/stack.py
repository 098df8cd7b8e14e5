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
    from postil_stack.state_file import ComponentState, StackState

COLOURS = {"ready": "green", "external": "cyan", "starting": "yellow", "restarting": "yellow"}
ORDER = ("postgres", "kafka", "relay", "audit", "serve")


def _directory(text: str) -> Path:
    if not text:  # Path("") would be the working directory
        raise typer.BadParameter("It is empty: name a directory.")
    return Path(text)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", parser=_directory, help="Directory of the data (default: .postil)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready.")] = False,
    kafka: Annotated[
        str,
        typer.Option(
            metavar="embedded|memory", help="'memory' needs no download; its content is lost at the end."
        ),
    ] = "embedded",
    demo: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="When all is ready, review this folder as `postil demo` does.",
        ),
    ] = None,
) -> None:
    """Start PostgreSQL, Kafka, the relay, the audit log and the dashboard, all on this machine.

    The first start downloads Apache Kafka (45 MB). Ctrl-C or `postil down` stops it in order.
    If POSTIL_DATABASE_URL or POSTIL_KAFKA_BOOTSTRAP_SERVERS names a server, it is used and not started.
    """
    if kafka not in {"embedded", "memory"}:
        raise typer.BadParameter("choose embedded or memory", param_hint="--kafka")

    from postil_stack import detached

    if detach:
        # This process only waits for the supervisor, so it does not import what the supervisor needs.
        data_dir = _settings(data).data_dir
        arguments = ["--data", str(data_dir.absolute()), "--kafka", kafka]
        arguments += [] if port is None else ["--port", str(port)]
        arguments += [] if demo is None else ["--demo", str(demo.absolute())]
        with _Terminal(foreground=False) as terminal:
            detached.start(arguments, data_dir, terminal)
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
    with _Terminal(foreground=True) as terminal:
        stack.run(settings, kafka=kafka, report=terminal, demo=demo)


def down(data: DataDir = None) -> None:
    """Stop the stack in order: dashboard, audit log, relay (which drains), Kafka, PostgreSQL. The data stays."""
    from postil_stack import stack

    settings = _settings(data)
    if stack.down(settings.data_dir):
        out.print(f"  ended; the data stays in {settings.data_dir}")
    else:
        out.print(f"  nothing runs in {settings.data_dir}")


def status(data: DataDir = None, as_json: AsJson = False) -> None:
    """Show what is running, since when, and what is wrong. Exit 0: all is well, 1: something is not, 2: nothing is running."""
    from postil_stack import state_file
    from postil_stack.directory_lock import is_owned
    from postil_stack.errors import NotRunning

    data_dir = _settings(data).data_dir.absolute()
    state = state_file.read(data_dir)
    if state is None:
        if as_json:
            print_json({"running": False, "data_dir": str(data_dir)})
            exit_with(2)
        raise NotRunning(f"No stack runs in {data_dir}.", advice="Start one with `postil up`.")
    running = is_owned(data_dir)
    components = {name: _component(state.processes[name]) for name in ORDER if name in state.processes}
    if running and "audit" in components and state.settings.get("audit_dir"):
        _add_audit_health(components["audit"], Path(str(state.settings["audit_dir"])))
    # A component that the supervisor has not started yet is not ready either.
    healthy = (
        running
        and len(components) == len(ORDER)
        and all(component["status"] in {"ready", "external"} for component in components.values())
    )
    if as_json:
        fields = ("database_url", "audit_dir", "data_dir", "kafka_topic")
        document = {
            "running": running,
            "healthy": healthy,
            "pid": state.pid,
            "http_url": state.http_url,
            "bootstrap_servers": state.settings.get("kafka_bootstrap_servers"),
            "kafka": state.kafka,
            **{name: state.settings.get(name) for name in fields},
            "processes": components,
        }
        print_json(document)
    else:
        if not running:
            out.print(
                "  its supervisor is gone: `postil up` recovers, `postil down` stops what is left",
                style="red",
            )
        for component in components.values():
            uptime = component["uptime"] or 0.0
            _line(component["label"], component["version"], component["status"], uptime, component["message"])
        out.print(f"  {'dashboard at':<16}{state.http_url}")
    exit_with(0 if healthy else 1)


def doctor(data: DataDir = None, as_json: AsJson = False) -> None:
    """Check everything that the stack needs, with advice. Exit 0: fine, 1: something is bad, 2: inconclusive."""
    from dataclasses import asdict

    from postil_stack.doctor.checks import examine

    findings = list(examine(_settings(data)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        colours = {"ok": "green", "note": "yellow", "bad": "red", "unknown": "magenta"}
        for finding in findings:
            out.print(f"  {finding.verdict:<9}", style=colours[finding.verdict], end="")
            out.print(f"{finding.name:<14}{finding.found}")
            if finding.advice:
                out.print(f"{'':<25}{finding.advice}", style="dim")
    verdicts = {finding.verdict for finding in findings}
    exit_with(1 if "bad" in verdicts else 2 if "unknown" in verdicts else 0)


def _settings(data: Path | None) -> Settings:
    from postil.settings import load_settings

    return load_settings(data_dir=data)


def _component(state: ComponentState) -> dict[str, Any]:
    """Return the state of a component, with status `dead` if its process has ended together with its supervisor."""
    alive = state.alive or state.status in {"external", "restarting", "failing"}
    return {
        "label": state.label,
        "status": state.status if alive else "dead",
        "pid": state.pid,
        "version": state.version,
        "uptime": round(time.time() - state.since, 1) if state.since and state.alive else None,
        "restarts": state.restarts,
        "message": state.message,
    }


def _add_audit_health(component: dict[str, Any], audit_dir: Path) -> None:
    """Show the audit log's writer as `failing` if it runs, but cannot write now."""
    from postil_consumers.audit.status import audit_log

    log = audit_log(audit_dir)
    if component["status"] == "ready" and log["state"] in {"waiting", "down"}:
        component["status"], component["message"] = "failing", log["reason"]


def _line(label: str, version: str | None, status: str, seconds: float, message: str | None) -> None:
    """Print one component, for example: postgres 18.4   ready   0.6 s   data in .postil/."""
    name = f"{label} {version}" if version and not version.startswith("memory") else label
    out.print(f"  {name:<16}", end="")
    out.print(f"{status:<11}", style=COLOURS.get(status, "red"), end="")
    out.print(f"{_duration(seconds):>8}   {message or ''}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min" if minutes < 60 else f"{hours} h {minutes % 60} min"


class _Terminal:
    """Shows a start on the terminal: a line for each component that becomes ready, and a bar during the download."""

    def __init__(self, *, foreground: bool) -> None:
        self._foreground = foreground
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

    def component(self, name: str, state: ComponentState, seconds: float) -> None:
        """Show a component that became ready, also after a restart, or that ended."""
        if state.status != "starting" and not (state.status == "ready" and name == "serve" and not self._up):
            _line(state.label, state.version, state.status, seconds if not self._up else 0.0, state.message)

    def download(self, done: int, total: int) -> None:
        """Move the progress bar."""
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("jars", total=total)
        self._bar.update(self._task, completed=done)
        if done >= total:
            self._bar.stop()

    def ready(self, stack: StackState) -> None:
        """Show the address of the dashboard, and how to stop the stack."""
        self._up = True
        out.print(f"  {'dashboard':<16}", end="")
        out.print(stack.http_url, style="bold")
        if stack.kafka == "memory":
            out.print(
                "  Kafka is in memory: its content is lost at the end. For a first look only.", style="yellow"
            )
        err.print("  Ctrl-C stops it" if self._foreground else "  `postil down` stops it", style="dim")
