"""The words of Postil as types: actors, notes and the typed conventions, and what a write answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from postil.errors import InvalidAnnotation, InvalidInput
from postil.jsontext import Json, check_text, encode

T = TypeVar("T")

KEY = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)*")
"""A key: lower-case dotted segments."""

MAX_KEY = 200


def checked(value: T, kind: type | tuple[type, ...], field: str) -> T:
    """Return `value`, or raise `InvalidInput` where it is not of that type: callers without a type checker meet this."""
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    wanted = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
    raise InvalidInput(f"{field} must be of type {wanted}, this is {type(value).__name__}.", field=field)


@dataclass(frozen=True)
class Actor:
    """Who did it: an open `kind` (`agent`, `user`, `system`, …), an id, and where it has one a version."""

    kind: str
    id: str
    version: str | None = None

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


class _Unset:
    """Leaving something out is how one says nothing; None is the JSON value null."""

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"  # the one there is, after pickling too


UNSET: Final = _Unset()


@dataclass(frozen=True)
class Note:
    """One annotation about to be written: a key, a value, and what differs from the call's defaults."""

    key: str
    value: Json
    payload: Json | _Unset = UNSET
    actor: Actor | None = None
    scope: str | None = None
    scope_id: str | None = None
    stage_id: str | None = None
    attempt: int | None = None
    try_: int | None = None
    idempotency_key: str | None = None
    recorded_at: datetime | None = None
    group: int | None = field(default=None, compare=False)

    def as_item(self, place: str) -> dict[str, object]:
        """Return the form `postil.annotate` takes; `place` is what it is called in an error, as in ``items[2]``.

        Raises `InvalidAnnotation` for a malformed key or a time without a zone.
        """
        check_key(self.key, f"{place}.key")
        item: dict[str, object] = {"key": self.key, "value": self.value}
        if not isinstance(self.payload, _Unset):
            item["payload"] = self.payload
        if self.actor is not None:
            item["actor"] = checked(self.actor, Actor, f"{place}.actor").as_json()
        if self.recorded_at is not None:
            item["recorded_at"] = rfc3339(self.recorded_at, f"{place}.recorded_at")
        rest = {
            "scope": self.scope, "scope_id": self.scope_id, "stage_id": self.stage_id, "attempt": self.attempt,
            "try": self.try_, "idempotency_key": self.idempotency_key, "group": self.group,
        }  # fmt: skip
        return item | {name: value for name, value in rest.items() if value is not None}


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


def regrouped(notes: Iterable[Note], after: Iterable[Note]) -> list[Note]:
    """Return `notes` with their groups numbered past those of `after`, so that the two can be said together."""
    first = 1 + max((note.group for note in after if note.group is not None), default=-1)
    return [note if note.group is None else replace(note, group=first + note.group) for note in notes]


def rfc3339(time: datetime, place: str) -> str:
    """Spell a time in UTC; `InvalidInput` where it has no zone, for it would mean another moment everywhere."""
    if checked(time, datetime, place).utcoffset() is None:
        raise InvalidInput(f"{place} has no time zone: {time.isoformat()}.", field=place)
    try:
        return time.astimezone(UTC).isoformat()
    except OverflowError:
        raise InvalidInput(
            f"{place} must lie within the years 1 to 9999: {time.isoformat()}.", field=place
        ) from None


class Convention(BaseModel):
    """A typed group of keys: its fields expand to ``<prefix>.<field>``, and each value is validated when written.

    Subclass it to register keys of your own; a dictionary that uses one of its keys is held to the same type.
    Fields left at None are not written: leaving a key out is how one says nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    prefix: ClassVar[str] = ""
    _typed_keys: ClassVar[dict[str, TypeAdapter[Any]]] = {}

    payload: Any = Field(default=UNSET, exclude=True, repr=False)
    """Whatever else belongs to the group, stored once."""

    def __init__(self, **values: Any) -> None:
        """Raises `InvalidAnnotation` where a value is not of its key's type."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _as_invalid_annotation(error, type(self).prefix) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the keys."""
        super().__pydantic_init_subclass__(**kwargs)
        check_key(cls.prefix, f"{cls.__name__}.prefix")
        for name, info in cls.model_fields.items():
            if name != "payload":
                annotated: Any = Annotated[info.annotation, info]
                check_key(f"{cls.prefix}.{name}", f"{cls.__name__}.{name}")
                cls._typed_keys[f"{cls.prefix}.{name}"] = TypeAdapter(annotated)

    @classmethod
    def check_value(cls, key: str, value: object, place: str) -> None:
        """Raise `InvalidAnnotation` where `key` is registered and `value` is not of its type."""
        adapter = cls._typed_keys.get(key)
        if adapter is not None and value is not None:
            try:
                # As JSON and strictly, because that is what is stored: "0.9" is no number.
                adapter.validate_json(encode(value, place, InvalidAnnotation), strict=True)
            except ValidationError as error:
                raise _as_invalid_annotation(error, place, about=f"{key}: ") from None

    def values(self) -> dict[str, Json]:
        """Return the keys and JSON values this says."""
        return {
            f"{self.prefix}.{name}": value
            for name, value in self.model_dump(mode="json", exclude_none=True).items()
        }


