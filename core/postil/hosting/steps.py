"""The steps of hosted runs and stages: start, end and ask. Pure: `postil.hosting.driver` carries them out.

The annotations of a stage are buffered and written with its end, in one transaction.
If that write is refused, the exception carries them (`PostilError.unflushed`), so that none is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from postil.commands import (
    Annotate,
    Ask,
    CancelInteraction,
    CancelRun,
    CompleteStage,
    CreateRun,
    FailStage,
    FinishRun,
    StartStage,
)
from postil.errors import InteractionEnded, PostilError, RunCancelled, RunFinished
from postil.hosting.driver import Sleep, Steps
from postil.hosting.exceptions import error_as_json
from postil.model.actors import Actor
from postil.model.annotations import (
    AnnotationLike,
    NewAnnotation,
    annotations_to_json,
    expand,
    renumber_groups,
)
from postil.model.identifiers import StageIds
from postil.model.json_text import Json
from postil.model.queries import InteractionStateQuery
from postil.model.receipts import Receipt
from postil.model.records import InteractionState
from postil.model.values import checked

ENDED: Final = (RunCancelled, RunFinished)
"""Errors that mean that the run was ended by another process."""

FIRST_POLL = 0.05  # seconds
LAST_POLL = 0.5  # seconds


class StageSteps:
    """The steps of one stage, with the buffer of its annotations."""

    def __init__(self, run: CreateRun, name: str, stage_id: str, actor: Actor | None) -> None:
        self.run, self.name, self.id, self.actor = run, name, stage_id, actor
        self.result: Json = None
        self.buffer: list[NewAnnotation] = []

    def note(self, annotations: Sequence[AnnotationLike], idempotency_key: str | None) -> None:
        """Buffer annotations. Raises `InvalidAnnotation` now, at the place of the mistake, and not at the stage's end."""
        expanded = expand(annotations, idempotency_key=idempotency_key)
        annotations_to_json(annotations, idempotency_key=idempotency_key)
        self.buffer += renumber_groups(expanded, self.buffer)

    def annotate(self, annotations: Sequence[AnnotationLike], idempotency_key: str | None) -> Annotate:
        """Return the command that writes annotations of the stage at once."""
        return Annotate(
            self.run.run_id,
            annotations,
            stage_id=self.id,
            actor=self.actor,
            idempotency_key=idempotency_key,
            live=True,
            context=self.run.context,
        )

    def open(self) -> Steps[None]:
        """Start the stage."""
        yield StartStage(
            self.run.run_id, self.name, stage_id=self.id, actor=self.actor, context=self.run.context
        )

    def close(self, error: BaseException | None) -> Steps[None]:
        """Complete the stage, or fail it with `error`; write the buffered annotations with it."""
        run_id, context = self.run.run_id, self.run.context
        try:
            if error is None:
                yield CompleteStage(
                    run_id, self.id, self.buffer, result=self.result, actor=self.actor, context=context
                )
            else:
                yield FailStage(
                    run_id,
                    self.id,
                    self.buffer,
                    error=error_as_json(error),
                    actor=self.actor,
                    context=context,
                )
        except PostilError as refusal:
            ends_the_work = isinstance(error, Exception) and not isinstance(error, ENDED)
            if error is None or (isinstance(refusal, ENDED) and ends_the_work):
                self._hand_back(refusal)
                raise
            # Otherwise let the original exception propagate, and attach the refusal as an exception note.
            if isinstance(error, PostilError):
                self._hand_back(error)
            if not isinstance(error, ENDED):
                error.add_note(
                    f"Postil could not record this failure, nor {len(self.buffer)} annotations: {refusal}"
                )

    def _hand_back(self, error: PostilError) -> None:
        """Attach the buffered annotations to the error, with stage and actor filled in, so that they can be written again."""
        annotations = [
            replace(
                annotation,
                stage_id=annotation.stage_id or self.id,
                actor=annotation.actor or self.actor,
            )
            for annotation in self.buffer
        ]
        error.unflushed = (*error.unflushed, *renumber_groups(annotations, error.unflushed))


class RunSteps:
    """The steps of one run. `command` creates it.

    Its context applies to every write of the run. Its actor is the default of annotations and stages.
    """

    def __init__(self, command: CreateRun) -> None:
        self.command = command
        self.id, self.actor, self.context = command.run_id, command.actor, command.context
        self.result: Json = None
        self.stage_ids = StageIds()

    def annotate(
        self, annotations: Sequence[AnnotationLike], actor: Actor | None, idempotency_key: str | None
    ) -> Annotate:
        """Return the command that writes annotations of the run at once."""
        return Annotate(
            self.id,
            annotations,
            actor=actor or self.actor,
            idempotency_key=idempotency_key,
            live=True,
            context=self.context,
        )

    def open(self) -> Steps[None]:
        """Create the run."""
        yield self.command

    def close(self, error: BaseException | None) -> Steps[None]:
        """Complete the run; cancel it if `error` is an interruption, and fail it with any other error."""
        try:
            if error is None:
                yield FinishRun(self.id, result=self.result, context=self.context)
            elif isinstance(error, (KeyboardInterrupt, asyncio.CancelledError)):
                yield CancelRun(self.id, reason="interrupted", actor=self.actor, context=self.context)
            else:
                yield FinishRun(self.id, failed=True, error=error_as_json(error), context=self.context)
        except PostilError as refusal:
            if error is None:
                raise
            if not isinstance(error, ENDED):  # those report already that another process ended the run
                error.add_note(f"Postil could not record this failure: {refusal}")

    def stage(self, name: str, stage_id: str | None, actor: Actor | None) -> StageSteps:
        """Return the steps of one more stage. The id of a repeated step gets a number: ``name~2``."""
        if stage_id is None:
            stage_id = self.stage_ids.next(checked(name, str, "name"))
        else:
            self.stage_ids.reserve(checked(stage_id, str, "stage_id"))
        return StageSteps(self.command, name, stage_id, actor or self.actor)

    def ask(
        self, prompt: str, to: str | None, kind: str, interaction_id: str | None, timeout: float | None
    ) -> Steps[Json]:
        """Ask a question, and poll until it is resolved. Returns the answer."""
        receipt: Receipt = yield Ask(
            self.id, prompt, to=to, kind=kind, interaction_id=interaction_id, context=self.context
        )
        interval, deadline = FIRST_POLL, None if timeout is None else time.monotonic() + timeout
        while True:
            state: InteractionState = yield InteractionStateQuery(self.id, receipt.id)
            if state.status == "resolved":
                return state.answer
            self._refuse_ended(state, prompt)
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                try:
                    yield CancelInteraction(self.id, receipt.id, actor=self.actor, context=self.context)
                except (InteractionEnded, RunCancelled, RunFinished):
                    continue  # the interaction or the run ended just now: read its state again
                raise TimeoutError(f"There was no answer within {timeout:g} s: {prompt[:80]!r}.")
            yield Sleep(interval if remaining is None else min(interval, remaining))
            interval = min(LAST_POLL, interval * 1.5)

    def _refuse_ended(self, state: InteractionState, prompt: str) -> None:
        if state.run_status == "cancelled":
            raise RunCancelled(f"run {self.id} was cancelled while it waited for an answer: {prompt[:80]!r}")
        if state.run_status in {"completed", "failed"}:
            raise RunFinished(f"run {self.id} was ended while it waited for an answer: {prompt[:80]!r}")
        if state.status == "cancelled":
            raise InteractionEnded(
                f"the question of run {self.id} was withdrawn: {prompt[:80]!r}",
                advice="Continue without an answer, or ask again under another id.",
            )
