"""The methods that start, change and end the stages of a run."""

from __future__ import annotations

from datetime import datetime

from postil.client.methods import write
from postil.commands import Command, CompleteStage, FailStage, ResumeStage, StartStage, SuspendStage
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.origins import Context
from postil.model.receipts import RunReceipt


class StageMethods:
    """Writes about stages."""

    @write
    def start_stage(
        self,
        run_id: str,
        name: str,
        *,
        stage_id: str | None = None,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """Start a stage of a run. Returns its receipt.

        The stage's id is its `name`, unless `stage_id` is given; a repeated step needs another id each time.
        Starting it again stores nothing and returns ``created=False``.
        `postil.commands.StartStage` describes every argument.

        Raises `RunNotFound`, `RunCancelled`, `RunFinished`, and `StageEnded` if the stage has ended.
        """
        return StartStage(
            run_id, name, stage_id=stage_id, actor=actor, recorded_at=recorded_at, context=context
        )

    @write
    def complete_stage(
        self,
        run_id: str,
        stage_id: str,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        result: Json = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """Complete a stage, with annotations of the stage. Returns its receipt.

        Completing it again with the same `result` and no annotations stores nothing and returns ``created=False``.
        `postil.commands.CompleteStage` describes every argument.

        Raises `RunNotFound`, `StageNotFound`, `StageEnded`, `RunCancelled`, `RunFinished`, `IdempotencyConflict`.
        Nothing is stored then.
        """
        return CompleteStage(
            run_id,
            stage_id,
            annotations,
            actor=actor,
            result=result,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def fail_stage(
        self,
        run_id: str,
        stage_id: str,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        error: Json = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """End a stage as failed, with annotations of the stage. Returns its receipt.

        The members ``type`` and ``message`` of `error` are also stored as ``failure.*`` annotations.
        `postil.commands.FailStage` describes every argument.

        Raises the errors of `complete_stage`.
        """
        return FailStage(
            run_id, stage_id, annotations, actor=actor, error=error, recorded_at=recorded_at, context=context
        )

    @write
    def suspend_stage(
        self,
        run_id: str,
        stage_id: str,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """Suspend a stage, with annotations of the stage. Returns its receipt.

        `postil.commands.SuspendStage` describes every argument.

        Raises the errors of `complete_stage`.
        """
        return SuspendStage(
            run_id, stage_id, annotations, actor=actor, recorded_at=recorded_at, context=context
        )

    @write
    def resume_stage(
        self,
        run_id: str,
        stage_id: str,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """Resume a suspended stage, with annotations of the stage. Returns its receipt.

        `postil.commands.ResumeStage` describes every argument.

        Raises the errors of `complete_stage`.
        """
        return ResumeStage(
            run_id, stage_id, annotations, actor=actor, recorded_at=recorded_at, context=context
        )
