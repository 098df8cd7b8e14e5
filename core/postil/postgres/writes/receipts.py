"""Reads the rows that the write functions return.

Each row is a ``postil.receipt``: (kind, id, run_seq, created). The first row is the thing that was written.
The rows of annotations follow in the order given; they have the kind ``annotation``.
"""

from __future__ import annotations

from postil.commands import AnnotateMany, Command
from postil.model.receipts import ImportedRun, Receipt, RunReceipt
from postil.postgres.statement import Row, Rows


def annotation_receipts(_: Command[list[Receipt]], rows: Rows) -> list[Receipt]:
    """Read the receipts of annotations."""
    return [_receipt(row) for row in rows]


def annotation_receipts_by_run(command: AnnotateMany, rows: Rows) -> dict[str, list[Receipt]]:
    """Read the receipts of annotations on several runs."""
    receipts: dict[str, list[Receipt]] = {run_id: [] for run_id in command.annotations}
    for row in rows:
        receipts[row["run_id"]].append(_receipt(row))
    return receipts


def run_receipt(_: Command[RunReceipt], rows: Rows) -> RunReceipt:
    """Read the receipt of a change of a run or stage."""
    change, *annotations = rows
    return RunReceipt(change["run_seq"], change["created"], tuple(_receipt(row) for row in annotations))


def receipt(_: Command[Receipt], rows: Rows) -> Receipt:
    """Read the receipt of a tool call or interaction."""
    return _receipt(rows[0])


def imported_runs(_: Command[list[ImportedRun]], rows: Rows) -> list[ImportedRun]:
    """Read the receipts of imported runs."""
    return [ImportedRun(row["run_id"], row["events"], row["created"]) for row in rows]


def _receipt(row: Row) -> Receipt:
    return Receipt(row["id"], row["run_seq"], row["created"])
