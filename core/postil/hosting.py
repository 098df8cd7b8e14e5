"""Hosting a run: what happens inside a ``with postil.run(…)``, written once for threads and for asyncio.

`_RunPlans` and `_StagePlans` hold the state and say what to do as plans; the public classes only drive them.
Notes made in a stage are buffered and flushed with its end, in one transaction;
if the run was cancelled meanwhile the buffered notes come back on the exception (`unflushed`), so that nothing is lost.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, cast
from uuid import uuid4

from postil import journal
from postil.errors import PostilError, RunCancelled, RunFinished
from postil.journal import Call
from postil.jsontext import Json, encode
from postil.model import Actor, Note, Part, Recorded, Said, Trigger, notes_of
from postil.verbs import Pause, Plan, drive, drive_async

# A message longer than this is cut in the failure.* annotations, with an explicit mark.
MAX_MESSAGE = 4000
_FIRST_POLL, _LAST_POLL = 0.05, 0.5


@dataclass(frozen=True)
class Opening:
    """What a run is created from."""

    name: str
    said: tuple[Said, ...]
    run_id: str | None
    trigger: Trigger | None
    input: Json
    actor: Actor | None
    parent_id: str | None
    metadata: Json


class _StagePlans:
    """One stage: its buffer, and what its beginning and end write."""

    def __init__(self, tenant: str, run_id: str, name: str, stage_id: str, actor: Actor | None) -> None:
        self.tenant, self.run_id, self.name, self.id, self.actor = tenant, run_id, name, stage_id, actor
        self.result: Json = None
        self.buffer: list[Note] = []

    def note(self, said: tuple[Said, ...], idempotency_key: str | None) -> None:
        # Validated now, where the mistake is, and not at the stage's end.
        notes = list(notes_of(said, idempotency_key=idempotency_key))
        for n, note in enumerate(notes):
            encode(note.as_item(f"items[{n}]"), f"items[{n}]")
        first = 1 + max((note.group for note in self.buffer if note.group is not None), default=-1)
        self.buffer += [n if n.group is None else replace(n, group=first + n.group) for n in notes]

    def open(self) -> Plan[None]:
        yield journal.start_stage(self.tenant, self.run_id, self.name, stage_id=self.id, actor=self.actor)

    def close(self, error: BaseException | None) -> Plan[None]:
        if isinstance(error, (RunCancelled, RunFinished)):
            error.unflushed = (*error.unflushed, *self.buffer)
            return
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
        except (RunCancelled, RunFinished) as ended:
            ended.unflushed = (*ended.unflushed, *self.buffer)
            raise
        except PostilError as refused:
            # The work's own failure matters more than ours to record it; both are told.
            if error is None:
                raise
            error.add_note(f"Postil could not record this failure: {refused}")


class _RunPlans:
    """One run: what its beginning, its questions and its end write."""

    def __init__(self, tenant: str, opening: Opening) -> None:
        self.tenant, self.opening = tenant, opening
        self.id = opening.run_id or str(uuid4())
        self.result: Json = None
        self.stages: Counter[str] = Counter()

    def open(self) -> Plan[None]:
        o = self.opening
        yield journal.create_run(
            self.tenant, self.id, *o.said, name=o.name, trigger=o.trigger, input=o.input,
            actor=o.actor, parent_id=o.parent_id, metadata=o.metadata,
        )  # fmt: skip

    def close(self, error: BaseException | None) -> Plan[None]:
        if isinstance(error, (RunCancelled, RunFinished)):
            return  # somebody else ended it
        try:
            if error is None:
                yield journal.finish_run(self.tenant, self.id, result=self.result)
            elif isinstance(error, KeyboardInterrupt):
                yield journal.cancel_run(self.tenant, self.id, reason="interrupted", actor=self.opening.actor)
            else:
                yield journal.finish_run(self.tenant, self.id, failed=True, error=error_as_json(error))
        except PostilError as refused:
            if error is None:
                raise
            error.add_note(f"Postil could not record this failure: {refused}")

    def stage(self, name: str, stage_id: str | None, actor: Actor | None) -> _StagePlans:
        if stage_id is None:
            # A step repeated in a loop is a stage of its own each time.
            self.stages[name] += 1
            stage_id = name if self.stages[name] == 1 else f"{name}~{self.stages[name]}"
        return _StagePlans(self.tenant, self.id, name, stage_id, actor or self.opening.actor)

    def ask(
        self, prompt: str, to: str | None, kind: str, interaction_id: str | None, timeout: float | None
    ) -> Plan[Json]:
        asked: Part = yield journal.ask(
            self.tenant, self.id, prompt, to=to, kind=kind, interaction_id=interaction_id
        )
        wait, until = _FIRST_POLL, None if timeout is None else time.monotonic() + timeout
        while True:
            state: str
            answer: Json
            state, answer = yield journal.interaction_state(self.tenant, self.id, asked.id)
            if state == "resolved":
                return answer
            if state == "cancelled":
                raise RunCancelled(f"The question to run {self.id} was withdrawn: {prompt[:80]!r}.")
            if until is not None and time.monotonic() >= until:
                yield journal.cancel_interaction(self.tenant, self.id, asked.id, actor=self.opening.actor)
                raise TimeoutError(f"Nobody answered within {timeout:g} s: {prompt[:80]!r}.")
            yield Pause(wait)
            wait = min(_LAST_POLL, wait * 1.5)


def error_as_json(error: BaseException) -> dict[str, Json]:
    """Return what is kept of an exception: its type, its message (cut with a mark if very long) and where it was raised."""
    message = str(error).replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}… [{len(message) - MAX_MESSAGE} characters more]"
    where = traceback.extract_tb(error.__traceback__)
    last = where[-1] if where else None
    return {
        "type": type(error).__qualname__,
        "message": message,
        "where": f"{last.name}, line {last.lineno}" if last else None,
    }


class HostedStage:
    """A stage being worked on; `result` is stored with its completion."""

    def __init__(self, plans: _StagePlans, run: Callable[[Call[Any]], Any]) -> None:
        self._plans, self._run = plans, run

    @property
    def id(self) -> str:
        """The stage's id within the run's attempt."""
        return self._plans.id

    def annotate(
        self, *said: Said, durable: bool = False, idempotency_key: str | None = None
    ) -> list[Recorded]:
        """Note something about this stage: kept until its end, or written through at once if `durable`.

        Answers what was written, which is nothing yet for what is kept. Raises `InvalidAnnotation` at once either way.
        """
        if not durable:
            self._plans.note(said, idempotency_key)
            return []
        p = self._plans
        return cast("list[Recorded]", self._run(_durable(p, said, idempotency_key)))

    def complete(self, result: Json) -> None:
        """Say what the stage's result is; it is stored when the stage ends."""
        self._plans.result = result

    def __enter__(self) -> Self:
        drive(self._plans.open(), self._run)
        self._token = current_stage.set(self._plans.id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current_stage.reset(self._token)
        drive(self._plans.close(error), self._run)


class AsyncHostedStage:
    """As `HostedStage`, with ``async with``."""

    def __init__(self, plans: _StagePlans, run: Callable[[Call[Any]], Coroutine[Any, Any, Any]]) -> None:
        self._plans, self._run = plans, run

    @property
    def id(self) -> str:
        """The stage's id within the run's attempt."""
        return self._plans.id

    def annotate(self, *said: Said, idempotency_key: str | None = None) -> None:
        """Note something about this stage, kept until its end. Raises `InvalidAnnotation` at once."""
        self._plans.note(said, idempotency_key)

    async def annotate_durable(self, *said: Said, idempotency_key: str | None = None) -> list[Recorded]:
        """Write something about this stage through at once."""
        return cast("list[Recorded]", await self._run(_durable(self._plans, said, idempotency_key)))

    def complete(self, result: Json) -> None:
        """Say what the stage's result is; it is stored when the stage ends."""
        self._plans.result = result

    async def __aenter__(self) -> Self:
        await drive_async(self._plans.open(), self._run)
        self._token = current_stage.set(self._plans.id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current_stage.reset(self._token)
        await drive_async(self._plans.close(error), self._run)


def _durable(p: _StagePlans, said: tuple[Said, ...], idempotency_key: str | None) -> Call[list[Recorded]]:
    return journal.annotate(
        p.tenant, p.run_id, *said, stage_id=p.id, actor=p.actor, idempotency_key=idempotency_key, live=True
    )


class HostedRun:
    """A run being worked on; `result` is stored with its completion."""

    def __init__(self, tenant: str, run: Callable[[Call[Any]], Any], opening: Opening) -> None:
        self._plans, self.perform = _RunPlans(tenant, opening), run

    @property
    def tenant(self) -> str:
        """The run's tenant."""
        return self._plans.tenant

    @property
    def id(self) -> str:
        """The run's id."""
        return self._plans.id

    def annotate(
        self, *said: Said, actor: Actor | None = None, idempotency_key: str | None = None
    ) -> list[Recorded]:
        """Record facts on the run, at once."""
        p = self._plans
        call = journal.annotate(
            p.tenant, p.id, *said, actor=actor or p.opening.actor, idempotency_key=idempotency_key, live=True
        )
        return cast("list[Recorded]", self.perform(call))

    def stage(self, name: str, *, stage_id: str | None = None, actor: Actor | None = None) -> HostedStage:
        """Work on a named step; its notes are flushed with its end, in one transaction."""
        return HostedStage(self._plans.stage(name, stage_id, actor), self.perform)

    def ask(
        self,
        prompt: str,
        *,
        to: str | None = None,
        kind: str = "approval",
        interaction_id: str | None = None,
        timeout: float | None = None,
    ) -> Json:
        """Suspend the run on a question until somebody answers it on the page, the command line, or in SQL; returns the answer.

        With an `interaction_id` of one's own, asking again (after a lost connection, say) waits for the same answer.
        Raises `RunCancelled` if it is withdrawn or the run cancelled, TimeoutError after `timeout` seconds.
        """
        return drive(self._plans.ask(prompt, to, kind, interaction_id, timeout), self.perform)

    def complete(self, result: Json) -> None:
        """Say what the run's result is; it is stored when the run ends."""
        self._plans.result = result

    def __enter__(self) -> Self:
        drive(self._plans.open(), self.perform)
        self._token: Token[HostedRun | AsyncHostedRun | None] = current_run.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current_run.reset(self._token)
        drive(self._plans.close(error), self.perform)


class AsyncHostedRun:
    """As `HostedRun`, with ``async with``; what writes is awaited."""

    def __init__(
        self, tenant: str, run: Callable[[Call[Any]], Coroutine[Any, Any, Any]], opening: Opening
    ) -> None:
        self._plans, self.perform = _RunPlans(tenant, opening), run

    @property
    def tenant(self) -> str:
        """The run's tenant."""
        return self._plans.tenant

    @property
    def id(self) -> str:
        """The run's id."""
        return self._plans.id

    async def annotate(
        self, *said: Said, actor: Actor | None = None, idempotency_key: str | None = None
    ) -> list[Recorded]:
        """Record facts on the run, at once."""
        p = self._plans
        call = journal.annotate(
            p.tenant, p.id, *said, actor=actor or p.opening.actor, idempotency_key=idempotency_key, live=True
        )
        return cast("list[Recorded]", await self.perform(call))

    def stage(
        self, name: str, *, stage_id: str | None = None, actor: Actor | None = None
    ) -> AsyncHostedStage:
        """Work on a named step; its notes are flushed with its end, in one transaction."""
        return AsyncHostedStage(self._plans.stage(name, stage_id, actor), self.perform)

    async def ask(
        self,
        prompt: str,
        *,
        to: str | None = None,
        kind: str = "approval",
        interaction_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (recorded as withdrawn)
    ) -> Json:
        """Suspend the run on a question until somebody answers it, as `HostedRun.ask` does."""
        return await drive_async(
            self._plans.ask(prompt, to, kind, interaction_id, timeout), self.perform
        )

    def complete(self, result: Json) -> None:
        """Say what the run's result is; it is stored when the run ends."""
        self._plans.result = result

    async def __aenter__(self) -> Self:
        await drive_async(self._plans.open(), self.perform)
        self._token: Token[HostedRun | AsyncHostedRun | None] = current_run.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current_run.reset(self._token)
        await drive_async(self._plans.close(error), self.perform)


current_run: ContextVar[HostedRun | AsyncHostedRun | None] = ContextVar("postil_run", default=None)
"""The run being hosted in this thread or task."""

current_stage: ContextVar[str | None] = ContextVar("postil_stage", default=None)
"""The id of the stage being worked on in this thread or task."""
