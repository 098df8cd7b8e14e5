"""Writes any id as one path segment of a URL, and reads it back.

Percent-encoding is not enough: servers decode ``%2F`` before they route,
and browsers resolve ``..`` even where it is percent-encoded.
So ``~`` replaces ``%`` as the escape character, and a dot at the start is escaped, too:
``run-42`` stays ``run-42``, ``a/b`` is ``a~2Fb``, ``..`` is ``~2E.``.
"""

from __future__ import annotations

import re

from postil.model.queries import InvalidQuery, check_text

_PLAIN = re.compile(r"[A-Za-z0-9_.:-]")
_ESCAPE = re.compile(rb"~([0-9A-Fa-f]{2})")


def to_segment(identifier: str) -> str:
    """Return an id as a path segment; `from_segment` reads it back."""
    segment = "".join(
        char if _PLAIN.fullmatch(char) else "".join(f"~{byte:02X}" for byte in char.encode())
        for char in identifier
    )
    return f"~2E{segment[1:]}" if segment.startswith(".") else segment


def from_segment(segment: str, field: str) -> str:
    """Return the id of a path segment; characters other than ``~`` need no escape. Raises `InvalidQuery` naming `field`."""
    raw = segment.encode("utf-8", "surrogatepass")
    if b"~" in _ESCAPE.sub(b"", raw):
        raise InvalidQuery(
            field, "has a “~” without two hex digits.", advice="Write a “~” of the id itself as ~7E."
        )
    try:
        identifier = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), raw).decode()
    except UnicodeDecodeError:
        raise InvalidQuery(
            field, "is not UTF-8 after decoding.", advice="Escape the bytes of its UTF-8 form."
        ) from None
    return check_text(field, identifier)
