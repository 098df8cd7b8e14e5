"""TCP ports on the loopback interface. A port is remembered for the next start, and a port in use is never taken."""

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
    """Return the error that a server would get if it listened there now, or None."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # A server that has just ended leaves connections in TIME_WAIT. Servers may bind in spite of them, so this does too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
        return None


def is_open(port: int) -> bool:
    """Whether a server listens on `port`."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def choose(name: str, requested: int | None, port_file: Path) -> int:
    """Return the port for the server `name`: `requested`, or that of the last start (in `port_file`), or any free one.

    Raises `PortBusy` if another process uses `requested`.
    """
    if requested is not None:
        if not is_free(requested):
            raise PortBusy(
                f"Port {requested} is taken, {name} cannot use it.",
                advice="Stop its owner, or choose another port.",
            )
        return requested
    try:
        previous = int(port_file.read_text("utf-8"))
    except (OSError, ValueError):
        previous = 0
    if previous and is_free(previous):
        return previous
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    write_private(port_file, str(port))
    return port
