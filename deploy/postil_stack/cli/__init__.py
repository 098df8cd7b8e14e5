"""The commands of the stack, which the command line finds through its entry point."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add `up`, `down`, `status`, `doctor`, `demo` and `bench`."""
    from postil_stack.cli import bench, demo, stack

    for module in (stack, demo, bench):
        module.register(app)
