"""A consumer as a process: it runs until a signal asks it to end."""

from __future__ import annotations

import gc
import signal
from types import FrameType

from postil.runtime.logs import announce_ready, configure_logs
from postil_consumers.runtime.runner import Runner


def run_until_stopped(runner: Runner) -> None:
    """Run it until SIGTERM or SIGINT, which lets the batch in hand be finished."""
    configure_logs()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        runner.stop.set()

    # A batch is tens of thousands of small tuples without cycles: by default the collector walks them over and over.
    gc.set_threshold(100_000, 20, 20)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    runner.run(announce_ready)
