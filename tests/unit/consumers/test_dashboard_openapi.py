"""The OpenAPI document describes every route, and the page's TypeScript types follow it."""

from __future__ import annotations

from pathlib import Path

import pytest

import postil_consumers.dashboard
from fixtures.openapi import Contract
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
