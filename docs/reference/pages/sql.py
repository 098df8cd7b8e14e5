"""The page of SQL: the public functions, views and tables, from the files that install them.

A comment of a function (`comment on function`) has fixed parts: what it does, a line per parameter,
what it returns, and what it raises. The migration tests hold that every public function has such a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pages.markdown import fenced, table
from postil.errors import BY_SQLSTATE
from postil.postgres.migrate import sql_files

HEAD = """# SQL

Every client writes with these functions, in its own transaction. They check each argument, take the lock of the run, \
and append the events. An application with access to Postgres can call them from any language.

A malformed argument, or an argument in conflict with the run, raises an SQLSTATE of class `PS`. \
The [errors](errors.md) state what to do about each.
"""

WRITES = """## Functions

The parameter `context` is the cause of the write and its W3C trace. \
Pass the parameters after the first ones by name, as in `actor => '{"kind": "agent", "id": "triage"}'`.
"""

READS = """## Views and tables

Read them with plain SQL. Only the functions above write.
"""

RECEIPT = "## Receipts\n"

FUNCTION = re.compile(
    r"create or replace function postil\.(?P<name>[a-z]\w*)\((?P<parameters>.*?)\)\s*returns (?P<result>.*?)\s*\n?\s*language\b",
    re.DOTALL,
)
COMMENT = re.compile(
    r"comment on (?P<kind>function|view|table|type) postil\.(?P<name>\w+)(?:\([^)]*\))? is\s+\$\$(?P<text>.*?)\$\$;",
    re.DOTALL,
)
RELATION = re.compile(
    r"create (?:or replace view|table|type) postil\.(?P<name>\w+)\b.*?;(?=\s*(?:--[^\n]*)?(?:\n|\Z))",
    re.DOTALL,
)
SECTION = re.compile(r"\n\n(?=Returns|Raises)")
PARAMETER = re.compile(r"^([a-z_]+(?:, [a-z_]+)*): ", re.MULTILINE)


def page() -> str:
    """Return the page."""
    files = [
        file.read_text("utf-8")
        for folder in ("functions", "views", "tables", "types")
        for file in sql_files(folder)
    ]
    comments = {match["name"]: match["text"] for text in files for match in COMMENT.finditer(text)}
    functions = {match["name"]: match for text in files for match in FUNCTION.finditer(text)}
    relations = {match["name"]: match[0] for text in files for match in RELATION.finditer(text)}
    parts = [HEAD, WRITES]
    for name in sorted(comments.keys() & functions.keys()):
        parts += _function(functions[name], comments[name])
    types, reads = {"receipt"}, comments.keys() & relations.keys()
    for title, names in ((RECEIPT, reads & types), (READS, reads - types)):
        parts.append(title)
        for name in sorted(names):
            parts += [f"### `postil.{name}`\n", f"{comments[name]}\n", fenced("sql", relations[name])]
    return "\n".join(parts)


def _function(function: re.Match[str], comment: str) -> Iterator[str]:
    result = " ".join(function["result"].split())
    yield f"### `postil.{function['name']}`\n"
    yield fenced("sql", f"postil.{function['name']}({function['parameters']})\nreturns {result}")
    summary, *sections = SECTION.split(comment)
    meaning, *described = PARAMETER.split(summary)
    yield f"{meaning.strip()}\n"
    rows = [
        (", ".join(f"`{name}`" for name in names.split(", ")), text)
        for names, text in zip(described[::2], described[1::2], strict=True)
    ]
    if rows:
        yield table(("parameter", "meaning"), rows)
    for section in sections:
        yield f"{_with_errors(' '.join(section.split()))}\n"


def _with_errors(section: str) -> str:
    """Add the name of each SQLSTATE's error to the section that lists what a function raises."""
    return re.sub(r"\bPS\d{3}\b", lambda state: f"`{state[0]} {BY_SQLSTATE[state[0]].__name__}`", section)
