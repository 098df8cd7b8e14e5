"""Identifies the user who owns the client end of a loopback connection, from /proc/net/tcp on Linux.

Every user of a machine can reach a server that listens on loopback.
With this check, the server serves its own user and root only.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a TCP connection."""

    host: str
    port: int


def is_supported() -> bool:
    """Return whether this system shows who owns a connection."""
    return sys.platform == "linux" and _TABLES[0].is_file()


def is_loopback(host: str) -> bool:
    """Return whether an address stays on this machine; of the names, only ``localhost`` does."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def owner_uid(client: Endpoint, server: Endpoint) -> int | None:
    """Return the user id of the process that holds the client's end, or None if no process holds it any more."""
    for table in _TABLES:
        try:
            rows = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        uid = find_uid(rows, client, server)
        if uid is not None:
            return uid
    return None


def find_uid(rows: Iterable[str], client: Endpoint, server: Endpoint) -> int | None:
    """Return the uid in the row whose two ends are `client` and `server`, or None if there is no such row.

    A row with inode 0 is a socket that its process has closed. The kernel shows uid 0 in such a row,
    whatever the user of the process, so the row is skipped: otherwise "connect, send, close" would pass as root.
    """
    ends = _packed(client), _packed(server)
    for row in rows:
        columns = row.split()
        if len(columns) < 10 or columns[9] == "0":
            continue
        if (_parse(columns[1]), _parse(columns[2])) == ends:
            return int(columns[7])
    return None


def is_own_user(client: Endpoint, server: Endpoint) -> bool:
    """Return whether the client's end belongs to this server's user, or to root."""
    return owner_uid(client, server) in {0, os.geteuid()}


def _packed(end: Endpoint) -> tuple[bytes, int]:
    address = ipaddress.ip_address(end.host.partition("%")[0])
    return _unmapped(address.packed), end.port


def _parse(column: str) -> tuple[bytes, int]:
    """Read an end as /proc writes it: the address in words of four bytes in the machine's byte order, then the port."""
    address, _, port = column.partition(":")
    words = bytes.fromhex(address)
    if sys.byteorder == "little":
        words = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return _unmapped(words), int(port, 16)


def _unmapped(packed: bytes) -> bytes:
    """Return the IPv4 address of an IPv4-mapped IPv6 address, which a dual-stack socket shows; others unchanged."""
    return packed[12:] if packed.startswith(bytes(10) + b"\xff\xff") else packed
