"""Runs a consumer as a process, until a signal stops it."""

from __future__ import annotations

from postil.runtime.logs import announce_ready, configure_logs
from postil.runtime.signals import collect_garbage_rarely, on_stop_signal
from postil_consumers.runtime.runner import Runner


def run_until_stopped(runner: Runner) -> None:
    """Run until SIGTERM or SIGINT. The runner then finishes the batch that it is delivering."""
    configure_logs()
    collect_garbage_rarely()
    on_stop_signal(runner.stop.set)
    runner.run(announce_ready)
