"""Conventions: typed groups of annotation keys, validated when written."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from postil.errors import InvalidAnnotation
from postil.model.json_text import Json
from postil.model.keys import check_key
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
        """Check the JSON text of a value against the type that is registered for `key`; null is always valid.

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
    """What was decided, and why. `confidence` is between 0 and 1."""

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
    """What went wrong. A stage that fails writes it."""

    prefix = "failure"
    type: str
    message: str | None = None
