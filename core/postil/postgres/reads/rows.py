"""What the reads share: lists of columns, and how their rows become fields of records."""

from __future__ import annotations

from typing import Any

from postil.model.actors import Actor
from postil.model.queries import COUNT_CAP
from postil.model.records import JsonText
from postil.postgres.statement import Row

ACTOR_COLUMNS = "actor_kind, actor_id, actor_version"

INTERACTION_COLUMNS = (
    "id, kind, prompt, assignee, status, attempt, stage_id, answer::text as answer,"
    f" {ACTOR_COLUMNS}, asked_at, ended_at"
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
"""  # noqa: S608 (constants only)


def run_fields(row: Row) -> dict[str, Any]:
    """Return the fields of a `Run`, from `RUN_COLUMNS`."""
    own = columns(row, "id", "name", "status", "attempt", "head", "trigger_source", "trigger_action")
    counts = columns(row, "stages", "annotations", "pending")
    times = columns(row, "created_at", "started_at", "ended_at")
    return {**own, **counts, **times, "actor": actor(row)}


def interaction_fields(row: Row) -> dict[str, Any]:
    """Return the fields of an `Interaction`, from `INTERACTION_COLUMNS`."""
    own = columns(row, "id", "kind", "prompt", "assignee", "status", "attempt", "stage_id")
    times = columns(row, "asked_at", "ended_at")
    return {**own, **times, **json_columns(row, "answer"), "actor": actor(row)}


def columns(row: Row, *names: str) -> dict[str, Any]:
    """Return the named columns as they are."""
    return {name: row[name] for name in names}


def json_columns(row: Row, *names: str) -> dict[str, Any]:
    """Return the named columns, which hold JSON as text."""
    return {name: None if row[name] is None else JsonText(row[name]) for name in names}


def actor(row: Row) -> Actor | None:
    """Return the actor, from `ACTOR_COLUMNS`."""
    if row["actor_kind"] is None:
        return None
    return Actor(row["actor_kind"], row["actor_id"], row["actor_version"])


def like_literal(text: str) -> str:
    """Return the LIKE pattern that matches `text` and nothing else."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
