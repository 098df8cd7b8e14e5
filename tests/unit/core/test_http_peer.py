"""Who holds the other end of a loopback connection, as the kernel tells it."""

from __future__ import annotations

import os
import socket

import pytest

from postil.http.peer import Peer, allowed, find_owner, is_loopback, owner

SERVER = (socket.inet_aton("127.0.0.1"), 8400)
CLIENT = (socket.inet_aton("127.0.0.1"), 40000)
ROW = "   1: 0100007F:9C40 0100007F:20D0 01 00000000:00000000 00:00000000 00000000  1007        0 {inode} 1 0 20 4 30 10 -1"
MAPPED = (
    "   1: 0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:20D0"
    " 01 00000000:00000000 00:00000000 00000000  1008        0 555 1 0 20 4 30 10 -1"
)


def test_the_owner_is_in_the_row_whose_ends_are_the_connection() -> None:
    other = ROW.replace("9C40", "9C41")
    assert find_owner([other, ROW.format(inode=123)], {(CLIENT, SERVER)}) == 1007
    assert find_owner([other], {(CLIENT, SERVER)}) is None


def test_a_socket_its_process_has_closed_tells_nothing() -> None:
    """The kernel shows it as root's: to connect, send and close must not pass as root."""
    closed = ROW.format(inode=0).replace("1007", "   0")
    assert find_owner([closed], {(CLIENT, SERVER)}) is None


def test_a_dual_stack_socket_is_found_by_its_ipv4_address() -> None:
    assert find_owner([MAPPED], {(CLIENT, SERVER)}) == 1008


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_connection_of_our_own_is_ours(family: socket.AddressFamily) -> None:
    with socket.create_server(
        ("localhost" if family == socket.AF_INET else "::1", 0), family=family
    ) as server:
        with socket.create_connection(server.getsockname()[:2]) as client:
            accepted, _ = server.accept()
            with accepted:
                there, here = Peer(*client.getsockname()[:2]), Peer(*accepted.getsockname()[:2])
                assert owner(there, here) == os.geteuid()
                assert allowed(there, here)
        assert owner(there, here) is None


@pytest.mark.parametrize(
    ("host", "stays"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
     ("0.0.0.0", False), ("192.0.2.1", False), ("::", False), ("example.org", False)],
)  # fmt: skip
def test_loopback_is_what_stays_on_the_machine(host: str, stays: bool) -> None:
    assert is_loopback(host) is stays
