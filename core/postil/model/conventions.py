"""Conventions: typed groups of annotation keys, validated when written."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from postil.errors import InvalidAnnotation
from postil.model.identifiers import check_key
from postil.model.json_text import Json
from postil.model.values import UNSET


class Convention(BaseModel):
    """A typed group of annotation keys. Each field becomes the key ``<prefix>.<field>``.

    Subclass it to register your own keys. From then on a dictionary with one of these keys must have a value of the same type.
    A field that is None is not written.

        class Review(Convention):
            prefix = "review"
            stars: int = Field(ge=1, le=5)

        postil.annotate(run_id, Review(stars=4))  # writes review.stars
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    prefix: ClassVar[str] = ""
    _typed_keys: ClassVar[dict[str, TypeAdapter[Any]]] = {}

    payload: Any = Field(default=UNSET, exclude=True, repr=False)
    """More data about the group, stored once, with its first key. Defaults to no payload."""

    def __init__(self, **values: Any) -> None:
        """Raises `InvalidAnnotation` if a value does not have the type of its field."""
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
    def check_json(cls, key: str, text: str, place: str) -> None:
        """Check `text`, the JSON text of a value, against the type that is registered for `key`; null is always valid.

        Raises `InvalidAnnotation` with the path of the invalid part; `place` is the path of the value.
        """
        adapter = cls._typed_keys.get(key)
        if adapter is not None and text != "null":
            try:
                # As JSON and strictly, because JSON is what is stored: "0.9" is not a number.
                adapter.validate_json(text, strict=True)
            except ValidationError as error:
                raise _as_invalid_annotation(error, place, about=f"{key}: ") from None

    def values(self) -> dict[str, Json]:
        """Return the keys of the fields that are not None, each with its JSON value."""
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
    """What was decided, as a word of yours, for example ``refund``."""

    rationale: str | None = None
    """Why. Defaults to None: not stated."""

    confidence: float | None = Field(default=None, ge=0, le=1)
    """How sure the actor is, from 0 to 1. Defaults to None: not stated."""

    alternatives: list[str] | None = None
    """Which other outcomes were considered. Defaults to None: not stated."""

    used_fallback: bool | None = None
    """Whether a fallback decided instead of the intended method. Defaults to None: not stated."""


class Approval(Convention):
    """Who approved it, when, and under which policy."""

    prefix = "approval"

    approvers: list[str] = Field(min_length=1)
    """Who approved, at least one id."""

    outcome: str | None = None
    """The result, for example ``accept`` or ``decline``. Defaults to None: not stated."""

    timestamp: AwareDatetime | None = None
    """When, with a time zone. Defaults to None: not stated."""

    policy_version: str | None = None
    """The version of the policy that the approval followed. Defaults to None: not stated."""

    note: str | None = None
    """A remark of the approver. Defaults to None."""


class Revision(Convention):
    """Which run this one revises."""

    prefix = "revision"

    previous_run_id: str
    """The id of the run that this run revises."""

    reason: str | None = None
    """Why. Defaults to None: not stated."""


class Failure(Convention):
    """What went wrong. A stage that fails writes it."""

    prefix = "failure"

    type: str
    """The kind of the failure, for example the name of the exception's class."""

    message: str | None = None
    """What the failure reported. Defaults to None: not stated."""
