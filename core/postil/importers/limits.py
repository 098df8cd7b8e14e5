"""Keeps values within the database's size limits. A value that is too large is replaced by a marker, never cut silently."""

from __future__ import annotations

import hashlib
import json

from postil.importers.histories import Json

HEAD = 1000
"""How many characters of a text that is too large its marker keeps."""


def size(value: Json) -> int:
    """Return the size of the value's JSON text in bytes, as Postgres writes jsonb: with a space after each comma and colon."""
    return len(text(value).encode("utf-8", "surrogatepass"))


def text(value: Json) -> str:
    """Return the value's JSON text."""
    return json.dumps(value, ensure_ascii=False)


def fit(value: Json, limit: int) -> tuple[Json, int]:
    """Return the value with markers in place of its longest texts, and the number of markers.

    The result has at most `limit` bytes of JSON text. If replacing texts is not enough, one marker replaces the whole value.
    A marker is ``{"truncated": true, "bytes": …, "sha256": …}`` of the UTF-8 text, with the first characters of the text
    under ``head``. For a value that is not a text, size and hash are those of its JSON text, and there is no ``head``.
    """
    # A character has at most six bytes in JSON (\u0000), so a short text needs no encoding to be accepted.
    if isinstance(value, str) and len(value) * 6 + 2 <= limit:
        return value, 0
    excess = size(value) - limit
    if excess <= 0:
        return value, 0
    chosen: set[int] = set()
    for candidate in sorted(_texts(value), key=len, reverse=True):
        gain = size(candidate) - size(marker(candidate))
        if gain <= 0 or excess <= 0:
            break
        chosen.add(id(candidate))
        excess -= gain
    if excess > 0:
        return marker(value), 1
    return _replaced(value, chosen), len(chosen)


def marker(value: Json) -> dict[str, Json]:
    """Return the marker that replaces a value that is too large."""
    whole = value if isinstance(value, str) else text(value)
    data = whole.encode("utf-8", "surrogatepass")
    fields: dict[str, Json] = {
        "truncated": True,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    if isinstance(value, str):
        fields["head"] = value[:HEAD]
    return fields


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [descendant for child in children for descendant in _texts(child)]


def _replaced(value: Json, chosen: set[int]) -> Json:
    if isinstance(value, str):
        return marker(value) if id(value) in chosen else value
    if isinstance(value, dict):
        return {key: _replaced(child, chosen) for key, child in value.items()}
    if isinstance(value, list):
        return [_replaced(child, chosen) for child in value]
    return value
