"""Statements: SQL that is ready to be executed. Pure: `postil.postgres.execute` executes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")

Row: TypeAlias = "Mapping[str, Any]"
"""One row of a result, by column name."""

Rows: TypeAlias = "Sequence[Row]"


@dataclass(frozen=True, slots=True)
class Statement(Generic[T]):
    """SQL text, its parameters, and the function that reads its rows."""

    sql: str
    """The text, with named parameters as in ``:run_id``."""

    parameters: Mapping[str, object]
    """The value of each named parameter."""

    read: Callable[[Rows], T]
    """Turns the rows into the result."""
