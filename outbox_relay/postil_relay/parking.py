"""Parked runs: Kafka refuses their next event permanently. They are recorded, listed, and replayed on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from postil.model.json_text import check_text
from postil_relay.errors import LeaseLost
from postil_relay.lease import Lease


@dataclass(frozen=True, slots=True)
class ParkedRun:
    """A run that stops before `run_seq`. `held` counts its events in the event log that are not published."""

    tenant: str
    run_id: str
    run_seq: int
    event_id: str
    reason: str
    parked_at: datetime
    unparking: bool
    held: int


def split(key: bytes) -> tuple[str, str]:
    """Return the tenant and run id of a Kafka key. A tenant has no slash, a run id may have some."""
    tenant, _, run_id = key.decode().partition("/")
    return tenant, run_id


def park(connection: Connection[Any], lease: Lease, key: bytes, run_seq: int, reason: str) -> None:
    """Record that the run stops before `run_seq`. Raises `LeaseLost`; then nothing was written."""
    tenant, run_id = split(key)
    insert = connection.execute(
        """
        insert into postil.parked_run (tenant, run_id, lane, run_seq, event_id, reason)
        select e.tenant, e.run_id, e.lane, e.run_seq, e.event_id, %(reason)s
          from postil.event e
         where e.tenant = %(tenant)s and e.run_id = %(run_id)s and e.run_seq = %(run_seq)s
           and exists (select from postil.relay_lane l
                        where l.lane = e.lane and l.owner = %(owner)s and l.epoch = %(epoch)s for share)
        on conflict (tenant, run_id) do update
           set run_seq = excluded.run_seq, event_id = excluded.event_id, reason = excluded.reason,
               parked_at = now(), unpark_requested_at = null
        """,
        {
            "tenant": tenant, "run_id": run_id, "run_seq": run_seq, "reason": reason,
            "owner": lease.owner, "epoch": lease.epoch,
        },
    )  # fmt: skip
    if insert.rowcount != 1:
        raise LeaseLost("Another relay took over while a run was being parked.", advice="Nothing to do.")


def forget(connection: Connection[Any], key: bytes) -> None:
    """Delete the record of an unparked run: its events are published up to now."""
    connection.execute(
        "delete from postil.parked_run where tenant = %s and run_id = %s and unpark_requested_at is not null",
        split(key),
    )


def keys(connection: Connection[Any]) -> list[tuple[bytes, int, bool]]:
    """Return each parked run's Kafka key, the run_seq it stops before, and whether an operator unparked it."""
    rows = connection.execute(
        "select tenant, run_id, run_seq, unpark_requested_at is not null from postil.parked_run order by parked_at"
    ).fetchall()
    return [
        (f"{tenant}/{run_id}".encode(), run_seq, unparking) for tenant, run_id, run_seq, unparking in rows
    ]


def parked_runs(connection: Connection[Any]) -> Sequence[ParkedRun]:
    """Return every parked run, the oldest first."""
    with connection.cursor(row_factory=class_row(ParkedRun)) as cursor:
        return cursor.execute(
            """
            select p.tenant, p.run_id, p.run_seq, p.event_id::text, p.reason, p.parked_at,
                   p.unpark_requested_at is not null as unparking, r.head - p.run_seq + 1 as held
              from postil.parked_run p join postil.run r on r.tenant = p.tenant and r.id = p.run_id
             order by p.parked_at
            """
        ).fetchall()


def request_unpark(connection: Connection[Any], tenant: str, run_id: str) -> bool:
    """Ask the relay to publish a parked run. Returns False if it is not parked.

    Raises `InvalidInput` if `run_id` is not a text that Postgres can store.
    """
    check_text(run_id, "run_id")
    return bool(
        connection.execute(
            "update postil.parked_run set unpark_requested_at = now() where tenant = %s and run_id = %s",
            (tenant, run_id),
        ).rowcount
    )
