"""Recording facts on a run."""

from __future__ import annotations

from datetime import datetime

from postil.journal.statement import (
    Arguments,
    Call,
    actor_parameter,
    call,
    items_parameter,
    read_recorded,
    recorded_at_parameter,
    text_parameter,
)
from postil.model import Actor, Recorded, Said, notes_of


def annotate(
    tenant: str,
    run_id: str,
    *said: Said,
    actor: Actor | None = None,
    stage_id: str | None = None,
    idempotency_key: str | None = None,
    live: bool = False,
    recorded_at: datetime | None = None,
) -> Call[list[Recorded]]:
    """Record facts on a run, in one statement: typed conventions, dictionaries of keys, or notes.

    `live=True` asks for a run that has not ended. With an `idempotency_key` a retry answers what is stored, ``created=False``.
    Raises `InvalidAnnotation`, `PayloadTooLarge`, `RunNotFound`, `RunCancelled`, `RunFinished`,
    `IdempotencyConflict`, `StageNotFound`.
    """
    items = items_parameter(list(notes_of(said, idempotency_key=idempotency_key)), "items")
    arguments: Arguments = {
        "items": ("jsonb", items),
        "actor": actor_parameter(actor),
        "stage_id": ("text", text_parameter(stage_id, "stage_id")),
        "live": ("boolean", live or None),
    }
    return call(
        "annotate", tenant, run_id, {**arguments, **recorded_at_parameter(recorded_at)}, read_recorded
    )
