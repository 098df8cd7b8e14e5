"""Responses: JSON that keeps every stored value as it is, and errors with advice."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

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
from postil.http.models import ErrorBody
from postil.model.envelope import CONTENT_TYPE
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


_MEANING = {
    403: "The request comes from another site's page, or from another user of this machine",
    404: "The run, or the part of it, does not exist",
    409: "The interaction or its run has ended already",
    413: "The body is too large, or its length is not given",
    415: "The body is not JSON",
    421: "The server does not serve this host name",
    422: "A parameter or a field is malformed; `field` names it",
    500: "Any other error, such as a database of a later version",
    503: "The database is unavailable now, or its schema is outdated",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document states of a route's errors, by status."""
    return {status: {"model": ErrorBody, "description": _MEANING[status]} for status in statuses}


class LosslessJsonResponse(JSONResponse):
    """JSON in which stored values pass through as text, so that no number is rounded and no key is reordered."""

    def render(self, content: Any) -> bytes:
        """Serialise dataclasses, times and stored JSON values."""
        return orjson.dumps(
            content, default=_encodable, option=orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS
        )


def _encodable(value: Any) -> Any:
    if isinstance(value, JsonText):
        return orjson.Fragment(value.text)
    if is_dataclass(value):
        # The key of `try_` is `try`.
        return {field.name.rstrip("_"): getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


class CloudEventResponse(JSONResponse):
    """One CloudEvent, as the text that the database returns."""

    media_type = CONTENT_TYPE

    def render(self, content: str) -> bytes:
        """Encode the text."""
        return content.encode()


def error_response(error: PostilError) -> LosslessJsonResponse:
    """Return the response to an error, with the status of the error's class."""
    classes = (kind for kind in type(error).__mro__ if kind in _STATUS)
    status = _STATUS.get(next(classes, PostilError), 500)
    body = ErrorBody(type(error).__name__, error.what, error.advice, getattr(error, "field", None))
    return LosslessJsonResponse(
        body, status_code=status, headers={"retry-after": "1"} if status == 503 else None
    )


def install(app: FastAPI) -> None:
    """Make `app` return every foreseeable failure as an `ErrorBody`, and describe it so in its OpenAPI document."""
    describe = app.openapi

    def describe_errors() -> dict[str, Any]:
        document = describe()
        for operations in document["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    # FastAPI describes errors with the media type of the route, which may be another one.
                    if int(status) >= 400:
                        response["content"] = {"application/json": next(iter(response["content"].values()))}
        return document

    app.openapi = describe_errors  # type: ignore[method-assign]  # FastAPI's own way to change the document

    async def on_postil_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, PostilError)
        return error_response(error)

    async def on_invalid_request(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        path = [str(part) for part in first["loc"] if part not in ("query", "body", "path")]
        field = ".".join(path) or "body"
        return error_response(
            InvalidQuery(field, f"{first['msg']}.", advice="Correct the named field and ask again.")
        )

    async def on_http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        body = ErrorBody("HTTPException", error.detail, "", None)
        return LosslessJsonResponse(body, status_code=error.status_code, headers=error.headers)

    app.add_exception_handler(PostilError, on_postil_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_error)
