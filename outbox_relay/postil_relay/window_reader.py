"""The log as the relay reads it: windows between two snapshots, and pages of a window that is too big for one answer.

A window holds what snapshot `hi` sees and snapshot `lo` does not. Taken from two real snapshots it is closed under
the order of each run: whoever sees a run's later event sees its earlier ones.

All statements run with generic plans that may only use indexes. Planning a poll anew took 0.9 ms, running it takes 0.1 ms,
and the two conditions it can have each have one sensible plan. Just-in-time compilation would cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

from psycopg import Connection
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.types.string import ByteaBinaryLoader

from postil_relay.commands import Cursor, Row

PLANS = (
    "set plan_cache_mode = force_generic_plan",
    "set enable_seqscan = off",
    "set enable_bitmapscan = off",  # it would collect a whole window before its first row
    "set jit = off",
    "set max_parallel_workers_per_gather = 0",
    "set client_encoding = 'UTF8'",
    "set statement_timeout = '110s'",  # less than the lease taken before a long one
)

# The value is built once per row behind `offset 0`, and summed up so that an answer never exceeds its bytes.
_PUBLISHED = """
    select position, tenant || '/' || run_id as key, run_seq, postil.envelope(e) as value, traceparent
"""

# $1 xmax of lo, $2 xip of lo, $3 most rows, $4 most bytes. The first row is the snapshot, with the number of rows seen.
# Unordered up to the limit: a window beyond it is walked by position instead of being sorted.
_POLL = f"""
with fresh as materialized (
    (select * from postil.event where xid >= $1::xid8
     union all
     select * from postil.event where xid = any($2::xid8[]))
    limit $3::bigint + 1
), seen as (select count(*) as rows from fresh)
select 0::bigint, pg_current_snapshot()::text, (select rows from seen), null::text, null::text
union all
(select position, key, run_seq, value, traceparent
 from (select *, sum(octet_length(value)) over (order by position rows unbounded preceding)::bigint as bytes
       from ({_PUBLISHED} from fresh e where (select rows from seen) <= $3::bigint offset 0) as built) as summed
 where bytes - octet_length(value) < $4::bigint
 order by position)
"""  # noqa: S608 (no value is put in; the fragment is a constant)

# $1 lo, $2 hi, $3 after, $4 up to and including, $5 most rows, $6 most bytes. The range bounds the time it takes.
_PAGE = f"""
select position, key, run_seq, value, traceparent
from (select *, sum(octet_length(value)) over (order by position rows unbounded preceding)::bigint as bytes
      from ({_PUBLISHED} from postil.event e
            where position > $3::bigint and position <= $4::bigint
              and not pg_visible_in_snapshot(xid, $1::pg_snapshot) and pg_visible_in_snapshot(xid, $2::pg_snapshot)
            order by position limit $5::bigint) as built) as summed
where bytes - octet_length(value) < $6::bigint
order by position
"""  # noqa: S608

# Where the walk of a big window begins and ends. Exact, by the index on xid: no cheaper bound holds for transactions
# that drew positions long ago and have not ended. (`+ 0` keeps the planner from walking the whole log by position.)
_EXTENT = """
select min(position + 0), max(position + 0) from (
    select position from postil.event where xid >= $1::xid8
    union all
    select position from postil.event where xid = any($2::xid8[])) as fresh
"""

# $1 tenant, $2 run_id, $3 from run_seq, $4 most rows, $5 most bytes
_RUN = f"""
select position, key, run_seq, value, traceparent
from (select *, sum(octet_length(value)) over (order by run_seq rows unbounded preceding)::bigint as bytes
      from ({_PUBLISHED} from postil.event e
            where tenant = $1::text and run_id = $2::text and run_seq >= $3::bigint
            order by run_seq limit $4::bigint) as built) as summed
where bytes - octet_length(value) < $5::bigint
order by run_seq
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Fetched:
    """Rows in the order of the log, and the place reached once they are settled."""

    rows: list[Row]
    then: Cursor


