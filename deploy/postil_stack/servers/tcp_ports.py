"""Ports on the loopback interface: kept from one start to the next, and never somebody else's."""

from __future__ import annotations

import socket
from pathlib import Path

from postil_stack.errors import PortBusy
from postil_stack.servers.private_files import write_private

LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on `port` now."""
    return refusal(port, host) is None


def refusal(port: int, host: str) -> OSError | None:
    """Why no server could listen there now; None where one could."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # A server of ours that just ended leaves connections in TIME_WAIT; servers bind over those, so may we.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
        return None


def answers(port: int) -> bool:
    """Whether somebody listens on `port`."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def choose(part: str, wanted: int | None, memory: Path) -> int:
    """Return the port for `part`: the one `wanted`, else last time's (kept in the file `memory`), else any free one.

    Raises `PortBusy` where `wanted` belongs to another process.
    """
    if wanted is not None:
        if not is_free(wanted):
            raise PortBusy(
                f"Port {wanted} is taken, {part} cannot have it.",
                advice="Stop its owner, or choose another port.",
            )
        return wanted
    try:
        before = int(memory.read_text("utf-8"))
    except (OSError, ValueError):
        before = 0
    if before and is_free(before):
        return before
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        chosen = int(probe.getsockname()[1])
    write_private(memory, str(chosen))
    return chosen
