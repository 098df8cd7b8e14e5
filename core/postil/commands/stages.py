"""Commands about the stages of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postil.commands.base import RunCommand
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.receipts import RunReceipt


@dataclass(frozen=True)
class StartStage(RunCommand[RunReceipt]):
    """Start a stage of a run. Starting it again stores nothing; its receipt has ``created=False``.

    Raises `RunNotFound`, `RunCancelled`, `RunFinished`, and `StageEnded` if the stage has ended.
    """

    name: str
    """The name of the step, 1 to 200 characters."""

    stage_id: str | None = field(default=None, kw_only=True)
    """The stage's id within the run's attempt. Defaults to its name; a repeated step needs another id each time."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who works on the stage. Defaults to None: not stated."""


@dataclass(frozen=True)
class StageCommand(RunCommand[RunReceipt]):
    """A command that changes the status of a stage and writes annotations of the stage.

    Repeating the change with the same result or error stores nothing if there are no annotations:
    the receipt has ``created=False``.
    Raises `RunNotFound`, `StageNotFound`, `StageEnded`, `RunCancelled`, `RunFinished`, `IdempotencyConflict`.
    Nothing is stored then.
    """

    stage_id: str
    """The stage's id within the run's attempt."""

    annotations: Sequence[AnnotationLike] = ()
    """Annotations of the stage to write with the change. Defaults to none."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who makes the change. Defaults to None: not stated."""


@dataclass(frozen=True)
class CompleteStage(StageCommand):
    """Complete a stage. Raises the errors of `StageCommand`."""

    result: Json = field(default=None, kw_only=True)
    """What the stage produced, at most 256 KiB of JSON text. Defaults to None: no result."""


@dataclass(frozen=True)
class FailStage(StageCommand):
    """End a stage as failed. Raises the errors of `StageCommand`."""

    error: Json = field(default=None, kw_only=True)
    """What went wrong, at most 256 KiB of JSON text. Defaults to None: no error.

    The members ``type`` and ``message`` are also stored as the annotations ``failure.type`` and ``failure.message``.
    """


@dataclass(frozen=True)
class SuspendStage(StageCommand):
    """Suspend a stage. Raises the errors of `StageCommand`."""


@dataclass(frozen=True)
class ResumeStage(StageCommand):
    """Resume a suspended stage. Raises the errors of `StageCommand`."""
