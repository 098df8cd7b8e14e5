"""The API's questions: runs, what belongs to a run, and what waits for a person."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from postil.errors import RunNotFound
from postil.http.database import Database
from postil.http.models import (
    AnnotationPage,
    AppliedFilter,
    Envelope,
    EventPage,
    InteractionPage,
    RunList,
    StagePage,
    ToolCallPage,
    Totals,
    WaitingList,
)
from postil.http.responses import LosslessJsonResponse, errors
from postil.http.run_ids import from_segment
from postil.model.envelope import CONTENT_TYPE
from postil.model.queries import Order, RunFilter
from postil.model.records import RunDetail
from postil.postgres.reads import one_run as run_reads
from postil.postgres.reads import runs as reads
from postil.postgres.statement import Statement
from postil.settings import Settings

T = TypeVar("T")

router = APIRouter(
    prefix="/api", default_response_class=LosslessJsonResponse, responses=errors(403, 421, 422, 500, 503)
)

Limit = Annotated[int, Query(ge=1, le=100, description="How many, 1 to 100")]
PartLimit = Annotated[int, Query(ge=1, le=500, description="How many, 1 to 500")]
Cursor = Annotated[str | None, Query(max_length=2_000, description="`next` of the page before")]


class CloudEventResponse(JSONResponse):
    """One CloudEvent, as the text that the database returns."""

    media_type = CONTENT_TYPE

    def render(self, content: str) -> bytes:
        """Encode the text."""
        return content.encode()


def of_run(segment: str) -> str:
    """The run's id from its path segment (see `address`)."""
    return from_segment(segment, "run")


def database(request: Request) -> Database:
    """The database this server shows."""
    found: Database = request.app.state.database
    return found


def tenant(request: Request) -> str:
    """The tenant this server shows."""
    settings: Settings = request.app.state.settings
    return settings.tenant


RunId = Annotated[str, Depends(of_run)]
Db = Annotated[Database, Depends(database)]
Tenant = Annotated[str, Depends(tenant)]


@router.get("/runs", response_model=RunList)
async def runs(
    db: Db,
    tenant: Tenant,
    limit: Limit = 25,
    cursor: Cursor = None,
    status: Annotated[list[str] | None, Query(description="Any of these statuses; may be repeated")] = None,
    q: Annotated[str | None, Query(description="Part of a run's id or name, case does not matter")] = None,
    order: Order = "newest",
) -> Response:
    """Runs, newest recorded first; the answer repeats the filter that was applied."""
    wanted = RunFilter.parse(statuses=status or (), text=q)
    page = await db.ask(reads.runs(tenant, wanted, limit=limit, cursor=cursor, order=order))
    applied = AppliedFilter(sorted(wanted.statuses), wanted.text, order, limit)
    return LosslessJsonResponse(RunList(page.items, page.next, applied))


@router.get("/totals", response_model=Totals)
async def totals(db: Db, tenant: Tenant) -> Response:
    """How many runs there are in each status; a count of 10,000 means at least that many."""
    return LosslessJsonResponse(await db.ask(reads.totals(tenant)))


@router.get("/waiting", response_model=WaitingList)
async def waiting(db: Db, tenant: Tenant, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Pending interactions of all runs, the longest waiting first."""
    return LosslessJsonResponse(await db.ask(reads.waiting(tenant, limit=limit, cursor=cursor)))


@router.get("/runs/{segment}", response_model=RunDetail, responses=errors(404))
async def run(db: Db, tenant: Tenant, run_id: RunId) -> Response:
    """One run."""
    return LosslessJsonResponse(await _known(db, run_id, run_reads.run(tenant, run_id)))


@router.get("/runs/{segment}/stages", response_model=StagePage, responses=errors(404))
async def stages(
    db: Db, tenant: Tenant, run_id: RunId, limit: PartLimit = 100, cursor: Cursor = None
) -> Response:
    """A run's stages in the order they started."""
    return LosslessJsonResponse(
        await _known(db, run_id, run_reads.stages(tenant, run_id, limit=limit, cursor=cursor))
    )


@router.get("/runs/{segment}/annotations", response_model=AnnotationPage, responses=errors(404))
async def annotations(
    db: Db,
    tenant: Tenant,
    run_id: RunId,
    limit: PartLimit = 100,
    cursor: Cursor = None,
    prefix: Annotated[list[str] | None, Query(description="Keys that start with any of these")] = None,
) -> Response:
    """A run's annotations by run_seq."""
    question = run_reads.annotations(tenant, run_id, prefixes=prefix or (), limit=limit, cursor=cursor)
    return LosslessJsonResponse(await _known(db, run_id, question))


@router.get("/runs/{segment}/tool-calls", response_model=ToolCallPage, responses=errors(404))
async def tool_calls(
    db: Db, tenant: Tenant, run_id: RunId, limit: PartLimit = 100, cursor: Cursor = None
) -> Response:
    """A run's tool calls in the order they started."""
    return LosslessJsonResponse(
        await _known(db, run_id, run_reads.tool_calls(tenant, run_id, limit=limit, cursor=cursor))
    )


@router.get("/runs/{segment}/interactions", response_model=InteractionPage, responses=errors(404))
async def interactions(
    db: Db, tenant: Tenant, run_id: RunId, limit: PartLimit = 100, cursor: Cursor = None
) -> Response:
    """A run's interactions in the order they were asked."""
    return LosslessJsonResponse(
        await _known(db, run_id, run_reads.interactions(tenant, run_id, limit=limit, cursor=cursor))
    )


@router.get("/runs/{segment}/events", response_model=EventPage, responses=errors(404))
async def events(
    db: Db,
    tenant: Tenant,
    run_id: RunId,
    limit: PartLimit = 100,
    cursor: Cursor = None,
    order: Order = "oldest",
) -> Response:
    """A run's events by run_seq."""
    question = run_reads.events(tenant, run_id, limit=limit, cursor=cursor, order=order)
    return LosslessJsonResponse(await _known(db, run_id, question))


@router.get(
    "/runs/{segment}/events/{run_seq}",
    response_model=Envelope,
    response_class=CloudEventResponse,
    responses=errors(404),
)
async def envelope(db: Db, tenant: Tenant, run_id: RunId, run_seq: int) -> Response:
    """One event as the CloudEvent that Kafka carries, byte for byte."""
    text = await _known(db, run_id, run_reads.envelope(tenant, run_id, run_seq))
    return CloudEventResponse(text)


async def _known(db: Database, run_id: str, question: Statement[T | None]) -> T:
    found = await db.ask(question)
    if found is None:
        raise RunNotFound(f"There is no such run, or no such part of it: {run_id!r}.", advice="Check the id.")
    return found
