"""What all commands about one run have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from postil.model.origins import Context
from postil.requests import Command

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class RunCommand(Command[T_co]):
    """A command about one run of the tenant."""

    run_id: str
    """The id of the run: the host system's own id, 1 to 200 characters, unique within the tenant."""

    recorded_at: datetime | None = field(default=None, kw_only=True)
    """When it happened, with a time zone. Defaults to the start of the transaction."""

    context: Context | None = field(default=None, kw_only=True)
    """The trace and the cause of the write; each of its events carries them. Defaults to None."""
