"""Reads the event log in windows between two snapshots, and a large window in pages.

A window holds the events that snapshot `hi` sees and snapshot `lo` does not. Both are real snapshots of the server,
so a window keeps the order of each run: a snapshot that sees an event of a run sees all earlier events of the run.

All statements use generic plans that can only use indexes. Planning a poll takes 0.9 ms and running it 0.1 ms,
and each of its two conditions has one good plan. Just-in-time compilation would cost more than it saves.
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

from postil_relay.machine.rows import POSITION, VALUE, Cursor, Row

PLANS = (
    "set plan_cache_mode = force_generic_plan",
    "set enable_seqscan = off",
    "set enable_bitmapscan = off",  # a bitmap scan collects a whole window before its first row
    "set jit = off",
    "set max_parallel_workers_per_gather = 0",
    "set client_encoding = 'UTF8'",
    "set statement_timeout = '110s'",  # less than the lease taken before a long one
)

# `offset 0` makes the planner build each value once. The running sum of their bytes bounds the result.
_PUBLISHED = """
    select position, tenant || '/' || run_id as key, run_seq, postil.envelope(e) as value, traceparent
"""

# $1 xmax of lo, $2 xip of lo, $3 most rows, $4 most bytes. The first row is the snapshot, with the number of rows seen.
# The limit has no order: a window with more rows is read by position, in pages, instead of being sorted.
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
"""  # noqa: S608 (the fragment is a constant and holds no value)

# $1 lo, $2 hi, $3 after, $4 up to and including, $5 most rows, $6 most bytes. The range of positions bounds the time.
_PAGE = f"""
select position, key, run_seq, value, traceparent
from (select *, sum(octet_length(value)) over (order by position rows unbounded preceding)::bigint as bytes
      from ({_PUBLISHED} from postil.event e
            where position > $3::bigint and position <= $4::bigint
              and not pg_visible_in_snapshot(xid, $1::pg_snapshot) and pg_visible_in_snapshot(xid, $2::pg_snapshot)
            order by position limit $5::bigint) as built) as summed
where bytes - octet_length(value) < $6::bigint
order by position
"""  # noqa: S608 (as above)

# The first and last position of a large window, read by the index on xid. A cheaper bound would be wrong for
# transactions that drew positions long ago and have not ended. `+ 0` keeps the planner from scanning by position.
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
"""  # noqa: S608 (as above)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Rows in the order of the event log, and the cursor once they are settled."""

    rows: list[Row]
    then: Cursor


class WindowReader:
    """Reads the event log over one connection in autocommit mode, never inside a transaction.

    The frequent statements use libpq's blocking call, which releases the interpreter lock once per statement.
    psycopg's own wait takes the lock again for every 16 KiB. With another busy thread, that made reading ten times slower.
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
        """Prepare the statements.

        `before_long` is called before a statement that reads the index of a whole backlog.
        One result has at most about `rows` rows and `size` bytes of values, and covers at most `span` positions.
        """
        self._connection = connection
        self._before_long = before_long
        self._rows = rows
        self._size = size
        self._span = span
        self._ends: dict[str, int] = {}  # last position of the window that is read in pages, by its `hi`
        for setting in PLANS:
            connection.execute(setting)
        # Text is not decoded: Kafka takes the bytes, and the relay does not read them.
        connection.adapters.register_loader("text", ByteaBinaryLoader)
        for name, sql in (("poll", _POLL), ("page", _PAGE), ("extent", _EXTENT), ("run", _RUN)):
            self._check(connection.pgconn.prepare(name.encode(), sql.encode()))

    def fetch(self, cursor: Cursor) -> Fetched:
        """Read what follows `cursor`: a whole small window, or a page of a large one."""
        return self._poll(cursor.lo) if cursor.hi is None else self._page(cursor)

    def run(self, tenant: str, run_id: str, run_seq: int) -> tuple[list[Row], bool]:
        """Return events of one run from `run_seq` on, and whether these are all."""
        rows = self._ask("run", tenant, run_id, run_seq, self._rows, self._size)
        return rows, not self._is_cut(rows)

    def _poll(self, lo: str) -> Fetched:
        xmax, xip = _parts(lo)
        rows = self._ask("poll", xmax, xip, self._rows, self._size)
        rows.sort(
            key=itemgetter(POSITION)
        )  # they are in order already, but SQL does not guarantee it for a union
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
        if end is None:  # an earlier relay began to read this window
            self._before_long()
            ((_, last),) = self._ask_plain("extent", *_parts(cursor.lo))
            end = max(last or 0, cursor.after)
            self._ends = {cursor.hi: end}
        upto = min(cursor.after + self._span, end)
        rows = self._ask("page", cursor.lo, cursor.hi, cursor.after, upto, self._rows, self._size)
        reached = rows[-1][POSITION] if self._is_cut(rows) else upto
        done = reached >= end
        return Fetched(rows, Cursor(cursor.hi) if done else Cursor(cursor.lo, cursor.hi, reached))

    def _is_cut(self, rows: list[Row]) -> bool:
        """Whether a limit ended the result, and not the end of the event log."""
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
    return sum(len(row[VALUE]) for row in rows)


def _parts(snapshot: str) -> tuple[str, str]:
    """Return `xmax` and `xip` of a snapshot ``xmin:xmax:xip,…``; `xip` as the text of an array."""
    _, xmax, xip = snapshot.split(":")
    return xmax, f"{{{xip}}}"
