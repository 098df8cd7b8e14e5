"""The API's write: the answer to an interaction that a run waits for."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path
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
    """The answer to an interaction: `outcome`, and optionally `note`, for an approval, else any JSON as `answer`."""

    model_config = ConfigDict(extra="forbid")

    who: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="Id of the user who resolves the interaction; recorded as the actor",
        ),
    ]
    outcome: Literal["accept", "decline"] | None = None
    note: Annotated[str | None, Field(max_length=10_000)] = None
    answer: JsonValue = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Resolution:
        if (self.outcome is None) == ("answer" not in self.model_fields_set):
            raise ValueError("give either an outcome (accept or decline) or an answer")
        return self

    def stored_answer(self) -> Any:
        """Return the answer in the form that is stored."""
        if self.outcome is None:
            return self.answer
        return {"outcome": self.outcome} | ({"note": self.note} if self.note else {})


def interaction_id_from_path(
    interaction: Annotated[str, Path(description="The interaction's id, escaped like that of the run")],
) -> str:
    """Return the interaction's id from its path segment (see `run_ids`)."""
    return from_segment(interaction, "interaction")


@router.post(
    "/runs/{segment}/interactions/{interaction}/resolve",
    response_model=Receipt,
    responses=errors(404, 409, 413, 415),
    response_description="The receipt of the interaction",
)
async def resolve(
    db: Db,
    tenant: Tenant,
    run_id: RunId,
    interaction_id: Annotated[str, Depends(interaction_id_from_path)],
    resolution: Resolution,
) -> Response:
    """Answer an interaction. The first answer stands; a second one is refused with 409."""
    actor = Actor("user", check_text(resolution.who, "who"))
    answer = cast("Json", resolution.stored_answer())
    command = ResolveInteraction(run_id, interaction_id, answer, actor=actor)
    receipt = await db.execute(write_statement(tenant, command))
    return LosslessJsonResponse(receipt)
