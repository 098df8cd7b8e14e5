"""`postil consume audit` and `postil audit verify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postil.cli.console import err, exit_with, out, print_json

if TYPE_CHECKING:  # the command line starts without the modules of the audit log
    from postil_consumers.audit.verify.log_check import LogReport


def register(consume: typer.Typer, audit: typer.Typer) -> None:
    """Add the commands."""
    consume.command("audit")(consume_audit)
    audit.command("verify")(verify)


def consume_audit() -> None:
    """Write every event to the audit log, until stopped.

    Resumes where the audit log ends, and ignores the offsets of the consumer group. Prints `ready` once it reads.
    """
    import os
    import socket
    from hashlib import sha256

    from postil.settings import load_settings
    from postil_consumers.audit.sink import AuditSink, consumer_group
    from postil_consumers.runtime.health import HealthFile
    from postil_consumers.runtime.kafka_source import KafkaSource
    from postil_consumers.runtime.postgres_gaps import PostgresGaps
    from postil_consumers.runtime.process import run_until_stopped
    from postil_consumers.runtime.runner import Runner

    settings = load_settings()
    client, url = settings.kafka_client(), settings.require_database_url()
    audit_dir = settings.audit_path.absolute()
    # The same directory is the same member: restarted, it has its partitions back at once.
    member = sha256(f"{socket.gethostname()}:".encode() + os.fsencode(audit_dir)).hexdigest()[:16]
    source = KafkaSource(
        client, settings.kafka_topic, consumer_group(settings.kafka_topic), instance=f"audit-{member}"
    )
    sink = AuditSink(audit_dir)
    try:
        run_until_stopped(
            Runner(source, sink, PostgresGaps(url), report=HealthFile(audit_dir / "health.json"))
        )
    finally:
        sink.shutdown()


def verify(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Audit directory, or one log in it (default: POSTIL_AUDIT_DIR)."),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0, max=86_400, help="Seconds to wait until a running writer has finished what it writes."
        ),
    ] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the audit log's files alone, without Kafka or Postgres.

    Exit 0: sound. 1: tampered with; every place is named. 2: inconclusive: the log could not be read, or its end is
    either what a crashed writer left (start the writer again, which cuts it off) or was appended.

    The log is not signed yet: a log that was rewritten as a whole, or cut off at its end together with its run index,
    is sound in itself. `postil verify` compares with Postgres and finds both.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from postil.settings import load_settings
    from postil_consumers.audit.verify.log_check import logs_in, size_of, verify_log

    logs = logs_in(directory or load_settings().audit_path)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("audit log", total=sum(map(size_of, logs)))
        reports = [
            verify_log(log, wait=wait, advance=lambda read: progress.advance(task, read)) for log in logs
        ]
    code = (
        1 if any(report.findings for report in reports) else 2 if any(r.inconclusive for r in reports) else 0
    )
    if as_json:
        print_json(_as_dict(reports, code))
    else:
        _print(reports, code)
    exit_with(code)


def _as_dict(reports: Sequence[LogReport], code: int) -> dict[str, Any]:
    return {
        "sound": code == 0,
        "verdict": {0: "sound", 1: "tampered", 2: "unknown"}[code],
        "records": sum(report.records for report in reports),
        "findings": sum(len(report.findings) for report in reports),
        "doubts": sum(len(report.inconclusive) for report in reports),
        "logs": [
            {
                "log": report.name,
                "records": report.records,
                "dead_letters": report.dead_letters,
                "entries": report.entries,
                "segments": report.segments,
                "uncovered_bytes": report.uncovered,
                "findings": report.findings.listed(),
                "doubts": report.inconclusive.listed(),
                "unlisted": report.findings.unlisted,
            }
            for report in reports
        ],
    }


def _print(reports: Sequence[LogReport], code: int) -> None:
    width = max(len(report.name) for report in reports)
    for report in reports:
        out.print(
            f"  {report.name:<{width}}  {report.records:>12,} records in {report.entries:,} entries, "
            + (f"{len(report.findings):,} findings" if report.findings else "chain sound"),
        )
        if report.dead_letters:
            out.print(f"  {'':<{width}}  {report.dead_letters:>12,} of them dead letters")
    for report in reports:
        for finding in report.findings:
            out.print(f"  {finding}", style="red")
        if report.findings.unlisted:
            out.print(f"  {report.name}: and {report.findings.unlisted:,} more", style="red")
        for finding in report.inconclusive:
            out.print(f"  {finding}", style="yellow")
    verdict, style = {0: ("sound", "green"), 1: ("TAMPERED", "red"), 2: ("inconclusive", "yellow")}[code]
    out.print(f"  {verdict}", style=f"bold {style}")
