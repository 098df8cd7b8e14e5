"""Statements that read one run: the run, and what belongs to it.

Each page comes with the run's head, read in the same snapshot.
A reader that follows the run live therefore knows which events the page already contains.
"""

# ruff: noqa: S608 (the SQL consists of constants of this file; values from users are always bound parameters)

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from postil.model.queries import (
    COUNT_CAP,
    Order,
    RunPage,
    check_limit,
    check_text,
    decode_cursor,
    encode_cursor,
)
from postil.model.records import (
    Annotation,
    Interaction,
    InteractionState,
    LoggedEvent,
    RunDetail,
    Stage,
    ToolCall,
)
from postil.postgres.reads.rows import (
    ACTOR_COLUMNS,
    INTERACTION_COLUMNS,
    RUN_COLUMNS,
    actor,
    columns,
    interaction_fields,
    json_columns,
    like_literal,
    run_fields,
)
from postil.postgres.statement import Row, Rows, Statement

T = TypeVar("T")


def run(tenant: str, run_id: str) -> Statement[RunDetail | None]:
    """Return the statement for one run; its result is None if the tenant has no such run."""
    origin = ("parent_id", "root_id", "depth", "replay_of", "schedule_id", "root_source", "root_schedule_id")
    sql = f"""
        select {RUN_COLUMNS}, {", ".join(f"r.{name}" for name in origin)}, r.recorded_at,
            r.input::text as input, r.result::text as result, r.error::text as error,
            r.metadata::text as metadata,
            (select count(*) from (select from postil.tool_call t
                where t.tenant = r.tenant and t.run_id = r.id limit {COUNT_CAP}) c) as tool_calls,
            (select count(*) from (select from postil.interaction i
                where i.tenant = r.tenant and i.run_id = r.id limit {COUNT_CAP}) c) as interactions
        from postil.run r where r.tenant = :tenant and r.id = :run_id
    """

    def read(rows: Rows) -> RunDetail | None:
        if not rows:
            return None
        row = rows[0]
        return RunDetail(
            **run_fields(row),
            **columns(row, *origin, "tool_calls", "interactions", "recorded_at"),
            **json_columns(row, "input", "result", "error", "metadata"),
        )

    return Statement(sql, {"tenant": tenant, "run_id": check_text("run", run_id)}, read)


def stages(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None
) -> Statement[RunPage[Stage] | None]:
    """Return the statement for a page of a run's stages, by attempt and start."""
    plain = ("id", "name", "status", "attempt", "started_at", "ended_at")
    return _of_run(
        "postil.stage",
        f"{', '.join(plain)}, {ACTOR_COLUMNS}, result::text as result, error::text as error",
        (("attempt", int), ("started_at", datetime), ("id", str)),
        lambda row: Stage(**columns(row, *plain), **json_columns(row, "result", "error"), actor=actor(row)),
        tenant,
        run_id,
        limit,
        cursor,
    )


def tool_calls(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None
) -> Statement[RunPage[ToolCall] | None]:
    """Return the statement for a page of a run's tool calls, in the order they started."""
    plain = ("id", "kind", "name", "status", "attempt", "stage_id", "started_at", "ended_at", "duration_ms")
    bodies = ("arguments", "result", "error")
    return _of_run(
        "postil.tool_call",
        f"{', '.join(plain)}, {ACTOR_COLUMNS}, {', '.join(f'{name}::text as {name}' for name in bodies)}",
        (("started_at", datetime), ("id", str)),
        lambda row: ToolCall(**columns(row, *plain), **json_columns(row, *bodies), actor=actor(row)),
        tenant,
        run_id,
        limit,
        cursor,
    )


def interactions(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None
) -> Statement[RunPage[Interaction] | None]:
    """Return the statement for a page of a run's interactions, in the order they were asked."""
    return _of_run(
        "postil.interaction",
        INTERACTION_COLUMNS,
        (("asked_at", datetime), ("id", str)),
        lambda row: Interaction(**interaction_fields(row)),
        tenant,
        run_id,
        limit,
        cursor,
    )


