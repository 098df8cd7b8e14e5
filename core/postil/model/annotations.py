"""New annotations: single ones, the conventions and dictionaries that expand to them, and their JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from postil.errors import InvalidAnnotation
from postil.model.actors import Actor
from postil.model.conventions import Convention
from postil.model.identifiers import check_key
from postil.model.json_text import Json, encode
from postil.model.values import UNSET, Unset, checked, rfc3339


@dataclass(frozen=True)
class NewAnnotation:
    """One annotation that is about to be written. A field that is given replaces the default of the call."""

    key: str
    """Lower-case dotted segments, 1 to 200 characters, as in ``decision.outcome``."""

    value: Json
    """At most 16 KiB of JSON text."""

    payload: Json | Unset = UNSET
    """More data about the annotation, at most 256 KiB of JSON text. Defaults to no payload; None is JSON null."""

    actor: Actor | None = None
    """Defaults to the actor of the call."""

    scope: str | None = None
    """What the annotation is about: ``run``, ``stage``, ``tool_call``, ``ai_call`` or a word of yours.

    Defaults to ``stage`` if there is a stage, else to ``run``.
    """

    scope_id: str | None = None
    """The id of what the annotation is about. Defaults to the stage's id if `scope` is not given, else to None."""

    stage_id: str | None = None
    """Defaults to the stage of the call."""

    attempt: int | None = None
    """Which attempt of the run it belongs to, from 1 to the current one. Defaults to the current one."""

    try_: int | None = None
    """Which try within the attempt it belongs to. Defaults to None."""

    idempotency_key: str | None = None
    """Writing the same key with the same idempotency key again stores nothing. Defaults to that of the call."""

    recorded_at: datetime | None = None
    """When it happened, with a time zone. Defaults to the time of the call."""

    group: int | None = field(default=None, compare=False)
    """Annotations of one call with the same number get the same group id. Conventions set it."""


AnnotationLike: TypeAlias = Convention | Mapping[str, Json] | NewAnnotation
"""What a write accepts as annotations: a typed convention, a dictionary of keys, or a `NewAnnotation`."""


def expand(
    annotations: Sequence[AnnotationLike], place: str = "annotations", *, idempotency_key: str | None = None
) -> list[NewAnnotation]:
    """Expand conventions and dictionaries into single annotations; neither keys nor values are checked yet.

    The keys of one convention form a group, and the convention's payload goes to the first of them.
    `idempotency_key` is the default of each annotation. `place` is the path of `annotations` in an error.

    Raises `InvalidAnnotation` for anything else, and for a payload without a key to store it with.
    """
    return [annotation for annotation, _ in _expanded(annotations, place, idempotency_key=idempotency_key)]


def annotations_to_json(
    annotations: Sequence[AnnotationLike], place: str = "annotations", *, idempotency_key: str | None = None
) -> str:
    """Expand, check and encode annotations: the JSON array that the write functions take.

    The parameters are those of `expand`.
    Raises `InvalidAnnotation` with the path of the malformed part, as in ``annotations[2].value.score``,
    and `InvalidInput` for an actor or a time.
    """
    encoded = (
        _to_json(annotation, f"{place}[{n}]", is_typed=is_typed)
        for n, (annotation, is_typed) in enumerate(
            _expanded(annotations, place, idempotency_key=idempotency_key)
        )
    )
    return f"[{','.join(encoded)}]"


def renumber_groups(
    annotations: Iterable[NewAnnotation], after: Iterable[NewAnnotation]
) -> list[NewAnnotation]:
    """Renumber the groups of `annotations` past those of `after`, so that one call can write both."""
    first = _first_free_group(after)
    return [
        annotation if annotation.group is None else replace(annotation, group=first + annotation.group)
        for annotation in annotations
    ]


def _first_free_group(annotations: Iterable[object]) -> int:
    groups = (a.group for a in annotations if isinstance(a, NewAnnotation) and a.group is not None)
    return 1 + max(groups, default=-1)


def _expanded(
    annotations: Sequence[AnnotationLike], place: str, *, idempotency_key: str | None
) -> Iterator[tuple[NewAnnotation, bool]]:
    """Yield single annotations, each with whether its convention has checked the type of its value already."""
    # An iterator would be empty after the first of the two loops.
    if not isinstance(annotations, (list, tuple)):
        raise InvalidAnnotation(
            f"{place} must be a list or a tuple, this is a {type(annotations).__name__}.", field=place
        )
    n = 0
    # Single annotations may bring groups, as those of `unflushed` do: the call's own groups come after them.
    for group, source in enumerate(annotations, _first_free_group(annotations)):
        if isinstance(source, NewAnnotation):
            if idempotency_key and not source.idempotency_key:
                source = replace(source, idempotency_key=idempotency_key)  # noqa: PLW2901 (its completed form)
            yield source, False
            n += 1
            continue
        is_convention = isinstance(source, Convention)
        payload: Json | Unset = UNSET
        if isinstance(source, Convention):
            values: Mapping[str, Json] = source.values()
            payload = source.payload
        elif isinstance(source, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] (callers without a checker)
            values = source
        else:
            raise InvalidAnnotation(
                f"{place}[{n}] is a {type(source).__name__}:"
                " pass a convention, a dictionary of keys, or a NewAnnotation.",
                field=f"{place}[{n}]",
            )
        for key, value in values.items():
            annotation = NewAnnotation(
                key, value, payload, idempotency_key=idempotency_key, group=group if is_convention else None
            )
            yield annotation, is_convention
            payload = UNSET
            n += 1
        if not isinstance(payload, Unset):
            raise InvalidAnnotation(
                f"{place}[{n}] is a {type(source).__name__} with a payload and no key to store it with.",
                field=f"{place}[{n}]",
            )


def _to_json(annotation: NewAnnotation, place: str, *, is_typed: bool) -> str:
    check_key(annotation.key, f"{place}.key")
    value = encode(annotation.value, f"{place}.value", InvalidAnnotation)
    if not is_typed:
        Convention.check_json(annotation.key, value, f"{place}.value")
    members = [f'"key":"{annotation.key}","value":{value}']  # the grammar of keys has nothing to escape
    optional: dict[str, object] = {
        "scope": annotation.scope, "scope_id": annotation.scope_id, "stage_id": annotation.stage_id,
        "attempt": annotation.attempt, "try": annotation.try_, "group": annotation.group,
        "idempotency_key": annotation.idempotency_key,
    }  # fmt: skip
    if annotation.actor is not None:
        optional["actor"] = checked(annotation.actor, Actor, f"{place}.actor").as_json()
    if annotation.recorded_at is not None:
        optional["recorded_at"] = rfc3339(annotation.recorded_at, f"{place}.recorded_at")
    if not isinstance(annotation.payload, Unset):
        members.append(f'"payload":{encode(annotation.payload, f"{place}.payload", InvalidAnnotation)}')
    for name, member in optional.items():
        if member is not None:
            members.append(f'"{name}":{encode(member, f"{place}.{name}", InvalidAnnotation)}')
    return f"{{{','.join(members)}}}"
