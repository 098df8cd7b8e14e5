"""Whole histories at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postil.journal.statement import (
    Call,
    text_parameter,
)
from postil.jsontext import encode
from postil.model import History


def record_runs(tenant: str, histories: Sequence[Mapping[str, object]]) -> Call[list[History]]:
    """Record whole histories at once, each run all or nothing; one that is there already answers ``created=False``.

    A history is {run_id, name, status, recorded_at, started_at, ended_at, actor, trigger, input, result, error, metadata, steps};
    a step is {type, at, …} with the fields its type's event has. Raises `InvalidInput`, `IdempotencyConflict`.
    """
    sql = "select * from postil.record_runs(cast(:tenant as text), cast(:histories as jsonb))"
    parameters = {
        "tenant": text_parameter(tenant, "tenant"),
        "histories": encode(list(histories), "histories"),
    }
    return Call(sql, parameters, lambda rows: [History(*row) for row in rows])
