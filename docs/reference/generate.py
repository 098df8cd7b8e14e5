"""Writes the reference from the code. Run it with ``make docs``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pages import commands, errors, events, http, python, settings, sql
from pages.markdown import with_note

HERE = Path(__file__).parent
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands.page,
    "errors.md": errors.page,
    "events.md": events.page,
    "http.md": http.page,
    "python.md": python.page,
    "settings.md": settings.page,
    "sql.md": sql.page,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(with_note(page()), "utf-8")
