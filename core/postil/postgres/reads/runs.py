"""The questions of `postil.history` about many runs as SQL; those about one run are in `run_reads`.

Every list is walked by keyset, never by OFFSET.
Every question is one statement: one snapshot, one round trip.
"""

# ruff: noqa: S608 (the statements are put together from constants of this file; what users give is always bound)

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from postil.model.actors import Actor
from postil.model.queries import (
    COUNT_CAP,
    TOTAL_CAP,
    Order,
    Page,
    RunFilter,
    check_limit,
    decode_cursor,
    encode_cursor,
)
from postil.model.records import RUN_STATUSES, JsonText, Run, RunStatus, WaitingInteraction
from postil.postgres.failures import translated

T = TypeVar("T")
Row = RowMapping


@dataclass(frozen=True)
class Read(Generic[T]):
    """A question: its SQL, its parameters, and how its rows become the answer."""

    sql: str
    parameters: Mapping[str, Any]
    answer: Callable[[Sequence[Row]], T]


def fetch(connection: Connection, read: Read[T]) -> T:
    """Ask; raises the typed errors of `postil.errors`."""
    try:
        return read.answer(connection.execute(text(read.sql), read.parameters).mappings().all())
    except DBAPIError as error:
        raise translated(error) from error


async def fetch_async(connection: AsyncConnection, read: Read[T]) -> T:
    """Ask; raises the typed errors of `postil.errors`."""
    try:
        return read.answer((await connection.execute(text(read.sql), read.parameters)).mappings().all())
    except DBAPIError as error:
        raise translated(error) from error


INTERACTION_COLUMNS = (
    "id, kind, prompt, assignee, status, attempt, stage_id, answer::text as answer,"
    " actor_kind, actor_id, actor_version, asked_at, ended_at"
)


RUN_COLUMNS = f"""
    r.id, r.name, r.status, r.attempt, r.head, r.trigger_source, r.trigger_action,
    r.actor_kind, r.actor_id, r.actor_version, r.created_at, r.started_at, r.ended_at,
    (select count(*) from (select from postil.stage s
        where s.tenant = r.tenant and s.run_id = r.id limit {COUNT_CAP}) c) as stages,
    (select count(*) from (select from postil.annotation a
        where a.tenant = r.tenant and a.run_id = r.id limit {COUNT_CAP}) c) as annotations,
    case when r.status = 'waiting_for_interaction'
        then (select count(*) from (select from postil.interaction i
            where i.tenant = r.tenant and i.run_id = r.id and i.status = 'pending' limit {COUNT_CAP}) c)
        else 0 end as pending
"""


def runs(
    tenant: str,
    wanted: RunFilter | None = None,
    *,
    limit: int = 25,
    cursor: str | None = None,
    order: Order = "newest",
) -> Read[Page[Run]]:
    """Runs by the time they were recorded here; the cursor stays true while runs are added."""
    wanted = wanted or RunFilter()
    check_limit(limit)
    direction, beyond = ("desc", "<") if order == "newest" else ("asc", ">")
    parameters: dict[str, Any] = {"tenant": tenant, "limit": limit + 1}
    clauses = ["r.tenant = :tenant"]
    if cursor is not None:
        parameters["at"], parameters["id"] = decode_cursor(cursor, datetime, str)
        clauses.append(f"(r.created_at, r.id) {beyond} (:at, :id)")
    if wanted.text is not None:
        parameters["pattern"] = f"%{literal(wanted.text)}%"
        clauses.append("(r.id ilike :pattern or r.name ilike :pattern)")
    ordering = f"order by r.created_at {direction}, r.id {direction} limit :limit"
    # One index range per status, then a merge of at most `limit` rows of each: a rare status costs no scan.
    branches: list[str] = []
    for number, status in enumerate(sorted(wanted.statuses)):
        parameters[f"status{number}"] = status
        branches.append(_branch([*clauses, f"r.status = :status{number}"], ordering))
    chosen = " union all ".join(branches or [_branch(clauses, ordering)])
    sql = f"""
        with chosen as materialized (select * from ({chosen}) r {ordering})
        select {RUN_COLUMNS} from chosen join postil.run r on r.tenant = :tenant and r.id = chosen.id
        order by r.created_at {direction}, r.id {direction}
    """

    def answer(rows: Sequence[Row]) -> Page[Run]:
        shown = rows[:limit]
        more = encode_cursor(shown[-1]["created_at"], shown[-1]["id"]) if len(rows) > limit else None
        return Page(tuple(Run(**run_fields(row)) for row in shown), more)

    return Read(sql, parameters, answer)