def annotations(
    tenant: str, run_id: str, *, prefixes: Sequence[str] = (), limit: int = 100, cursor: str | None = None
) -> Statement[RunPage[Annotation] | None]:
    """Return the statement for a page of a run's annotations, by run_seq.

    `prefixes` selects the keys that start with any of these texts. Defaults to none: every key.
    """
    plain = ("run_seq", "attempt", "stage_id", "scope", "scope_id", "key", "recorded_at")
    patterns = [like_literal(check_text("prefix", prefix)) + "%" for prefix in prefixes]
    return _of_run(
        "postil.annotation",
        f"{', '.join(plain)}, id::text as id, group_id::text as group_id, try as try_, {ACTOR_COLUMNS},"
        " value::text as value, payload::text as payload",
        (("run_seq", int),),
        lambda row: Annotation(
            **columns(row, *plain, "id", "group_id", "try_"),
            **json_columns(row, "value", "payload"),
            actor=actor(row),
        ),
        tenant,
        run_id,
        limit,
        cursor,
        only="key like any (:prefixes)" if patterns else "true",
        parameters={"prefixes": patterns} if patterns else {},
    )


def events(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None, order: Order = "oldest"
) -> Statement[RunPage[LoggedEvent] | None]:
    """Return the statement for a page of a run's events, by run_seq, from the first or from the newest."""
    plain = ("run_seq", "type", "subject", "attempt", "recorded_at", "created_at")
    return _of_run(
        "postil.event",
        f"{', '.join(plain)}, event_id::text as id, data::text as data",
        (("run_seq", int),),
        lambda row: LoggedEvent(**columns(row, *plain, "id"), **json_columns(row, "data")),
        tenant,
        run_id,
        limit,
        cursor,
        descending=order == "newest",
    )


def envelope(tenant: str, run_id: str, run_seq: int) -> Statement[str | None]:
    """Return the statement for one event as the CloudEvent text that Kafka carries; None if there is no such event."""
    return Statement(
        "select postil.envelope(e) as envelope from postil.event e"
        " where e.tenant = :tenant and e.run_id = :run_id and e.run_seq = :run_seq",
        {
            "tenant": tenant,
            "run_id": check_text("run", run_id),
            "run_seq": run_seq if 0 < run_seq < 2**63 else 0,  # no event has the number 0
        },
        lambda rows: rows[0]["envelope"] if rows else None,
    )


def _of_run(
    table: str,
    selected: str,
    key: tuple[tuple[str, type[str | int | datetime]], ...],
    build: Callable[[Row], T],
    tenant: str,
    run_id: str,
    limit: int,
    cursor: str | None,
    *,
    only: str = "true",
    parameters: Mapping[str, Any] | None = None,
    descending: bool = False,
) -> Statement[RunPage[T] | None]:
    """Return the statement for a page of `table` for one run, in the order of `key`, with the run's head.

    Its result is None if the tenant has no such run. Raises `InvalidQuery` for a malformed limit or cursor.
    """
    check_limit(limit, most=500)
    bound: dict[str, Any] = {
        **(parameters or {}), "tenant": tenant, "run_id": check_text("run", run_id), "limit": limit + 1,
    }  # fmt: skip
    names = [name for name, _ in key]
    beyond = "true"
    if cursor is not None:
        places = decode_cursor(cursor, *(kind for _, kind in key))
        bound |= {f"place{number}": place for number, place in enumerate(places)}
        there = ", ".join(f":place{number}" for number in range(len(key)))
        beyond = f"({', '.join(names)}) {'<' if descending else '>'} ({there})"
    direction = " desc" if descending else ""
    ordering = ", ".join(name + direction for name in names)
    sql = f"""
        select r.head as run_head, x.* from postil.run r
        left join lateral (
            select {selected}, true as present from {table}
            where tenant = r.tenant and run_id = r.id and {beyond} and {only}
            order by {ordering} limit :limit
        ) x on true
        where r.tenant = :tenant and r.id = :run_id
        order by {", ".join(f"x.{name}{direction}" for name in names)}
    """

    def read(rows: Rows) -> RunPage[T] | None:
        if not rows:
            return None
        present = [row for row in rows if row["present"]]
        page_rows = present[:limit]
        next_cursor = (
            encode_cursor(*(page_rows[-1][name] for name in names)) if len(present) > limit else None
        )
        return RunPage(tuple(build(row) for row in page_rows), next_cursor, rows[0]["run_head"])

    return Statement(sql, bound, read)


def interaction_state(tenant: str, run_id: str, interaction_id: str) -> Statement[InteractionState]:
    """Return the statement for the state of an interaction that exists, and of its run."""
    sql = (
        "select i.status, i.answer, r.status as run_status from postil.interaction i"
        " join postil.run r on r.tenant = i.tenant and r.id = i.run_id"
        " where i.tenant = :tenant and i.run_id = :run_id and i.id = :id"
    )
    parameters = {"tenant": tenant, "run_id": run_id, "id": interaction_id}
    return Statement(sql, parameters, lambda rows: InteractionState(**rows[0]))
