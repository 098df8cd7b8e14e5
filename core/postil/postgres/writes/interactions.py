"""The questions a run waits on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json, encode
from postil.model.receipts import Receipt
from postil.postgres.writes.statement import (
    Arguments,
    Call,
    actor_parameter,
    call,
    items_parameter,
    optional_text_parameter,
    read_part,
    recorded_at_parameter,
    text_parameter,
)


def ask(
    tenant: str,
    run_id: str,
    prompt: str,
    *,
    interaction_id: str | None = None,
    kind: str = "approval",
    to: str | None = None,
    stage_id: str | None = None,
    recorded_at: datetime | None = None,
) -> Call[Receipt]:
    """Ask a question the run waits on. Raises `RunCancelled`, `RunFinished`, `StageNotFound`."""
    given: Arguments = {
        "prompt": text_parameter(prompt, "prompt"),
        "interaction_id": optional_text_parameter(interaction_id, "interaction_id"),
        "kind": text_parameter(kind, "kind"),
        "assignee": optional_text_parameter(to, "to"),
        "stage_id": optional_text_parameter(stage_id, "stage_id"),
    }
    return call("ask", tenant, run_id, {**given, **recorded_at_parameter(recorded_at)}, read_part)


def resolve_interaction(
    tenant: str,
    run_id: str,
    interaction_id: str,
    answer: Json,
    *said: AnnotationLike,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Receipt]:
    """Answer a question; the first answer stands.

    An approval takes ``{"outcome": "accept" | "decline", "note": …}`` and leaves ``approval.*`` annotations.
    Raises `InteractionNotFound`, `InteractionEnded`, `InvalidInput`.
    """
    given: Arguments = {
        "interaction_id": text_parameter(interaction_id, "interaction_id"),
        "answer": ("jsonb", encode(answer, "answer")),
        "actor": actor_parameter(actor),
        "annotations": items_parameter(said, "annotations"),
    }
    return call(
        "resolve_interaction", tenant, run_id, {**given, **recorded_at_parameter(recorded_at)}, read_part
    )


def cancel_interaction(
    tenant: str,
    run_id: str,
    interaction_id: str,
    *,
    actor: Actor | None = None,
    recorded_at: datetime | None = None,
) -> Call[Receipt]:
    """Withdraw a question. Raises `InteractionNotFound`, `InteractionEnded`."""
    given: Arguments = {
        "interaction_id": text_parameter(interaction_id, "interaction_id"),
        "actor": actor_parameter(actor),
    }
    return call(
        "cancel_interaction", tenant, run_id, {**given, **recorded_at_parameter(recorded_at)}, read_part
    )


@dataclass(frozen=True)
class InteractionState:
    """How a question and its run stand, and once it is resolved its answer."""

    status: str
    answer: Json
    run_status: str


def interaction_state(tenant: str, run_id: str, interaction_id: str) -> Call[InteractionState]:
    """Read how a question stands that was asked before."""
    sql = (
        "select i.status, i.answer, r.status from postil.interaction i"
        " join postil.run r on r.tenant = i.tenant and r.id = i.run_id"
        " where i.tenant = cast(:tenant as text) and i.run_id = cast(:run_id as text) and i.id = cast(:id as text)"
    )
    parameters = {"tenant": tenant, "run_id": run_id, "id": interaction_id}
    return Call(sql, parameters, lambda rows: InteractionState(*rows[0]))
