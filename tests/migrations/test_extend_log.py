"""The log's partitions: always some ahead, made while others write."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from postil import Postil

PARTITION = 1 << 24
PARTITIONS = "select count(*) from pg_inherits where inhparent = 'postil.event'::regclass"


def one(url: str, query: Any, *parameters: object) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query, parameters).fetchone()
        return row[0] if row else None


def test_a_new_database_has_partitions_ahead_and_more_are_made_when_asked(database_url: str) -> None:
    assert one(database_url, PARTITIONS) == 8
    assert one(database_url, "select postil.extend_log()") == 0
    assert one(database_url, "select postil.extend_log(10)") == 2
    assert one(database_url, PARTITIONS) == 10


def test_partitions_are_made_ahead_of_where_the_log_is(database_url: str) -> None:
    one(database_url, "select setval('postil.event_position', %s)", 9 * PARTITION + 5)
    assert one(database_url, "select postil.extend_log(3)") == 3
    postil = Postil(database_url)
    postil.create_run("run")
    assert (
        one(database_url, "select c.relname::text from postil.event e join pg_class c on c.oid = e.tableoid")
        == "event_000009"
    )
    postil.close()


def test_a_run_crosses_from_one_partition_to_the_next(database_url: str) -> None:
    postil = Postil(database_url)
    postil.create_run("run")
    one(database_url, "select setval('postil.event_position', %s)", PARTITION - 3)
    postil.annotate("run", {f"k{n}": n for n in range(5)})
    places = one(
        database_url,
        "select array_agg(distinct c.relname::text order by c.relname::text)"
        " from postil.event e join pg_class c on c.oid = e.tableoid",
    )
    assert places == ["event_000000", "event_000001"]
    assert one(database_url, "select array_agg(run_seq order by position) from postil.event") == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    postil.close()


def test_several_at_once_make_each_partition_once(database_url: str) -> None:
    made: list[int] = []
    threads = [
        threading.Thread(target=lambda: made.append(one(database_url, "select postil.extend_log(20)")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == 12
    assert one(database_url, PARTITIONS) == 20


def test_writers_with_open_transactions_are_not_waited_for(database_url: str) -> None:
    """A lock on the log that a writer holds until its commit must not stop the partition that everybody needs."""
    with psycopg.connect(database_url) as writer:
        writer.execute("select * from postil.create_run('default', 'run')")
        with psycopg.connect(database_url, autocommit=True, options="-c lock_timeout=2000") as relay:
            assert relay.execute("select postil.extend_log(9)").fetchone() == (1,)
        writer.execute("select * from postil.annotate('default', 'run', '[{\"key\": \"a\", \"value\": 1}]')")
    assert one(database_url, "select count(*) from postil.event") == 2


@pytest.mark.parametrize("ahead", [None, -1, 1001])
def test_an_absurd_number_is_refused(database_url: str, ahead: int | None) -> None:
    with pytest.raises(psycopg.Error) as refused:
        one(database_url, "select postil.extend_log(%s::integer)", ahead)
    assert (refused.value.sqlstate, refused.value.diag.message_detail) == ("PS017", "ahead")
