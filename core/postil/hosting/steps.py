"""What a hosted run writes, said as plans: the state of its stages, their beginnings and ends, and its questions.

TransactionWriter made in a stage are buffered and flushed with its end, in one transaction;
where that is refused they come back on the exception (`unflushed`), so that nothing is lost.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from postil.errors import InteractionEnded, PostilError, RunCancelled, RunFinished
from postil.hosting.driver import Sleep, Steps
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike, NewAnnotation, notes_of, regrouped
from postil.model.json_text import Json
from postil.model.receipts import Receipt
from postil.model.triggers import Trigger
from postil.postgres import writes as journal
from postil.postgres.writes import InteractionState
from postil.postgres.writes.statement import encode_item

ENDED: Final = (RunCancelled, RunFinished)
"""Somebody else ended the run."""

# A message longer than this is cut in the failure.* annotations, with an explicit mark.
MAX_MESSAGE = 4000
_FIRST_POLL, _LAST_POLL = 0.05, 0.5


@dataclass(frozen=True)
class NewRun:
    """What a run is created from."""

    name: str
    said: tuple[AnnotationLike, ...]
    run_id: str | None
    trigger: Trigger | None
    input: Json
    actor: Actor | None
    parent_id: str | None
    metadata: Json


class StagePlans:
    """One stage: its buffer, and what its beginning and end write."""

    def __init__(self, tenant: str, run_id: str, name: str, stage_id: str, actor: Actor | None) -> None:
        self.tenant, self.run_id, self.name, self.id, self.actor = tenant, run_id, name, stage_id, actor
        self.result: Json = None
        self.buffer: list[NewAnnotation] = []

    def note(self, said: tuple[AnnotationLike, ...], idempotency_key: str | None) -> None:
        """Buffer notes; validated now, where the mistake is, and not at the stage's end."""
        notes = list(notes_of(said, idempotency_key=idempotency_key))
        for n, note in enumerate(notes):
            encode_item(note, f"annotations[{n}]")
        self.buffer += regrouped(notes, self.buffer)

    def open(self) -> Steps[None]:
        """Start the stage."""
        yield journal.start_stage(self.tenant, self.run_id, self.name, stage_id=self.id, actor=self.actor)

    def close(self, error: BaseException | None) -> Steps[None]:
        """Complete the stage, or fail it with `error`, flushing what was noted."""
        try:
            if error is None:
                yield journal.complete_stage(
                    self.tenant, self.run_id, self.id, *self.buffer, result=self.result, actor=self.actor
                )
            else:
                yield journal.fail_stage(
                    self.tenant,
                    self.run_id,
                    self.id,
                    *self.buffer,
                    error=error_as_json(error),
                    actor=self.actor,
                )
        except PostilError as refused:
            if error is None or (
                isinstance(refused, ENDED) and isinstance(error, Exception) and not isinstance(error, ENDED)
            ):
                self._hand_back(refused)
                raise
            # Otherwise the work's own failure goes on its way, and ours to record it is told beside it.
            if isinstance(error, PostilError):
                self._hand_back(error)
            if not isinstance(error, ENDED):
                error.add_note(
                    f"Postil could not record this failure, nor {len(self.buffer)} notes: {refused}"
                )

    def _hand_back(self, error: PostilError) -> None:
        """Let the error carry the notes, each saying where it belongs, so that they can be annotated as they are."""
        placed = [
            replace(n, stage_id=n.stage_id or self.id, actor=n.actor or self.actor) for n in self.buffer
        ]
        error.unflushed = (*error.unflushed, *regrouped(placed, error.unflushed))


