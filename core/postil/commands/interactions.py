"""Commands about the questions that a run waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postil.commands.base import RunCommand
from postil.model.actors import Actor
from postil.model.annotations import AnnotationLike
from postil.model.json_text import Json
from postil.model.receipts import Receipt


@dataclass(frozen=True)
class Ask(RunCommand[Receipt]):
    """Ask a question. The run waits until the interaction is resolved or cancelled.

    Asking the same question with the same `interaction_id` again stores nothing; its receipt has ``created=False``.
    Raises `RunNotFound`, `RunCancelled`, `RunFinished`, `StageNotFound`, and `InteractionEnded`
    if the id belongs to another question.
    """

    prompt: str
    """The text of the question, 1 to 10,000 characters."""

    interaction_id: str | None = field(default=None, kw_only=True)
    """The id of the interaction within the run. Defaults to a new UUID, which the receipt returns."""

    kind: str = field(default="approval", kw_only=True)
    """``approval``, ``question``, or a word of yours. Defaults to ``approval``, whose answer is checked."""

    to: str | None = field(default=None, kw_only=True)
    """Who should answer, for example a team; informative. Defaults to None: not stated."""

    stage_id: str | None = field(default=None, kw_only=True)
    """The stage that asks. Defaults to None."""


@dataclass(frozen=True)
class ResolveInteraction(RunCommand[Receipt]):
    """Answer a pending interaction. The first answer stands.

    The same answer by the same actor, without annotations, stores nothing again: the receipt has ``created=False``.
    Raises `RunNotFound`, `InteractionNotFound`, `InteractionEnded` (also if the run has ended),
    `IdempotencyConflict`, `StageNotFound` if an annotation names a stage that the run lacks,
    and `InvalidInput` for a malformed approval.
    """

    interaction_id: str
    """The id of the interaction within the run."""

    answer: Json
    """The answer, at most 16 KiB of JSON text; None is JSON null.

    The answer to an approval is ``{"outcome": "accept" | "decline", "note": …}``.
    It is also stored as ``approval.*`` annotations.
    """

    annotations: Sequence[AnnotationLike] = ()
    """Annotations to write with the answer. Defaults to none."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who resolves the interaction. Defaults to None: not stated."""


@dataclass(frozen=True)
class CancelInteraction(RunCommand[Receipt]):
    """Cancel a pending interaction: the question is withdrawn.

    Raises `RunNotFound`, `InteractionNotFound`, `InteractionEnded`.
    """

    interaction_id: str
    """The id of the interaction within the run."""

    actor: Actor | None = field(default=None, kw_only=True)
    """Who cancels. Defaults to None: not stated."""
