"""The page of commands: every command of the command line, with its options."""

from __future__ import annotations

import inspect
from typing import Any

import typer.main

from pages.markdown import table
from postil.cli import complete_app

HEAD = "# Commands\n\nExit codes: 0 if all is well, 1 if the result is bad, 2 if there is no result.\n"


def page() -> str:
    """Return the page."""
    root: Any = typer.main.get_command(complete_app())
    parts = [HEAD]
    _describe(root, "postil", parts)
    return "\n".join(parts)


def _describe(command: Any, path: str, parts: list[str]) -> None:
    if path != "postil":
        parts.append(f"## `{path}`\n\n{inspect.cleandoc(command.help or '').strip()}\n")
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            parts.append(table(("parameter", "meaning"), rows))
    for name, child in sorted(getattr(command, "commands", {}).items()):
        _describe(child, f"{path} {name}", parts)


def _parameter(parameter: Any) -> tuple[str, str]:
    argument = parameter.param_type_name == "argument"
    form = parameter.metavar or parameter.name.upper() if argument else ", ".join(parameter.opts)
    meaning = getattr(parameter, "help", "") or ""
    return f"`{form.replace('|', ' or ')}`", meaning.replace("|", "/")
