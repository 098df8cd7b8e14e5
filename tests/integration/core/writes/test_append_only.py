"""What is recorded stays: the database itself refuses every change, also by its owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from postil import Postil


@pytest.fixture
def superuser(write_url: str, postil: Postil, run: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to a database that contains an event and an annotation."""
    postil.annotate(run, {"a": 1})
    with psycopg.connect(write_url, autocommit=True) as connection:
        assert connection.execute("show is_superuser").fetchone() == ("on",)
        yield connection


CHANGES = [
    f"{change} {table} {rest}"
    for table in ("postil.event", "postil.event_000000", "postil.annotation")
    for change, rest in (("update", "set attempt = 9"), ("delete from", ""), ("truncate", ""))
] + ["delete from postil.run", "truncate postil.run cascade", "truncate postil.event, postil.annotation"]


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_superuser_cannot_change_the_record(
    superuser: psycopg.Connection[Any], record: Any, change: str, role: str
) -> None:
    """A superuser's update, delete or truncate of the record is refused, also with the triggers of a replica."""
    before = record.traces()
    superuser.execute(f"set session_replication_role = {role}")
    with pytest.raises(psycopg.Error) as caught:
        superuser.execute(change)
    assert caught.value.sqlstate == "PS018"
    assert "append-only" in str(caught.value.diag.message_primary)
    assert "new annotation" in str(caught.value.diag.message_hint)
    assert record.traces() == before


def test_every_partition_has_the_append_only_triggers(
    superuser: psycopg.Connection[Any], record: Any
) -> None:
    """Every partition of the event log, also one added later, has both append-only triggers always enabled."""
    superuser.execute("select postil.extend_log(12)")
    unguarded = record.sql(
        """
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'postil.event'::regclass
           and (select count(*) from pg_trigger t where t.tgrelid = c.oid and t.tgenabled = 'A'
                 and t.tgname in ('append_only', 'append_only_truncate')) <> 2
        """
    )
    assert unguarded == []


def test_positions_come_from_a_sequence_without_a_cache(record: Any) -> None:
    """The position sequence caches no numbers, because a later writer could otherwise draw a smaller position."""
    assert (
        record.one(
            "select cache_size from pg_sequences where schemaname = 'postil' and sequencename = 'event_position'"
        )
        == 1
    )


def test_the_role_public_has_no_rights(record: Any) -> None:
    """The role `public` can neither use the schema nor read or change any of its tables."""
    assert record.one("select has_schema_privilege('public', 'postil', 'usage')") is False
    rights = record.sql(
        """
        select c.relname, p.privilege from pg_class c, unnest('{select,insert,update,delete,truncate}'::text[]) p(privilege)
         where c.relnamespace = 'postil'::regnamespace and c.relkind in ('r', 'p', 'v')
           and has_table_privilege('public', c.oid, p.privilege)
        """
    )
    assert rights == []


def test_a_second_event_with_the_same_run_seq_is_refused(
    superuser: psycopg.Connection[Any], run: str
) -> None:
    """A unique constraint refuses a second event with the same run and run_seq."""
    with pytest.raises(psycopg.errors.UniqueViolation):
        superuser.execute(
            "insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run, recorded_at, data)"
            " select lane, tenant, run_id, run_seq, type, subject, attempt, root_run, recorded_at, data"
            " from postil.event where run_id = %s",
            [run],
        )
