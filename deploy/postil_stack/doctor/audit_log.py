"""Checks of the audit log: its directory, the process that writes it, and how far behind it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from postil.errors import PostilError
from postil.settings import Settings
from postil_consumers.audit.status import audit_log
from postil_stack.doctor.report import Finding


def check_audit_log(settings: Settings) -> Iterator[Finding]:
    """Check that the audit log's directory can be written and is private, and that a process writes it."""
    path = settings.audit_path
    if not path.exists():
        yield Finding("audit log", "note", f"{path} does not exist yet", "postil consume audit writes it")
        return
    if not os.access(path, os.W_OK | os.X_OK):
        yield Finding(
            "audit log", "bad", f"{path} cannot be written", "Make the user of the audit consumer its owner."
        )
        return
    if path.stat().st_mode & 0o007:
        yield Finding(
            "audit log", "note", f"all users of this machine can read {path}", f"chmod o-rwx {path}"
        )
    yield _writer_finding(settings, path)


def _writer_finding(settings: Settings, path: Path) -> Finding:
    """Return the finding about the process that writes the log."""
    log = audit_log(path)
    reason = log["reason"] or "no reason given"
    match log["state"]:
        case "ok":
            return Finding("audit log", "ok", f"{path}, {log.get('leaves', 0):,} records")
        case "empty":
            return Finding("audit log", "note", f"{path} is empty: {reason}", "postil consume audit")
        case "stopped":
            lag = _lag(settings)
            return Finding(
                "audit log",
                "bad" if lag else "note",
                f"is not being written: {reason}" + (f"; {lag:,} messages wait" if lag else ""),
                "postil up, or postil consume audit",
            )
        case _:
            return Finding(
                "audit log",
                "bad",
                f"its writer has a problem: {reason}",
                "See the log of postil consume audit.",
            )


def _lag(settings: Settings) -> int | None:
    """Return how many messages of the topic the log does not contain yet; None if that cannot be read."""
    if not settings.kafka_bootstrap_servers or not all(map(find_spec, ("confluent_kafka", "orjson"))):
        return None
    from postil_consumers.audit.sink import consumer_group  # noqa: PLC0415 (needs an extra)
    from postil_consumers.runtime.kafka_client import group_position  # noqa: PLC0415 (as above)

    topic = settings.kafka_topic
    try:
        position = group_position(settings.kafka_client(), topic, consumer_group(topic), timeout=2.0)
    except PostilError:  # the check of Kafka reports it
        return None
    return position.lag if position.topic.error is None else None