class RunPlans:
    """One run: what its beginning, its questions and its end write."""

    def __init__(self, tenant: str, opening: NewRun) -> None:
        self.tenant, self.opening = tenant, opening
        self.id = opening.run_id or str(uuid4())
        self.result: Json = None
        self.stages: Counter[str] = Counter()

    def open(self) -> Steps[None]:
        """Create the run."""
        o = self.opening
        yield journal.create_run(
            self.tenant, self.id, *o.said, name=o.name, trigger=o.trigger, input=o.input,
            actor=o.actor, parent_id=o.parent_id, metadata=o.metadata,
        )  # fmt: skip

    def close(self, error: BaseException | None) -> Steps[None]:
        """Complete the run, or record how `error` ended it."""
        try:
            if error is None:
                yield journal.finish_run(self.tenant, self.id, result=self.result)
            elif isinstance(error, (KeyboardInterrupt, asyncio.CancelledError)):
                yield journal.cancel_run(self.tenant, self.id, reason="interrupted", actor=self.opening.actor)
            else:
                yield journal.finish_run(self.tenant, self.id, failed=True, error=error_as_json(error))
        except PostilError as refused:
            if error is None:
                raise
            if not isinstance(error, ENDED):  # then somebody else ended the run, as the error says
                error.add_note(f"Postil could not record this failure: {refused}")

    def stage(self, name: str, stage_id: str | None, actor: Actor | None) -> StagePlans:
        """Begin one more stage."""
        if stage_id is None:
            # A step repeated in a loop is a stage of its own each time.
            self.stages[name] += 1
            stage_id = name if self.stages[name] == 1 else f"{name}~{self.stages[name]}"
        return StagePlans(self.tenant, self.id, name, stage_id, actor or self.opening.actor)

    def ask(
        self, prompt: str, to: str | None, kind: str, interaction_id: str | None, timeout: float | None
    ) -> Steps[Json]:
        """Ask, and wait for the answer."""
        asked: Receipt = yield journal.ask(
            self.tenant, self.id, prompt, to=to, kind=kind, interaction_id=interaction_id
        )
        wait, until = _FIRST_POLL, None if timeout is None else time.monotonic() + timeout
        while True:
            state: InteractionState = yield journal.interaction_state(self.tenant, self.id, asked.id)
            if state.status == "resolved":
                return state.answer
            if state.run_status == "cancelled":
                raise RunCancelled(
                    f"run {self.id} was cancelled while it waited for an answer: {prompt[:80]!r}"
                )
            if state.run_status in {"completed", "failed"}:
                raise RunFinished(f"run {self.id} was ended while it waited for an answer: {prompt[:80]!r}")
            if state.status == "cancelled":
                raise InteractionEnded(
                    f"the question of run {self.id} was withdrawn: {prompt[:80]!r}",
                    advice="Go on without an answer, or ask again under another id.",
                )
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                try:
                    yield journal.cancel_interaction(self.tenant, self.id, asked.id, actor=self.opening.actor)
                except (InteractionEnded, RunCancelled, RunFinished):
                    continue  # answered or ended in the last moment: look again
                raise TimeoutError(f"Nobody answered within {timeout:g} s: {prompt[:80]!r}.")
            yield Sleep(wait if left is None else min(wait, left))
            wait = min(_LAST_POLL, wait * 1.5)


def error_as_json(error: BaseException) -> dict[str, Json]:
    """Return what is kept of an exception: its type, its message (cut with a mark if very long) and where it was raised."""
    message = storable(str, error)
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}… [{len(message) - MAX_MESSAGE} characters more]"
    where = traceback.extract_tb(error.__traceback__, limit=-1)
    last = where[0] if where else None
    return {
        "type": type(error).__qualname__,
        "message": message,
        "where": f"{last.name}, line {last.lineno}" if last else None,
    }


def storable(say: Callable[[object], str], value: object) -> str:
    """Return what `say` (str, repr) says of a value as text PostgreSQL can store, even where it says nonsense or fails."""
    try:
        said = say(value)
    except Exception:  # noqa: BLE001 (a value that cannot even be described must not hide what happened)
        said = f"<{type(value).__qualname__} without a description>"
    return said.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
