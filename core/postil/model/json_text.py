"""Turns Python values into the JSON text PostgreSQL stores, refusing what it could not give back.

Strict RFC 8259: no NaN, no NUL, no lone surrogates, text keys only, at most 64 levels deep.
Every refusal names the path to the offending part, because "invalid input syntax" at 3 a.m. helps nobody.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TypeAlias, cast

from postil.errors import InvalidInput

Json: TypeAlias = "bool | int | float | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"

MAX_DEPTH = 64


def encode(
    value: object, field: str, refusal: type[InvalidInput] = InvalidInput, *, max_depth: int = MAX_DEPTH
) -> str:
    """Return `value` as JSON text.

    `field` is what the value is called in an error, as in ``annotations[0].value``;
    `max_depth` is for what wraps values of callers: they may be as deep inside as on their own.
    Raises `refusal` naming the path to the part that has no JSON form.
    """
    _check(value, field, refusal, max_depth)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=dict)


def check_text(text: str, field: str, refusal: type[InvalidInput] = InvalidInput) -> str:
    """Return `text`, or raise `refusal` where PostgreSQL could not store it."""
    if "\x00" in text:
        raise refusal(f"{field} contains NUL (U+0000), which PostgreSQL cannot store.", field=field)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise refusal(
            f"{field} contains a lone surrogate at character {error.start}: it is no Unicode text.",
            field=field,
        ) from None
    return text


def _check(value: object, field: str, refusal: type[InvalidInput], max_depth: int) -> None:
    # A stack of our own: a value nested a million levels deep must not end in RecursionError.
    pending: list[tuple[object, str, int]] = [(value, field, 1)]
    while pending:
        part, path, depth = pending.pop()
        if part is None:
            continue
        if isinstance(part, int):
            if abs(part) > sys.float_info.max:  # readers would take it for infinity, or refuse the event
                raise refusal(f"{path} is a number beyond the range of a double.", field=path)
            continue
        if isinstance(part, str):
            check_text(part, path, refusal)
        elif isinstance(part, float):
            if not math.isfinite(part):
                raise refusal(f"{path} is {part}, which is no JSON number.", field=path)
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
