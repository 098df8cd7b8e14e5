"""Writes what is generated from the API: its OpenAPI document and the page's TypeScript types.

``python -m postil_consumers.dashboard.openapi`` prints the document, with ``--typescript`` the types.
`make docs` writes the types to ``web/src/api/schema.d.ts``. Neither needs a server or a database.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from postil.settings import load_settings
from postil_consumers.dashboard.app import create_app

_NOTE = "// Generated from the API's OpenAPI document by `make docs`; edits are lost.\n"
_PRIMITIVES = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document that a server returns at ``/api/openapi.json``."""
    return create_app(load_settings()).openapi()


def typescript(document: dict[str, Any]) -> str:
    """Return the document's schemas as TypeScript types of the same names."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    return "\n".join([_NOTE, *(_declaration(name, schema) for name, schema in sorted(schemas.items()))])


def _declaration(name: str, schema: dict[str, Any]) -> str:
    comment = _comment(schema, "")
    if "properties" not in schema:
        return f"{comment}export type {name} = {_type(schema)};\n"
    required = schema.get("required", ())
    fields = "".join(
        f"  {_inline_comment(field)}{key}{'' if key in required else '?'}: {_type(field)};\n"
        for key, field in schema["properties"].items()
    )
    return f"{comment}export interface {name} {{\n{fields}}}\n"


def _inline_comment(field: dict[str, Any]) -> str:
    return f"/** {' '.join(field['description'].split())} */ " if "description" in field else ""


def _comment(schema: dict[str, Any], indent: str) -> str:
    lines = schema.get("description", "").splitlines()
    if len(lines) <= 1:
        return f"{indent}/** {lines[0]} */\n" if lines else ""
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"


def _type(schema: dict[str, Any]) -> str:
    """Return the TypeScript type of a schema; raises `ValueError` for a form that the API does not use yet."""
    match schema:
        case {"$ref": reference}:
            return str(reference).rpartition("/")[2]
        case {"enum": values}:
            return " | ".join(json.dumps(value) for value in values)
        case {"const": value}:
            return json.dumps(value)
        case {"anyOf": options}:
            return " | ".join(_type(option) for option in options)
        case {"type": "array", "items": items}:
            element = _type(items)
            return f"({element})[]" if " " in element else f"{element}[]"
        case {"type": "object", "additionalProperties": values}:
            return f"Record<string, {'unknown' if values is True else _type(values)}>"
        case {"type": kind} if kind in _PRIMITIVES:
            return _PRIMITIVES[kind]
        case _ if not schema.keys() - {"title", "description"}:
            return "unknown"
        case _:
            raise ValueError(f"No TypeScript type for the schema {schema}: extend this function.")


if __name__ == "__main__":
    if "--typescript" in sys.argv:
        sys.stdout.write(typescript(document()))
    else:
        json.dump(document(), sys.stdout, indent=2)
