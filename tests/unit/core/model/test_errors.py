"""The tree of errors: each leaf has its SQLSTATE and its advice, and can be pickled."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolExhausted

import postil
from postil import NewAnnotation, errors
from postil.postgres.failures import translated

ALL = [
    kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.PostilError)
]
REFUSALS = [kind for kind in ALL if issubclass(kind, errors.WriteRefused)]


@pytest.mark.parametrize("kind", ALL)
def test_the_tree_in_the_docstring_is_complete(kind: type[errors.PostilError]) -> None:
    """The module's docstring names every error, and every error has a docstring."""
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")
    assert inspect.getdoc(kind)


def test_every_refusal_has_its_own_sqlstate() -> None:
    """The SQLSTATE alone selects the class; an unknown one gives `WriteRefused`."""
    states = [kind.sqlstate for kind in REFUSALS]
    assert len(set(states)) == len(states)
    for kind in REFUSALS:
        error = errors.from_sqlstate(kind.sqlstate, "what", detail="annotations[0]")
        assert (type(error), error.field, error.advice) == (kind, "annotations[0]", kind.default_advice)
    assert type(errors.from_sqlstate("PS999", "from a later version")) is errors.WriteRefused


def test_every_raised_sqlstate_has_a_class() -> None:
    """The SQL files raise exactly the SQLSTATEs that have a class."""
    functions = (Path(postil.__file__).parent / "postgres").rglob("*.sql")
    raised = {state for file in functions for state in re.findall(r"'(PS\d{3})[|']", file.read_text())}
    assert raised <= set(errors.BY_SQLSTATE)
    assert {kind.sqlstate for kind in REFUSALS} - raised == {"PS000"}, "and every known one is raised"


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_pickling_and_copying(kind: type[errors.PostilError]) -> None:
    """Process pools and task queues pass errors on with all their attributes."""
    error = kind("what happened", advice="do this")
    error.unflushed = (NewAnnotation("a", 1),)
    if isinstance(error, errors.WriteRefused):
        error.field = "annotations[0]"
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert vars(again) == vars(error)
        assert str(again) == "what happened\n  do this"


def test_invalid_input_is_a_value_error_too() -> None:
    """Code that catches ValueError catches malformed input."""
    assert isinstance(errors.InvalidInput("x"), ValueError)


class Failure(psycopg.Error):
    """What a driver raises, with its SQLSTATE."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__(f"failed with {sqlstate}")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("40001", errors.Retryable),
        ("40P01", errors.Retryable),
        ("55P03", errors.Retryable),
        ("57014", errors.Retryable),
        ("3F000", errors.SchemaOutdated),
        ("42883", errors.SchemaOutdated),
        ("42P01", errors.SchemaOutdated),
        ("08006", errors.Unavailable),
        ("57P01", errors.Unavailable),
        ("53300", errors.Unavailable),
        ("28P01", errors.Unavailable),
        ("22P02", errors.InvalidInput),
        ("22003", errors.InvalidInput),
        ("54001", errors.InvalidInput),
        ("42501", errors.WriteRefused),
        ("25006", errors.Unavailable),
        ("42703", errors.SchemaOutdated),
        ("25P02", errors.WriteRefused),
        ("PS002", errors.RunCancelled),
    ],
)
def test_each_database_failure_has_its_class(sqlstate: str, kind: type[errors.PostilError]) -> None:
    """The SQLSTATE of PostgreSQL selects the class, and each error has advice."""
    error = translated(OperationalError("select", {}, Failure(sqlstate)))
    assert type(error) is kind
    assert error.advice


def test_a_failure_without_sqlstate_has_a_class() -> None:
    """Without a SQLSTATE the driver's class decides between connection and parameter."""
    for of_connection in (OperationalError, InterfaceError):
        assert type(translated(of_connection("select", {}, Failure(None)))) is errors.Unavailable
    for of_parameters in (DataError, ProgrammingError):
        assert type(translated(of_parameters("select", {}, Failure(None)))) is errors.InvalidInput
    assert type(translated(PoolExhausted("QueuePool limit"))) is errors.Unavailable


def test_the_pgcode_of_psycopg2_is_read() -> None:
    """psycopg2 names the SQLSTATE pgcode."""
    cause = Exception("deadlock detected")
    cause.pgcode = "40P01"
    assert type(translated(OperationalError("select", {}, cause))) is errors.Retryable
