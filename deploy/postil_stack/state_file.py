"""The state of a running stack, in the file ``stack.json`` of its data directory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from postil.settings import STACK_FILE
from postil_stack.leftovers import process
from postil_stack.servers.private_files import write_private


@dataclass
class ComponentState:
    """The last state of one server or program that its supervisor saw. Times are seconds since the epoch."""

    label: str
    status: str  # starting · ready · restarting · failing · external
    version: str | None = None
    pid: int | None = None
    created: float | None = None
    since: float | None = None
    restarts: int = 0
    message: str | None = None

    @property
    def alive(self) -> bool:
        """Whether its process is still running."""
        return (
            self.pid is not None and self.created is not None and process(self.pid, self.created) is not None
        )


@dataclass
class StackState:
    """The state of the whole stack. `settings` are fields of `postil.settings.Settings`, with passwords: mode 0600."""

    pid: int
    created: float
    settings: Mapping[str, Any]
    http_url: str
    kafka: str  # embedded · memory · external
    processes: dict[str, ComponentState] = field(default_factory=dict[str, ComponentState])

    def write(self, data_dir: Path) -> None:
        """Replace the file of this stack."""
        write_private(data_dir / STACK_FILE, json.dumps(asdict(self), indent=1, default=str) + "\n")


def stack_state(fields: dict[str, Any]) -> StackState:
    """Return the state that `dataclasses.asdict` turned into `fields`."""
    components = {name: ComponentState(**component) for name, component in fields.pop("processes").items()}
    return StackState(**fields, processes=components)


def read(data_dir: Path) -> StackState | None:
    """Return the state of the stack in `data_dir`, or None if there is no readable file."""
    try:
        return stack_state(json.loads((data_dir / STACK_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def remove(data_dir: Path) -> None:
    """Remove the file, because the stack has ended."""
    with contextlib.suppress(OSError):  # it does not exist, or its directory does not
        (data_dir / STACK_FILE).unlink()
