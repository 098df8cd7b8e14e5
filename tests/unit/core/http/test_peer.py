"""The owner of the client end of a loopback connection, as the kernel's tables show it."""

from __future__ import annotations

import os
import socket

import pytest

from postil.http.peer import Endpoint, find_uid, is_loopback, is_own_user, owner_uid

SERVER = Endpoint("127.0.0.1", 8400)
CLIENT = Endpoint("127.0.0.1", 40000)
ROW = "   1: 0100007F:9C40 0100007F:20D0 01 00000000:00000000 00:00000000 00000000  1007        0 {inode} 1 0 20 4 30 10 -1"
MAPPED = (
    "   1: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:20D0"
    " 01 00000000:00000000 00:00000000 00000000  1008        0 555 1 0 20 4 30 10 -1"
)


def test_owner_is_in_the_row_of_the_connection() -> None:
    """The uid is that of the row with both ends of the connection; without such a row there is none."""
    other = ROW.replace("9C40", "9C41")
    assert find_uid([other, ROW.format(inode=123)], CLIENT, SERVER) == 1007
    assert find_uid([other], CLIENT, SERVER) is None


def test_closed_socket_has_no_owner() -> None:
    """A row with inode 0 is skipped: the kernel shows uid 0 there, and "connect, send, close" must not pass as root."""
    closed = ROW.format(inode=0).replace("1007", "   0")
    assert find_uid([closed], CLIENT, SERVER) is None


def test_dual_stack_socket_matches_its_ipv4_address() -> None:
    """An IPv4-mapped IPv6 row is the row of the IPv4 connection."""
    assert find_uid([MAPPED], CLIENT, SERVER) == 1008


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_own_connection_is_recognised(family: socket.AddressFamily) -> None:
    """A real connection of this process belongs to its user while it is open, and to no user afterwards."""
    with socket.create_server(
        ("localhost" if family == socket.AF_INET else "::1", 0), family=family
    ) as server:
        with socket.create_connection(server.getsockname()[:2]) as client:
            accepted, _ = server.accept()
            with accepted:
                there, here = Endpoint(*client.getsockname()[:2]), Endpoint(*accepted.getsockname()[:2])
                assert owner_uid(there, here) == os.geteuid()
                assert is_own_user(there, here)
        assert owner_uid(there, here) is None


@pytest.mark.parametrize(
    ("host", "stays"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
     ("0.0.0.0", False), ("192.0.2.1", False), ("::", False), ("example.org", False)],
)  # fmt: skip
def test_loopback_addresses(host: str, stays: bool) -> None:
    """An address is loopback if it stays on the machine; of the names, only localhost is."""
    assert is_loopback(host) is stays
