"""How an id stands in a URL: one path segment, whatever the id is.

Percent-encoding cannot do it alone: servers decode ``%2F`` before they route,
and browsers resolve ``..`` however it is spelled.
So an id is written with ``~`` in place of ``%``, and a dot at the start is written that way, too:
``run-42`` stays ``run-42``, ``a/b`` is ``a~2Fb``, ``..`` is ``~2E.``.
"""

from __future__ import annotations

import re

from postil.model.queries import InvalidQuery, check_text

_PLAIN = re.compile(r"[A-Za-z0-9_.:-]")
_ESCAPE = re.compile(rb"~([0-9A-Fa-f]{2})")


def to_segment(identifier: str) -> str:
    """Write an id as a path segment; `from_segment` reads it back."""
    written = "".join(
        char if _PLAIN.fullmatch(char) else "".join(f"~{byte:02X}" for byte in char.encode())
        for char in identifier
    )
    return f"~2E{written[1:]}" if written.startswith(".") else written


def from_segment(segment: str, field: str) -> str:
    """Read an id, in which any character but ``~`` may stand as it is; raises `InvalidQuery` naming `field`."""
    raw = segment.encode("utf-8", "surrogatepass")
    if b"~" in _ESCAPE.sub(b"", raw):
        raise InvalidQuery(
            field, "has a “~” without two hex digits.", advice="Write a “~” of the id itself as ~7E."
        )
    try:
        identifier = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), raw).decode()
    except UnicodeDecodeError:
        raise InvalidQuery(
            field, "is not UTF-8 once decoded.", advice="Escape the bytes of its UTF-8 form."
        ) from None
    return check_text(field, identifier)
