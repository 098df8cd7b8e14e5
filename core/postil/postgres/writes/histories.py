"""Whole histories at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postil.model.json_text import MAX_DEPTH, encode
from postil.model.receipts import ImportedRun
from postil.model.values import checked
from postil.postgres.writes.statement import Call, text_parameter


def record_runs(tenant: str, histories: Sequence[Mapping[str, object]]) -> Call[list[ImportedRun]]:
    """Record whole histories at once, each run all or nothing; one that is there already answers ``created=False``.

    A history is {run_id, name, status, recorded_at, started_at, ended_at, actor, trigger, input, result, error, metadata, steps};
    a step is {type, at, …} with the fields its type's event has. Raises `InvalidInput`, `IdempotencyConflict`.
    """
    given = checked(histories, (list, tuple), "histories")
    # A value may be as deep in a step of a history as on its own.
    encoded = (encode(history, f"histories[{n}]", max_depth=MAX_DEPTH + 3) for n, history in enumerate(given))
    sql = "select * from postil.record_runs(cast(:tenant as text), cast(:histories as jsonb))"
    parameters = {
        "tenant": text_parameter(tenant, "tenant")[1],
        "histories": f"[{','.join(encoded)}]",
    }
    return Call(sql, parameters, lambda rows: [ImportedRun(*row) for row in rows])
