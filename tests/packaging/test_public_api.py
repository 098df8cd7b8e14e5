"""No public name without meaning, types, units and errors: the docstrings of `postil` are complete.

The public API is every name of ``postil.__all__``, the commands and the errors, with their public methods.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

import postil
from pages.python import MADE_BY_POSTIL, field_docstring
from postil import commands, errors
from postil.model.queries import InteractionStateQuery
from postil.model.records import InteractionState
from postil.postgres.migrate import sql_files
from postil.postgres.writes.functions import FUNCTIONS

SHARED_ERRORS = {
    errors.InvalidInput, errors.InvalidAnnotation, errors.PayloadTooLarge,
    errors.TenantMismatch, errors.TenantNotFound, errors.NotDurable,
}  # fmt: skip
"""Errors that every command can raise. The docstring of `Command` names them once for all."""

UNITS = re.compile(r"\b(milliseconds|seconds|bytes|characters|KiB|time zone)\b|\d s\b")
UNIT_NAMES = re.compile(r"(^|_)(ms|seconds|timeout|duration|interval|delay|size|bytes|age)(_|$)")


class Member(NamedTuple):
    """One public class, function, method or property, with its full name."""

    name: str
    value: Any

    @property
    def docstring(self) -> str:
        """Return its docstring; empty if there is none."""
        return inspect.getdoc(self.value) or ""


def is_class_of_ours(value: object) -> bool:
    """Return whether a value is a class of the package."""
    return inspect.isclass(value) and value.__module__.partition(".")[0] == "postil"


def public_classes() -> list[type[Any]]:
    """Return the public classes."""
    values = [
        *(getattr(postil, name) for name in postil.__all__),
        *(getattr(commands, name) for name in commands.__all__),
        *vars(errors).values(), InteractionStateQuery, InteractionState,
    ]  # fmt: skip
    return list(dict.fromkeys(value for value in values if is_class_of_ours(value)))


def methods(kind: type[Any]) -> Iterator[Member]:
    """Yield the public methods and properties of a class that this package defines."""
    for owner in kind.__mro__:
        if owner.__module__.partition(".")[0] != "postil":
            continue
        for name, value in vars(owner).items():
            if name.startswith("_") or inspect.isclass(value):
                continue
            if isinstance(value, property):
                yield Member(f"{kind.__name__}.{name}", value)
            elif callable(getattr(kind, name)):
                yield Member(f"{kind.__name__}.{name}", getattr(kind, name))


CLASSES = public_classes()
FUNCTIONS_OF_POSTIL = [
    Member(name, getattr(postil, name))
    for name in postil.__all__
    if inspect.isfunction(getattr(postil, name))
]
METHODS = [method for kind in CLASSES for method in methods(kind)]
MEMBERS = {
    member.name: member
    for member in [*(Member(kind.__name__, kind) for kind in CLASSES), *FUNCTIONS_OF_POSTIL, *METHODS]
}


def fields(kind: type[Any]) -> dict[str, Any]:
    """Return the fields of a dataclass or convention, each with its type."""
    if dataclasses.is_dataclass(kind):
        return {field.name: field.type for field in dataclasses.fields(kind)}
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return {}


def field_meaning(kind: type[Any], name: str) -> str:
    """Return what describes a field: the docstring under it, else the sentences of the class that name it."""
    return field_docstring(kind, name) or sentences(inspect.getdoc(kind) or "", name)


def sentences(text: str, name: str) -> str:
    """Return the sentences of a docstring that name a parameter."""
    parts = re.split(r"(?<=[.;:])\s+", text)
    return " ".join(part for part in parts if re.search(rf"`+{name}(`|=)", part))


def parameters(member: Member) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function or method, without `self` and those of a class with fields."""
    if isinstance(member.value, property) or (inspect.isclass(member.value) and fields(member.value)):
        return {}
    if inspect.isclass(member.value) and (
        "__init__" not in vars(member.value) or member.name in MADE_BY_POSTIL
    ):
        return {}
    signature = inspect.signature(member.value)
    return {name: parameter for name, parameter in signature.parameters.items() if name != "self"}


def parameter_meaning(member: Member, name: str) -> str:
    """Return what describes a parameter: its own docstring, or that of what the docstring refers to."""
    meaning = sentences(member.docstring, name)
    for described in re.findall(r"`postil\.commands\.(\w+)` describes", member.docstring):
        kind = getattr(commands, described)
        meaning += field_meaning(kind, name) if name in fields(kind) else ""
    for other in re.findall(r"as `(\w+\.\w+)` does", member.docstring):
        meaning += parameter_meaning(MEMBERS[other], name)
    return meaning


@pytest.mark.parametrize("name", MEMBERS)
def test_each_public_name_has_a_docstring(name: str) -> None:
    """Each public class, function, method and property states its meaning in a sentence."""
    assert re.match(r"[A-Z`].+\.", MEMBERS[name].docstring, re.DOTALL)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if fields(kind)], ids=lambda kind: kind.__name__)
def test_each_field_is_described(kind: type[Any]) -> None:
    """Each field of a public dataclass or convention has a docstring, or its class names it."""
    assert [name for name in fields(kind) if not field_meaning(kind, name)] == []


@pytest.mark.parametrize("name", MEMBERS)
def test_each_parameter_is_described(name: str) -> None:
    """A docstring names each parameter, or refers to the command or method that describes it."""
    member = MEMBERS[name]
    assert [name for name in parameters(member) if not parameter_meaning(member, name)] == []


