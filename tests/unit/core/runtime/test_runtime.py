"""Retries, stop signals and failpoints of long-running programs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from postil.errors import ConfigurationError, Unavailable
from postil.runtime.retry import until_stopped
from postil.runtime.signals import STOP_SIGNALS, on_stop_signal


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """Restores the handlers of the stop signals."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_retry_ends_when_its_event_is_set() -> None:
    """The policy pauses on the event, and raises the last error itself once it is set."""
    stop = threading.Event()
    attempts: list[int] = []

    def fail() -> None:
        attempts.append(1)
        if len(attempts) == 3:
            stop.set()
        raise Unavailable("down", advice="wait")

    with pytest.raises(Unavailable, match="down"):
        until_stopped(stop, longest_pause=0.001, before_pause=lambda _: None)(fail)
    assert len(attempts) == 3


def test_a_retry_repeats_only_the_errors_of_its_policy() -> None:
    """An error that a retry does not cure is raised at the first attempt."""
    attempts: list[int] = []

    def fail() -> None:
        attempts.append(1)
        raise ConfigurationError("wrong", advice="correct it")

    with pytest.raises(ConfigurationError):
        until_stopped(threading.Event(), longest_pause=0.001, before_pause=lambda _: None)(fail)
    assert len(attempts) == 1


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stop_signal_calls_the_action(number: signal.Signals, signal_handlers: None) -> None:
    """Each stop signal calls the action once."""
    stop = threading.Event()
    on_stop_signal(stop.set)
    signal.raise_signal(number)
    assert stop.is_set()


@pytest.mark.parametrize(("failpoint", "reached"), [("step", 1), ("step:3", 3), ("other", 5)])
def test_a_failpoint_kills_at_the_given_time(failpoint: str, reached: int) -> None:
    """`name` kills at the first time the step is reached, `name:3` at the third, and another name never."""
    script = """
from postil.runtime.failpoints import reach
for number in range(1, 6):
    print(number, flush=True)
    reach("step")
"""
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={"POSTIL_FAILPOINT": failpoint},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stdout.split()[-1] == str(reached)
    assert process.returncode == (0 if failpoint == "other" else -signal.SIGKILL)
