"""All checks of `postil doctor`. They change nothing."""

from __future__ import annotations

from collections.abc import Iterator

from postil.settings import Settings
from postil_stack.doctor.audit_log import check_audit_log
from postil_stack.doctor.database import check_database
from postil_stack.doctor.kafka import check_kafka
from postil_stack.doctor.machine import check_jars, check_machine, check_packages, check_stack
from postil_stack.doctor.report import Finding


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings, one check after the other. No check raises, and none waits for more than a few seconds."""
    yield from check_machine(settings)
    yield from check_packages()
    if not settings.kafka_bootstrap_servers:
        yield from check_jars()
    yield from check_stack(settings)
    yield from check_database(settings)
    yield from check_kafka(settings)
    yield from check_audit_log(settings)
