"""What each long-running program sets once for its process: stop signals and the garbage collector."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a program to finish its work and end."""


def on_stop_signal(action: Callable[[], object]) -> None:
    """Call `action` in the main thread when one of `STOP_SIGNALS` arrives. The main thread must call this."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        action()

    for number in STOP_SIGNALS:
        signal.signal(number, handle)


def collect_garbage_rarely() -> None:
    """Raise the collector's thresholds, for a program that holds tens of thousands of small tuples.

    Tuples of texts and numbers have no reference cycles. With the default thresholds the collector walks them repeatedly.
    """
    gc.set_threshold(100_000, 20, 20)
