"""Partitions of the event log: `extend_log` adds them ahead of the position, during writes."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from postil import Postil

PARTITION = 1 << 24
PARTITIONS = "select count(*) from pg_inherits where inhparent = 'postil.event'::regclass"


def query_value(url: str, query: Any, *parameters: object) -> Any:
    """Return the first value of the query's first row, None without a row."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query, parameters).fetchone()
        return row[0] if row else None


def test_extend_log_adds_the_missing_partitions(database_url: str) -> None:
    """A new database has 8 partitions, and `extend_log` returns how many it added to reach the given number."""
    assert query_value(database_url, PARTITIONS) == 8
    assert query_value(database_url, "select postil.extend_log()") == 0
    assert query_value(database_url, "select postil.extend_log(10)") == 2
    assert query_value(database_url, PARTITIONS) == 10


def test_extend_log_counts_from_the_current_position(database_url: str) -> None:
    """`extend_log` adds partitions from the log's current position on, and the next event goes into the first of them."""
    query_value(database_url, "select setval('postil.event_position', %s)", 9 * PARTITION + 5)
    assert query_value(database_url, "select postil.extend_log(3)") == 3
    postil = Postil(database_url)
    postil.create_run("run")
    assert (
        query_value(
            database_url, "select c.relname::text from postil.event e join pg_class c on c.oid = e.tableoid"
        )
        == "event_000009"
    )
    postil.close()


def test_the_events_of_a_run_may_span_two_partitions(database_url: str) -> None:
    """A run whose events span two partitions keeps its run_seq without a gap."""
    postil = Postil(database_url)
    postil.create_run("run")
    query_value(database_url, "select setval('postil.event_position', %s)", PARTITION - 3)
    postil.annotate("run", {f"k{n}": n for n in range(5)})
    partitions = query_value(
        database_url,
        "select array_agg(distinct c.relname::text order by c.relname::text)"
        " from postil.event e join pg_class c on c.oid = e.tableoid",
    )
    assert partitions == ["event_000000", "event_000001"]
    assert query_value(database_url, "select array_agg(run_seq order by position) from postil.event") == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    postil.close()


def test_concurrent_calls_add_each_partition_once(database_url: str) -> None:
    """Four concurrent calls of `extend_log` add each partition once."""
    counts: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: counts.append(query_value(database_url, "select postil.extend_log(20)"))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 12
    assert query_value(database_url, PARTITIONS) == 20


def test_extend_log_does_not_wait_for_open_transactions(database_url: str) -> None:
    """`extend_log` adds a partition while a writer holds its lock on the event log until commit."""
    with psycopg.connect(database_url) as writer:
        writer.execute("select * from postil.create_run('default', 'run')")
        with psycopg.connect(database_url, autocommit=True, options="-c lock_timeout=2000") as relay:
            assert relay.execute("select postil.extend_log(9)").fetchone() == (1,)
        writer.execute("select * from postil.annotate('default', 'run', '[{\"key\": \"a\", \"value\": 1}]')")
    assert query_value(database_url, "select count(*) from postil.event") == 2


@pytest.mark.parametrize("ahead", [None, -1, 1001])
def test_a_partition_count_out_of_range_is_refused(database_url: str, ahead: int | None) -> None:
    """`extend_log` refuses null, a negative number and more than 1,000 partitions by the field `ahead`."""
    with pytest.raises(psycopg.Error) as raised:
        query_value(database_url, "select postil.extend_log(%s::integer)", ahead)
    assert (raised.value.sqlstate, raised.value.diag.message_detail) == ("PS017", "ahead")
