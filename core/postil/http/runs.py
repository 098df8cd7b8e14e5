"""The API's questions: runs, what belongs to a run, and what waits for a person."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from postil.errors import RunNotFound
from postil.http.database import Database
from postil.http.responses import Answer
from postil.http.run_ids import from_segment
from postil.model.queries import Order, RunFilter
from postil.postgres.reads import one_run as run_reads
from postil.postgres.reads import runs as reads
from postil.postgres.reads.runs import Read
from postil.settings import Settings

T = TypeVar("T")

router = APIRouter(prefix="/api", default_response_class=Answer)

Limit = Annotated[int, Query(ge=1, le=100, description="How many, 1 to 100")]
PartLimit = Annotated[int, Query(ge=1, le=500, description="How many, 1 to 500")]
Cursor = Annotated[str | None, Query(max_length=2_000, description="`next` of the page before")]


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


@router.get("/runs")
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
    applied = {"status": sorted(wanted.statuses), "q": wanted.text, "order": order, "limit": limit}
    return Answer({"items": page.items, "next": page.next, "applied": applied})


@router.get("/totals")
async def totals(db: Db, tenant: Tenant) -> Response:
    """How many runs there are in each status; a count of 10,000 means at least that many."""
    return Answer(await db.ask(reads.totals(tenant)))


@router.get("/waiting")
async def waiting(db: Db, tenant: Tenant, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Pending interactions of all runs, the longest waiting first."""
    return Answer(await db.ask(reads.waiting(tenant, limit=limit, cursor=cursor)))


@router.get("/runs/{segment}")
async def run(db: Db, tenant: Tenant, run_id: RunId) -> Response:
    """One run."""
    return Answer(await _known(db, run_id, run_reads.run(tenant, run_id)))


@router.get("/runs/{segment}/stages")
async def stages(
    db: Db, tenant: Tenant, run_id: RunId, limit: PartLimit = 100, cursor: Cursor = None
) -> Response:
    """A run's stages in the order they started."""
    return Answer(await _known(db, run_id, run_reads.stages(tenant, run_id, limit=limit, cursor=cursor)))


@router.get("/runs/{segment}/annotations")
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
    return Answer(await _known(db, run_id, question))


@router.get("/runs/{segment}/tool-calls")
async def tool_calls(
    db: Db, tenant: Tenant, run_id: RunId, limit: PartLimit = 100, cursor: Cursor = None
) -> Response:
    """A run's tool calls in the order they started."""
    return Answer(await _known(db, run_id, run_reads.tool_calls(tenant, run_id, limit=limit, cursor=cursor)))


@router.get("/runs/{segment}/interactions")
async def interactions(
    db: Db, tenant: Tenant, run_id: RunId, limit: PartLimit = 100, cursor: Cursor = None
) -> Response:
    """A run's interactions in the order they were asked."""
    return Answer(
        await _known(db, run_id, run_reads.interactions(tenant, run_id, limit=limit, cursor=cursor))
    )


@router.get("/runs/{segment}/events")
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
    return Answer(await _known(db, run_id, question))


@router.get("/runs/{segment}/events/{run_seq}")
async def envelope(db: Db, tenant: Tenant, run_id: RunId, run_seq: int) -> Response:
    """One event as the CloudEvent that Kafka carries, byte for byte."""
    text = await _known(db, run_id, run_reads.envelope(tenant, run_id, run_seq))
    return Response(text, media_type="application/cloudevents+json")


async def _known(db: Database, run_id: str, question: Read[T | None]) -> T:
    found = await db.ask(question)
    if found is None:
        raise RunNotFound(f"There is no such run, or no such part of it: {run_id!r}.", advice="Check the id.")
    return found
