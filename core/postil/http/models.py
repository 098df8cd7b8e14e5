"""Response models: the bodies that the API returns, beyond the records of `postil.model.records`.

Routes return their bodies themselves, so that stored JSON passes through unchanged.
The models describe these bodies in the OpenAPI document, where their names become the names of the schemas.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import (
    Any,
    NotRequired,  # pydantic needs this TypedDict before Python 3.12
)

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

from postil.model.queries import Order, Page, RunPage
from postil.model.records import (
    Annotation,
    Interaction,
    LoggedEvent,
    Run,
    RunStatus,
    Stage,
    ToolCall,
    WaitingInteraction,
)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error: its class, what happened, what to do, and the field at fault if there is one."""

    error: str
    what: str
    advice: str
    field: str | None


@dataclass(frozen=True, slots=True)
class AppliedFilter:
    """The filter, order and limit that a list of runs was read with."""

    status: list[RunStatus]
    q: str | None
    order: Order
    limit: int


@dataclass(frozen=True, slots=True)
class RunList(Page[Run]):
    """Runs, and the filter that was applied; `next` is the cursor of the following page, null on the last one."""

    items: tuple[Run, ...]
    applied: AppliedFilter


@dataclass(frozen=True, slots=True)
class WaitingList(Page[WaitingInteraction]):
    """Pending interactions of all runs; `next` is the cursor of the following page, null on the last one."""

    items: tuple[WaitingInteraction, ...]


@dataclass(frozen=True, slots=True)
class StagePage(RunPage[Stage]):
    """Stages of a run; `head` is the run's last run_seq in the same snapshot."""

    items: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class AnnotationPage(RunPage[Annotation]):
    """Annotations of a run; `head` is the run's last run_seq in the same snapshot."""

    items: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class ToolCallPage(RunPage[ToolCall]):
    """Tool calls of a run; `head` is the run's last run_seq in the same snapshot."""

    items: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class InteractionPage(RunPage[Interaction]):
    """Interactions of a run; `head` is the run's last run_seq in the same snapshot."""

    items: tuple[Interaction, ...]


@dataclass(frozen=True, slots=True)
class EventPage(RunPage[LoggedEvent]):
    """Events of a run; `head` is the run's last run_seq in the same snapshot."""

    items: tuple[LoggedEvent, ...]


class Totals(TypedDict):
    """The number of runs in each status; 10,000 means at least that many."""

    pending: int
    running: int
    waiting_for_interaction: int
    completed: int
    failed: int
    cancelled: int


class Envelope(TypedDict):
    """An event as the CloudEvent 1.0 that Kafka carries."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    recordedtime: datetime
    datacontenttype: str
    tenant: str
    runid: str
    runseq: int
    attempt: int
    rootrun: str
    causationid: NotRequired[str]
    traceparent: NotRequired[str]
    data: dict[str, Any]