@pytest.mark.parametrize("name", MEMBERS)
def test_each_parameter_has_a_type(name: str) -> None:
    """Each parameter of a public function, and its result, is annotated."""
    member = MEMBERS[name]
    untyped = [
        name for name, parameter in parameters(member).items() if parameter.annotation is parameter.empty
    ]
    assert untyped == []
    if inspect.isfunction(member.value):
        assert inspect.signature(member.value).return_annotation is not inspect.Signature.empty


def test_each_quantity_has_its_unit() -> None:
    """A duration, a size and a time state their unit: seconds, milliseconds, bytes, or the time zone."""
    quantities = [
        (f"{kind.__name__}.{name}", field_meaning(kind, name))
        for kind in CLASSES
        for name, type_ in fields(kind).items()
        if UNIT_NAMES.search(name) or "datetime" in str(type_)
    ] + [
        (f"{member.name}({name})", parameter_meaning(member, name))
        for member in MEMBERS.values()
        for name, parameter in parameters(member).items()
        if UNIT_NAMES.search(name) or "datetime" in str(parameter.annotation)
    ]
    assert len(quantities) > 20
    assert [name for name, meaning in quantities if not UNITS.search(meaning)] == []


def test_each_json_field_states_its_limit() -> None:
    """A JSON value that a caller passes states how large it may be."""
    values = [
        (f"{kind.__name__}.{name}", field_meaning(kind, name))
        for kind in CLASSES
        for name, type_ in fields(kind).items()
        if str(type_).split(" |")[0] == "Json" and kind is not InteractionState
    ]
    assert len(values) > 10
    assert [name for name, meaning in values if "KiB" not in meaning] == []


def named_errors(docstring: str) -> set[type[Any]]:
    """Return the errors that a docstring names, directly or as "the errors of `other`"."""
    named = {
        kind
        for name in re.findall(r"`(?:postil\.errors\.)?(\w+)`", docstring)
        if (kind := getattr(errors, name, None))
    }
    for others in re.findall(r"[Rr]aises the errors of ((?:`[\w.]+`(?:, | and )?)+)", docstring):
        for other in re.findall(r"`([\w.]+)`", others):
            named |= named_errors(_docstring_of(other))
    return named


def _docstring_of(name: str) -> str:
    name = name.removeprefix("postil.commands.")
    member = MEMBERS.get(name) or MEMBERS.get(f"Postil.{name}")
    if member is not None:
        return member.docstring
    return inspect.getdoc(getattr(commands.stages, name)) or ""


def raised_by_sql(command: type[Any]) -> set[type[Any]]:
    """Return the errors that the comment of a command's SQL function names."""
    comment = SQL_COMMENTS[FUNCTIONS[command].name]
    if "what annotate raises" in comment:
        comment += SQL_COMMENTS["annotate"]
    return {errors.BY_SQLSTATE[state] for state in re.findall(r"\bPS\d{3}\b", comment)}


SQL_COMMENTS = {
    match["name"]: match["text"]
    for file in sql_files("functions")
    for match in re.finditer(
        r"comment on function postil\.(?P<name>\w+)\(.*?\$\$(?P<text>.*?)\$\$;",
        file.read_text("utf-8"),
        re.DOTALL,
    )
}


@pytest.mark.parametrize("command", FUNCTIONS, ids=lambda command: command.__name__)
def test_each_command_names_the_errors_of_its_sql(command: type[Any]) -> None:
    """The docstring of a command names each error that its SQL function raises, except the shared ones."""
    raised = raised_by_sql(command) - SHARED_ERRORS
    assert raised - named_errors(inspect.getdoc(command) or "") == set()


@pytest.mark.parametrize("command", FUNCTIONS, ids=lambda command: command.__name__)
def test_each_method_names_the_errors_of_its_command(command: type[Any]) -> None:
    """The method of a client names the errors that its command names."""
    method = re.sub(r"(?<!^)(?=[A-Z])", "_", command.__name__).lower()
    expected = named_errors(inspect.getdoc(command) or "")
    assert expected - named_errors(MEMBERS[f"Postil.{method}"].docstring) == set()


def test_the_shared_errors_are_named_once() -> None:
    """The docstring of `Command` names the errors that every command can raise."""
    assert SHARED_ERRORS - named_errors(inspect.getdoc(commands.Command) or "") == set()


def raised_in(function: Callable[..., Any], seen: set[str]) -> set[type[Any]]:
    """Return the errors that a function's source raises, also in functions of the package that it calls by name."""
    module = inspect.getmodule(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        return set()
    raised: set[type[Any]] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Raise)
            and isinstance(node.exc, ast.Call)
            and isinstance(node.exc.func, ast.Name)
        ):
            kind = getattr(module, node.exc.func.id, None)
            if inspect.isclass(kind) and issubclass(kind, errors.PostilError):
                raised.add(kind)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in seen:
            called = getattr(module, node.func.id, None)
            if inspect.isfunction(called) and called.__module__.startswith("postil."):
                raised |= raised_in(called, seen | {node.func.id})
    return raised


@pytest.mark.parametrize("name", MEMBERS)
def test_each_raised_error_is_named(name: str) -> None:
    """A docstring names each error of `postil.errors` that the function itself raises."""
    member = MEMBERS[name]
    functions = [member.value.fget] if isinstance(member.value, property) else [member.value]
    if inspect.isclass(member.value):
        functions = [
            vars(member.value)[part] for part in ("__init__", "__post_init__") if part in vars(member.value)
        ]
    raised = {kind for function in functions for kind in raised_in(function, set())}
    named = named_errors(member.docstring)
    assert {kind for kind in raised if not named.intersection(kind.__mro__)} == set()
