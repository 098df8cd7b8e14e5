"""Records the calls of a function, made inside a hosted run, as tool calls."""

from __future__ import annotations

import time
from asyncio import shield
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction, signature
from typing import Any, ParamSpec, TypeVar, cast

from postil.errors import InvalidInput, PostilError
from postil.hosting.driver import Steps, drive, drive_async
from postil.hosting.runs import AsyncHostedRun, HostedRun, current_run, current_stage
from postil.hosting.steps import MAX_MESSAGE, error_as_json, storable
from postil.model.json_text import Json, encode
from postil.model.receipts import Receipt
from postil.postgres import writes as journal
from postil.postgres.writes import Call

P = ParamSpec("P")
T = TypeVar("T")

# Arguments and results beyond this many bytes of JSON are not kept, and the record says so.
MAX_OBSERVED = 64 * 1024


def tool(work: Callable[P, T]) -> Callable[P, T]:
    """Record each call of a function, made inside a hosted run, as a tool call: running → completed or failed, with its duration.

    Arguments and result are stored as JSON; what has no JSON form is stored as its ``repr``, marked as such.
    Works on functions in a run hosted by `Postil`, and on coroutine functions in one hosted by `AsyncPostil`.
    Elsewhere the function is simply called: outside a run, in a thread that was started without its context,
    and a plain function in an async run, which cannot wait for the record to be written.
    """
    parameters = signature(work)
    name = getattr(work, "__qualname__", type(work).__qualname__).rpartition("<locals>.")[2]

    def begin(run: HostedRun | AsyncHostedRun, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Steps[str]:
        given = parameters.bind(*args, **kwargs).arguments
        arguments = _observed({n: _observed(v) for n, v in given.items() if n not in {"self", "cls"}})

        def start(arguments: Json) -> Call[Receipt]:
            return journal.start_tool_call(
                run.tenant, run.id, name, arguments=arguments, stage_id=current_stage.get()
            )

        call: Receipt
        try:
            call = yield start(arguments)
        except InvalidInput as refused:
            call = yield start(_omitted(refused))
        return call.id

    def end(run: HostedRun | AsyncHostedRun, call_id: str, started: float, outcome: object) -> Steps[None]:
        took = (time.perf_counter() - started) * 1000

        def finish(**how: Any) -> Call[Receipt]:
            return journal.finish_tool_call(run.tenant, run.id, call_id, duration_ms=took, **how)

        try:
            if isinstance(outcome, _Raised):
                yield finish(failed=True, error=error_as_json(outcome.error))
            else:
                yield finish(result=_observed(outcome))
        except PostilError as refused:
            if isinstance(outcome, _Raised):  # the work's own failure matters more than ours to record it
                outcome.error.add_note(f"Postil could not record this failure: {refused}")
            elif isinstance(refused, InvalidInput):
                yield finish(result=_omitted(refused))
            else:
                raise

    if iscoroutinefunction(work):

        @wraps(work)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            run = current_run.get()
            if not isinstance(run, AsyncHostedRun):
                return await cast("Awaitable[Any]", work(*args, **kwargs))
            call_id = await drive_async(begin(run, args, kwargs), run.perform)
            started = time.perf_counter()
            try:
                result = await cast("Awaitable[Any]", work(*args, **kwargs))
            except BaseException as error:
                # Shielded: a second cancellation must not keep the first from being recorded.
                await shield(drive_async(end(run, call_id, started, _Raised(error)), run.perform))
                raise
            await drive_async(end(run, call_id, started, result), run.perform)
            return result

        return cast("Callable[P, T]", awaited)

    @wraps(work)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        run = current_run.get()
        if not isinstance(run, HostedRun):
            return work(*args, **kwargs)
        call_id = drive(begin(run, args, kwargs), run.perform)
        started = time.perf_counter()
        try:
            result = work(*args, **kwargs)
        except BaseException as error:
            drive(end(run, call_id, started, _Raised(error)), run.perform)
            raise
        drive(end(run, call_id, started, result), run.perform)
        return result

    return called


@dataclass(frozen=True)
class _Raised:
    error: BaseException


def _observed(value: object) -> Json:
    """What is kept of an argument or result: the value itself, or an explicit mark that it is not the value."""
    try:
        size = len(encode(value, "value").encode())
    except InvalidInput:
        shown = storable(repr, value)
        return {"repr": shown[:MAX_MESSAGE], "truncated": len(shown) > MAX_MESSAGE}
    if size > MAX_OBSERVED:
        return {"omitted": f"{size} bytes of JSON, more than {MAX_OBSERVED} are not kept"}
    return cast("Json", value)


def _omitted(refused: InvalidInput) -> Json:
    # The database counts otherwise: 1e300 is 5 bytes here and 301 there.
    return {"omitted": refused.what[:MAX_MESSAGE]}
