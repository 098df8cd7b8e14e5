"""Writes the reference from the code: settings, errors, and the command line. Run it with ``make docs``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import typer.main

from postil import errors
from postil.cli import complete_app
from postil.settings import Settings

HERE = Path(__file__).parent
NOTE = "<!-- Generated from the code by `make docs`; edits are lost. -->\n"


def settings() -> str:
    """Every setting, its default and what it means."""
    rows = [
        f"| `POSTIL_{name.upper()}` | {_code(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    head = (
        "# Settings\n\n"
        "The first of these sources with a value wins: a command's option, the environment, "
        "the TOML file named by `POSTIL_CONFIG` (default `postil.toml`, where the names are lower-case and without the prefix), "
        "the stack that runs under the data directory, the default.\n\n"
        "| variable | default | meaning |\n|---|---|---|\n"
    )
    return NOTE + head + "\n".join(rows) + "\n"


def _code(default: object) -> str:
    return "" if default is None else f"`{default}`"


def refusals() -> str:
    """Every error of the write functions, with its SQLSTATE and what to do."""
    rows = [
        f"| `{kind.sqlstate}` | `{kind.__name__}` | {_first_line(kind)} | {kind.default_advice} |"
        for _, kind in sorted(errors.BY_SQLSTATE.items())
    ]
    head = (
        "# Errors\n\n"
        "The write functions raise these SQLSTATEs, with the offending field's path in DETAIL and advice in HINT; "
        "Python raises the class of the same name. "
        "After any of them the transaction must be rolled back; nothing of it was stored.\n\n"
        "| SQLSTATE | class | what happened | what to do |\n|---|---|---|---|\n"
    )
    return NOTE + head + "\n".join(rows) + "\n"


def _first_line(kind: type) -> str:
    return (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def commands() -> str:
    """Every command with its options."""
    root: Any = typer.main.get_command(complete_app())
    parts = [NOTE, "# Commands\n\nExit codes: 0 fine, 1 the answer is bad, 2 could not tell.\n"]
    _describe(root, "postil", parts)
    return "\n".join(parts)


def _describe(command: Any, path: str, parts: list[str]) -> None:
    if path != "postil":
        parts.append(f"## `{path}`\n\n{inspect.cleandoc(command.help or '').strip()}\n")
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            parts.append("| parameter | meaning |\n|---|---|\n" + "\n".join(rows) + "\n")
    for name, child in sorted(getattr(command, "commands", {}).items()):
        _describe(child, f"{path} {name}", parts)


def _parameter(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    shown = parameter.metavar or parameter.name.upper() if argument else ", ".join(parameter.opts)
    shown = shown.replace("|", " or ")
    return f"| `{shown}` | {(getattr(parameter, 'help', '') or '').replace('|', '/')} |"


PAGES = {"settings.md": settings, "errors.md": refusals, "commands.md": commands}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), "utf-8")
