"""The three copies of the log in a temporary SQLite file: which event is where, with which bytes."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

DIGEST_SIZE = 16
"""Bytes of each leaf hash (RFC 6962) that are kept. With 128 bits, a second value for a given digest cannot be found."""

Copy: TypeAlias = Literal["message", "record"]
"""A table of copies: messages in Kafka (place: partition, offset), records of the audit log (place: log, record)."""

_CACHED_RUNS = 500_000
_SCHEMA = """
create table run (id integer primary key, name text not null unique);
create table event (run integer, run_seq integer, digest blob, published integer, primary key (run, run_seq))
    without rowid;
create table message (run integer, run_seq integer, digest blob, place integer, number integer);
create table record (run integer, run_seq integer, digest blob, place integer, number integer);
create index message_by_event on message (run, run_seq);
create index record_by_event on record (run, run_seq);
"""


class Row(NamedTuple):
    """A copy of an event, or an event that lacks its copy (then place and number are None)."""

    run: str
    run_seq: int
    place: int | None = None
    number: int | None = None


class Ledger:
    """Holds the copies while they are compared. `close` deletes the file."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="postil-verify-")
        self._db = sqlite3.connect(Path(self._directory.name) / "ledger.sqlite", isolation_level=None)
        self._db.executescript(
            "pragma journal_mode = off; pragma synchronous = off; pragma temp_store = file;" + _SCHEMA
        )
        self._runs: dict[str, int] = {}
        self._next_run = 1

    def add_events(self, rows: Iterable[tuple[str, int, bytes, bool]]) -> None:
        """Take (run, run_seq, digest, whether the relay has published it) from Postgres."""
        self._insert("insert or ignore into event values (?, ?, ?, ?)", rows)

    def add_copies(self, copy: Copy, rows: Iterable[tuple[str, int, bytes, int, int]]) -> None:
        """Take (run, run_seq, digest, place, number) from Kafka or the audit log."""
        self._insert(f"insert into {copy} values (?, ?, ?, ?, ?)", rows)  # noqa: S608 (one of two constant names)

    def _insert(self, statement: str, rows: Iterable[tuple[str, int, *tuple[object, ...]]]) -> None:
        numbered = [(self._run(run), *rest) for run, *rest in rows]
        self._db.execute("begin")
        self._db.executemany(statement, numbered)
        self._db.execute("commit")

    def _run(self, name: str) -> int:
        number = self._runs.get(name)
        if number is None:
            row = self._db.execute("select id from run where name = ?", (name,)).fetchone()
            if row:
                number = int(row[0])
            else:
                number, self._next_run = self._next_run, self._next_run + 1
                self._db.execute("insert into run values (?, ?)", (number, name))
            if len(self._runs) >= _CACHED_RUNS:
                self._runs.clear()
            self._runs[name] = number
        return number

    def count(self, table: Literal["event", "message", "record"], *, distinct: bool = False) -> int:
        """Return how many rows a table has, or with `distinct` how many different events."""
        what = f"(select distinct run, run_seq from {table})" if distinct else table  # noqa: S608 (a constant name)
        return self._number(f"select count(*) from {what}")  # noqa: S608 (as above)

    def _number(self, statement: str) -> int:
        return int(self._db.execute(statement).fetchone()[0])

    def missing(self, copy: Copy) -> Iterator[Row]:
        """Yield the events that have no such copy."""
        return self._rows(f"""
            select r.name, e.run_seq, null, null from event e join run r on r.id = e.run
            where not exists (select 1 from {copy} c where c.run = e.run and c.run_seq = e.run_seq)
            order by e.run, e.run_seq""")  # noqa: S608 (a constant name)

    def missing_count(self, copy: Copy) -> int:
        """Return how many events have no such copy."""
        return self._number(f"""
            select count(*) from event e
            where not exists (select 1 from {copy} c where c.run = e.run and c.run_seq = e.run_seq)""")  # noqa: S608 (a constant name)

    def unlike(self, copy: Copy) -> Iterator[Row]:
        """Yield the copies whose bytes are not those of the event."""
        return self._rows(f"""
            select r.name, c.run_seq, c.place, c.number
            from {copy} c join event e on e.run = c.run and e.run_seq = c.run_seq join run r on r.id = c.run
            where c.digest <> e.digest order by c.place, c.number""")  # noqa: S608 (a constant name)

    def unknown(self, copy: Copy) -> Iterator[tuple[Row, bytes]]:
        """Yield the copies of events that the snapshot lacks, with their digests."""
        for name, run_seq, place, number, digest in self._db.execute(f"""
            select r.name, c.run_seq, c.place, c.number, c.digest from {copy} c join run r on r.id = c.run
            where not exists (select 1 from event e where e.run = c.run and e.run_seq = c.run_seq)
            order by c.run, c.run_seq"""):  # noqa: S608 (a constant name)
            yield Row(name, run_seq, place, number), digest

    def repeated(self, copy: Copy) -> Iterator[Row]:
        """Yield the copies that are not the first of their event."""
        return self._rows(f"""
            select r.name, c.run_seq, c.place, c.number from (
                select *, row_number() over (partition by run, run_seq order by place, number) as nth from {copy}
            ) c join run r on r.id = c.run where c.nth > 1 order by c.place, c.number""")  # noqa: S608 (a constant name)

    def late(self, copy: Copy) -> Iterator[tuple[Row, int]]:
        """Yield the events whose first copy in a place comes after that of a later run_seq of their run, with that run_seq."""
        for name, run_seq, place, number, before in self._db.execute(f"""
            select r.name, f.run_seq, f.place, f.number, f.before from (
                select *, max(run_seq) over (
                    partition by run, place order by number rows between unbounded preceding and 1 preceding
                ) as before
                from (select run, run_seq, place, min(number) as number from {copy} group by run, run_seq, place)
            ) f join run r on r.id = f.run where f.before > f.run_seq order by f.place, f.number"""):  # noqa: S608 (a constant name)
            yield Row(name, run_seq, place, number), before

    def scattered(self, copy: Copy) -> Iterator[tuple[str, int, int]]:
        """Yield each run that is in more than one place, with two of its places."""
        yield from self._db.execute(f"""
            select r.name, min(c.place), max(c.place) from {copy} c join run r on r.id = c.run
            group by c.run having min(c.place) <> max(c.place) order by c.run""")  # noqa: S608 (a constant name)

    def awaited_count(self) -> int:
        """Return how many events may still come to Kafka.

        The relay has not passed them, and Kafka has neither them nor a later event of their run.
        """
        return self._number("""
            select count(*) from event e where not e.published
            and not exists (select 1 from message m where m.run = e.run and m.run_seq >= e.run_seq)""")

    def is_published(self, row: Row) -> bool:
        """Return whether the relay has passed the event, or a later event of its run is in Kafka."""
        published = self._db.execute(
            """
            select e.published or exists (select 1 from message m where m.run = e.run and m.run_seq > e.run_seq)
            from event e join run r on r.id = e.run where r.name = ? and e.run_seq = ?""",
            (row.run, row.run_seq),
        ).fetchone()
        return bool(published and published[0])

    def has(self, copy: Copy, row: Row) -> bool:
        """Return whether there is such a copy of the event."""
        match = self._db.execute(
            f"select 1 from {copy} c join run r on r.id = c.run where r.name = ? and c.run_seq = ?",  # noqa: S608 (a constant name)
            (row.run, row.run_seq),
        ).fetchone()
        return match is not None

    def first_message(self, row: Row) -> tuple[int, int] | None:
        """Return the partition and the offset of the event's first message, or None if Kafka lacks it."""
        place = self._db.execute(
            """
            select m.place, m.number from message m join run r on r.id = m.run
            where r.name = ? and m.run_seq = ? order by m.number limit 1""",
            (row.run, row.run_seq),
        ).fetchone()
        return (int(place[0]), int(place[1])) if place else None

    def first_retained(self, row: Row) -> int | None:
        """Return the smallest run_seq of the event's run that is in Kafka, or None if Kafka has none."""
        (run_seq,) = self._db.execute(
            "select min(m.run_seq) from message m join run r on r.id = m.run where r.name = ?", (row.run,)
        ).fetchone()
        return None if run_seq is None else int(run_seq)

    def needed_offsets(self) -> dict[int, int]:
        """Return for each partition the offset of the last message that a reader of all required events needs."""
        return dict(
            self._db.execute("""
            select place, max(number) from (
                select m.place, min(m.number) as number from message m
                join event e on e.run = m.run and e.run_seq = m.run_seq group by m.run, m.run_seq, m.place
            ) group by place""")
        )

    def _rows(self, statement: str) -> Iterator[Row]:
        for row in self._db.execute(statement):
            yield Row(*row)

    def close(self) -> None:
        """Delete the file."""
        self._db.close()
        self._directory.cleanup()
