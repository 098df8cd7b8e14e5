"""Stable names: ids of runs and stages, and annotation keys, which are the same at every import."""

from __future__ import annotations

import hashlib
import re

from postil.model.limits import MAX_ID, MAX_KEY

_NOT_IN_A_KEY = re.compile(r"[^a-z0-9_]+")
_SHAPE_OF_KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


def within(identifier: str, limit: int = MAX_ID) -> str:
    """Return the identifier. If it is too long, return its beginning and a digest of the whole, which is distinct and stable."""
    if len(identifier) <= limit:
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{identifier[: limit - 17]}…{digest}"


def run_id(log: str, case: str) -> str:
    """Return the id of a case's run: ``<log>/<case>``."""
    return within(f"{log}/{case}")


def annotation_key(prefix: str, source_key: str) -> str:
    """Return an annotation key for a key of the source: ``org:Group ID`` becomes ``xes.org.group_id``.

    A key without any usable character is named by its digest. The caller stores the original key in the payload.
    """
    segments = [_NOT_IN_A_KEY.sub("_", part.strip().lower()).strip("_") for part in source_key.split(":")]
    key = ".".join([prefix, *(part for part in segments if part)])
    if key == prefix or not _SHAPE_OF_KEY.fullmatch(key):
        key = f"{prefix}.attribute_{hashlib.sha256(source_key.encode()).hexdigest()[:8]}"
    if len(key) > MAX_KEY:
        key = f"{key[: MAX_KEY - 17].rstrip('._')}_{hashlib.sha256(source_key.encode()).hexdigest()[:16]}"
    return key


class StageIds:
    """Returns stage ids within one run: the activity's name, then ``name~2``, ``name~3`` for its repetitions."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._count: dict[str, int] = {}

    def next(self, activity: str) -> str:
        """Return a new id for one more execution of `activity`."""
        base = within(activity, MAX_ID - 8)  # room for ~9999999
        while True:
            count = self._count[base] = self._count.get(base, 0) + 1
            stage_id = base if count == 1 else f"{base}~{count}"
            # The name of an activity may itself be "Check~2".
            if stage_id not in self._used:
                self._used.add(stage_id)
                return stage_id
