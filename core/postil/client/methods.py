"""Makes the methods of the clients: each is written once, and is sync or async depending on its class.

The body of a method builds a command. The decorator `write` makes a method that sends it:
in a `Sender` the method returns the receipt, in an `AsyncSender` it returns a coroutine for the receipt.

    class Writes:
        @write
        def start_run(self, run_id: str) -> Command[RunReceipt]:
            return StartRun(run_id)

Type checkers see the exact parameters and result of both. So do `inspect.signature` and `help`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import signature
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from postil.requests import AsyncSender, Command, Sender

P = ParamSpec("P")

T = TypeVar("T")


class WriteMethod(Generic[P, T]):
    """The descriptor behind a method of the clients: chooses the sync or the async form of the method."""

    def __init__(self, build: Callable[Concatenate[Any, P], Command[T]]) -> None:
        self.__doc__ = build.__doc__
        self._sync, self._async = _sync(build), _async(build)

    @overload
    def __get__(self, sender: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, sender: Sender, owner: type | None = None) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, sender: AsyncSender, owner: type | None = None
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, sender: Sender | AsyncSender | None, owner: type | None = None) -> Callable[..., Any]:
        kind = owner or type(sender)
        method: Callable[..., Any] = self._async if issubclass(kind, AsyncSender) else self._sync
        return method if sender is None else MethodType(method, sender)


def write(build: Callable[Concatenate[Any, P], Command[T]]) -> WriteMethod[P, T]:
    """Make a method that sends the command that `build` returns."""
    return WriteMethod(build)


def _sync(build: Callable[Concatenate[Any, P], Command[T]]) -> Callable[..., T]:
    @wraps(build)
    def method(self: Sender, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(self, *args, **kwargs))

    return _with_result(method)


def _async(build: Callable[Concatenate[Any, P], Command[T]]) -> Callable[..., Coroutine[Any, Any, T]]:
    @wraps(build)
    async def method(self: AsyncSender, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(self, *args, **kwargs))

    return _with_result(method)


C = TypeVar("C", bound=Callable[..., Any])


def _with_result(method: C) -> C:
    """Give the method the signature of its body, with the receipt as its result instead of ``Command[receipt]``."""
    result = method.__annotations__["return"].removeprefix("Command[").removesuffix("]")
    method.__annotations__ = {**method.__annotations__, "return": result}
    setattr(method, "__signature__", signature(method).replace(return_annotation=result))  # noqa: B010 (typed as a plain callable)
    return method
