"""Hosted runs and stages: the ``with`` blocks of `Postil.run`, for threads and for asyncio.

`postil.hosting.steps` decides what is written. The classes here only drive it, sync or async.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self, TypeVar

from postil.commands import CreateRun
from postil.hosting.driver import drive, drive_async, drive_to_end
from postil.hosting.steps import RunSteps, StageSteps
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.origins import Context
from postil.model.receipts import Receipt
from postil.requests import AsyncSender, Sender

T = TypeVar("T")


def _leave(variable: ContextVar[T], token: Token[T]) -> None:
    # A generator that hosts a run may be closed in another context than it was started in:
    # the variable of that other context was never set.
    with suppress(ValueError):
        variable.reset(token)


class _Stage:
    """What sync and async hosted stages share."""

    def __init__(self, steps: StageSteps) -> None:
        self._steps = steps

    @property
    def id(self) -> str:
        """The stage's id within the run's attempt."""
        return self._steps.id

    def complete(self, result: Json) -> None:
        """Set the stage's `result`, at most 256 KiB of JSON text. It is stored when the stage ends."""
        self._steps.result = result


class HostedStage(_Stage):
    """A stage in a ``with`` block: started on entry, completed on exit, failed by an exception."""

    def __init__(self, steps: StageSteps, sender: Sender) -> None:
        super().__init__(steps)
        self._sender = sender

    def annotate(
        self, *annotations: AnnotationLike, durable: bool = False, idempotency_key: str | None = None
    ) -> list[Receipt]:
        """Write annotations of this stage: with its end, or with ``durable=True`` at once.

        `postil.commands.Annotate` describes the other arguments.

        Returns the receipts; an empty list while the annotations are only buffered.
        Raises `InvalidAnnotation` at once in both cases.
        """
        if durable:
            return self._sender.send(self._steps.annotate(annotations, idempotency_key))
        self._steps.note(annotations, idempotency_key)
        return []

    def __enter__(self) -> Self:
        drive(self._steps.open(), self._sender)
        self._token = current_stage.set(self.id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _leave(current_stage, self._token)
        drive(self._steps.close(error), self._sender)


class AsyncHostedStage(_Stage):
    """A stage in an ``async with`` block, as `HostedStage`."""

    def __init__(self, steps: StageSteps, sender: AsyncSender) -> None:
        super().__init__(steps)
        self._sender = sender

    def annotate(self, *annotations: AnnotationLike, idempotency_key: str | None = None) -> None:
        """Buffer annotations of this stage; its end writes them.

        `postil.commands.Annotate` describes every argument. Raises `InvalidAnnotation` at once.
        """
        self._steps.note(annotations, idempotency_key)

    async def annotate_durable(
        self, *annotations: AnnotationLike, idempotency_key: str | None = None
    ) -> list[Receipt]:
        """Write annotations of this stage at once. Returns the receipts.

        `postil.commands.Annotate` describes every argument. Raises the errors of `HostedRun.annotate`.
        """
        return await self._sender.send(self._steps.annotate(annotations, idempotency_key))

    async def __aenter__(self) -> Self:
        await drive_async(self._steps.open(), self._sender)
        self._token = current_stage.set(self.id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _leave(current_stage, self._token)
        # A second cancellation must not keep the first from being recorded.
        await drive_to_end(self._steps.close(error), self._sender)


class _Run:
    """What sync and async hosted runs share."""

    def __init__(self, tenant: str, command: CreateRun) -> None:
        self.tenant = tenant
        self._steps = RunSteps(command)

    @property
    def id(self) -> str:
        """The run's id."""
        return self._steps.id

    @property
    def context(self) -> Context | None:
        """The context that every write of the run carries."""
        return self._steps.context

    def complete(self, result: Json) -> None:
        """Set the run's `result`, at most 256 KiB of JSON text. It is stored when the run ends."""
        self._steps.result = result


class HostedRun(_Run):
    """A run in a ``with`` block: created on entry, completed on exit, failed by an exception."""

    def __init__(self, sender: Sender, tenant: str, command: CreateRun) -> None:
        super().__init__(tenant, command)
        self.sender = sender

    def annotate(
        self,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        idempotency_key: str | None = None,
    ) -> list[Receipt]:
        """Write annotations of the run at once. `actor` defaults to the run's actor. Returns the receipts.

        `postil.commands.Annotate` describes every argument.

        Raises `InvalidAnnotation`, `PayloadTooLarge`, `IdempotencyConflict`, `RunCancelled`, `RunFinished`.
        """
        return self.sender.send(self._steps.annotate(annotations, actor, idempotency_key))

    def stage(self, name: str, *, stage_id: str | None = None, actor: Actor | None = None) -> HostedStage:
        """Host a stage of the run. Its annotations are written with its end, in one transaction.

        `stage_id` defaults to `name`, for a repeated step with a number: ``name~2``.
        `actor` defaults to the run's actor.
        """
        return HostedStage(self._steps.stage(name, stage_id, actor), self.sender)

    def ask(
        self,
        prompt: str,
        *,
        to: str | None = None,
        kind: str = "approval",
        interaction_id: str | None = None,
        timeout: float | None = None,
    ) -> Json:
        """Ask a question and wait until it is answered: on the page, on the command line, or in SQL. Returns the answer.

        With the same `interaction_id` a repeated call, for example after a lost connection, waits for the same answer.
        `timeout` is in seconds; it defaults to None: no limit. `postil.commands.Ask` describes the other arguments.

        Raises `InteractionEnded` if the question is withdrawn, `RunCancelled` or `RunFinished` if the run
        is ended meanwhile, and TimeoutError after `timeout`; the question is then withdrawn.
        """
        return drive(self._steps.ask(prompt, to, kind, interaction_id, timeout), self.sender)

    def __enter__(self) -> Self:
        drive(self._steps.open(), self.sender)
        self._token: Token[HostedRun | AsyncHostedRun | None] = current_run.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _leave(current_run, self._token)
        drive(self._steps.close(error), self.sender)


class AsyncHostedRun(_Run):
    """A run in an ``async with`` block, as `HostedRun`; its writes are awaited."""

    def __init__(self, sender: AsyncSender, tenant: str, command: CreateRun) -> None:
        super().__init__(tenant, command)
        self.sender = sender

    async def annotate(
        self,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        idempotency_key: str | None = None,
    ) -> list[Receipt]:
        """Write annotations of the run at once, as `HostedRun.annotate` does."""
        return await self.sender.send(self._steps.annotate(annotations, actor, idempotency_key))

    def stage(
        self, name: str, *, stage_id: str | None = None, actor: Actor | None = None
    ) -> AsyncHostedStage:
        """Host a stage of the run, as `HostedRun.stage` does."""
        return AsyncHostedStage(self._steps.stage(name, stage_id, actor), self.sender)

    async def ask(
        self,
        prompt: str,
        *,
        to: str | None = None,
        kind: str = "approval",
        interaction_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the withdrawal after it is recorded)
    ) -> Json:
        """Ask a question and wait until it is answered, as `HostedRun.ask` does."""
        return await drive_async(self._steps.ask(prompt, to, kind, interaction_id, timeout), self.sender)

    async def __aenter__(self) -> Self:
        await drive_async(self._steps.open(), self.sender)
        self._token: Token[HostedRun | AsyncHostedRun | None] = current_run.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _leave(current_run, self._token)
        await drive_to_end(self._steps.close(error), self.sender)


current_run: ContextVar[HostedRun | AsyncHostedRun | None] = ContextVar("postil_run", default=None)
"""The hosted run of this thread or task."""

current_stage: ContextVar[str | None] = ContextVar("postil_stage", default=None)
"""The id of the hosted stage of this thread or task."""
