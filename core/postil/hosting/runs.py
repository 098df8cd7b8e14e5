"""Hosting a run: what happens inside a ``with postil.run(…)``, for threads and for asyncio.

Everything that decides is in `postil.hosting.steps`; the classes here only drive it, at once or when awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from postil.hosting.driver import drive, drive_async
from postil.hosting.steps import NewRun, RunPlans, StagePlans
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.receipts import Receipt
from postil.postgres import writes as journal
from postil.postgres.writes import Call

T = TypeVar("T")


def _leave(variable: ContextVar[T], token: Token[T]) -> None:
    # A generator that hosts a run may be closed in another context than it began in; there is nothing to undo then.
    with suppress(ValueError):
        variable.reset(token)


class HostedStage:
    """A stage being worked on; `result` is stored with its completion."""

    def __init__(self, plans: StagePlans, run: Callable[[Call[Any]], Any]) -> None:
        self._plans, self._run = plans, run

    @property
    def id(self) -> str:
        """The stage's id within the run's attempt."""
        return self._plans.id

    def annotate(
        self, *said: AnnotationLike, durable: bool = False, idempotency_key: str | None = None
    ) -> list[Receipt]:
        """Annotate about this stage: kept until its end, or written through at once if `durable`.

        Answers what was written, which is nothing yet for what is kept. Raises `InvalidAnnotation` at once either way.
        """
        if not durable:
            self._plans.note(said, idempotency_key)
            return []
        p = self._plans
        return cast("list[Receipt]", self._run(_durable(p, said, idempotency_key)))

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
        _leave(current_stage, self._token)
        drive(self._plans.close(error), self._run)


class AsyncHostedStage:
    """As `HostedStage`, with ``async with``."""

    def __init__(self, plans: StagePlans, run: Callable[[Call[Any]], Coroutine[Any, Any, Any]]) -> None:
        self._plans, self._run = plans, run

    @property
    def id(self) -> str:
        """The stage's id within the run's attempt."""
        return self._plans.id

    def annotate(self, *said: AnnotationLike, idempotency_key: str | None = None) -> None:
        """Annotate about this stage, kept until its end. Raises `InvalidAnnotation` at once."""
        self._plans.note(said, idempotency_key)

    async def annotate_durable(
        self, *said: AnnotationLike, idempotency_key: str | None = None
    ) -> list[Receipt]:
        """Write something about this stage through at once."""
        return cast("list[Receipt]", await self._run(_durable(self._plans, said, idempotency_key)))

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
        _leave(current_stage, self._token)
        # Shielded: a second cancellation must not keep the first from being recorded.
        await asyncio.shield(drive_async(self._plans.close(error), self._run))


def _durable(
    p: StagePlans, said: tuple[AnnotationLike, ...], idempotency_key: str | None
) -> Call[list[Receipt]]:
    return journal.annotate(
        p.tenant, p.run_id, *said, stage_id=p.id, actor=p.actor, idempotency_key=idempotency_key, live=True
    )


class HostedRun:
    """A run being worked on; `result` is stored with its completion."""

    def __init__(self, tenant: str, run: Callable[[Call[Any]], Any], opening: NewRun) -> None:
        self._plans, self.perform = RunPlans(tenant, opening), run

    @property
    def tenant(self) -> str:
        """The run's tenant."""
        return self._plans.tenant

    @property
    def id(self) -> str:
        """The run's id."""
        return self._plans.id

    def annotate(
        self, *said: AnnotationLike, actor: Actor | None = None, idempotency_key: str | None = None
    ) -> list[Receipt]:
        """Record facts on the run, at once."""
        p = self._plans
        call = journal.annotate(
            p.tenant, p.id, *said, actor=actor or p.opening.actor, idempotency_key=idempotency_key, live=True
        )
        return cast("list[Receipt]", self.perform(call))

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
        Raises `InteractionEnded` if it is withdrawn, `RunCancelled` if the run is cancelled meanwhile,
        and TimeoutError after `timeout` seconds.
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
        _leave(current_run, self._token)
        drive(self._plans.close(error), self.perform)


class AsyncHostedRun:
    """As `HostedRun`, with ``async with``; what writes is awaited."""

    def __init__(
        self, tenant: str, run: Callable[[Call[Any]], Coroutine[Any, Any, Any]], opening: NewRun
    ) -> None:
        self._plans, self.perform = RunPlans(tenant, opening), run

    @property
    def tenant(self) -> str:
        """The run's tenant."""
        return self._plans.tenant

    @property
    def id(self) -> str:
        """The run's id."""
        return self._plans.id

    async def annotate(
        self, *said: AnnotationLike, actor: Actor | None = None, idempotency_key: str | None = None
    ) -> list[Receipt]:
        """Record facts on the run, at once."""
        p = self._plans
        call = journal.annotate(
            p.tenant, p.id, *said, actor=actor or p.opening.actor, idempotency_key=idempotency_key, live=True
        )
        return cast("list[Receipt]", await self.perform(call))

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
        return await drive_async(self._plans.ask(prompt, to, kind, interaction_id, timeout), self.perform)

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
        _leave(current_run, self._token)
        await asyncio.shield(drive_async(self._plans.close(error), self.perform))


current_run: ContextVar[HostedRun | AsyncHostedRun | None] = ContextVar("postil_run", default=None)
"""The run being hosted in this thread or task."""

current_stage: ContextVar[str | None] = ContextVar("postil_stage", default=None)
"""The id of the stage being worked on in this thread or task."""
