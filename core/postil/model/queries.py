"""Queries of the history: filters, limits, pages, and the cursors that keep pages stable.

Pure: `postil.postgres.reads` turns these into SQL.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, cast

from postil.errors import PostilError
from postil.model.records import RUN_STATUSES, RunStatus

T = TypeVar("T")

Order = Literal["newest", "oldest"]

COUNT_CAP = 1_000
"""Counts inside a list of runs stop here, so that one enormous run cannot slow the list."""

TOTAL_CAP = 10_000
"""Counts over all runs stop here, for the same reason."""


class InvalidQuery(PostilError):
    """A filter, limit or cursor is malformed; `field` names it."""

    def __init__(self, field: str, what: str, *, advice: str) -> None:
        self.field = field
        super().__init__(f"{field}: {what}", advice=advice)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list: `next` is the cursor of the following page, None on the last one."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class RunPage(Generic[T]):
    """Some of what belongs to one run, and the run's `head` in the very snapshot it was read in.

    Whoever follows the run live applies only events beyond `head`, and so counts nothing twice.
    """

    items: tuple[T, ...]
    next: str | None
    head: int


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs: any of `statuses` (empty: all), whose id or name contains `text` (case does not matter)."""

    statuses: frozenset[RunStatus] = field(default_factory=frozenset[RunStatus])
    text: str | None = None

    @classmethod
    def parse(cls, *, statuses: Sequence[str] = (), text: str | None = None) -> RunFilter:
        """Check what a user typed; raises `InvalidQuery` naming the field."""
        for status in statuses:
            if status not in RUN_STATUSES:
                raise InvalidQuery(
                    "status", f"there is no status “{status}”.", advice=f"One of: {', '.join(RUN_STATUSES)}."
                )
        if text is not None:
            check_text("q", text)
        return cls(frozenset(cast("Sequence[RunStatus]", statuses)), text or None)


def check_text(field: str, text: str, *, longest: int = 200) -> str:
    """Return `text` if it can be an id or a search in PostgreSQL; raises `InvalidQuery` naming `field`."""
    if len(text) > longest:
        raise InvalidQuery(
            field, f"is {len(text):,} characters long.", advice=f"At most {longest} are possible."
        )
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidQuery(field, "has a NUL or half a surrogate, which is no text.", advice="Leave it out.")
    return text


def check_limit(limit: int, *, most: int = 100) -> int:
    """Return `limit` if it lies in 1 to `most`; raises `InvalidQuery`."""
    if not 1 <= limit <= most:
        raise InvalidQuery("limit", f"{limit} is out of range.", advice=f"Ask for 1 to {most}.")
    return limit


def encode_cursor(*place: str | int | datetime) -> str:
    """The place after the last item of a page: opaque to clients, stable while items are added."""
    plain = [part.isoformat() if isinstance(part, datetime) else part for part in place]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type[str | int | datetime]) -> tuple[Any, ...]:
    """Read a cursor back; raises `InvalidQuery` if it is none of ours, or one of another list."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        plain: object = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(plain, list) or len(cast("list[object]", plain)) != len(kinds):
            raise TypeError  # noqa: TRY301 (one answer for every way a cursor can be wrong)
        return tuple(_read(part, kind) for part, kind in zip(cast("list[object]", plain), kinds, strict=True))
    except (ValueError, TypeError, RecursionError):
        raise InvalidQuery(
            "cursor", "is not one this list gave out.", advice="Pass on `next` of the page before, unchanged."
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
