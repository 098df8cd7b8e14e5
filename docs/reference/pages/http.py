"""The page of the HTTP API: every route, from the OpenAPI document that a server returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pages.markdown import code, table
from postil_consumers.dashboard.openapi import document

HEAD = """# HTTP API

`postil serve` serves these routes, next to the page that uses them. \
The same description is at `/api/openapi.json`, as OpenAPI 3.1.

A response is JSON, unless its route states another form. Times are RFC 3339 in UTC.
"""

SHARED_ERRORS = "Every route can return these errors, with an [`ErrorBody`](#errorbody):\n"


def page() -> str:
    """Return the page."""
    api = document()
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    }
    shared = set.intersection(*(_errors(operation) for operation in operations.values()))
    parts = [HEAD, SHARED_ERRORS, table(("status", "when"), sorted(shared))]
    for route, operation in operations.items():
        parts += _operation(route, operation, shared)
    parts.append("## Types\n")
    for name, schema in sorted(api["components"]["schemas"].items()):
        parts += _schema(name, schema)
    return "\n".join(parts)


def _errors(operation: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the errors of a route, each with its status and when it is returned."""
    return {
        (status, response["description"])
        for status, response in operation["responses"].items()
        if not status.startswith("2")
    }


def _operation(route: str, operation: dict[str, Any], shared: set[tuple[str, str]]) -> Iterator[str]:
    yield f"## `{route}`\n"
    yield f"{operation['description'].strip()}\n"
    rows = [
        (
            f"`{parameter['name']}`",
            parameter["in"],
            _type(parameter["schema"]),
            code(parameter["schema"].get("default")),
            parameter.get("description", ""),
        )
        for parameter in operation.get("parameters", ())
    ]
    if rows:
        yield table(("parameter", "in", "type", "default", "meaning"), rows)
    if "requestBody" in operation:
        yield f"Body: {_content(operation['requestBody'])}\n"
    yield table(
        ("status", "body", "when"),
        [
            (status, _content(response), _when(status, response))
            for status, response in sorted(operation["responses"].items())
            if (status, response["description"]) not in shared
        ],
    )


def _when(status: str, response: dict[str, Any]) -> str:
    text = str(response["description"])
    return "Success" if status.startswith("2") and text == "Successful Response" else text


def _content(holder: dict[str, Any]) -> str:
    forms = [
        _type(form.get("schema") or form.get("itemSchema") or {})
        + ("" if kind == "application/json" else f" as `{kind}`")
        for kind, form in holder.get("content", {}).items()
    ]
    return ", ".join(forms)


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield f"{schema['description'].strip()}\n"
    if "properties" not in schema:
        yield f"{_type(schema)}\n"
        return
    required = schema.get("required", ())
    yield table(
        ("field", "type", "meaning"),
        [
            (
                f"`{field}`" + ("" if field in required else " (optional)"),
                _type(described),
                described.get("description", ""),
            )
            for field, described in schema["properties"].items()
        ],
    )


def _type(schema: dict[str, Any]) -> str:
    """Return a schema in a few words, with links to the types of the page."""
    match schema:
        case {"$ref": reference}:
            name = str(reference).rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"anyOf": options} | {"oneOf": options}:
            return " or ".join(_type(option) for option in options)
        case {"type": "array", "items": items}:
            return f"array of {_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case {"type": str(kind), "format": str(form)}:
            return f"{kind} ({form})"
        case {"type": str(kind)}:
            return kind
        case _:
            return "any JSON"
