"""The OpenAPI document describes every route, and the page's TypeScript types follow it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import postil_consumers.dashboard
from fixtures.openapi import Contract
from postil.http.descriptions import FIELDS as CORE_FIELDS
from postil_consumers.dashboard.descriptions import FIELDS
from postil_consumers.dashboard.openapi import document, typescript

SCHEMA = Path(postil_consumers.dashboard.__file__).parent / "web" / "src" / "api" / "schema.d.ts"


def test_committed_types_are_the_generated_ones() -> None:
    """The page's `schema.d.ts` is what `make docs` would write."""
    assert SCHEMA.read_text("utf-8") == typescript(document()), "run `make docs`"


def test_every_response_is_described() -> None:
    """Each response of each route has a body schema that names its content, and each route names its errors."""
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            assert {"200", "403", "421"} <= responses.keys(), (method, path)
            for status, response in responses.items():
                (content,) = response["content"].values()
                assert content["schema"].keys() & {"$ref", "anyOf"}, (method, path, status)


def undescribed(document: dict[str, Any]) -> list[str]:
    """Return the schemas, fields, operations, parameters, bodies and responses that have no description."""
    parts: dict[str, dict[str, Any]] = {}
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {})
        parts |= {f"{name}.{field}": described for field, described in fields.items()}
        if fields:
            parts[name] = schema
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts[f"{method} {path}"] = operation
            parts |= {f"{method} {path} {p['name']}": p for p in operation.get("parameters", ())}
            parts |= {f"{method} {path} {status}": r for status, r in operation["responses"].items()}
            if "requestBody" in operation:
                parts[f"{method} {path} body"] = operation["requestBody"]
    unnamed = ("", "Successful Response", "Validation Error")
    return [name for name, part in parts.items() if part.get("description", "") in unnamed]


def test_everything_has_a_description() -> None:
    """Each schema, field, operation, parameter, body and response of the document has its own description."""
    assert undescribed(document()) == []


def test_a_missing_description_is_found() -> None:
    """The check of descriptions reports a field, a parameter and a response that have none."""
    changed = copy.deepcopy(document())
    del changed["components"]["schemas"]["Stage"]["properties"]["id"]["description"]
    operation = changed["paths"]["/api/runs"]["get"]
    operation["parameters"][0].pop("description")
    operation["responses"]["200"]["description"] = "Successful Response"
    name = operation["parameters"][0]["name"]
    assert undescribed(changed) == ["Stage.id", f"get /api/runs {name}", "get /api/runs 200"]


def test_each_line_of_the_tables_describes_a_field() -> None:
    """Each line of the tables of descriptions is the description of a field in the document."""
    schemas = document()["components"]["schemas"].values()
    texts = {
        field.get("description") for schema in schemas for field in schema.get("properties", {}).values()
    }
    assert {name for name, text in (CORE_FIELDS | FIELDS).items() if text not in texts} == set()


def test_operation_names_are_unique() -> None:
    """Each operation has a unique id, so that generated clients have one function for each."""
    names = [
        operation["operationId"]
        for operations in document()["paths"].values()
        for operation in operations.values()
    ]
    assert sorted(names) == sorted(set(names))


def test_contract_finds_each_difference() -> None:
    """The check of responses finds a missing, an unknown and a wrong property, a wrong type and a bad enum value."""
    contract = Contract()
    stage = {"$ref": "#/components/schemas/Stage"}
    body = {
        "id": "s", "name": "S", "status": "running", "attempt": 1, "actor": None, "result": [1], "error": None,
        "started_at": "2026-01-02T03:04:05Z", "ended_at": None,
    }  # fmt: skip
    assert contract.faults(body, stage, "body") == []
    assert contract.faults({**body, "status": "done"}, stage, "body") != []
    assert contract.faults({**body, "attempt": "1"}, stage, "body") != []
    assert contract.faults({**body, "attempt": True}, stage, "body") != []
    assert contract.faults({**body, "started_at": "2026-01-02T03:04:05"}, stage, "body") != []
    assert contract.faults({**body, "more": 1}, stage, "body") == ["body.more is not documented"]
    assert contract.faults({"id": "s"}, stage, "body") != []
    assert contract.faults({**body, "actor": {"kind": "user", "id": "a"}}, stage, "body") != []


def test_unknown_schema_form_is_refused() -> None:
    """A schema that the TypeScript writer does not know raises an error instead of becoming a wrong type."""
    with pytest.raises(ValueError, match="extend this function"):
        typescript({"components": {"schemas": {"New": {"oneOf": []}}}})
