"""Snapshot windows on a real PostgreSQL, against writers that do everything a transaction may do.

The checker knows every committed event and compares them with what a reader returned: no event missing, no run out of
order, no event that waits for another program's transaction. Wrong readers prove that the checker detects their errors.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg
import pytest
from psycopg import Connection

from postil_relay.machine.rows import KEY, RUN_SEQ, Cursor
from postil_relay.window_reader import WindowReader

RUNS = 6
WRITERS = 5
ROUNDS = 25

APPEND = """
with r as (update postil.run set head = head + 1 where tenant = 'default' and id = %s returning *)
insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run, recorded_at, data)
select r.lane, r.tenant, r.id, r.head, 'annotation:created', 'annotations/x', 1, r.id, now(), '{}' from r
"""


def append(connection: Connection[Any], run: int) -> None:
    """What every write function does: take the run's row lock, draw its number, then the position."""
    connection.execute(APPEND, [f"run-{run}"])


class Reader(Protocol):
    """Returns the events that it has not returned before, as (run, run_seq)."""

    def read(self) -> list[tuple[str, int]]: ...


class SnapshotWindows:
    """The relay's own reader; small limits, so that every window kind is walked."""

    def __init__(self, connection: Connection[Any], rows: int = 7) -> None:
        self.log = WindowReader(connection, rows=rows, span=50)
        self.cursor = Cursor("3:3:")

    def read(self) -> list[tuple[str, int]]:
        events: list[tuple[str, int]] = []
        while True:
            fetched = self.log.fetch(self.cursor)
            events += [(row[KEY].decode().removeprefix("default/"), row[RUN_SEQ]) for row in fetched.rows]
            self.cursor = fetched.then
            if self.cursor.hi is None and len(fetched.rows) < 7:
                return events


class IdCursor:
    """The usual mistake: everything after the highest id seen."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self.cursor = 0

    def read(self) -> list[tuple[str, int]]:
        rows = self.connection.execute(
            "select position, run_id, run_seq from postil.event where position > %s order by position",
            [self.cursor],
        ).fetchall()
        self.cursor = max([self.cursor, *(row[0] for row in rows)])
        return [(run, seq) for _, run, seq in rows]


class XidOrder:
    """The other usual mistake: everything below the oldest transaction in progress, in the order of transactions."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self.below = "0"

    def read(self) -> list[tuple[str, int]]:
        rows = self.connection.execute(
            """with horizon as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin)
               select h.xmin::text, e.run_id, e.run_seq
               from horizon h left join postil.event e on e.xid >= %s::text::xid8 and e.xid < h.xmin
               order by e.xid, e.position""",
            [self.below],
        ).fetchall()
        self.below = rows[0][0]
        return [(run, seq) for _, run, seq in rows if run is not None]


@dataclass
class Finding:
    """What a reader did wrong."""

    missed: int
    disordered: int