def totals(tenant: str) -> Read[dict[RunStatus, int]]:
    """How many runs there are in each status, each counted up to `TOTAL_CAP`."""
    counts = ", ".join(
        f"(select count(*) from (select from postil.run r where r.tenant = :tenant and r.status = '{status}'"
        f" limit {TOTAL_CAP}) c) as {status}"
        for status in RUN_STATUSES
    )

    def answer(rows: Sequence[Row]) -> dict[RunStatus, int]:
        return {status: rows[0][status] for status in RUN_STATUSES}

    return Read(f"select {counts}", {"tenant": tenant}, answer)


def waiting(tenant: str, *, limit: int = 50, cursor: str | None = None) -> Read[Page[WaitingInteraction]]:
    """Pending interactions of all runs, the longest waiting first."""
    check_limit(limit)
    parameters: dict[str, Any] = {"tenant": tenant, "limit": limit + 1}
    beyond = ""
    if cursor is not None:
        parameters["at"], parameters["run_id"], parameters["id"] = decode_cursor(cursor, datetime, str, str)
        beyond = "and (i.created_at, i.run_id, i.id) > (:at, :run_id, :id)"
    columns = ", ".join(f"i.{column.strip()}" for column in INTERACTION_COLUMNS.split(","))
    sql = f"""
        select {columns}, i.run_id, i.created_at, r.name as run_name
        from postil.interaction i join postil.run r on r.tenant = i.tenant and r.id = i.run_id
        where i.tenant = :tenant and i.status = 'pending' {beyond}
        order by i.created_at, i.run_id, i.id limit :limit
    """

    def answer(rows: Sequence[Row]) -> Page[WaitingInteraction]:
        shown = rows[:limit]
        last = shown[-1] if len(rows) > limit else None
        more = encode_cursor(last["created_at"], last["run_id"], last["id"]) if last else None
        return Page(
            tuple(
                WaitingInteraction(**interaction_fields(row), run_id=row["run_id"], run_name=row["run_name"])
                for row in shown
            ),
            more,
        )

    return Read(sql, parameters, answer)


def taken(row: Row, *names: str) -> dict[str, Any]:
    """The named columns as they are."""
    return {name: row[name] for name in names}


def jsons(row: Row, *names: str) -> dict[str, Any]:
    """The named columns, read as JSON text."""
    return {name: None if row[name] is None else JsonText(row[name]) for name in names}


def by(row: Row) -> Actor | None:
    """Who did it."""
    return (
        None if row["actor_kind"] is None else Actor(row["actor_kind"], row["actor_id"], row["actor_version"])
    )


def literal(part: str) -> str:
    """`part` inside a LIKE pattern, its wildcards taken as they are written."""
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _branch(clauses: Sequence[str], ordering: str) -> str:
    return f"(select r.id, r.created_at from postil.run r where {' and '.join(clauses)} {ordering})"


def run_fields(row: Row) -> dict[str, Any]:
    """The fields of a `Run`, from `RUN_COLUMNS`."""
    own = taken(row, "id", "name", "status", "attempt", "head", "trigger_source", "trigger_action")
    counted = taken(row, "stages", "annotations", "pending", "created_at", "started_at", "ended_at")
    return {**own, **counted, "actor": by(row)}


def interaction_fields(row: Row) -> dict[str, Any]:
    """The fields of an `Interaction`, from `INTERACTION_COLUMNS`."""
    own = taken(
        row, "id", "kind", "prompt", "assignee", "status", "attempt", "stage_id", "asked_at", "ended_at"
    )
    return {**own, **jsons(row, "answer"), "actor": by(row)}
