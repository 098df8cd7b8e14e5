"""Receipts: what a write returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Receipt:
    """The receipt of one annotation, tool call or interaction.

    `id` is its id (a UUID as text for an annotation), `run_seq` the number of its event within the run,
    and `created` is False if an earlier call had stored it already.
    """

    id: str
    run_seq: int
    created: bool


@dataclass(frozen=True)
class RunReceipt:
    """The receipt of a change of a run or stage.

    `run_seq` is the number of its event, `created` is False if an earlier call had made the same change,
    and `annotations` are the receipts of the annotations written with it, in the order given.
    """

    run_seq: int
    created: bool
    annotations: tuple[Receipt, ...] = ()


@dataclass(frozen=True)
class ImportedRun:
    """The receipt of one imported run: how many events it has, and whether this call stored it."""

    run_id: str
    events: int
    created: bool
