"""The page of Python: every public class and function, with its signature and docstring.

Signatures come from the imported objects, because the write methods get theirs from a decorator.
The docstrings of fields come from griffe, which reads the source.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin

import griffe
from pydantic import BaseModel

import postil
from pages.markdown import fenced, table
from postil import commands, errors
from postil.model import queries

HEAD = """# Python

The names of the first sections are in `postil`. The others are in the module that their section names.

A write method of `Postil` builds a command and sends it. The fields of the command describe each argument.
"""


def _error_tree(kind: type[errors.PostilError]) -> Iterator[type[errors.PostilError]]:
    """Return an error and its subclasses in `postil.errors`, in the order of the tree."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _error_tree(child)


SECTIONS: dict[str, tuple[ModuleType, tuple[str, ...]]] = {
    "Clients": (postil, ("Postil", "AsyncPostil", "TransactionWriter", "AsyncTransactionWriter")),
    "Hosted runs": (postil, ("HostedRun", "HostedStage", "AsyncHostedRun", "AsyncHostedStage", "tool")),
    "New annotations": (
        postil,
        ("AnnotationLike", "NewAnnotation", "Json", "Convention", "Decision", "Approval", "Revision", "Failure"),
    ),
    "Actors and origins": (postil, ("Actor", "agent", "user", "system", "Trigger", "Context")),
    "Receipts": (postil, ("Receipt", "RunReceipt", "ImportedRun")),
    "Commands: `postil.commands`": (
        commands, tuple(name for name in commands.__all__ if name not in {"Context", "RunCommand"}),
    ),
    "Queries: `postil.model`": (queries, ("InteractionStateQuery", "InteractionState")),
    "Errors: `postil.errors`": (errors, tuple(kind.__name__ for kind in _error_tree(errors.PostilError))),
}  # fmt: skip
"""The sections of the page, each with the names that it describes. A test holds that no public name is missing."""

MADE_BY_POSTIL = {
    "TransactionWriter",
    "AsyncTransactionWriter",
    "HostedRun",
    "HostedStage",
    "AsyncHostedRun",
    "AsyncHostedStage",
}
"""Classes that a caller gets from a method and does not construct."""

LINKED = re.compile(r"(?<!`)`(?:postil\.(?:\w+\.)*)?(?P<name>[A-Z]\w+(?:\.\w+)?)`(?!`)")
WIDTH = 100  # characters: a longer signature has a line for each parameter


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    methods: dict[tuple[str, str], str] = {}
    for title, (module, names) in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in names:
            value = getattr(module, name)
            parts.append(f"### {name}\n")
            if inspect.isclass(value):
                parts += _class(value, methods)
            elif inspect.isfunction(value):
                parts += [fenced("python", _signature(name, value)), _docstring(value)]
            else:
                parts += _alias(module, name)
    return _linked("\n".join(parts))


def _alias(module: ModuleType, name: str) -> Iterator[str]:
    attribute = _source(module.__name__).members[name]
    if isinstance(attribute, griffe.Alias):
        attribute = _source(attribute.target_path.rpartition(".")[0]).members[name]
    assert isinstance(attribute, griffe.Attribute)
    assert attribute.docstring is not None, f"{name} has no docstring"
    yield fenced("python", f"{name} = {attribute.value}")
    yield f"{attribute.docstring.value}\n"


def _class(kind: type[Any], methods: dict[tuple[str, str], str]) -> Iterator[str]:
    is_data = dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel)
    if is_data or ("__init__" in vars(kind) and kind.__name__ not in MADE_BY_POSTIL):
        yield fenced("python", _signature(kind.__name__, kind))
    yield _docstring(kind)
    fields = _fields(kind)
    if any(fields.values()):
        yield table(("field", "meaning"), [(f"`{name}`", meaning) for name, meaning in fields.items()])
    shared: dict[str, list[str]] = {}
    for name, owner in _members(kind).items():
        full_name = f"{kind.__name__}.{name}"
        described = methods.setdefault((owner.__qualname__, name), full_name)
        if described == full_name:
            yield f"#### {full_name}\n"
            yield from _member(name, kind)
        else:
            shared.setdefault(described.partition(".")[0], []).append(f"`{name}`")
    for owner, names in shared.items():
        yield f"Has these methods of `{owner}` too: {', '.join(names)}.\n"


