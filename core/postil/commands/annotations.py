"""Commands that write annotations and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from postil.commands.base import RunCommand
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.origins import Context
from postil.model.receipts import Receipt
from postil.requests import Command


@dataclass(frozen=True)
class Annotate(RunCommand[list[Receipt]]):
    """Write annotations on a run, each with its event. The result has one receipt per annotation, in order.

    Raises `InvalidAnnotation`, `PayloadTooLarge`, `RunNotFound`, `StageNotFound`, `IdempotencyConflict`,
    and with `live` also `RunCancelled` and `RunFinished`.
    """

    annotations: Sequence[AnnotationLike] = ()
    """What to write: conventions, dictionaries of keys, or `NewAnnotation` objects."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who annotates. Defaults to None: not stated."""

    stage_id: str | None = field(default=None, kw_only=True)
    """The stage that the annotations belong to. Defaults to None: the run as a whole."""

    idempotency_key: str | None = field(default=None, kw_only=True)
    """The idempotency key of each annotation without its own key, 1 to 200 characters.

    Sending the same annotation with the same key again stores nothing; its receipt has ``created=False``.
    Defaults to None: each call writes a new annotation.
    """

    live: bool = field(default=False, kw_only=True)
    """Whether the run must be alive. Defaults to False: a run that has ended can still be annotated."""


@dataclass(frozen=True)
class AnnotateMany(Command[dict[str, list[Receipt]]]):
    """Write annotations on several runs, all or nothing. The result has the receipts by run id.

    The database locks the runs in the order of their ids, so two batches never deadlock.
    In an error, ``batch[1].annotations[0].key`` is the key of the first annotation of the second run.
    Raises the errors of `Annotate`.
    """

    annotations: Mapping[str, Sequence[AnnotationLike]]
    """The annotations of each run, by run id."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who annotates. Defaults to None: not stated."""

    idempotency_key: str | None = field(default=None, kw_only=True)
    """The idempotency key of each annotation without its own key. Defaults to None."""

    live: bool = field(default=False, kw_only=True)
    """Whether the runs must be alive. Defaults to False."""

    recorded_at: datetime | None = field(default=None, kw_only=True)
    """When it happened, with a time zone. Defaults to the start of the transaction."""

    context: Context | None = field(default=None, kw_only=True)
    """The trace and the cause of the write; each of its events carries them. Defaults to None."""
