"""The API's reads: runs, what belongs to a run, and the pending interactions."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

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
from postil.http.responses import CloudEventResponse, LosslessJsonResponse, errors
from postil.http.run_ids import from_segment
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
PageLimit = Annotated[int, Query(ge=1, le=500, description="How many, 1 to 500")]
Cursor = Annotated[str | None, Query(max_length=2_000, description="`next` of the page before")]

SortOrder = Annotated[Order, Query(description="Whether the newest or the oldest comes first")]


def run_id_from_path(
    segment: Annotated[str, Path(description="The run's id, with `~` in place of `%` where it is escaped")],
) -> str:
    """Return the run's id from its path segment (see `run_ids`)."""
    return from_segment(segment, "run")


def database(request: Request) -> Database:
    """Return the database that this server reads."""
    value: Database = request.app.state.database
    return value


def tenant(request: Request) -> str:
    """Return the tenant whose runs this server shows."""
    settings: Settings = request.app.state.settings
    return settings.tenant


RunId = Annotated[str, Depends(run_id_from_path)]
RunSeq = Annotated[int, Path(description="Number of the event within the run")]
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
    order: SortOrder = "newest",
) -> Response:
    """List runs, newest first by default; the response repeats the filter that was applied."""
    run_filter = RunFilter.parse(statuses=status or (), text=q)
    page = await db.fetch(reads.runs(tenant, run_filter, limit=limit, cursor=cursor, order=order))
    applied = AppliedFilter(sorted(run_filter.statuses), run_filter.text, order, limit)
    return LosslessJsonResponse(RunList(page.items, page.next, applied))


@router.get("/totals", response_model=Totals)
async def totals(db: Db, tenant: Tenant) -> Response:
    """Count the runs in each status; a count of 10,000 means at least that many."""
    return LosslessJsonResponse(await db.fetch(reads.totals(tenant)))


@router.get("/waiting", response_model=WaitingList)
async def waiting(db: Db, tenant: Tenant, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """List the pending interactions of all runs, the longest waiting first."""
    return LosslessJsonResponse(await db.fetch(reads.waiting(tenant, limit=limit, cursor=cursor)))


@router.get("/runs/{segment}", response_model=RunDetail, responses=errors(404))
async def run(db: Db, tenant: Tenant, run_id: RunId) -> Response:
    """Return one run."""
    return LosslessJsonResponse(await _fetch_existing(db, run_id, run_reads.run(tenant, run_id)))


@router.get("/runs/{segment}/stages", response_model=StagePage, responses=errors(404))
async def stages(
    db: Db, tenant: Tenant, run_id: RunId, limit: PageLimit = 100, cursor: Cursor = None
) -> Response:
    """List a run's stages in the order they started."""
    return LosslessJsonResponse(
        await _fetch_existing(db, run_id, run_reads.stages(tenant, run_id, limit=limit, cursor=cursor))
    )


@router.get("/runs/{segment}/annotations", response_model=AnnotationPage, responses=errors(404))
async def annotations(
    db: Db,
    tenant: Tenant,
    run_id: RunId,
    limit: PageLimit = 100,
    cursor: Cursor = None,
    prefix: Annotated[list[str] | None, Query(description="Keys that start with any of these")] = None,
) -> Response:
    """List a run's annotations by run_seq."""
    read = run_reads.annotations(tenant, run_id, prefixes=prefix or (), limit=limit, cursor=cursor)
    return LosslessJsonResponse(await _fetch_existing(db, run_id, read))


@router.get("/runs/{segment}/tool-calls", response_model=ToolCallPage, responses=errors(404))
async def tool_calls(
    db: Db, tenant: Tenant, run_id: RunId, limit: PageLimit = 100, cursor: Cursor = None
) -> Response:
    """List a run's tool calls in the order they started."""
    return LosslessJsonResponse(
        await _fetch_existing(db, run_id, run_reads.tool_calls(tenant, run_id, limit=limit, cursor=cursor))
    )


@router.get("/runs/{segment}/interactions", response_model=InteractionPage, responses=errors(404))
async def interactions(
    db: Db, tenant: Tenant, run_id: RunId, limit: PageLimit = 100, cursor: Cursor = None
) -> Response:
    """List a run's interactions in the order they were asked."""
    return LosslessJsonResponse(
        await _fetch_existing(db, run_id, run_reads.interactions(tenant, run_id, limit=limit, cursor=cursor))
    )


@router.get("/runs/{segment}/events", response_model=EventPage, responses=errors(404))
async def events(
    db: Db,
    tenant: Tenant,
    run_id: RunId,
    limit: PageLimit = 100,
    cursor: Cursor = None,
    order: SortOrder = "oldest",
) -> Response:
    """List a run's events by run_seq."""
    read = run_reads.events(tenant, run_id, limit=limit, cursor=cursor, order=order)
    return LosslessJsonResponse(await _fetch_existing(db, run_id, read))


@router.get(
    "/runs/{segment}/events/{run_seq}",
    response_model=Envelope,
    response_class=CloudEventResponse,
    responses=errors(404),
)
async def envelope(db: Db, tenant: Tenant, run_id: RunId, run_seq: RunSeq) -> Response:
    """Return one event as the CloudEvent that Kafka carries, byte for byte."""
    text = await _fetch_existing(db, run_id, run_reads.envelope(tenant, run_id, run_seq))
    return CloudEventResponse(text)


async def _fetch_existing(db: Database, run_id: str, read: Statement[T | None]) -> T:
    """Return the result of a read; raises `RunNotFound` if there is none."""
    result = await db.fetch(read)
    if result is None:
        raise RunNotFound(f"There is no such run, or no such part of it: {run_id!r}.", advice="Check the id.")
    return result
