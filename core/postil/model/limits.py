"""Sizes that the database enforces, for the Python code that checks or fits a value before it is sent. Pure."""

from __future__ import annotations

LANES = 64
"""Number of lanes. A lane is a fixed shard of runs, and the unit of relay ownership."""

MAX_ID = 200
"""Longest id of a run or a stage, in characters."""

MAX_KEY = 200
"""Longest key of an annotation, in characters."""

MAX_VALUE_BYTES = 16 * 1024
"""Largest value of an annotation, in bytes of JSON text."""

MAX_PAYLOAD_BYTES = 256 * 1024
"""Largest payload, input, result or metadata, in bytes of JSON text."""
