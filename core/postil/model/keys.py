"""The grammar of annotation keys."""

from __future__ import annotations

import re

from postil.errors import InvalidAnnotation
from postil.model.limits import MAX_KEY

KEY = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)*")
"""A key: lower-case dotted segments."""


def check_key(key: object, place: str) -> None:
    """Raise `InvalidAnnotation` unless `key` is 1 to 200 characters of lower-case dotted segments."""
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY:
        size = f"this has {len(key)}" if isinstance(key, str) else f"this is a {type(key).__name__}"
        raise InvalidAnnotation(f"{place} must be a text of 1 to {MAX_KEY} characters, {size}.", field=place)
    if not KEY.fullmatch(key):
        raise InvalidAnnotation(
            f"{place} is {key[:80]!r}: a key is made of lower-case dotted segments, as in decision.outcome.",
            field=place,
        )
