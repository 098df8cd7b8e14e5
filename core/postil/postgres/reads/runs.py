"""Statements that read many runs: lists, totals, and pending interactions.

Every list is paged by keyset, never by OFFSET.
Every read is one statement: one snapshot, one round trip.
"""

# ruff: noqa: S608 (the SQL consists of constants of this file; values from users are always bound parameters)

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from postil.model.queries import (
    TOTAL_CAP,
    Order,
    Page,
    RunFilter,
    check_limit,
    decode_cursor,
    encode_cursor,
)
from postil.model.records import RUN_STATUSES, Run, RunStatus, WaitingInteraction
from postil.postgres.reads.rows import (
    INTERACTION_COLUMNS,
    RUN_COLUMNS,
    interaction_fields,
    like_literal,
    run_fields,
)
from postil.postgres.statement import Rows, Statement


def runs(
    tenant: str,
    run_filter: RunFilter | None = None,
    *,
    limit: int = 25,
    cursor: str | None = None,
    order: Order = "newest",
) -> Statement[Page[Run]]:
    """Return the statement for a page of runs, in the order in which Postil stored them.

    `limit` is from 1 to 100. `cursor` is `next` of the previous page; it stays valid while runs are added.
    Raises `InvalidQuery` for a malformed limit or cursor.
    """
    run_filter = run_filter or RunFilter()
    check_limit(limit)
    direction, beyond = ("desc", "<") if order == "newest" else ("asc", ">")
    parameters: dict[str, Any] = {"tenant": tenant, "limit": limit + 1}
    clauses = ["r.tenant = :tenant"]
    if cursor is not None:
        parameters["at"], parameters["id"] = decode_cursor(cursor, datetime, str)
        clauses.append(f"(r.created_at, r.id) {beyond} (:at, :id)")
    if run_filter.text is not None:
        parameters["pattern"] = f"%{like_literal(run_filter.text)}%"
        clauses.append("(r.id ilike :pattern or r.name ilike :pattern)")
    ordering = f"order by r.created_at {direction}, r.id {direction} limit :limit"
    # One index range per status, then a merge of at most `limit` rows of each: a rare status needs no scan.
    branches: list[str] = []
    for number, status in enumerate(sorted(run_filter.statuses)):
        parameters[f"status{number}"] = status
        branches.append(_branch([*clauses, f"r.status = :status{number}"], ordering))
    chosen = " union all ".join(branches or [_branch(clauses, ordering)])
    sql = f"""
        with chosen as materialized (select * from ({chosen}) r {ordering})
        select {RUN_COLUMNS} from chosen join postil.run r on r.tenant = :tenant and r.id = chosen.id
        order by r.created_at {direction}, r.id {direction}
    """

    def read(rows: Rows) -> Page[Run]:
        page_rows = rows[:limit]
        next_cursor = (
            encode_cursor(page_rows[-1]["created_at"], page_rows[-1]["id"]) if len(rows) > limit else None
        )
        return Page(tuple(Run(**run_fields(row)) for row in page_rows), next_cursor)

    return Statement(sql, parameters, read)


def totals(tenant: str) -> Statement[dict[RunStatus, int]]:
    """Return the statement for the number of runs in each status. Each count stops at `TOTAL_CAP`."""
    counts = ", ".join(
        f"(select count(*) from (select from postil.run r where r.tenant = :tenant and r.status = '{status}'"
        f" limit {TOTAL_CAP}) c) as {status}"
        for status in RUN_STATUSES
    )

    def read(rows: Rows) -> dict[RunStatus, int]:
        return {status: rows[0][status] for status in RUN_STATUSES}

    return Statement(f"select {counts}", {"tenant": tenant}, read)


def waiting(
    tenant: str, *, limit: int = 50, cursor: str | None = None
) -> Statement[Page[WaitingInteraction]]:
    """Return the statement for a page of the pending interactions of all runs, the oldest first.

    `limit` is from 1 to 100. Raises `InvalidQuery` for a malformed limit or cursor.
    """
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

    def read(rows: Rows) -> Page[WaitingInteraction]:
        page_rows = rows[:limit]
        last = page_rows[-1] if len(rows) > limit else None
        next_cursor = encode_cursor(last["created_at"], last["run_id"], last["id"]) if last else None
        return Page(
            tuple(
                WaitingInteraction(**interaction_fields(row), run_id=row["run_id"], run_name=row["run_name"])
                for row in page_rows
            ),
            next_cursor,
        )

    return Statement(sql, parameters, read)


def _branch(clauses: Sequence[str], ordering: str) -> str:
    return f"(select r.id, r.created_at from postil.run r where {' and '.join(clauses)} {ordering})"
