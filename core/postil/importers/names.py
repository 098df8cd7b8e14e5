"""Stable names: ids of runs, and annotation keys, which are the same at every import."""

from __future__ import annotations

import hashlib
import re

from postil.model.identifiers import within
from postil.model.limits import MAX_KEY

_NOT_IN_A_KEY = re.compile(r"[^a-z0-9_]+")
_SHAPE_OF_KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


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
