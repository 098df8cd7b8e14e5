"""Recording facts on a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from postil.errors import InvalidAnnotation
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike, notes_of
from postil.model.json_text import MAX_DEPTH, encode
from postil.model.receipts import Receipt
from postil.model.values import checked, rfc3339
from postil.postgres.writes.statement import (
    Arguments,
    Call,
    Row,
    actor_parameter,
    call,
    items_parameter,
    optional_text_parameter,
    read_recorded,
    recorded_at_parameter,
    text_parameter,
)


def annotate(
    tenant: str,
    run_id: str,
    *said: AnnotationLike,
    actor: Actor | None = None,
    stage_id: str | None = None,
    idempotency_key: str | None = None,
    live: bool = False,
    recorded_at: datetime | None = None,
) -> Call[list[Receipt]]:
    """Record facts on a run, in one statement: typed conventions, dictionaries of keys, or notes.

    `live=True` asks for a run that has not ended. With an `idempotency_key` a retry answers what is stored, ``created=False``.
    Raises `InvalidAnnotation`, `PayloadTooLarge`, `RunNotFound`, `RunCancelled`, `RunFinished`,
    `IdempotencyConflict`, `StageNotFound`.
    """
    arguments: Arguments = {
        "annotations": items_parameter(said, "annotations", idempotency_key),
        "actor": actor_parameter(actor),
        "stage_id": optional_text_parameter(stage_id, "stage_id"),
        "live": ("boolean", live or None),
    }
    return call(
        "annotate", tenant, run_id, {**arguments, **recorded_at_parameter(recorded_at)}, read_recorded
    )


def annotate_many(
    tenant: str,
    said: dict[str, Sequence[AnnotationLike]],
    *,
    actor: Actor | None = None,
    idempotency_key: str | None = None,
    live: bool = False,
    recorded_at: datetime | None = None,
) -> Call[dict[str, list[Receipt]]]:
    """Record facts on many runs, in one statement, all or nothing: `said` on each run by its id.

    The runs are locked in one order, so that two batches never deadlock. Raises as `annotate` does.
    """
    runs = list(checked(said, dict, "said"))
    entries: list[str] = []
    for n, run_id in enumerate(runs):
        place = f"batch[{n}]"
        notes = notes_of(
            checked(said[run_id], (list, tuple), place),
            f"{place}.annotations",
            idempotency_key=idempotency_key,
        )
        entry = {
            "run_id": checked(run_id, str, f"{place}.run_id"),
            "annotations": [note.as_item(f"{place}.annotations[{i}]") for i, note in enumerate(notes)],
            "actor": None if actor is None else checked(actor, Actor, "actor").as_json(),
            "live": live,
            "recorded_at": None if recorded_at is None else rfc3339(recorded_at, "recorded_at"),
        }
        entries.append(encode(entry, place, InvalidAnnotation, max_depth=MAX_DEPTH + 3))
    sql = "select * from postil.annotate_many(cast(:tenant as text), cast(:batch as jsonb))"
    parameters = {"tenant": text_parameter(tenant, "tenant")[1], "batch": f"[{','.join(entries)}]"}

    def read(rows: Sequence[Row]) -> dict[str, list[Receipt]]:
        found: dict[str, list[Receipt]] = {run_id: [] for run_id in runs}
        for run_id, *receipt in rows:
            found[run_id] += read_recorded([receipt])
        return found

    return Call(sql, parameters, read)
