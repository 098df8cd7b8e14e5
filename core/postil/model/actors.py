"""Actors: who did something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from postil.errors import InvalidInput
from postil.model.json_text import Json, check_text
from postil.model.values import checked


@dataclass(frozen=True)
class Actor:
    """Who did something. `agent`, `user` and `system` make the usual kinds.

    Raises `InvalidInput` if a part is not a text of 1 to 200 characters.
    """

    kind: str
    """``agent``, ``user``, ``system``, or a word of yours."""

    id: str
    """The actor's id in the host system, for example a login or the name of a service."""

    version: str | None = None
    """The version of the agent or service. Defaults to None: unknown."""

    # In the JSON Schema of a record, `version` is required: it is always there, and may be null.
    __pydantic_config__: ClassVar[dict[str, bool]] = {"json_schema_serialization_defaults_required": True}

    def __post_init__(self) -> None:
        version = [] if self.version is None else [("version", self.version)]
        for name, value in [("kind", self.kind), ("id", self.id), *version]:
            text = check_text(checked(value, str, f"actor.{name}"), f"actor.{name}")
            if not 1 <= len(text) <= 200:
                raise InvalidInput(
                    f"actor.{name} must have 1 to 200 characters, this has {len(text)}.",
                    field=f"actor.{name}",
                )

    def as_json(self) -> dict[str, Json]:
        """Return the form that the write functions take."""
        return {"kind": self.kind, "id": self.id, "version": self.version}


def agent(id: str, version: str | None = None) -> Actor:  # noqa: A002 (the field's own name)
    """Return the actor for an AI agent or another program that decides.

    `id` is the name of the agent; `version` is its version, and defaults to None: unknown.
    Raises `InvalidInput` as `Actor` does.
    """
    return Actor("agent", id, version)


def user(id: str) -> Actor:  # noqa: A002 (the field's own name)
    """Return the actor for a person. `id` is the login or another name. Raises `InvalidInput` as `Actor` does."""
    return Actor("user", id)


def system(id: str, version: str | None = None) -> Actor:  # noqa: A002 (the field's own name)
    """Return the actor for a service that follows fixed rules.

    `id` is the name of the service; `version` is its version, and defaults to None: unknown.
    Raises `InvalidInput` as `Actor` does.
    """
    return Actor("system", id, version)
