"""The methods that annotate runs, and that create, start and end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from postil.client.methods import write
from postil.commands import (
    Annotate,
    AnnotateMany,
    CancelRun,
    Command,
    CreateRun,
    FinishRun,
    RecordRuns,
    StartRun,
)
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.origins import Context, Trigger
from postil.model.receipts import ImportedRun, Receipt, RunReceipt


class RunMethods:
    """Writes about runs as a whole."""

    @write
    def annotate(
        self,
        run_id: str,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        stage_id: str | None = None,
        idempotency_key: str | None = None,
        live: bool = False,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[list[Receipt]]:
        """Write annotations on a run, each with its event. Returns one receipt per annotation, in order.

        Each of `annotations` is a convention, a dictionary of keys, or a `NewAnnotation`.
        With an `idempotency_key` a repeated call stores nothing, and its receipts have ``created=False``.
        With ``live=True`` the run must not have ended. `postil.commands.Annotate` describes every argument.

        Raises `InvalidAnnotation`, `PayloadTooLarge`, `RunNotFound`, `StageNotFound`, `IdempotencyConflict`,
        and with ``live=True`` also `RunCancelled` and `RunFinished`.
        """
        return Annotate(
            run_id,
            annotations,
            actor=actor,
            stage_id=stage_id,
            idempotency_key=idempotency_key,
            live=live,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def annotate_many(
        self,
        annotations: Mapping[str, Sequence[AnnotationLike]],
        *,
        actor: Actor | None = None,
        idempotency_key: str | None = None,
        live: bool = False,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[dict[str, list[Receipt]]]:
        """Write annotations on several runs, all or nothing. Returns the receipts by run id.

        `annotations` has a list of annotations for each run id. The database locks the runs in the order of their ids,
        so two batches never deadlock. In an error, ``batch[1].annotations[0]`` is the first annotation of the second run.
        `postil.commands.AnnotateMany` describes every argument.

        Raises the errors of `annotate`.
        """
        return AnnotateMany(
            annotations,
            actor=actor,
            idempotency_key=idempotency_key,
            live=live,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def create_run(
        self,
        run_id: str,
        *annotations: AnnotationLike,
        name: str | None = None,
        input: Json = None,  # noqa: A002 (the field's own name)
        trigger: Trigger | None = None,
        parent_id: str | None = None,
        actor: Actor | None = None,
        metadata: Json = None,
        pending: bool = False,
        replay_of: str | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """Create a run under the host system's own id, with annotations. Returns its receipt.

        With ``pending=True`` the run starts later. A second call with the same `name`, `input`, `trigger`, `parent_id`
        and `replay_of` stores nothing, also none of its annotations, and returns ``created=False``.
        `postil.commands.CreateRun` describes every argument.

        Raises `RunExists` if the id belongs to another run, `RunNotFound` if there is no such parent,
        `IdempotencyConflict` if two annotations have one idempotency key,
        and `StageNotFound` if an annotation names a stage: a new run has none.
        """
        return CreateRun(
            run_id,
            annotations,
            name=name,
            input=input,
            trigger=trigger,
            parent_id=parent_id,
            actor=actor,
            metadata=metadata,
            pending=pending,
            replay_of=replay_of,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def start_run(
        self,
        run_id: str,
        *,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """Start a pending run. Returns its receipt, for a running run with ``created=False``.

        `postil.commands.StartRun` describes every argument.

        Raises `RunNotFound`, `RunCancelled`, `RunFinished`.
        """
        return StartRun(run_id, recorded_at=recorded_at, context=context)

    @write
    def finish_run(
        self,
        run_id: str,
        *annotations: AnnotationLike,
        failed: bool = False,
        result: Json = None,
        error: Json = None,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """End a run, completed or with ``failed=True`` failed. Returns its receipt.

        Pending interactions and open stages of the run are cancelled in the same transaction.
        Ending a run the same way again stores nothing and returns ``created=False`` if there are no annotations;
        with annotations it raises `RunFinished`.
        `postil.commands.FinishRun` describes every argument.

        Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `IdempotencyConflict`,
        and `StageNotFound` if an annotation names a stage that the run lacks.
        """
        return FinishRun(
            run_id,
            annotations,
            failed=failed,
            result=result,
            error=error,
            actor=actor,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def cancel_run(
        self,
        run_id: str,
        *,
        reason: str | None = None,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[RunReceipt]:
        """Cancel a run. Returns its receipt. A worker of the run gets `RunCancelled` at its next write.

        Cancelling a cancelled run stores nothing and returns ``created=False``.
        `postil.commands.CancelRun` describes every argument.

        Raises `RunNotFound`, `RunFinished`.
        """
        return CancelRun(run_id, reason=reason, actor=actor, recorded_at=recorded_at, context=context)

    @write
    def record_runs(
        self,
        histories: Sequence[Mapping[str, object]],
        *,
        context: Context | None = None,
    ) -> Command[list[ImportedRun]]:
        """Store whole histories of runs, each run all or nothing. Returns one receipt per history, in order.

        `postil.importers.histories.History` describes a history. `context` becomes part of each event that this call stores.
        Storing the same history again stores nothing and returns ``created=False``.

        `postil.commands.RecordRuns` describes every argument.

        Raises `InvalidInput`, `StageNotFound` if a step names a stage that its history lacks,
        and `IdempotencyConflict` if the run is stored with another history.
        """
        return RecordRuns(histories, context=context)