@dataclass
class History:
    """A database with writers at work, and one reader that is asked from time to time."""

    url: str
    reader: Reader
    seen: list[tuple[str, int]] = field(default_factory=list)

    def read(self) -> None:
        self.seen += self.reader.read()

    @contextmanager
    def session(self, url: str | None = None, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
        with psycopg.connect(url or self.url, autocommit=autocommit) as connection:
            yield connection

    def committed(self) -> set[tuple[str, int]]:
        with self.session() as connection:
            return set(connection.execute("select run_id, run_seq from postil.event").fetchall())

    def finding(self) -> Finding:
        last: dict[str, int] = {}
        disordered = 0
        for run, seq in self.seen:
            disordered += seq <= last.get(run, 0)
            last[run] = max(seq, last.get(run, 0))
        return Finding(len(self.committed() - set(self.seen)), disordered)

    # -- hazards, each staged with certainty -------------------------------------------------------------------------

    def late_commit_of_an_early_position(self) -> None:
        with self.session() as early, self.session() as late:
            append(early, 0)
            append(late, 1)
            late.commit()
            self.read()
            early.commit()
            self.read()

    def early_xid_with_a_late_event(self) -> None:
        with self.session() as early, self.session() as late:
            early.execute("select pg_current_xact_id()")
            append(late, 2)
            late.commit()
            append(early, 2)
            early.commit()
            self.read()

    def sessions_that_take_turns(self) -> None:
        with self.session() as one, self.session() as other:
            for connection in (one, other, one, other):
                append(connection, 3)
                connection.commit()
            self.read()

    def savepoint_rolled_back(self) -> None:
        with self.session() as connection:
            append(connection, 4)
            connection.execute("savepoint before")
            append(connection, 4)
            connection.execute("rollback to savepoint before")
            append(connection, 4)
            connection.commit()
        self.read()

    # -- chance --------------------------------------------------------------------------------------------------------

    def write_at_random(self, seed: int) -> None:
        """Several writers at once, each with its own dice, while the reader reads."""
        failures: list[BaseException] = []

        def write(number: int) -> None:
            chance = random.Random(seed * 100 + number)
            try:
                with self.session() as connection:
                    for _ in range(ROUNDS):
                        self._transaction(connection, chance)
            except BaseException as error:  # noqa: BLE001 (shown by the test's own thread)
                failures.append(error)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            self.read()
        for writer in writers:
            writer.join()
        assert failures == []
        self.read()

    def _transaction(self, connection: Connection[Any], chance: random.Random) -> None:
        if chance.random() < 0.4:
            connection.execute("select pg_current_xact_id()")
            # Part of the history, not a wait of the test: a transaction that stays open for a while.
            connection.execute("select pg_sleep(%s)", [chance.random() / 200])
        for run in sorted(chance.sample(range(RUNS), chance.randint(1, 3))):  # in order: no deadlocks
            connection.execute("savepoint s")
            for _ in range(chance.choice([1, 1, 2, 12])):
                append(connection, run)
            if chance.random() < 0.15:
                connection.execute("rollback to savepoint s")
        if chance.random() < 0.5:
            connection.execute("select pg_sleep(%s)", [chance.random() / 200])
        if chance.random() < 0.15:
            connection.rollback()
        else:
            connection.commit()


@pytest.fixture
def runs(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """insert into postil.run (tenant, id, lane, status, name, root_id,
                                       trigger_source, trigger_action, root_source, recorded_at)
               select 'default', 'run-' || n, n % 64, 'running', 'x', 'run-' || n, 'sdk', 'trigger', 'sdk', now()
               from generate_series(0, 99) n"""
        )
    return database_url


def play(url: str, make: Callable[[Connection[Any]], Reader], *, seed: int = 1) -> Finding:
    with psycopg.connect(url, autocommit=True) as connection:
        history = History(url, make(connection))
        history.late_commit_of_an_early_position()
        history.early_xid_with_a_late_event()
        history.sessions_that_take_turns()
        history.savepoint_rolled_back()
        history.write_at_random(seed)
        return history.finding()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_snapshot_windows_miss_nothing_and_keep_order(runs: str, seed: int) -> None:
    """The relay's reader returns every committed event, each run in order, whatever the writers do."""
    assert play(runs, SnapshotWindows, seed=seed) == Finding(missed=0, disordered=0)


def test_a_window_in_pages_misses_nothing(runs: str) -> None:
    """With two rows to a page, nearly every window is read in pages, and no event is missing."""
    finding = play(runs, lambda connection: SnapshotWindows(connection, rows=2))
    assert finding == Finding(missed=0, disordered=0)


def test_the_checker_catches_an_id_cursor(runs: str) -> None:
    """The checker finds missing events of a reader that remembers the highest position."""
    assert play(runs, IdCursor).missed > 0


def test_the_checker_catches_an_order_by_xid(runs: str) -> None:
    """The checker finds disorder of a reader that sorts by transaction id."""
    assert play(runs, XidOrder).disordered > 0


def test_the_checker_catches_a_cached_sequence(runs: str) -> None:
    """The checker finds disorder if sessions draw positions in blocks."""
    with psycopg.connect(runs, autocommit=True) as connection:
        connection.execute("alter sequence postil.event_position cache 20")
    assert play(runs, SnapshotWindows).disordered > 0


def test_no_event_waits_for_another_transaction(runs: str, postgres_server: Any) -> None:
    """Long, prepared and foreign transactions delay only their own events."""
    with ExitStack() as stack:
        reader = stack.enter_context(psycopg.connect(runs, autocommit=True))
        history = History(runs, SnapshotWindows(reader))
        long = stack.enter_context(history.session())
        append(long, 90)
        elsewhere = stack.enter_context(history.session(postgres_server.url))
        elsewhere.execute("select pg_current_xact_id()")
        prepared = stack.enter_context(history.session())
        append(prepared, 91)
        prepared.execute("prepare transaction 'relay history'")
        prepared.autocommit = True
        history.write_at_random(7)
        assert set(history.seen) == history.committed(), (
            "what was committed is seen while they are still open"
        )
        append(long, 90)
        long.commit()
        prepared.execute("commit prepared 'relay history'")
        history.read()
        assert {("run-90", 1), ("run-90", 2), ("run-91", 1)} <= set(history.seen)
        elsewhere.rollback()
        history.read()
        assert history.finding() == Finding(missed=0, disordered=0)


def test_a_half_read_window_continues_in_another_relay(runs: str) -> None:
    """Another reader continues a half-read window at its cursor, without the events that came later."""
    with (
        psycopg.connect(runs, autocommit=True) as connection,
        psycopg.connect(runs, autocommit=True) as writer,
    ):
        for number in range(30):
            append(writer, number % 3)
        log = WindowReader(connection, rows=4)
        first = log.fetch(log.fetch(Cursor("3:3:")).then)
        assert (len(first.rows), first.then.lo) == (4, "3:3:")
        append(writer, 0)  # after the window was closed: not part of it
        resumed = WindowReader(writer, rows=100)
        rest = resumed.fetch(first.then)
        assert len(rest.rows) == 26
        assert rest.then == Cursor(first.then.hi or "")
        assert len(resumed.fetch(rest.then).rows) == 1


def test_a_page_has_one_event_if_that_exceeds_the_bytes(runs: str) -> None:
    """A page ends at the limit of bytes, and an event that exceeds it alone has a page to itself."""
    with psycopg.connect(runs, autocommit=True) as connection:
        for number in range(5):
            append(connection, number)
        log = WindowReader(connection, size=1)
        cursor, counts = log.fetch(Cursor("3:3:")).then, []
        while cursor.hi is not None:
            fetched = log.fetch(cursor)
            counts.append(len(fetched.rows))
            cursor = fetched.then
        assert counts == [1, 1, 1, 1, 1]


def test_the_outbox_shows_events_behind_the_cursor(runs: str) -> None:
    """`postil.outbox` has exactly the events that the saved cursor has not passed."""

    def waiting(connection: Connection[Any]) -> int:
        row = connection.execute("select count(*) from postil.outbox").fetchone()
        assert row is not None
        return row[0]

    with psycopg.connect(runs, autocommit=True) as connection:
        for number in range(10):
            append(connection, number)
        assert waiting(connection) == 10
        log = WindowReader(connection, rows=4)
        fetched = log.fetch(log.fetch(Cursor("3:3:")).then)
        connection.execute(
            "update postil.relay_lane set lo = %s::pg_snapshot, hi = %s::pg_snapshot, after = %s",
            [fetched.then.lo, fetched.then.hi, fetched.then.after],
        )
        assert waiting(connection) == 6
        append(connection, 1)
        connection.execute(
            "update postil.relay_lane set lo = %s::pg_snapshot, hi = null, after = null", [fetched.then.hi]
        )
        assert waiting(connection) == 1
