"""Turns a request into its SQL statement: commands and the query of hosted runs."""

from __future__ import annotations

from typing import TypeVar, cast

from postil.model.queries import InteractionStateQuery
from postil.postgres.reads.one_run import interaction_state
from postil.postgres.statement import Statement
from postil.postgres.writes import write_statement
from postil.requests import Command, Request

T = TypeVar("T")


def statement(tenant: str, request: Request[T]) -> Statement[T]:
    """Return the statement that carries out `request` in `tenant`.

    Raises the errors of `write_statement`.
    """
    if isinstance(request, InteractionStateQuery):
        state = interaction_state(tenant, request.run_id, request.interaction_id)
        return cast("Statement[T]", state)
    return write_statement(tenant, cast("Command[T]", request))
