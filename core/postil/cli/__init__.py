"""The `postil` command: core's own commands, and those the installed packages add.

Core knows no other package; they add theirs through the entry point group ``postil.commands``.
Each command imports what it needs when it runs, so that ``--help`` is quick and a missing extra hides nothing else.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from postil.cli.console import err, escape_unencodable_output, out, show_error
from postil.errors import PostilError

app = typer.Typer(
    name="postil",
    help="Keep a provable record of what runs, tasks and agents decided.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"postil {version('postil')}")
        raise typer.Exit


@app.callback()
def root(  # noqa: D103 (its docstring would replace the help above)
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def complete_app() -> typer.Typer:
    """Return the command line with the commands of every installed package."""
    from postil.cli import import_ as importing
    from postil.cli import migrate

    for module in (migrate, importing):
        module.register(app)
    for entry in sorted(entry_points(group="postil.commands")):
        try:
            register = entry.load()
        except ModuleNotFoundError as missing:
            err.print(
                f"note: the commands of {entry.value} need {missing.name}: pip install 'postil[all]'",
                style="dim",
            )
            continue
        register(app)
    return app


def main() -> None:
    """Run the command line; a `PostilError` becomes two lines and its exit code, never a stack trace."""
    escape_unencodable_output()
    complete = complete_app()
    try:
        complete()
    except PostilError as error:
        show_error(error)
        sys.exit(error.exit_code)
