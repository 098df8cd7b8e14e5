"""How the API answers: JSON that keeps every stored value as it is, and errors that say what to do."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from postil.errors import (
    IdempotencyConflict,
    InteractionEnded,
    InteractionNotFound,
    InvalidInput,
    PostilError,
    Retryable,
    RunCancelled,
    RunFinished,
    RunNotFound,
    SchemaOutdated,
    Unavailable,
)
from postil.model.queries import InvalidQuery
from postil.model.records import JsonText

_STATUS: dict[type[PostilError], int] = {
    InvalidQuery: 422,
    InvalidInput: 422,
    RunNotFound: 404,
    InteractionNotFound: 404,
    InteractionEnded: 409,
    RunCancelled: 409,
    RunFinished: 409,
    IdempotencyConflict: 409,
    Retryable: 503,
    Unavailable: 503,
    SchemaOutdated: 503,
}


class Answer(Response):
    """JSON. Stored values pass through as text, so that no number is rounded and no key reordered."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Serialise dataclasses, times and stored JSON."""
        return orjson.dumps(
            content, default=_stored, option=orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS
        )


def _stored(value: Any) -> Any:
    if isinstance(value, JsonText):
        return orjson.Fragment(value.text)
    if hasattr(value, "__dataclass_fields__"):
        return {name.rstrip("_"): getattr(value, name) for name in value.__dataclass_fields__}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def refusal(error: PostilError) -> Answer:
    """An error as an answer: the status, what happened, what to do, and the field where one is at fault."""
    kinds = (kind for kind in type(error).__mro__ if kind in _STATUS)
    status = _STATUS.get(next(kinds, PostilError), 500)
    body = {
        "error": type(error).__name__,
        "what": error.what,
        "advice": error.advice,
        "field": getattr(error, "field", None),
    }
    return Answer(body, status_code=status, headers={"retry-after": "1"} if status == 503 else None)


def install(app: FastAPI) -> None:
    """Answer every foreseeable failure of `app` in this form."""

    async def postil_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, PostilError)
        return refusal(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = [str(part) for part in first["loc"] if part not in ("query", "body", "path")]
        field = ".".join(where) or "body"
        return refusal(
            InvalidQuery(field, f"{first['msg']}.", advice="Correct the named field and ask again.")
        )

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        body = {"error": "HTTPException", "what": error.detail, "advice": "", "field": None}
        return Answer(body, status_code=error.status_code, headers=error.headers)

    app.add_exception_handler(PostilError, postil_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
