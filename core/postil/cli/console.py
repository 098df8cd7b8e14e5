"""Output of the commands: results go to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from postil.errors import PostilError

# A terminal obeys control characters. They may be in ids, names and messages of other programs.
_VISIBLE = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if chr(n) not in "\n\t"}


def visible(text: str) -> str:
    """Return the text with its control characters escaped, except line feeds and tabs."""
    return text.translate(_VISIBLE)


class PlainConsole(Console):
    """Prints each text as it is: square brackets and colons have no meaning, and control characters are visible."""

    def __init__(self, *, stderr: bool = False) -> None:
        """`stderr` selects standard error. Defaults to False: standard output."""
        super().__init__(stderr=stderr, emoji=False, highlight=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text as the console prints it; `options` are those of Rich."""
        options |= {"markup": False, "emoji": False}  # a table asks for markup whatever its console's default
        return super().render_str(visible(text), **options)


out = PlainConsole()
err = PlainConsole(stderr=True)


def print_json(document: Any) -> None:
    """Print one JSON document to standard output, for programs."""
    sys.stdout.write(json.dumps(document, indent=2, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def escape_unencodable_output() -> None:
    """Write a character that standard output cannot encode as its number, for example part of a file's name."""
    stream: Any = sys.stdout
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # the default of standard error


def show_error(error: PostilError) -> None:
    """Print an error: one line with what happened, one line with what to do."""
    err.print("error:", style="bold red", end=" ")
    err.print(error.what)
    if error.advice:
        err.print(f"  {error.advice}", style="dim")


def exit_with(code: int) -> NoReturn:
    """End the command. Exit code 0: fine, 1: the result is bad, 2: inconclusive."""
    raise typer.Exit(code)
