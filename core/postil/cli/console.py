"""What every command prints with: answers to standard output, progress and errors to standard error."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from typing import Any, NoReturn

import typer
from rich.console import Console

from postil.errors import PostilError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(answer: Any) -> None:
    """Print one JSON document to standard output, for programs."""
    sys.stdout.write(json.dumps(answer, indent=2, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def escape_what_cannot_be_written() -> None:
    """Show a character that standard output has no bytes for by its number: half of a file's name, say."""
    stream: Any = sys.stdout
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # as standard error does from the start


def show_error(error: PostilError) -> None:
    """One line of what, one line of what to do."""
    err.print("error:", style="bold red", end=" ")
    err.print(error.what, markup=False)
    if error.advice:
        err.print(f"  {error.advice}", markup=False, style="dim")


def exit_with(code: int) -> NoReturn:
    """End the command: 0 fine, 1 the answer is bad, 2 could not tell."""
    raise typer.Exit(code)
