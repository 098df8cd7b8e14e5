"""A cache of what the log holds of each run, in SQLite. It shows a duplicate or a fork without a search of the files.

The files are the truth. The cache states the size and root that it belongs to, and is rebuilt if the log has others.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from postil.model.envelope import RawEvent
from postil_consumers.errors import StorageFailed

# Runs whose row is kept in memory: hits for the runs that are alive, bounded for all that ever were.
_CACHED_RUNS = 100_000

_SCHEMA = """
create table if not exists covered (size integer not null, root text not null);
create table if not exists run (id integer primary key, name text not null unique, last integer not null);
create table if not exists applied (run integer, run_seq integer, event_id text not null, primary key (run, run_seq))
    without rowid;
"""


def indexed_size(path: Path) -> int | None:
    """Return how many records the cache at `path` covers, or None if it does not state that. Changes nothing."""
    if not path.exists():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            size: int | None = db.execute("select max(size) from covered where root <> ''").fetchone()[0]
    except sqlite3.Error:
        return None
    return size


class RunIndex:
    """The last run_seq of each run, and the event applied at each. A `Progress`."""

    def __init__(self, path: Path) -> None:
        """Open the cache. Begins it anew if it cannot be read."""
        self._path = path
        self._runs: dict[str, tuple[int, int]] = {}
        try:
            self._connect()
        except sqlite3.DatabaseError:
            self.clear()

    def _connect(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None)
        # A crash of the machine may lose the newest transactions, but never part of one: `covered` stays right.
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)
        self.covered = self._db.execute("select size, root from covered").fetchone() or (0, "")
        self._next = self._db.execute("select coalesce(max(id), 0) + 1 from run").fetchone()[0]

    def clear(self) -> None:
        """Delete the cache, and begin an empty one."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._runs = {}
        try:
            self._connect()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def last(self, run: str) -> int:
        """Return the last run_seq applied; 0 for a new run."""
        return self._row(run)[1]

    def event_id(self, run: str, run_seq: int) -> str | None:
        """Return the id of the event applied with this run_seq."""
        try:
            row = self._db.execute(
                "select event_id from applied where run = ? and run_seq = ?", (self._row(run)[0], run_seq)
            ).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return str(row[0]) if row else None

    def _row(self, run: str) -> tuple[int, int]:
        row = self._runs.get(run)
        if row is None:
            try:
                row = self._db.execute("select id, last from run where name = ?", (run,)).fetchone() or (0, 0)
            except sqlite3.Error as error:
                raise self._failed(error) from error
            if len(self._runs) >= _CACHED_RUNS:
                self._runs.clear()
            self._runs[run] = row
        return row

    def apply(self, events: Iterable[RawEvent], size: int, root: str) -> None:
        """Add the events that the log holds now. With them the cache belongs to this `size` and `root` of the log.

        Raises `StorageFailed`. Then close the cache, and update it from the files when it is opened again.
        """
        rows: list[tuple[int, int, str]] = []
        last: dict[str, tuple[int, int]] = {}
        for run, run_seq, event_id, _ in events:
            row = last.get(run) or self._row(run)
            number = row[0]
            if not number:
                number, self._next = self._next, self._next + 1
            last[run] = (number, run_seq)
            rows.append((number, run_seq, event_id))
        try:
            self._db.execute("begin")
            self._db.executemany(
                "insert into run (id, name, last) values (?, ?, ?) on conflict (id) do update set last = excluded.last",
                [(number, run, run_seq) for run, (number, run_seq) in last.items()],
            )
            self._db.executemany("insert or replace into applied values (?, ?, ?)", rows)
            self._db.execute("delete from covered")
            self._db.execute("insert into covered values (?, ?)", (size, root))
            self._db.execute("commit")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._runs.update(last)
        self.covered = (size, root)

    def close(self) -> None:
        """Close the file, without what was not committed."""
        if hasattr(self, "_db"):
            self._db.close()

    def _failed(self, error: sqlite3.Error) -> StorageFailed:
        if not isinstance(error, sqlite3.OperationalError):
            # The file is broken, and not only full or locked: the next opening builds it anew.
            self._path.unlink(missing_ok=True)
        return StorageFailed(
            f"{self._path}: {error}",
            advice="Free space; the file is a cache, and may be deleted while nothing writes the log.",
        )
