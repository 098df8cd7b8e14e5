"""The questions of `postil.history` about one run as SQL: the run, and what belongs to it.

Each answer about a part comes with the run's head, read in the same snapshot,
so that whoever follows the run live knows which events it contains already.
"""

# ruff: noqa: S608 (the statements are put together from constants of this file; what users give is always bound)

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
from postil.model.records import Annotation, Interaction, LoggedEvent, RunDetail, Stage, ToolCall
from postil.postgres.reads.runs import (
    INTERACTION_COLUMNS,
    RUN_COLUMNS,
    Read,
    Row,
    by,
    interaction_fields,
    jsons,
    literal,
    run_fields,
    taken,
)

T = TypeVar("T")


def run(tenant: str, run_id: str) -> Read[RunDetail | None]:
    """One run; None where the tenant has no such run."""
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

    def answer(rows: Sequence[Row]) -> RunDetail | None:
        if not rows:
            return None
        row = rows[0]
        return RunDetail(
            **run_fields(row),
            **taken(row, *origin, "tool_calls", "interactions", "recorded_at"),
            **jsons(row, "input", "result", "error", "metadata"),
        )

    return Read(sql, {"tenant": tenant, "run_id": check_text("run", run_id)}, answer)


def stages(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None
) -> Read[RunPage[Stage] | None]:
    """A run's stages in the order they started, attempt by attempt."""
    plain = ("id", "name", "status", "attempt", "started_at", "ended_at")
    return _of_run(
        "postil.stage",
        f"{', '.join(plain)}, {_ACTOR}, result::text as result, error::text as error",
        (("attempt", int), ("started_at", datetime), ("id", str)),
        lambda row: Stage(**taken(row, *plain), **jsons(row, "result", "error"), actor=by(row)),
        tenant,
        run_id,
        limit,
        cursor,
    )


def tool_calls(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None
) -> Read[RunPage[ToolCall] | None]:
    """A run's tool calls in the order they started."""
    plain = ("id", "kind", "name", "status", "attempt", "stage_id", "started_at", "ended_at", "duration_ms")
    bodies = ("arguments", "result", "error")
    return _of_run(
        "postil.tool_call",
        f"{', '.join(plain)}, {_ACTOR}, {', '.join(f'{name}::text as {name}' for name in bodies)}",
        (("started_at", datetime), ("id", str)),
        lambda row: ToolCall(**taken(row, *plain), **jsons(row, *bodies), actor=by(row)),
        tenant,
        run_id,
        limit,
        cursor,
    )


def interactions(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None
) -> Read[RunPage[Interaction] | None]:
    """A run's interactions in the order they were asked."""
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
) -> Read[RunPage[Annotation] | None]:
    """A run's annotations by run_seq; `prefixes` keeps keys that start with any of them (taken literally)."""
    plain = ("run_seq", "attempt", "stage_id", "scope", "scope_id", "key", "recorded_at")
    chosen = [literal(check_text("prefix", prefix)) + "%" for prefix in prefixes]
    return _of_run(
        "postil.annotation",
        f"{', '.join(plain)}, id::text as id, group_id::text as group_id, try as try_, {_ACTOR},"
        " value::text as value, payload::text as payload",
        (("run_seq", int),),
        lambda row: Annotation(
            **taken(row, *plain, "id", "group_id", "try_"), **jsons(row, "value", "payload"), actor=by(row)
        ),
        tenant,
        run_id,
        limit,
        cursor,
        only="key like any (:prefixes)" if chosen else "true",
        parameters={"prefixes": chosen} if chosen else {},
    )


def events(
    tenant: str, run_id: str, *, limit: int = 100, cursor: str | None = None, order: Order = "oldest"
) -> Read[RunPage[LoggedEvent] | None]:
    """A run's events by run_seq, from the first or from the newest."""
    plain = ("run_seq", "type", "subject", "attempt", "recorded_at", "created_at")
    return _of_run(
        "postil.event",
        f"{', '.join(plain)}, event_id::text as id, data::text as data",
        (("run_seq", int),),
        lambda row: LoggedEvent(**taken(row, *plain, "id"), **jsons(row, "data")),
        tenant,
        run_id,
        limit,
        cursor,
        descending=order == "newest",
    )


def envelope(tenant: str, run_id: str, run_seq: int) -> Read[str | None]:
    """The CloudEvent of one event, byte for byte as Kafka carries it; None where there is no such event."""
    return Read(
        "select postil.envelope(e) as envelope from postil.event e"
        " where e.tenant = :tenant and e.run_id = :run_id and e.run_seq = :run_seq",
        {
            "tenant": tenant,
            "run_id": check_text("run", run_id),
            "run_seq": run_seq if 0 < run_seq < 2**63 else 0,  # 0 is never given out
        },
        lambda rows: rows[0]["envelope"] if rows else None,
    )


_ACTOR = "actor_kind, actor_id, actor_version"


def _of_run(
    table: str,
    columns: str,
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
) -> Read[RunPage[T] | None]:
    """A page of `table` for one run, ordered by `key`, with the run's head from the same snapshot."""
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
            select {columns}, true as present from {table}
            where tenant = r.tenant and run_id = r.id and {beyond} and {only}
            order by {ordering} limit :limit
        ) x on true
        where r.tenant = :tenant and r.id = :run_id
        order by {", ".join(f"x.{name}{direction}" for name in names)}
    """

    def answer(rows: Sequence[Row]) -> RunPage[T] | None:
        if not rows:
            return None
        present = [row for row in rows if row["present"]]
        shown = present[:limit]
        more = encode_cursor(*(shown[-1][name] for name in names)) if len(present) > limit else None
        return RunPage(tuple(build(row) for row in shown), more, rows[0]["run_head"])

    return Read(sql, bound, answer)