def _as_invalid_annotation(error: ValidationError, place: str, about: str = "") -> InvalidAnnotation:
    first = error.errors(include_input=False, include_url=False)[0]
    path = place + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return InvalidAnnotation(f"{path}: {about}{first['msg']}.", field=path)


class Decision(Convention):
    """What was decided, and why."""

    prefix = "decision"
    outcome: str
    rationale: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    alternatives: list[str] | None = None
    used_fallback: bool | None = None


class Approval(Convention):
    """Who approved it, when, and under which policy."""

    prefix = "approval"
    approvers: list[str] = Field(min_length=1)
    outcome: str | None = None
    timestamp: AwareDatetime | None = None
    policy_version: str | None = None
    note: str | None = None


class Revision(Convention):
    """Which run this one revises."""

    prefix = "revision"
    previous_run_id: str
    reason: str | None = None


class Failure(Convention):
    """What went wrong, as noted when a stage fails."""

    prefix = "failure"
    type: str
    message: str | None = None


@dataclass(frozen=True)
class Trigger:
    """What set a run off: `source` (sdk, api, dashboard, cli, mcp, schedule, …) by `action` (trigger, replay, test, …)."""

    source: str = "sdk"
    action: str = "trigger"
    schedule_id: str | None = None

    def as_json(self) -> dict[str, Json]:
        """Return the form the write functions take."""
        return {"source": self.source, "action": self.action, "schedule_id": self.schedule_id}


Said: TypeAlias = Convention | Mapping[str, Json] | Note
"""What one may annotate with: a typed convention, a dictionary of keys, or single notes."""


def notes_of(
    said: Sequence[Said], place: str = "items", *, idempotency_key: str | None = None
) -> Iterator[Note]:
    """Expand what was said into notes; keys of one convention form a group whose payload goes with its first.

    `idempotency_key` is that of every note which has none of its own; `place` is what they are called in an error.
    Raises `InvalidAnnotation` naming the item and the path into it.
    """
    n = 0
    # Notes may bring groups of their own, as those handed back by RunCancelled do.
    first_group = 1 + max(
        (one.group for one in said if isinstance(one, Note) and one.group is not None), default=-1
    )
    for group, one in enumerate(said, first_group):
        if isinstance(one, Note):
            check_key(one.key, f"{place}[{n}].key")
            Convention.check_value(one.key, one.value, f"{place}[{n}].value")
            yield replace(one, idempotency_key=one.idempotency_key or idempotency_key)
            n += 1
            continue
        payload: Json | _Unset = UNSET
        if isinstance(one, Convention):
            values: Mapping[str, Json] = one.values()
            payload = one.payload
        elif isinstance(one, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] (callers without a checker)
            values = one
        else:
            raise InvalidAnnotation(
                f"{place}[{n}] is a {type(one).__name__}: say a convention, a dictionary of keys, or a Note.",
                field=f"{place}[{n}]",
            )
        for key, value in values.items():
            if not isinstance(one, Convention):
                check_key(key, f"{place}[{n}].key")
                Convention.check_value(key, value, f"{place}[{n}].value")
            yield Note(
                key, value, payload=payload, idempotency_key=idempotency_key,
                group=group if isinstance(one, Convention) else None,
            )  # fmt: skip
            payload = UNSET
            n += 1
        if not isinstance(payload, _Unset):
            raise InvalidAnnotation(
                f"{place}[{n}] is a {type(one).__name__} with a payload and no key to store it with.",
                field=f"{place}[{n}]",
            )


@dataclass(frozen=True)
class Recorded:
    """What happened to one annotation: its id, its number in the run, and whether this call stored it."""

    id: UUID
    run_seq: int
    created: bool


@dataclass(frozen=True)
class Change:
    """What happened to a run or stage: the number of its event, whether this call made it, and the notes that came along."""

    run_seq: int
    created: bool
    notes: tuple[Recorded, ...] = ()


@dataclass(frozen=True)
class Part:
    """What happened to a tool call or interaction: its id, the number of its event, and whether this call made it."""

    id: str
    run_seq: int
    created: bool


@dataclass(frozen=True)
class History:
    """What happened to one run of `record_runs`: how many events it has, and whether this call stored it."""

    run_id: str
    events: int
    created: bool
