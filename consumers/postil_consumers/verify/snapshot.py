"""The log in Postgres, read in one snapshot that no writer can change."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from postil_consumers.audit.log.merkle import leaf_hash
from postil_consumers.audit.verify.findings import LIMIT, Findings
from postil_consumers.runtime.postgres_gaps import typed_error
from postil_consumers.verify.ledger import DIGEST_SIZE

_PAGE = 5_000

# Passed by the relay: everything visible in lo, and of the window being walked (hi) what is not after `after`.
_EVENTS = """
select e.tenant, e.run_id, e.run_seq, postil.envelope(e),
       pg_visible_in_snapshot(e.xid, l.lo)
       or coalesce(pg_visible_in_snapshot(e.xid, l.hi) and e.position <= l.after, false)
from postil.event e left join postil.relay_lane l on l.lane = e.lane
order by e.position
"""

_RUNS = """
select coalesce(r.tenant, e.tenant), coalesce(r.id, e.run_id), r.head, coalesce(e.events, 0), e.first, e.last
from postil.run r
full join (select tenant, run_id, count(*) as events, min(run_seq) as first, max(run_seq) as last,
                  count(distinct run_seq) as numbers
           from postil.event group by tenant, run_id) e on e.tenant = r.tenant and e.run_id = r.id
where r.head is distinct from coalesce(e.events, 0) or e.first <> 1 or e.last <> e.events or e.numbers <> e.events
order by 1, 2
"""

_HOLES = """
select n from generate_series(1, greatest(%(head)s::bigint, %(last)s::bigint)) as n
where not exists (select 1 from postil.event e where e.tenant = %(tenant)s and e.run_id = %(run)s and e.run_seq = n)
order by n limit 5
"""

_ANNOTATIONS = """
select coalesce(a.tenant, e.tenant), coalesce(a.run_id, e.run_id), coalesce(a.run_seq, e.run_seq), a.id::text, e.event_id::text,
       a.key, e.data ->> 'key', a.value is not distinct from e.data -> 'value'
from postil.annotation a
full join (select * from postil.event where type = 'annotation:created') e
       on e.tenant = a.tenant and e.run_id = a.run_id and e.run_seq = a.run_seq
where a.id is null or e.event_id is null
   or e.subject <> 'annotations/' || a.id
   or (e.data ->> 'id', e.data ->> 'key', e.data -> 'value', e.data ->> 'scope', e.data ->> 'scope_id')
      is distinct from (a.id::text, a.key, a.value, a.scope, a.scope_id)
   or nullif(e.data -> 'payload', 'null') is distinct from nullif(a.payload, 'null')
   or (e.data #>> '{actor,kind}', e.data #>> '{actor,id}', e.data #>> '{actor,version}')
      is distinct from (a.actor_kind, a.actor_id, a.actor_version)
order by 1, 2, 3
"""

_PARKED = "select tenant, run_id, run_seq, reason from postil.parked_run order by tenant, run_id"

_AGAIN = """
select key.run, key.run_seq, sha256('\\x00'::bytea || convert_to(postil.envelope(e), 'UTF8'))
from unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) as key (run, tenant, run_id, run_seq)
join postil.event e on e.tenant = key.tenant and e.run_id = key.run_id and e.run_seq = key.run_seq
"""


class Snapshot:
    """One repeatable-read view of the database. Raises `Unavailable` or `ConfigurationError` where it cannot be read."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.runs, self.events = self._one(
            "select (select count(*) from postil.run), (select count(*) from postil.event)"
        )

    def _one(self, statement: LiteralString) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._connection.execute(statement).fetchone()
        assert row is not None
        return row

    def walk(self) -> Iterator[list[tuple[str, int, bytes, bool]]]:
        """Yield every event by position, in pages: run, run_seq, digest of its bytes, and whether the relay passed it."""
        with self._connection.cursor(name="postil_verify") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(_EVENTS)
            while rows := cursor.fetchmany(_PAGE):
                yield [
                    (f"{tenant}/{run}", run_seq, leaf_hash(value.encode())[:DIGEST_SIZE], published)
                    for tenant, run, run_seq, value, published in rows
                ]

    def check_runs(self, findings: Findings) -> None:
        """Check that each run has the events from 1 to its head, each once."""
        rows = self._connection.execute(_RUNS).fetchall()
        for index, (tenant, run, head, events, _first, last) in enumerate(rows):
            holes: Sequence[tuple[int]] = ()
            if index < LIMIT:
                parameters = {"tenant": tenant, "run": run, "head": head or 0, "last": last or 0}
                holes = self._connection.execute(_HOLES, parameters).fetchall()
            missing = ", ".join(str(n) for (n,) in holes)
            what = f"the run's head is {head}, the log has {events:,} of its events"
            if head is None:
                what = f"the log has {events:,} events of a run that is not there"
            findings.add(
                "run_seq",
                what + (f"; missing: {missing}" if missing else ""),
                copy="postgres",
                run=f"{tenant}/{run}",
            )

    def check_annotations(self, findings: Findings) -> None:
        """Check that each annotation has its event and each such event its annotation, with the same content."""
        for tenant, run, run_seq, annotation, event, key, _event_key, same in self._connection.execute(
            _ANNOTATIONS
        ):
            if event is None:
                what = f"annotation {annotation} ({key}) has no annotation:created event"
            elif annotation is None:
                what = f"event {event} has no annotation"
            else:
                what = f"annotation {annotation} ({key}) and its event {event} differ" + (
                    "" if same else " in the value"
                )
            findings.add("annotation", what, copy="postgres", run=f"{tenant}/{run}", run_seq=run_seq)

    def parked(self) -> dict[str, tuple[int, str]]:
        """Return the runs whose next event Kafka refused: from which run_seq on, and why."""
        rows = self._connection.execute(_PARKED).fetchall()
        return {f"{tenant}/{run}": (run_seq, reason) for tenant, run, run_seq, reason in rows}


@contextmanager
def _connected(url: str) -> Generator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(url, connect_timeout=10, prepare_threshold=None) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection
    except psycopg.Error as error:
        raise typed_error(error, "reading the log") from error


@contextmanager
def snapshot(url: str) -> Generator[Snapshot]:
    """Take a snapshot, and hold it inside the `with` block."""
    with _connected(url) as connection:
        yield Snapshot(connection)


def look_again(url: str, events: Sequence[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
    """Return the digests of those `events`, each a (run, run_seq), that Postgres has by now."""
    digests: dict[tuple[str, int], bytes] = {}
    # Postgres cannot store a NUL, so it has no event of such a run.
    rows = [(run, *run.split("/", 1), run_seq) for run, run_seq in events if "\0" not in run]
    with _connected(url) as connection:
        for at in range(0, len(rows), _PAGE):
            columns = [list(column) for column in zip(*rows[at : at + _PAGE], strict=True)]
            for run, run_seq, digest in connection.execute(_AGAIN, columns):
                digests[run, run_seq] = bytes(digest)[:DIGEST_SIZE]
    return digests
