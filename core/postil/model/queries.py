"""Queries: the filters, limits, pages and cursors of reads.

Pure: `postil.postgres.reads` turns queries into SQL.
A cursor names the last item of a page, so that pages neither repeat nor skip items while items are added.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, cast

from postil.errors import PostilError
from postil.model.records import RUN_STATUSES, InteractionState, RunStatus
from postil.requests import Query

T = TypeVar("T")

Order = Literal["newest", "oldest"]

COUNT_CAP = 1_000
"""Counts within one run stop at this number, so that one very large run cannot slow a list of runs."""

TOTAL_CAP = 10_000
"""Counts over all runs stop at this number, for the same reason."""


class InvalidQuery(PostilError):
    """A filter, limit or cursor is malformed. `field` names it."""

    def __init__(self, field: str, what: str, *, advice: str) -> None:
        self.field = field
        super().__init__(f"{field}: {what}", advice=advice)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next` is the cursor of the next page; None on the last page."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class RunPage(Generic[T]):
    """One page of what belongs to a run. `next` is the cursor of the next page; None on the last page.

    `head` is the run_seq of the run's last event, read in the same snapshot as the page.
    A reader that follows the run live applies only later events, so that it counts nothing twice.
    """

    items: tuple[T, ...]
    next: str | None
    head: int


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list.

    `statuses` selects the runs with any of these statuses. Defaults to none given: every status.
    `text` selects the runs whose id or name contains it, in upper or lower case. Defaults to None: every run.
    """

    statuses: frozenset[RunStatus] = field(default_factory=frozenset[RunStatus])
    text: str | None = None

    @classmethod
    def parse(cls, *, statuses: Sequence[str] = (), text: str | None = None) -> RunFilter:
        """Check the filter that a user typed. Raises `InvalidQuery` naming the field."""
        for status in statuses:
            if status not in RUN_STATUSES:
                raise InvalidQuery(
                    "status", f"there is no status “{status}”.", advice=f"One of: {', '.join(RUN_STATUSES)}."
                )
        if text is not None:
            check_text("q", text)
        return cls(frozenset(cast("Sequence[RunStatus]", statuses)), text or None)


def check_text(field: str, text: str, *, longest: int = 200) -> str:
    """Return `text`. Raises `InvalidQuery` naming `field` if PostgreSQL cannot store it, or it has over `longest` characters."""
    if len(text) > longest:
        raise InvalidQuery(
            field, f"is {len(text):,} characters long.", advice=f"At most {longest} are possible."
        )
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidQuery(field, "has a NUL or half a surrogate, which is not text.", advice="Leave it out.")
    return text


def check_limit(limit: int, *, most: int = 100) -> int:
    """Return `limit`. Raises `InvalidQuery` unless it is from 1 to `most`."""
    if not 1 <= limit <= most:
        raise InvalidQuery("limit", f"{limit} is out of range.", advice=f"Ask for 1 to {most}.")
    return limit


def encode_cursor(*place: str | int | datetime) -> str:
    """Return the cursor for the page after an item, from the item's sort key. It is opaque to clients."""
    plain = [part.isoformat() if isinstance(part, datetime) else part for part in place]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type[str | int | datetime]) -> tuple[Any, ...]:
    """Return the sort key in a cursor. Raises `InvalidQuery` if it is malformed, or the cursor of another list."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        plain: object = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(plain, list) or len(cast("list[object]", plain)) != len(kinds):
            raise TypeError  # noqa: TRY301 (one error for every way a cursor can be wrong)
        return tuple(_read(part, kind) for part, kind in zip(cast("list[object]", plain), kinds, strict=True))
    except (ValueError, TypeError, RecursionError):
        raise InvalidQuery(
            "cursor", "is not a cursor of this list.", advice="Pass `next` of the page before, unchanged."
        ) from None


def _read(part: object, kind: type[str | int | datetime]) -> str | int | datetime:
    if kind is datetime and isinstance(part, str):
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is None:
            raise TypeError
        return moment
    if kind is int and isinstance(part, int) and not isinstance(part, bool) and -(2**63) <= part < 2**63:
        return part
    if kind is str and isinstance(part, str):
        return check_text("cursor", part)
    raise TypeError


@dataclass(frozen=True)
class InteractionStateQuery(Query[InteractionState]):
    """Read the state of one interaction and of its run."""

    run_id: str
    """The id of the run."""

    interaction_id: str
    """The id of the interaction within the run."""
