"""The methods of the clients are real functions with real signatures, and send the same commands sync and async."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import pydoc
from typing import Any, get_type_hints

import pytest

from postil import AsyncPostil, AsyncTransactionWriter, Postil, TransactionWriter, commands
from postil.client.methods import WriteMethod, write
from postil.commands import Command, Context, RunCommand, StartRun
from postil.model.receipts import RunReceipt
from postil.postgres.writes.functions import FUNCTIONS, write_statement
from postil.requests import AsyncSender, Sender

CLIENTS = (Postil, AsyncPostil, TransactionWriter, AsyncTransactionWriter)
COMMANDS = sorted(FUNCTIONS, key=lambda command: command.__name__)
METHODS = {
    "".join(f"_{c.lower()}" if c.isupper() else c for c in command.__name__).removeprefix("_"): command
    for command in COMMANDS
}


class Methods:
    """One method of a client."""

    @write
    def start_run(self, run_id: str, *, context: Context | None = None) -> Command[RunReceipt]:
        """Start it."""
        return StartRun(run_id, context=context)


class Sync(Methods, Sender):
    """Returns the command that it was to send."""

    def send(self, request: Any) -> Any:
        return request


class Async(Methods, AsyncSender):
    """Returns the command that it was to send, when awaited."""

    async def send(self, request: Any) -> Any:
        return request


async def test_sync_and_async_methods_send_the_same_command() -> None:
    """One definition serves both kinds of writers."""
    context = Context(causation_id="c")
    assert Sync().start_run("r", context=context) == StartRun("r", context=context)
    assert await Async().start_run("r", context=context) == StartRun("r", context=context)


def test_an_async_method_is_a_coroutine_function() -> None:
    """Frameworks ask `inspect` whether they must await a callable."""
    assert inspect.iscoroutinefunction(Async.start_run)
    assert inspect.iscoroutinefunction(Async().start_run)
    assert not inspect.iscoroutinefunction(Sync().start_run)


def test_every_command_is_a_method_of_all_clients() -> None:
    """The four classes have exactly one write method for each command."""
    exported = {
        kind for kind in vars(commands).values() if isinstance(kind, type) and issubclass(kind, Command)
    }
    assert exported - {Command, RunCommand} == set(COMMANDS)
    for client in CLIENTS:
        methods = {
            name
            for base in client.__mro__
            for name, value in vars(base).items()
            if isinstance(value, WriteMethod)
        }
        assert methods == set(METHODS)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_shows_its_parameters(client: type[Any], name: str) -> None:
    """The signature has every field of the command with its default, on the class and on an object."""
    method = getattr(client, name)
    parameters = inspect.signature(method).parameters
    fields = {field.name: field for field in dataclasses.fields(METHODS[name])}
    assert next(iter(parameters)) == "self"
    assert set(parameters) - {"self"} == set(fields)
    for field in fields.values():
        if field.kw_only:
            assert parameters[field.name].default == field.default
            assert parameters[field.name].kind is inspect.Parameter.KEYWORD_ONLY
    bound = inspect.signature(getattr(object.__new__(client), name))
    assert list(bound.parameters) == list(parameters)[1:]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_its_name_doc_and_result(client: type[Any], name: str) -> None:
    """Tracebacks, documentation tools and `typing.get_type_hints` see an ordinary function."""
    method = getattr(client, name)
    assert (method.__name__, method.__qualname__.split(".")[1]) == (name, name)
    assert "Return" in (inspect.getdoc(method) or "")
    assert getattr(object.__new__(client), name).__doc__ == method.__doc__
    result = get_type_hints(method)["return"]
    assert "Command" not in str(result)
    assert "Receipt" in str(result) or "ImportedRun" in str(result)


@pytest.mark.parametrize("name", METHODS)
def test_all_clients_take_the_same_arguments(name: str) -> None:
    """A caller may change from threads to asyncio, or from its own transaction, without changing an argument."""
    assert len({inspect.signature(getattr(client, name)) for client in CLIENTS}) == 1
    assert inspect.signature(Postil.run) == inspect.signature(AsyncPostil.run)


def test_help_names_each_parameter() -> None:
    """`help(Postil)` shows the parameters of each method."""
    page = pydoc.render_doc(Postil, renderer=pydoc.plaintext)
    assert "annotate(self, run_id: 'str', *annotations: 'AnnotationLike'" in page
    assert "context: 'Context | None' = None" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_every_field_of_a_command_is_documented(command: type[Any]) -> None:
    """Each command, and each of its fields, has a docstring."""
    documented: set[str] = set()
    for kind in command.__mro__:
        if dataclasses.is_dataclass(kind):
            lines = inspect.getsource(kind).splitlines()
            documented |= {
                line.strip().partition(":")[0]
                for line, following in itertools.pairwise(lines)
                if following.startswith('    """') and not line.startswith("class")
            }
    assert inspect.getdoc(command)
    assert {field.name for field in dataclasses.fields(command)} <= documented


def test_the_sql_of_a_command_is_built_once() -> None:
    """Two commands with the same parameters share one SQL text, which SQLAlchemy then parses once."""
    first = write_statement("t", StartRun("a", context=Context(causation_id="1")))
    second = write_statement("u", StartRun("b", context=Context(causation_id="2")))
    assert first.sql is second.sql
    assert "context" not in write_statement("t", StartRun("a")).sql
