"""The lease: one relay at a time owns all lanes and publishes. The database's clock decides when a lease ends.

Each write of the owner checks its epoch, so a former owner writes nothing. The lease serves efficiency only:
if two relays publish at once, each reader drops repeated events by run_seq.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

from postil.model.limits import LANES
from postil_relay.errors import ForeignLog, HotStandby, LeaseLost
from postil_relay.machine.rows import Cursor

SECONDS = 5.0
"""Duration of a lease."""
LONG_SECONDS = 120.0
"""Duration of a lease before a statement that may take longer than `SECONDS`, such as the first look at a large backlog."""

_OWNER = re.compile(r"(?P<host>.*) (?P<pids>pid:\[\d+\]) (?P<pid>\d+) \w+")  # as owner_name() makes it


def owner_name() -> str:
    """Return a name of this process, by which another relay on the same machine detects whether it still runs."""
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()} {namespace} {os.getpid()} {secrets.token_hex(4)}"


def has_died(owner: str) -> bool:
    """Whether `owner` was a process of this machine that has ended. Then its lease need not be waited for."""
    other = _OWNER.fullmatch(owner)
    this = _OWNER.fullmatch(owner_name())
    if other is None or this is None or other["host"] != this["host"] or other["pids"] != this["pids"]:
        return False
    try:
        os.kill(int(other["pid"]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@dataclass(frozen=True, slots=True)
class Lease:
    """All lanes, owned by `owner` under `epoch`. `cursor` is where the last owner stopped."""

    owner: str
    epoch: int
    cursor: Cursor


def check_server(connection: Connection[Any]) -> None:
    """Check that the saved cursors belong to this server.

    Raises `HotStandby` on a standby, and `ForeignLog` on another server or one restored to an earlier time.
    """
    row = connection.execute(
        "select pg_is_in_recovery(), (select system_identifier from pg_control_system())"
    ).fetchone()
    assert row is not None
    standby, system = row
    if standby:
        raise HotStandby(
            "The database is a hot standby: its snapshots do not name the transactions in progress.",
            advice="Point POSTIL_DATABASE_URL at the primary.",
        )
    connection.execute(
        "insert into postil.relay_origin (system_identifier) values (%s) on conflict do nothing", (system,)
    )
    row = connection.execute(
        """select (select system_identifier from postil.relay_origin),
                  (select max(pg_snapshot_xmax(coalesce(hi, lo))) from postil.relay_lane)
                    > pg_snapshot_xmax(pg_current_snapshot())"""
    ).fetchone()
    assert row is not None
    recorded, ahead = row
    why = None
    if recorded != system:
        why = f"The log was published from server {recorded}; this is server {system}: a restored or copied database."
    elif ahead:
        why = "The relay has published transactions this server has not reached: it was restored to an earlier time."
    if why:
        raise ForeignLog(
            why,
            advice="The cursors mean nothing here. Connect to the original server, or start a new topic and reset "
            "postil.relay_origin and postil.relay_lane by hand once you know what was published.",
        )


def claim(connection: Connection[Any], owner: str) -> Lease | None:
    """Take all lanes if they are free, their lease has ended, or their owner's process has ended. Otherwise return None.

    An earlier lease of `owner` itself counts as ended: a process has one lease at a time, and claims again
    after it lost its connection.
    """
    rows = connection.execute(
        "select distinct owner from postil.relay_lane where owner is not null"
    ).fetchall()
    dead = [name for (name,) in rows if has_died(name)]
    claimed = connection.execute(
        """
        with free as (
            select lane, epoch from postil.relay_lane
            where owner is null or lease_until < clock_timestamp() or owner = any(%(dead)s) or owner = %(owner)s
            order by lane for update
        )
        update postil.relay_lane l
           set owner = %(owner)s, epoch = (select max(epoch) + 1 from free),
               lease_until = clock_timestamp() + make_interval(secs => %(seconds)s), updated_at = clock_timestamp()
          from free
         where l.lane = free.lane and (select count(*) from free) = %(lanes)s
        returning l.epoch, l.lo::text, l.hi::text, l.after
        """,
        {"owner": owner, "dead": dead, "seconds": SECONDS, "lanes": LANES},
    ).fetchall()
    if not claimed:
        return None
    places = set(claimed)
    if len(places) > 1:
        raise ForeignLog(
            "The lanes were left at different places, as by several relays of a later version.",
            advice="Run the version of Postil that wrote them.",
        )
    epoch, lo, hi, after = places.pop()
    return Lease(owner, epoch, Cursor(lo, hi, after))


def renew(connection: Connection[Any], lease: Lease, seconds: float = SECONDS) -> None:
    """Extend the lease to `seconds` from now. Raises `LeaseLost`."""
    update = connection.execute(
        """
        update postil.relay_lane set lease_until = clock_timestamp() + make_interval(secs => %s)
         where owner = %s and epoch = %s
        """,
        (seconds, lease.owner, lease.epoch),
    )
    _check_fence(lease, update.rowcount)


def save(connection: Connection[Any], lease: Lease, cursor: Cursor) -> None:
    """Save the cursor and renew the lease. Raises `LeaseLost`; then nothing was written."""
    update = connection.execute(
        """
        update postil.relay_lane
           set lo = %s::pg_snapshot, hi = %s::pg_snapshot, after = %s, updated_at = clock_timestamp(),
               lease_until = clock_timestamp() + make_interval(secs => %s)
         where owner = %s and epoch = %s
        """,
        (cursor.lo, cursor.hi, cursor.after, SECONDS, lease.owner, lease.epoch),
    )
    _check_fence(lease, update.rowcount)


def release(connection: Connection[Any], lease: Lease) -> None:
    """End the lease, so that a standby takes over at once."""
    connection.execute(
        "update postil.relay_lane set owner = null, lease_until = null where owner = %s and epoch = %s",
        (lease.owner, lease.epoch),
    )


def _check_fence(lease: Lease, lanes_written: int) -> None:
    if lanes_written != LANES:
        raise LeaseLost(
            f"Another relay took over (this one held epoch {lease.epoch}).",
            advice="Nothing to do: it continues where this one stopped.",
        )
