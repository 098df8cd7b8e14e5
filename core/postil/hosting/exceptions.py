"""What is stored of an exception, and of values without a JSON form."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from postil.model.json_text import Json

MAX_MESSAGE = 4000
"""A longer message is truncated in the ``failure.*`` annotations, with a marker; in characters."""


def error_as_json(error: BaseException) -> dict[str, Json]:
    """Return the type of an exception, its message (truncated, with a marker) and where it was raised."""
    message = storable(str, error)
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}… [{len(message) - MAX_MESSAGE} characters more]"
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    last = frames[0] if frames else None
    return {
        "type": type(error).__qualname__,
        "message": message,
        "where": f"{last.name}, line {last.lineno}" if last else None,
    }


def storable(format_value: Callable[[object], str], value: object) -> str:
    """Format a value with `format_value` (str or repr) as text that PostgreSQL can store. Never raises."""
    try:
        text = format_value(value)
    except Exception:  # noqa: BLE001 (a value that cannot be formatted must not hide what happened)
        text = f"<{type(value).__qualname__} without a description>"
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
