"""Turns Python values into the JSON text that PostgreSQL stores, and refuses what PostgreSQL cannot store.

Strict RFC 8259: no NaN, no NUL, no lone surrogates, text keys only, at most 64 levels deep.
Every refusal names the path to the invalid part.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TypeAlias, cast

from postil.errors import InvalidInput

Json: TypeAlias = bool | int | float | str | list["Json"] | tuple["Json", ...] | Mapping[str, "Json"] | None
"""A value with a JSON form."""

MAX_DEPTH = 64
"""How many objects and arrays may be nested in each other."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=dict)


def encode(
    value: object, field: str, refusal: type[InvalidInput] = InvalidInput, *, max_depth: int = MAX_DEPTH
) -> str:
    """Return `value` as JSON text.

    `field` is the path of the value in an error, as in ``annotations[0].value``.
    `max_depth` defaults to 64 levels; a value that wraps values of a caller may have more.
    Raises `refusal` with the path to the part that has no JSON form.
    """
    _check(value, field, refusal, max_depth)
    return _ENCODER.encode(value)


def check_text(text: str, field: str, refusal: type[InvalidInput] = InvalidInput) -> str:
    """Return `text`. Raises `refusal` if PostgreSQL cannot store it: NUL, or not Unicode."""
    if "\x00" in text:
        raise refusal(f"{field} contains NUL (U+0000), which PostgreSQL cannot store.", field=field)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise refusal(
            f"{field} contains a lone surrogate at character {error.start}, which is not Unicode text.",
            field=field,
        ) from None
    return text


def _check(value: object, field: str, refusal: type[InvalidInput], max_depth: int) -> None:
    # An explicit stack: a value nested a million levels deep must not end in RecursionError.
    pending: list[tuple[object, str, int]] = [(value, field, 1)]
    while pending:
        part, path, depth = pending.pop()
        if part is None:
            continue
        if isinstance(part, int):
            if abs(part) > sys.float_info.max:  # readers would read infinity, or refuse the event
                raise refusal(f"{path} is a number beyond the range of a double.", field=path)
            continue
        if isinstance(part, str):
            check_text(part, path, refusal)
        elif isinstance(part, float):
            if not math.isfinite(part):
                raise refusal(f"{path} is {part}, which is not a JSON number.", field=path)
        elif depth > max_depth:
            raise refusal(f"{field} is nested deeper than {MAX_DEPTH} levels.", field=field)
        elif isinstance(part, Mapping):
            for key, inner in cast("Mapping[object, object]", part).items():
                if not isinstance(key, str):
                    raise refusal(f"{path} has the key {key!r}: a JSON object's keys are texts.", field=path)
                check_text(key, f"{path} (a key)", refusal)
                pending.append((inner, f"{path}.{key}", depth + 1))
        elif isinstance(part, (list, tuple)):
            inside = cast("list[object] | tuple[object, ...]", part)
            pending.extend((inner, f"{path}[{n}]", depth + 1) for n, inner in enumerate(inside))
        else:
            raise refusal(f"{path} is a {type(part).__name__}, which has no JSON form.", field=path)
