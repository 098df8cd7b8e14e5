"""The parts that the pages share: the note under the title, tables, and code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- Generated from the code by `make docs`; edits are lost. -->"


def with_note(page: str) -> str:
    """Return a page with the note after its title: the site takes the title from the first line."""
    title, rest = page.split("\n", 1)
    return re.sub(r"\n{3,}", "\n\n", f"{title}\n\n{NOTE}\n{rest}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. A bar or a line break in a cell would end the cell, so both are replaced."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def fenced(language: str, code: str) -> str:
    """Return a code block."""
    return f"```{language}\n{code.rstrip()}\n```\n"


def code(value: object) -> str:
    """Return a value in code style; nothing for None."""
    return "" if value is None else f"`{value}`"