class Log:
    """Reads the log over one connection in autocommit mode, never inside a transaction.

    The frequent statements go through libpq's blocking call, which gives up the interpreter lock once per statement:
    psycopg's own waiting takes it again for every 16 KiB, and beside a busy thread that made reading ten times slower.
    """

    def __init__(
        self,
        connection: Connection[Any],
        *,
        before_long: Callable[[], None] = lambda: None,
        rows: int = 2000,
        size: int = 4 << 20,
        span: int = 200_000,
    ) -> None:
        self._connection = connection
        self._before_long = before_long  # called before a statement that reads the index of a whole backlog
        self._rows = rows
        self._size = size
        self._span = span
        self._ends: dict[str, int] = {}  # of the window being walked: hi -> its last position
        for setting in PLANS:
            connection.execute(setting)
        # Text stays the bytes it is on the wire: Kafka wants them, and nobody here reads them.
        connection.adapters.register_loader("text", ByteaBinaryLoader)
        for name, sql in (("poll", _POLL), ("page", _PAGE), ("extent", _EXTENT), ("run", _RUN)):
            self._check(connection.pgconn.prepare(name.encode(), sql.encode()))

    def fetch(self, cursor: Cursor) -> Fetched:
        """Read what follows `cursor`: all of a small window, or a page of a big one."""
        return self._poll(cursor.lo) if cursor.hi is None else self._page(cursor)

    def run(self, tenant: str, run_id: str, run_seq: int) -> tuple[list[Row], bool]:
        """Read a run's own events from `run_seq` on, and whether that is all of them."""
        found = self._ask("run", tenant, run_id, run_seq, self._rows, self._size)
        return found, not self._cut(found)

    def _poll(self, lo: str) -> Fetched:
        xmax, xip = _parts(lo)
        rows = self._ask("poll", xmax, xip, self._rows, self._size)
        rows.sort(key=itemgetter(0))  # they are in order already, but a union does not promise it
        _, snapshot, seen, *_ = rows.pop(0)
        hi = snapshot.decode()
        if seen <= self._rows and _bytes(rows) < self._size:
            return Fetched(rows, Cursor(hi))
        self._before_long()
        ((first, last),) = self._ask_plain("extent", xmax, xip)
        self._ends = {hi: last}
        return Fetched([], Cursor(lo, hi, first - 1))

    def _page(self, cursor: Cursor) -> Fetched:
        assert cursor.hi is not None
        assert cursor.after is not None
        end = self._ends.get(cursor.hi)
        if end is None:  # the walk was begun by an earlier relay
            self._before_long()
            ((_, last),) = self._ask_plain("extent", *_parts(cursor.lo))
            end = max(last or 0, cursor.after)
            self._ends = {cursor.hi: end}
        upto = min(cursor.after + self._span, end)
        rows = self._ask("page", cursor.lo, cursor.hi, cursor.after, upto, self._rows, self._size)
        reached = rows[-1][0] if self._cut(rows) else upto
        done = reached >= end
        return Fetched(rows, Cursor(cursor.hi) if done else Cursor(cursor.lo, cursor.hi, reached))

    def _cut(self, rows: list[Row]) -> bool:
        """Whether a limit ended the answer, and not the log."""
        return len(rows) >= self._rows or _bytes(rows) >= self._size

    def _ask(self, name: str, *values: str | int) -> list[Row]:
        return cast("list[Row]", self._ask_plain(name, *values))

    def _ask_plain(self, name: str, *values: str | int) -> list[tuple[Any, ...]]:
        result = self._connection.pgconn.exec_prepared(
            name.encode(), [str(v).encode() for v in values], None, 1
        )
        self._check(result)
        reader = Transformer(self._connection)
        reader.set_pgresult(result)
        return reader.load_rows(0, result.ntuples, tuple)

    def _check(self, result: Any) -> None:
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            raise error_from_result(result, encoding="utf-8")


def _bytes(rows: list[Row]) -> int:
    return sum(len(row[3]) for row in rows)


def _parts(snapshot: str) -> tuple[str, str]:
    """`xmax` and `xip` of a snapshot's text ``xmin:xmax:xip,…``, the latter as an array's text."""
    _, xmax, xip = snapshot.split(":")
    return xmax, f"{{{xip}}}"
