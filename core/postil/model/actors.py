"""Actors: who did it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from postil.errors import InvalidInput
from postil.model.json_text import Json, check_text
from postil.model.values import checked


@dataclass(frozen=True)
class Actor:
    """Who did it: an open `kind` (`agent`, `user`, `system`, …), an id, and where it has one a version."""

    kind: str
    id: str
    version: str | None = None

    # In the JSON Schema of a record, `version` is required: it is always there, and may be null.
    __pydantic_config__: ClassVar[dict[str, bool]] = {"json_schema_serialization_defaults_required": True}

    def __post_init__(self) -> None:
        version = [] if self.version is None else [("version", self.version)]
        for name, value in [("kind", self.kind), ("id", self.id), *version]:
            said = check_text(checked(value, str, f"actor.{name}"), f"actor.{name}")
            if not 1 <= len(said) <= 200:
                raise InvalidInput(
                    f"actor.{name} must have 1 to 200 characters, this has {len(said)}.",
                    field=f"actor.{name}",
                )

    def as_json(self) -> dict[str, Json]:
        """Return the form the write functions take."""
        return {"kind": self.kind, "id": self.id, "version": self.version}


def agent(id: str, version: str | None = None) -> Actor:  # noqa: A002 (the field's own name)
    """An AI agent or another program that decides."""
    return Actor("agent", id, version)


def user(id: str) -> Actor:  # noqa: A002 (the field's own name)
    """A person."""
    return Actor("user", id)


def system(id: str, version: str | None = None) -> Actor:  # noqa: A002 (the field's own name)
    """A service that acts by rule."""
    return Actor("system", id, version)
