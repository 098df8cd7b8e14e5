"""The page's one write: a person's answer to a question a run waits on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from starlette.responses import Response

from postil.commands import ResolveInteraction
from postil.http.responses import LosslessJsonResponse, errors
from postil.http.run_ids import from_segment
from postil.http.runs import Db, RunId, Tenant
from postil.model.actors import Actor
from postil.model.json_text import Json, check_text
from postil.model.receipts import Receipt
from postil.postgres.writes import write_statement

router = APIRouter(
    prefix="/api", default_response_class=LosslessJsonResponse, responses=errors(403, 421, 422, 500, 503)
)


class Resolution(BaseModel):
    """An approval is answered by its `outcome` and perhaps a `note`, any other question by a JSON `answer`."""

    model_config = ConfigDict(extra="forbid")

    who: Annotated[str, Field(min_length=1, max_length=200, description="Who answers; recorded as the actor")]
    outcome: Literal["accept", "decline"] | None = None
    note: Annotated[str | None, Field(max_length=10_000)] = None
    answer: JsonValue = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Resolution:
        if (self.outcome is None) == ("answer" not in self.model_fields_set):
            raise ValueError("give either an outcome (accept or decline) or an answer")
        return self

    def recorded(self) -> Any:
        """The answer as it is stored."""
        if self.outcome is None:
            return self.answer
        return {"outcome": self.outcome} | ({"note": self.note} if self.note else {})


def of_interaction(interaction: str) -> str:
    """The interaction's id from its path segment (see `address`)."""
    return from_segment(interaction, "interaction")


@router.post(
    "/runs/{segment}/interactions/{interaction}/resolve",
    response_model=Receipt,
    responses=errors(404, 409, 413, 415),
)
async def resolve(
    db: Db,
    tenant: Tenant,
    run_id: RunId,
    interaction_id: Annotated[str, Depends(of_interaction)],
    said: Resolution,
) -> Response:
    """Answer a question; the first answer stands, a second one is a 409."""
    who = Actor("user", check_text(said.who, "who"))
    receipt = await db.perform(
        write_statement(
            tenant, ResolveInteraction(run_id, interaction_id, cast("Json", said.recorded()), actor=who)
        )
    )
    return LosslessJsonResponse(receipt)
