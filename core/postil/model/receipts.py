"""Receipts: what a write returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Receipt:
    """The receipt of one annotation, tool call or interaction."""

    id: str
    """Its id. The id of an annotation is a UUID as text."""

    run_seq: int
    """The number of its event within the run."""

    created: bool
    """False if an earlier call had stored it already."""


@dataclass(frozen=True)
class RunReceipt:
    """The receipt of a change of a run or stage."""

    run_seq: int
    """The number of the change's event within the run."""

    created: bool
    """False if an earlier call had made the same change."""

    annotations: tuple[Receipt, ...] = ()
    """The receipts of the annotations written with the change, in the order given."""


@dataclass(frozen=True)
class ImportedRun:
    """The receipt of one imported run."""

    run_id: str
    """The id of the run, from the history."""

    events: int
    """How many events the run has."""

    created: bool
    """False if an earlier call had stored the run already."""
