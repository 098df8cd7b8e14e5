"""Output of the commands: results go to standard output, progress and errors to standard error."""

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
    err.print(error.what, markup=False)
    if error.advice:
        err.print(f"  {error.advice}", markup=False, style="dim")


def exit_with(code: int) -> NoReturn:
    """End the command. Exit code 0: fine, 1: the result is bad, 2: inconclusive."""
    raise typer.Exit(code)
