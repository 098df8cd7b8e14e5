"""A name in backticks exists: the docstrings and comments of the packages name only what their code has."""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["core/postil", "outbox_relay/postil_relay", "consumers/postil_consumers", "deploy/postil_stack"]
CODE = {".sql", ".toml", ".lock"}
"""The files other than Python whose words are names: functions and columns, extras and dependencies."""

NAME = re.compile(r"(?<!`)(?P<ticks>`{1,2})(?P<name>[A-Za-z_][\w.]*)(?:\([^`]*\))?(?P=ticks)(?!`)")
WORD = re.compile(r"[A-Za-z_]\w*")

ALLOWED = {
    "ai_call": "a scope that callers may choose: scopes are open",
    "error_cb": "a setting of the Kafka client",
    "mcp": "a source of a trigger that callers may choose: sources are open",
    "pgbench": "a program of PostgreSQL",
    "psql": "a program of PostgreSQL",
    "replay": "an action of a trigger that callers may choose: actions are open",
    "schedule": "a source of a trigger that callers may choose",
    "sdk": "a source of a trigger that callers may choose",
    "seriousness_2": "an attribute in a log of another system",
}
"""Names that the code does not have, with what they are."""


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the docstrings of a module: those of its classes and functions, and the strings under its variables."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring and comment."""
    for docstring in docstrings(ast.parse(source)):
        yield docstring.lineno, str(docstring.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def names_of(source: str) -> set[str]:
    """Return the names of a Python file: its identifiers, and the words of the strings that are not docstrings."""
    tree = ast.parse(source)
    described = {(docstring.lineno, docstring.col_offset) for docstring in docstrings(tree)}
    names: set[str] = set()
    strings = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME or (token.type in strings and token.start not in described):
            names.update(WORD.findall(token.string))
    return names


@cache
def package_files() -> list[Path]:
    """Return the Python files of the packages."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return sorted(file for file in files if "node_modules" not in file.parts)


@cache
def known_names() -> frozenset[str]:
    """Return all names of the packages' code, of the SQL, of the settings of the build, and of Python."""
    names = {*keyword.kwlist, *dir(builtins)} | ALLOWED.keys()
    for file in package_files():
        names |= names_of(file.read_text("utf-8")) | {*file.relative_to(ROOT).with_suffix("").parts}
    for folder in ("core", "outbox_relay", "consumers", "deploy"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in CODE and "node_modules" not in file.parts:
                names.update(WORD.findall(file.read_text("utf-8")))
    names.update(WORD.findall((ROOT / "pyproject.toml").read_text("utf-8")))
    return frozenset(names)


def unknown_names(text: str, names: frozenset[str]) -> list[str]:
    """Return the names in backticks of which a part between two dots is not in `names`."""
    return [
        match["name"]
        for match in NAME.finditer(text)
        if not all(part in names for part in match["name"].split(".") if part)
    ]


@pytest.mark.parametrize("file", package_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_each_name_in_backticks_exists(file: Path) -> None:
    """Each name that a docstring or comment has in backticks is a name of the code, or is allowed with a reason."""
    unknown = [
        f"line {line}: {name}"
        for line, text in prose(file.read_text("utf-8"))
        for name in unknown_names(text, known_names())
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("Raises `Gone` if it is closed.", ["Gone"]),
        ("See ``Known.gone`` and `Known.here`.", ["Known.gone"]),
        ("Calls `gone(1)` after `here()`.", ["gone"]),
        ("Run `postil verify --wait 3`, or ``select gone from x``.", []),
    ],
)
def test_a_name_that_does_not_exist_is_reported(text: str, unknown: list[str]) -> None:
    """A class, an attribute or a function in backticks that does not exist is reported. Commands are not names."""
    assert unknown_names(text, frozenset({"Known", "here"})) == unknown


def test_a_docstring_does_not_make_a_name_known() -> None:
    """A name that only docstrings and comments mention does not exist. One in another string does."""
    assert names_of('def here(): # gone\n    """`Gone`."""\n    return "there"\n') == {
        "def",
        "here",
        "return",
        "there",
    }