def _member(name: str, kind: type[Any]) -> Iterator[str]:
    member = inspect.getattr_static(kind, name)
    if isinstance(member, property):
        assert member.fget is not None
        yield fenced("python", f"{name}: {_annotation(inspect.signature(member.fget).return_annotation)}")
        yield _docstring(member)
        return
    method = getattr(kind, name)
    prefix = "async " if inspect.iscoroutinefunction(method) else ""
    yield fenced("python", prefix + _signature(name, method))
    yield _docstring(method)


def _members(kind: type[Any]) -> dict[str, type[Any]]:
    """Return the public methods and properties of a class, each with the class of this project that defines it."""
    members: dict[str, type[Any]] = {}
    for owner in (*kind.__mro__[1:], kind):
        if owner.__module__.partition(".")[0] != "postil":
            continue
        for name, value in vars(owner).items():
            is_member = isinstance(value, (property, classmethod, staticmethod)) or callable(
                getattr(kind, name, None)
            )
            if is_member and not name.startswith("_") and not inspect.isclass(value):
                members.setdefault(name, next(base for base in kind.__mro__ if name in vars(base)))
    return members


def _fields(kind: type[Any]) -> dict[str, str]:
    """Return the fields of a dataclass or convention, each with the docstring under it in the source."""
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    elif issubclass(kind, BaseModel):
        names = [name for name in kind.model_fields if name != "payload" or kind is postil.Convention]
    else:
        names = []
    return {name: field_docstring(kind, name) for name in names}


def field_docstring(kind: type[Any], name: str) -> str:
    """Return the docstring under a field in the source of its class; empty if there is none."""
    for owner in kind.__mro__:
        if owner.__module__.partition(".")[0] == "postil":
            source = _source(owner.__module__).members[owner.__name__]
            field = source.members.get(name)
            if field is not None and field.docstring is not None:
                return field.docstring.value
    return ""


@cache
def _source(module: str) -> griffe.Module:
    """Return the source of one module, parsed; nothing that it imports is read."""
    file = Path(inspect.getfile(import_module(module)))
    return griffe.visit(module, filepath=file, code=file.read_text("utf-8"))


def _signature(name: str, function: Callable[..., Any]) -> str:
    """Return the signature of a function or class as source text, without `self`."""
    signature = inspect.signature(function)
    parameters: list[str] = []
    previous = None
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        is_keyword = parameter.kind is parameter.KEYWORD_ONLY
        if is_keyword and previous not in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL):
            parameters.append("*")
        previous = parameter.kind
        parameters.append(_parameter(parameter))
    result = signature.return_annotation
    is_plain = inspect.isclass(function) or result is inspect.Signature.empty
    end = ")" if is_plain else f") -> {_annotation(result)}"
    line = f"{name}({', '.join(parameters)}{end}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + end


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    annotated = f"{stars}{parameter.name}: {_annotation(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return annotated
    default = parameter.default
    return f"{annotated} = {json.dumps(default) if isinstance(default, str) else repr(default)}"


def _annotation(annotation: object) -> str:
    if (
        get_origin(annotation) is Annotated
    ):  # the constraints of a convention's field; its docstring states them
        annotation = get_args(annotation)[0]
    text = (
        annotation if isinstance(annotation, str) else inspect.formatannotation(annotation, "pydantic.types")
    )
    return {"Hosted": "HostedRun"}.get(text, text)  # the type variable of both clients


def _docstring(value: object) -> str:
    """Return a docstring as Markdown: its indented blocks become code blocks."""
    text = inspect.getdoc(value) or ""
    blocks = re.split(r"((?:^ {4}.*\n?(?:\n(?= {4}))?)+)", text, flags=re.MULTILINE)
    return (
        "".join(
            fenced("python", textwrap.dedent(block)) if block.startswith("    ") else block
            for block in blocks
        )
        + "\n"
    )


def _linked(markdown: str) -> str:
    """Link the names in the prose to their headings. Code blocks and headings stay as they are."""
    headings = set(re.findall(r"^###+ (\S+)$", markdown, re.MULTILINE))

    def link(name: re.Match[str]) -> str:
        known = name["name"] in headings
        return f"[{name[0]}](#{name['name'].replace('.', '').lower()})" if known else name[0]

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else LINKED.sub(link, part) for part in parts)
