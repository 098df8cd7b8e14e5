"""Records the calls of a function, made inside a hosted run, as tool calls."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction, signature
from typing import Any, ParamSpec, TypeVar, cast

from postil.commands import FinishToolCall, StartToolCall
from postil.errors import InvalidInput, PostilError
from postil.hosting.driver import Steps, drive, drive_async, drive_to_end
from postil.hosting.exceptions import MAX_MESSAGE, error_as_json, storable
from postil.hosting.runs import AsyncHostedRun, HostedRun, current_run, current_stage
from postil.model.json_text import Json, encode
from postil.model.receipts import Receipt

P = ParamSpec("P")
T = TypeVar("T")

MAX_OBSERVED = 64 * 1024
"""Arguments and results with more bytes of JSON than this are not stored; the record states so."""


def tool(work: Callable[P, T]) -> Callable[P, T]:
    """Record each call of a function, made inside a hosted run, as a tool call with its duration.

    `work` is the function: plain or a coroutine function. Returns it with the recording around it.

        @tool
        def lookup(order: int) -> dict[str, object]: ...

    Arguments and result are stored as JSON. A value without a JSON form is stored as its ``repr``, marked as such.
    An exception of the function is recorded as a failure and propagates.

    A function is recorded in a run of `Postil`, a coroutine function in a run of `AsyncPostil`.
    The call is not recorded outside a run, in a thread that was started without the run's context,
    and for a plain function in an async run, because it cannot wait for the record to be written.

    Raises the errors of `Postil.start_tool_call` and `Postil.finish_tool_call`.
    """
    parameters = signature(work)
    name = getattr(work, "__qualname__", type(work).__qualname__).rpartition("<locals>.")[2]

    def begin(run: HostedRun | AsyncHostedRun, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Steps[str]:
        bound = parameters.bind(*args, **kwargs).arguments
        arguments = _observed({n: _observed(v) for n, v in bound.items() if n not in {"self", "cls"}})

        def start(arguments: Json) -> StartToolCall:
            return StartToolCall(
                run.id, name, arguments=arguments, stage_id=current_stage.get(), context=run.context
            )

        receipt: Receipt
        try:
            receipt = yield start(arguments)
        except InvalidInput as refusal:
            receipt = yield start(_omitted(refusal))
        return receipt.id

    def end(run: HostedRun | AsyncHostedRun, call_id: str, started: float, outcome: object) -> Steps[None]:
        duration = (time.perf_counter() - started) * 1000  # milliseconds

        def finish(**ending: Any) -> FinishToolCall:
            return FinishToolCall(run.id, call_id, duration_ms=duration, context=run.context, **ending)

        try:
            if isinstance(outcome, _Raised):
                yield finish(failed=True, error=error_as_json(outcome.error))
            else:
                yield finish(result=_observed(outcome))
        except PostilError as refusal:
            if isinstance(outcome, _Raised):  # the function's own exception propagates, with this as its note
                outcome.error.add_note(f"Postil could not record this failure: {refusal}")
            elif isinstance(refusal, InvalidInput):
                yield finish(result=_omitted(refusal))
            else:
                raise

    if iscoroutinefunction(work):

        @wraps(work)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            run = current_run.get()
            if not isinstance(run, AsyncHostedRun):
                return await cast("Awaitable[Any]", work(*args, **kwargs))
            call_id = await drive_async(begin(run, args, kwargs), run.sender)
            started = time.perf_counter()
            try:
                result = await cast("Awaitable[Any]", work(*args, **kwargs))
            except BaseException as error:
                await drive_to_end(end(run, call_id, started, _Raised(error)), run.sender)
                raise
            await drive_to_end(end(run, call_id, started, result), run.sender)
            return result

        return cast("Callable[P, T]", awaited)

    @wraps(work)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        run = current_run.get()
        if not isinstance(run, HostedRun):
            return work(*args, **kwargs)
        call_id = drive(begin(run, args, kwargs), run.sender)
        started = time.perf_counter()
        try:
            result = work(*args, **kwargs)
        except BaseException as error:
            drive(end(run, call_id, started, _Raised(error)), run.sender)
            raise
        drive(end(run, call_id, started, result), run.sender)
        return result

    return called


@dataclass(frozen=True)
class _Raised:
    error: BaseException


def _observed(value: object) -> Json:
    """Return what is stored of an argument or result: the value, or a mark that it is not the value."""
    try:
        size = len(encode(value, "value").encode())
    except InvalidInput:
        text = storable(repr, value)
        return {"repr": text[:MAX_MESSAGE], "truncated": len(text) > MAX_MESSAGE}
    if size > MAX_OBSERVED:
        return {"omitted": f"{size} bytes of JSON, more than {MAX_OBSERVED} are not kept"}
    return cast("Json", value)


def _omitted(refusal: InvalidInput) -> Json:
    # The database counts differently: 1e300 has 5 bytes here and 301 there.
    return {"omitted": refusal.what[:MAX_MESSAGE]}
