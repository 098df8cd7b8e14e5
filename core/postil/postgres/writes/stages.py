"""The named steps of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.receipts import RunReceipt
from postil.postgres.writes.statement import (
    Arguments,
    Call,
    actor_parameter,
    call,
    items_parameter,
    json_parameter,
    optional_text_parameter,
    read_change,
    recorded_at_parameter,
    text_parameter,
)


def start_stage(
    tenant: str,
    run_id: str,
    name: str,
    *,
    stage_id: str | None = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """Start a named step; its id is its name unless a repeated step is given one of its own.

    Raises `StageEnded`, `RunCancelled`, `RunFinished`.
    """
    arguments: Arguments = {
        "name": text_parameter(name, "name"),
        "stage_id": optional_text_parameter(stage_id, "stage_id"),
        "actor": actor_parameter(actor),
    }
    return call(
        "start_stage", tenant, run_id, {**arguments, **recorded_at_parameter(recorded_at)}, read_change
    )


def complete_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: AnnotationLike,
    result: Json = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """Complete a stage with what was noted in it.

    Raises `RunCancelled` (nothing is stored then), `StageNotFound`, `StageEnded`.
    """
    return _change_stage(
        "complete_stage",
        tenant,
        run_id,
        stage_id,
        said,
        actor,
        recorded_at,
        {"result": json_parameter(result, "result")},
    )


def fail_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: AnnotationLike,
    error: Json = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """Fail a stage, keeping what was noted and adding ``failure.*`` from `error` {type, message}. Raises as `complete_stage`."""
    return _change_stage(
        "fail_stage",
        tenant,
        run_id,
        stage_id,
        said,
        actor,
        recorded_at,
        {"error": json_parameter(error, "error")},
    )


def suspend_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: AnnotationLike,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """Suspend a stage, keeping what was noted so far. Raises as `complete_stage`."""
    return _change_stage("suspend_stage", tenant, run_id, stage_id, said, actor, recorded_at, {})


def resume_stage(
    tenant: str,
    run_id: str,
    stage_id: str,
    *said: AnnotationLike,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """Take up a suspended stage again. Raises as `complete_stage`."""
    return _change_stage("resume_stage", tenant, run_id, stage_id, said, actor, recorded_at, {})


def _change_stage(
    function: str,
    tenant: str,
    run_id: str,
    stage_id: str,
    said: Sequence[AnnotationLike],
    actor: Actor | None,
    recorded_at: datetime | None,
    more: Arguments,
) -> Call[RunReceipt]:
    arguments: Arguments = {
        "stage_id": text_parameter(stage_id, "stage_id"),
        "annotations": items_parameter(said, "annotations"),
        "actor": actor_parameter(actor),
    }
    return call(
        function, tenant, run_id, {**arguments, **more, **recorded_at_parameter(recorded_at)}, read_change
    )
