"""Records the calls of a function, made inside a hosted run, as tool calls."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction, signature
from typing import Any, ParamSpec, TypeVar, cast

from postil import journal
from postil.errors import InvalidInput
from postil.hosting import MAX_MESSAGE, AsyncHostedRun, HostedRun, current_run, current_stage, error_as_json
from postil.journal import Call
from postil.jsontext import Json, encode
from postil.model import Part

P = ParamSpec("P")
T = TypeVar("T")

# Arguments and results beyond this many bytes of JSON are not kept, and the record says so.
MAX_OBSERVED = 64 * 1024


def tool(work: Callable[P, T]) -> Callable[P, T]:
    """Record each call of a function, made inside a hosted run, as a tool call: running → completed or failed, with its duration.

    Arguments and result are stored as JSON; what has no JSON form is stored as its ``repr``, marked as such.
    Outside a run the function is simply called. Works on functions and coroutine functions.
    """
    parameters = signature(work)

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any], tenant: str, run_id: str) -> Call[Part]:
        bound = parameters.bind(*args, **kwargs)
        arguments = {
            name: _observed(value) for name, value in bound.arguments.items() if name not in {"self", "cls"}
        }
        return journal.start_tool_call(
            tenant,
            run_id,
            work.__qualname__.rpartition("<locals>.")[2],
            arguments=arguments,
            stage_id=current_stage.get(),
        )

    def end(tenant: str, run_id: str, call_id: str, started: float, outcome: object) -> Call[Part]:
        took = (time.perf_counter() - started) * 1000
        if isinstance(outcome, _Raised):
            return journal.finish_tool_call(
                tenant, run_id, call_id, failed=True, error=error_as_json(outcome.error), duration_ms=took
            )
        return journal.finish_tool_call(tenant, run_id, call_id, result=_observed(outcome), duration_ms=took)

    if iscoroutinefunction(work):

        @wraps(work)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            run = current_run.get()
            if not isinstance(run, AsyncHostedRun):
                return await cast("Awaitable[Any]", work(*args, **kwargs))
            tenant = run.tenant
            call: Part = await run.perform(begin(args, kwargs, tenant, run.id))
            started = time.perf_counter()
            try:
                result = await cast("Awaitable[Any]", work(*args, **kwargs))
            except BaseException as error:
                await run.perform(end(tenant, run.id, call.id, started, _Raised(error)))
                raise
            await run.perform(end(tenant, run.id, call.id, started, result))
            return result

        return cast("Callable[P, T]", awaited)

    @wraps(work)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        run = current_run.get()
        if not isinstance(run, HostedRun):
            return work(*args, **kwargs)
        tenant = run.tenant
        call: Part = run.perform(begin(args, kwargs, tenant, run.id))
        started = time.perf_counter()
        try:
            result = work(*args, **kwargs)
        except BaseException as error:
            run.perform(end(tenant, run.id, call.id, started, _Raised(error)))
            raise
        run.perform(end(tenant, run.id, call.id, started, result))
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
        shown = repr(value).replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
        return {"repr": shown[:MAX_MESSAGE], "truncated": len(shown) > MAX_MESSAGE}
    if size > MAX_OBSERVED:
        return {"omitted": f"{size} bytes of JSON, more than {MAX_OBSERVED} are not kept"}
    return cast("Json", value)
