"""Commands that create, start and end runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from postil.commands.base import RunCommand
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.origins import Context, Trigger
from postil.model.receipts import ImportedRun, RunReceipt
from postil.requests import Command


@dataclass(frozen=True)
class CreateRun(RunCommand[RunReceipt]):
    """Create a run.

    A second call with the same `name`, `input`, `trigger`, `parent_id` and `replay_of` stores nothing, also none of its
    annotations: the receipt has ``created=False`` and no receipts of annotations.
    Raises `RunExists` if the id belongs to another run, `RunNotFound` if there is no such parent,
    `IdempotencyConflict` if two annotations have one idempotency key,
    and `StageNotFound` if an annotation names a stage: a new run has none.
    """

    annotations: Sequence[AnnotationLike] = ()
    """Annotations to write with the run. Defaults to none."""

    name: str | None = field(default=None, kw_only=True)
    """What is run, for example the name of the workflow; 1 to 200 characters. Defaults to the run's id."""

    input: Json = field(default=None, kw_only=True)
    """What the run starts from, at most 256 KiB of JSON text. Defaults to None: no input."""

    trigger: Trigger | None = field(default=None, kw_only=True)
    """What started the run. Defaults to ``Trigger("sdk", "trigger")``."""

    parent_id: str | None = field(default=None, kw_only=True)
    """The id of the run that started this one. Defaults to None: a root run."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who started the run. Defaults to None: not stated."""

    metadata: Json = field(default=None, kw_only=True)
    """More data about the run, at most 256 KiB of JSON text. Defaults to None: no metadata."""

    pending: bool = field(default=False, kw_only=True)
    """Whether the run starts later. Defaults to False: it starts now."""

    replay_of: str | None = field(default=None, kw_only=True)
    """The id of the run that this one repeats. Defaults to None."""


@dataclass(frozen=True)
class StartRun(RunCommand[RunReceipt]):
    """Start a pending run. Starting a running run stores nothing; its receipt has ``created=False``.

    Raises `RunNotFound`, `RunCancelled`, `RunFinished`.
    """


@dataclass(frozen=True)
class FinishRun(RunCommand[RunReceipt]):
    """End a run, completed or failed. Its pending interactions and open stages are cancelled in the same transaction.

    Ending a run the same way again stores nothing if there are no annotations: the receipt has ``created=False``.
    With annotations it raises `RunFinished`.
    Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `IdempotencyConflict`,
    and `StageNotFound` if an annotation names a stage that the run lacks.
    """

    annotations: Sequence[AnnotationLike] = ()
    """Annotations to write with the end. Defaults to none."""

    failed: bool = field(default=False, kw_only=True)
    """Whether the run failed. Defaults to False: it completed."""

    result: Json = field(default=None, kw_only=True)
    """What the run produced, at most 256 KiB of JSON text. Defaults to None: no result."""

    error: Json = field(default=None, kw_only=True)
    """What went wrong, at most 256 KiB of JSON text. Defaults to None: no error."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who ended the run. Defaults to None: not stated."""


@dataclass(frozen=True)
class CancelRun(RunCommand[RunReceipt]):
    """Cancel a run. A worker of the run gets `RunCancelled` at its next write.

    Cancelling a cancelled run stores nothing; its receipt has ``created=False``.
    Raises `RunNotFound`, `RunFinished`.
    """

    reason: str | None = field(default=None, kw_only=True)
    """Why, at most 2,000 characters; stored as the annotation ``cancellation.reason``. Defaults to None."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who cancels. Defaults to None: not stated."""


@dataclass(frozen=True)
class RecordRuns(Command[list[ImportedRun]]):
    """Store whole histories of runs, each run all or nothing. The result has one receipt per history, in order.

    Storing the same history again stores nothing; its receipt has ``created=False``.
    Raises `InvalidInput`, `StageNotFound` if a step names a stage that its history lacks,
    and `IdempotencyConflict` if the run is stored with another history.
    """

    histories: Sequence[Mapping[str, object]]
    """The histories, as `postil.importers.histories.History` describes them.

    Each history and each of its steps has its own time.
    """

    context: Context | None = field(default=None, kw_only=True)
    """The trace and the cause of the write; each of its events carries them. Defaults to None."""
