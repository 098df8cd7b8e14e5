"""A run's life: created, started, finished or cancelled."""

from __future__ import annotations

from datetime import datetime

from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json, encode
from postil.model.receipts import RunReceipt
from postil.model.triggers import Trigger
from postil.model.values import checked
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
)


def create_run(
    tenant: str,
    run_id: str,
    *said: AnnotationLike,
    name: str | None = None,
    input: Json = None,  # noqa: A002 (the field's own name)
    trigger: Trigger | None = None,
    parent_id: str | None = None,
    actor: Actor | None = None,
    metadata: Json = None,
    pending: bool = False,
    replay_of: str | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """Create a run under the host system's own id, with annotations; `pending=True` where it has yet to start.

    Creating the same run again answers ``created=False``.
    Raises `RunExists` where the id is another run's, `RunNotFound` where there is no such parent.
    """
    arguments: Arguments = {
        "name": optional_text_parameter(name, "name"),
        "input": json_parameter(input, "input"),
        "trigger": (
            "jsonb",
            None if trigger is None else encode(checked(trigger, Trigger, "trigger").as_json(), "trigger"),
        ),
        "parent_id": optional_text_parameter(parent_id, "parent_id"),
        "actor": actor_parameter(actor),
        "annotations": items_parameter(said, "annotations"),
        "metadata": json_parameter(metadata, "metadata"),
        "status": ("text", "pending" if pending else "running"),
        "replay_of": optional_text_parameter(replay_of, "replay_of"),
    }
    return call(
        "create_run", tenant, run_id, {**arguments, **recorded_at_parameter(recorded_at)}, read_change
    )


def start_run(tenant: str, run_id: str, *, recorded_at: datetime | None = None) -> Call[RunReceipt]:
    """Start a pending run. Raises `RunNotFound`, `RunCancelled`, `RunFinished`."""
    return call("start_run", tenant, run_id, recorded_at_parameter(recorded_at), read_change)


def finish_run(
    tenant: str,
    run_id: str,
    *said: AnnotationLike,
    failed: bool = False,
    result: Json = None,
    error: Json = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """End a run, completed or `failed`; what it still waits for or works on ends with it.

    Ending it the same way again answers ``created=False``. Raises `RunCancelled`, `RunFinished`.
    """
    arguments: Arguments = {
        "status": ("text", "failed" if failed else "completed"),
        "result": json_parameter(result, "result"),
        "error": json_parameter(error, "error"),
        "actor": actor_parameter(actor),
        "annotations": items_parameter(said, "annotations"),
    }
    return call(
        "finish_run", tenant, run_id, {**arguments, **recorded_at_parameter(recorded_at)}, read_change
    )


def cancel_run(
    tenant: str,
    run_id: str,
    *,
    reason: str | None = None,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[RunReceipt]:
    """Cancel a run; whoever works on it finds out at the next stage's end. Raises `RunNotFound`, `RunFinished`."""
    arguments: Arguments = {
        "reason": optional_text_parameter(reason, "reason"),
        "actor": actor_parameter(actor),
    }
    return call(
        "cancel_run", tenant, run_id, {**arguments, **recorded_at_parameter(recorded_at)}, read_change
    )
