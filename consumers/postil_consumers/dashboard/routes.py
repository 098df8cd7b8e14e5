"""The dashboard's own routes: the feed, the pipeline's state, and whose dashboard this is."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from postil.http.responses import LosslessJsonResponse, errors
from postil.http.runs import Tenant
from postil_consumers.dashboard.feed.events import FeedEnvelope
from postil_consumers.dashboard.feed.hub import FeedNotice, Hub
from postil_consumers.dashboard.health import Health, PipelineState

router = APIRouter(prefix="/api", default_response_class=LosslessJsonResponse, responses=errors(403, 421))


@dataclass(frozen=True, slots=True)
class Session:
    """The tenant that the dashboard shows, the user name to propose for a resolver, and Postil's version."""

    tenant: str
    user: str
    version: str


class EventStream(JSONResponse):
    """Describes the feed in the OpenAPI document: FastAPI states a schema only for classes derived from this one."""

    media_type = "text/event-stream"


@router.get(
    "/feed",
    response_model=FeedEnvelope | FeedNotice,
    response_class=EventStream,
    responses=errors(422),
    response_description="Server-sent events",
)
async def feed(
    request: Request,
    last_event_id: Annotated[
        str | None, Header(max_length=100, description="Id of the last event that the reader has")
    ] = None,
    after: Annotated[str | None, Query(max_length=100, description="The same as Last-Event-ID")] = None,
) -> Response:
    """Stream every event of the tenant as server-sent events, from now on or from after Last-Event-ID.

    The schema is that of the `data` of one server-sent event: an envelope for those without a name,
    a notice for `hello`, `reset` and `lag`. The data of `alive` is an empty object.
    """
    hub: Hub = request.app.state.hub
    return StreamingResponse(
        hub.stream(last_event_id or after),
        media_type=EventStream.media_type,
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


@router.get("/pipeline", response_model=PipelineState)
async def pipeline(request: Request) -> Response:
    """Return how far every part of the pipeline is."""
    health: Health = request.app.state.health
    return LosslessJsonResponse(await health.now())


@router.get("/session", response_model=Session)
async def session(tenant: Tenant) -> Response:
    """Return the tenant, the version, and the user name to propose for an answer to an interaction."""
    return LosslessJsonResponse(Session(tenant, user_name(), version("postil")))


def user_name() -> str:
    """Return the name of the user this server runs as, or ``user`` if it has no name.

    With the check of `postil.http.peer`, it is also the user who looks at the page.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"
