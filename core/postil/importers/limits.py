"""Keeps values within the database's limits; what does not fit is replaced by a marker that says so, never cut silently."""

from __future__ import annotations

import hashlib
import json

from postil.importers.histories import Json

VALUE_LIMIT = 16 * 1024
"""Bytes of JSON text an annotation's value may have."""
BODY_LIMIT = 256 * 1024
"""Bytes of JSON text a payload, an input, a result or metadata may have."""
HEAD = 1000
"""Characters of a text that does not fit which its marker keeps."""


def size(value: Json) -> int:
    """Bytes of the value's JSON text, as Postgres writes jsonb (a space after each comma and colon)."""
    return len(text(value).encode("utf-8", "surrogatepass"))


def text(value: Json) -> str:
    """The value's JSON text."""
    return json.dumps(value, ensure_ascii=False)


def fit(value: Json, limit: int) -> tuple[Json, int]:
    """Return the value, and how many markers had to be put into it for its text to be at most `limit` bytes.

    The longest texts go first; if the value has none left that would help, one marker stands for all of it.
    A marker is ``{"truncated": true, "bytes": …, "sha256": …}`` of the UTF-8 text (of the JSON text, for what is
    no text), with the text's first characters under ``head``.
    """
    # Each character is at most six bytes of JSON (\u0000): a short text is decided without writing it.
    if isinstance(value, str) and len(value) * 6 + 2 <= limit:
        return value, 0
    excess = size(value) - limit
    if excess <= 0:
        return value, 0
    chosen: set[int] = set()
    for found in sorted(_texts(value), key=len, reverse=True):
        gain = size(found) - size(marker(found))
        if gain <= 0 or excess <= 0:
            break
        chosen.add(id(found))
        excess -= gain
    if excess > 0:
        return marker(value), 1
    return _replaced(value, chosen), len(chosen)


def marker(value: Json) -> dict[str, Json]:
    """What stands for a value that is too large."""
    whole = value if isinstance(value, str) else text(value)
    data = whole.encode("utf-8", "surrogatepass")
    found: dict[str, Json] = {
        "truncated": True,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    if isinstance(value, str):
        found["head"] = value[:HEAD]
    return found


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for child in children for found in _texts(child)]


def _replaced(value: Json, chosen: set[int]) -> Json:
    if isinstance(value, str):
        return marker(value) if id(value) in chosen else value
    if isinstance(value, dict):
        return {key: _replaced(child, chosen) for key, child in value.items()}
    if isinstance(value, list):
        return [_replaced(child, chosen) for child in value]
    return value
