"""Who is at the other end of a loopback connection: on Linux the kernel says so in /proc/net/tcp.

A page bound to loopback is reachable by every user of the machine.
Here only connections of the server's own user, and of root, are served.
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
class Peer:
    """An endpoint of a TCP connection."""

    host: str
    port: int


def can_tell() -> bool:
    """Whether this system shows who owns a connection."""
    return sys.platform == "linux" and _TABLES[0].is_file()


def is_loopback(host: str) -> bool:
    """Whether an address stays on this machine; a name other than ``localhost`` counts as one that leaves it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def owner(client: Peer, server: Peer) -> int | None:
    """The user id of the process that holds the client's end, or None where nobody does any more."""
    wanted = {(_key(client), _key(server))}
    for table in _TABLES:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        found = find_owner(lines, wanted)
        if found is not None:
            return found
    return None


def find_owner(lines: Iterable[str], wanted: set[tuple[tuple[bytes, int], tuple[bytes, int]]]) -> int | None:
    """The uid column of the row whose two ends are `wanted`.

    A row with inode 0 is a socket its process has closed already. The kernel shows such a row as root's,
    whoever made it, so it tells nothing: otherwise "connect, send, close" would pass as root.
    """
    for line in lines:
        columns = line.split()
        if len(columns) < 10 or columns[9] == "0":
            continue
        if (_parse(columns[1]), _parse(columns[2])) in wanted:
            return int(columns[7])
    return None


def allowed(client: Peer, server: Peer) -> bool:
    """Whether the other end is ours: this server's user, or root."""
    return owner(client, server) in {0, os.geteuid()}


def _key(end: Peer) -> tuple[bytes, int]:
    address = ipaddress.ip_address(end.host.partition("%")[0])
    return _plain(address.packed), end.port


def _parse(column: str) -> tuple[bytes, int]:
    """An end as /proc writes it: the address by fours in the machine's byte order, then the port."""
    address, _, port = column.partition(":")
    words = bytes.fromhex(address)
    if sys.byteorder == "little":
        words = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return _plain(words), int(port, 16)


def _plain(packed: bytes) -> bytes:
    """An IPv4 address stays one when a dual-stack socket spells it as IPv6."""
    return packed[12:] if packed.startswith(bytes(10) + b"\xff\xff") else packed
