"""Annotation keys and ids of stages: their grammar, and ids made from names, stable and distinct."""

from __future__ import annotations

import hashlib
import re

from postil.errors import InvalidAnnotation
from postil.model.limits import MAX_ID, MAX_KEY

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


def within(identifier: str, limit: int = MAX_ID) -> str:
    """Return the identifier. If it is too long, return its beginning and a digest of the whole, which is distinct and stable."""
    if len(identifier) <= limit:
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{identifier[: limit - 17]}…{digest}"


class StageIds:
    """Returns the ids of the stages of one run: the stage's name, then ``name~2``, ``name~3`` for its repetitions."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._count: dict[str, int] = {}

    def reserve(self, stage_id: str) -> None:
        """Never return `stage_id`: the caller has given it to a stage."""
        self._used.add(stage_id)

    def next(self, name: str) -> str:
        """Return a new id for one more stage named `name`."""
        while True:
            count = self._count[name] = self._count.get(name, 0) + 1
            # The room is for ~9999999.
            stage_id = within(name) if count == 1 else f"{within(name, MAX_ID - 8)}~{count}"
            # The name of another stage may itself be "Check~2".
            if stage_id not in self._used:
                self._used.add(stage_id)
                return stage_id
