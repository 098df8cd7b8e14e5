"""The methods about the tool calls and interactions of a run."""

from __future__ import annotations

from datetime import datetime

from postil.client.methods import write
from postil.commands import (
    Ask,
    CancelInteraction,
    Command,
    FinishToolCall,
    RecordToolCall,
    ResolveInteraction,
    StartToolCall,
)
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.origins import Context
from postil.model.receipts import Receipt


class CallMethods:
    """Writes about tool calls and interactions."""

    @write
    def start_tool_call(
        self,
        run_id: str,
        name: str,
        *,
        tool_call_id: str | None = None,
        kind: str = "tool",
        arguments: Json = None,
        stage_id: str | None = None,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[Receipt]:
        """Record that a tool call has started. Returns its receipt, with the id of the call.

        An AI call has the kind ``ai``. `postil.commands.StartToolCall` describes every argument.

        Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`.
        """
        return StartToolCall(
            run_id,
            name,
            tool_call_id=tool_call_id,
            kind=kind,
            arguments=arguments,
            stage_id=stage_id,
            actor=actor,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def finish_tool_call(
        self,
        run_id: str,
        tool_call_id: str,
        *,
        failed: bool = False,
        result: Json = None,
        error: Json = None,
        duration_ms: float | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[Receipt]:
        """Record how a tool call ended. Returns its receipt. The run may have ended before.

        `duration_ms` is in milliseconds. `postil.commands.FinishToolCall` describes every argument.

        Raises `RunNotFound`, `ToolCallNotFound`, `ToolCallEnded`.
        """
        return FinishToolCall(
            run_id,
            tool_call_id,
            failed=failed,
            result=result,
            error=error,
            duration_ms=duration_ms,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def record_tool_call(
        self,
        run_id: str,
        name: str,
        *,
        tool_call_id: str | None = None,
        kind: str = "tool",
        failed: bool = False,
        arguments: Json = None,
        result: Json = None,
        error: Json = None,
        duration_ms: float | None = None,
        stage_id: str | None = None,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[Receipt]:
        """Record a tool call that is over, as one event. Returns its receipt, with the id of the call.

        `duration_ms` is in milliseconds. `postil.commands.RecordToolCall` describes every argument.

        Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `StageNotFound`, `ToolCallEnded`.
        """
        return RecordToolCall(
            run_id,
            name,
            tool_call_id=tool_call_id,
            kind=kind,
            failed=failed,
            arguments=arguments,
            result=result,
            error=error,
            duration_ms=duration_ms,
            stage_id=stage_id,
            actor=actor,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def ask(
        self,
        run_id: str,
        prompt: str,
        *,
        interaction_id: str | None = None,
        kind: str = "approval",
        to: str | None = None,
        stage_id: str | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[Receipt]:
        """Ask a question that the run waits for. Returns its receipt, with the id of the interaction.

        `to` states who should answer. The method does not wait: `HostedRun.ask` does.
        `postil.commands.Ask` describes every argument.

        Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `StageNotFound`, and `InteractionEnded`
        if the id belongs to another question.
        """
        return Ask(
            run_id,
            prompt,
            interaction_id=interaction_id,
            kind=kind,
            to=to,
            stage_id=stage_id,
            recorded_at=recorded_at,
            context=context,
        )

    @write
    def resolve_interaction(
        self,
        run_id: str,
        interaction_id: str,
        answer: Json,
        *annotations: AnnotationLike,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[Receipt]:
        """Answer a pending interaction, with annotations. Returns its receipt. The first answer stands.

        The answer to an approval is ``{"outcome": "accept" | "decline", "note": …}``.
        It is also stored as ``approval.*`` annotations.
        `postil.commands.ResolveInteraction` describes every argument.

        Raises `RunNotFound`, `InteractionNotFound`, `InteractionEnded` (also if the run has ended),
        `IdempotencyConflict`, `StageNotFound` if an annotation names a stage that the run lacks,
        and `InvalidInput` for a malformed approval.
        """
        return ResolveInteraction(
            run_id, interaction_id, answer, annotations, actor=actor, recorded_at=recorded_at, context=context
        )

    @write
    def cancel_interaction(
        self,
        run_id: str,
        interaction_id: str,
        *,
        actor: Actor | None = None,
        recorded_at: datetime | None = None,
        context: Context | None = None,
    ) -> Command[Receipt]:
        """Cancel a pending interaction: the question is withdrawn. Returns its receipt.

        `postil.commands.CancelInteraction` describes every argument.

        Raises `RunNotFound`, `InteractionNotFound`, `InteractionEnded`.
        """
        return CancelInteraction(
            run_id, interaction_id, actor=actor, recorded_at=recorded_at, context=context
        )
