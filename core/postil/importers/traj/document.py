"""Reads the JSON document of a trajectory, and gets typed parts out of it."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeGuard, cast

from postil.errors import InvalidInput
from postil.importers.errors import BadValue, MalformedInput
from postil.importers.histories import Json
from postil.importers.source import Source
from postil.model.json_text import MAX_DEPTH, encode

WHOLE = "the JSON"
FILE_BYTES = 64 * 1024 * 1024
"""Largest trajectory, in bytes: it is read whole, because it becomes one run."""


class UnexpectedShape(BadValue):
    """A part of the document is not what a trajectory has there."""

    def __init__(self, where: str, problem: str) -> None:
        self.where = where.lstrip(".") or "the top level"
        self.problem = problem
        super().__init__(problem)


def load(source: Source) -> dict[str, Any]:
    """Return the document of a file.

    Raises `MalformedInput` if it is too large, is not strict JSON that PostgreSQL can store, or is not a JSON object.
    """
    data = _bytes_of(source)
    document = _decoded(source, data)
    if not is_object(document):
        raise MalformedInput(
            source.path,
            "the top level",
            "This is not a trajectory: not a JSON object.",
            advice="Check that the file is SWE-agent's.",
        )
    return document


def _bytes_of(source: Source) -> bytearray:
    data = bytearray()
    for chunk in source.chunks():
        data += chunk
        if len(data) > FILE_BYTES:
            raise MalformedInput(
                source.path,
                f"byte {FILE_BYTES:,}",
                "The trajectory is too large to be one run.",
                advice=f"A trajectory may have {FILE_BYTES:,} bytes.",
            )
    return data


def _decoded(source: Source, data: bytearray) -> object:
    def refuse(constant: str) -> NoReturn:
        raise UnexpectedShape("", f"{constant} is not JSON")

    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=refuse)
        encode(document, WHOLE)
    except UnicodeDecodeError as error:
        raise MalformedInput(
            source.path,
            f"byte {error.start:,}",
            f"The byte 0x{data[error.start]:02x} is not valid UTF-8.",
            advice="JSON is UTF-8: convert the file.",
        ) from None
    except json.JSONDecodeError as error:
        raise MalformedInput(
            source.path,
            f"line {error.lineno:,}, column {error.colno:,}",
            f"The JSON is broken: {error.msg}.",
            advice="If it was cut off, fetch it again.",
        ) from None
    except RecursionError:
        raise MalformedInput(
            source.path,
            "the top level",
            "The JSON is nested too deep.",
            advice=f"A trajectory nests {MAX_DEPTH} levels at most.",
        ) from None
    except InvalidInput as error:  # NUL, a lone surrogate, nested too deep
        place = error.field or WHOLE
        raise MalformedInput(
            source.path,
            place.removeprefix(f"{WHOLE}."),
            error.what.replace(place, "It", 1),
            advice="Correct it there and import again.",
        ) from None
    except UnexpectedShape as error:  # a constant that is not JSON
        raise MalformedInput(source.path, WHOLE, f"{error}.", advice="Correct it and import again.") from None
    except ValueError:
        raise MalformedInput(
            source.path,
            WHOLE,
            "It has an integer of thousands of digits.",
            advice="Correct it and import again.",
        ) from None
    return cast("object", document)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether the value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether the value is a JSON array."""
    return isinstance(value, list)


def nested(value: Any, *keys: str) -> Any:
    """Return the value at a path of keys, or None."""
    for key in keys:
        value = value.get(key) if is_object(value) else None
    return value


def list_in(document: dict[str, Any], key: str, where: str, default: list[Any] | None = None) -> list[Any]:
    """Return an array of the document. Raises `UnexpectedShape` for anything else."""
    value = document.get(key, default)
    if not is_list(value):
        raise UnexpectedShape(f"{where}.{key}", f"This is not a trajectory: {key!r} is not a list of steps")
    return value


def object_in(document: dict[str, Any], key: str, where: str, default: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the document. Raises `UnexpectedShape` for anything else."""
    value = document.get(key, default)
    if not is_object(value):
        raise UnexpectedShape(f"{where}.{key}", f"{key!r} is not a JSON object")
    return value


def text_in(step: dict[str, Any], key: str, where: str) -> str:
    """Return a text of a step, "" if it is missing. Raises `UnexpectedShape` for anything else."""
    value = step.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnexpectedShape(f"{where}.{key}", f"{key!r} is not a text")
    return value


def parsed(value: Any) -> Json:
    """Return the object or array that a text holds as JSON. Returns any other value unchanged."""
    if not isinstance(value, str):
        return cast("Json", value)
    try:
        document = json.loads(value, parse_constant=str)
        encode(document, "")
    except (ValueError, RecursionError, InvalidInput):
        return value
    return cast("Json", document) if isinstance(document, dict | list) else value
