"""Runs the stack: starts its components in parallel, restarts those that end, and stops all in order."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from postil.errors import PostilError
from postil_stack.errors import StartFailed, start_failure
from postil_stack.programs import Component, Program
from postil_stack.state_file import ComponentState, StackState

FIRST_DELAY, LAST_DELAY = 0.5, 30.0
"""The delay before the first restart and the longest delay, in seconds. It doubles with each exit."""
STEADY = 60.0
"""A component that ran this many seconds has recovered: its next exit counts as the first."""
FAILING = 3
"""After this many exits in a row a component is shown as failing."""
STOP_TIMEOUT = 30.0
"""How long to wait at the end for a thread that is starting a server, in seconds."""

Wait = Callable[[float], None]
"""Sleeps for some seconds. Returns early when a child exits, and raises `Stopped` on a stop request."""


class Stopped(Exception):
    """The stack was asked to stop."""


@dataclass
class Server:
    """A server that the programs need. `prepare` is called when it is ready, and may return a line to show."""

    component: Component
    state: ComponentState
    prepare: Callable[[], str | None]
    spawned: threading.Event = field(default_factory=threading.Event)
    prepared: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Watched:
    component: Component
    state: ComponentState
    exits: int = 0  # in a row
    restart_at: float | None = None  # time.monotonic()


@dataclass
class Supervisor:
    """Runs the stack in `data_dir`. The caller holds its lock.

    Servers start in parallel. The programs start when the addresses of all servers are known
    and the servers in `awaited` are prepared. `settings` returns how programs connect to all of them.
    `report` is called at every change. `before_stop` is called before the stop, while everything is still running.
    `timeout` is the longest start, in seconds, without the time of a first download.
    """

    data_dir: Path
    servers: Mapping[str, Server]
    programs: Mapping[str, Program]
    stack: StackState
    settings: Callable[[], Mapping[str, Any]]
    report: Callable[[str, ComponentState, float], None]
    awaited: Sequence[str] = ("postgres",)
    timeout: float = 90.0
    stopping: threading.Event = field(default_factory=threading.Event)
    before_stop: Callable[[], None] = lambda: None
    _watched: dict[str, _Watched] = field(default_factory=dict[str, _Watched])
    _starting: list[threading.Thread] = field(default_factory=list[threading.Thread])
    _failures: list[PostilError] = field(default_factory=list[PostilError])
    _began: float = 0.0
    _deadline: float | None = None  # time.monotonic(); None until all servers are spawned

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start everything, call `on_ready`, keep it running until SIGTERM or SIGINT, then stop all in order.

        Raises `PostilError` if a component cannot be started. The others are stopped then.
        """
        with self._woken_by_signals() as wait:
            try:
                self._start(wait)
                on_ready()
                while True:
                    wait(1.0)
                    self._tend()
            except Stopped:
                pass
            finally:
                self._stop()

    # Start

    def _start(self, wait: Wait) -> None:
        self._began = time.monotonic()
        for program in self.programs.values():
            program.check()
        for name, server in self.servers.items():
            thread = threading.Thread(target=self._bring_up, args=[name, server], daemon=True)
            self._starting.append(thread)
            thread.start()

        # A warm start, profiled on two cores: Postgres accepts connections after 0.1 s, its schema is checked after 0.5 s,
        # Kafka serves after 0.9 s. Each program needs 0.6 to 1.0 s of CPU, nearly all for Python's imports.
        # In sequence this is 5 s. So the programs import while Kafka starts.
        while not self._programs_may_start():
            self._raise_failure()
            self._check_time()
            wait(0.01)
        self.stack.settings = self.settings()
        for name, program in self.programs.items():
            self._watched[name] = _Watched(program, ComponentState(program.label, "starting"))
            self._spawn(name)
        while not self._all_ready():
            self._raise_failure()
            wait(0.02)
            self._tend()
            for name in self.programs:
                watched = self._watched[name]
                if watched.exits > 1:  # a single exit may have an external cause
                    raise start_failure(
                        watched.state.label, watched.state.message or "it ended", self.programs[name].log
                    )
            self._check_time()
        self.stack.write(self.data_dir)

    def _check_time(self) -> None:
        """Raise `StartFailed` if the start takes too long. The time of a first download does not count."""
        if not all(server.spawned.is_set() for server in self.servers.values()):
            return
        if self._deadline is None:
            self._deadline = time.monotonic() + self.timeout
        if time.monotonic() > self._deadline:
            # The programs wait for the servers, so a server that is late is named first.
            late = [server.state for server in self.servers.values() if not server.prepared.is_set()]
            late += [self._watched[name].state for name in self.programs if name in self._watched]
            labels = [state.label for state in late if state.status != "ready"]
            raise StartFailed(
                f"Not ready after {self.timeout:.0f} s: {', '.join(labels)}.",
                advice=f"See the logs in {self.data_dir / 'logs'}.",
            )

    def _bring_up(self, name: str, server: Server) -> None:
        """Download, initialise, start, wait and prepare. Runs in a separate thread."""
        try:
            child = server.component.spawn()
            if self.stopping.is_set():
                server.component.stop()
                return
            self._set_process(server.state, child.pid)
            server.spawned.set()
            child.wait_until(server.component.is_ready, self.timeout)
            server.state.message = server.prepare()
            self._watched[name] = _Watched(server.component, server.state)
            self._set(name, "ready", server.state.message)
            server.prepared.set()
        except PostilError as error:
            self._failures.append(error)
        except Exception as error:  # noqa: BLE001 (the main thread raises it, as a typed error)
            failure = StartFailed(
                f"{server.state.label} did not start: {type(error).__name__}: {error}",
                advice=f"See the logs in {self.data_dir}; report it if they do not explain it.",
            )
            failure.__cause__ = error
            self._failures.append(failure)

    def _programs_may_start(self) -> bool:
        addresses_known = all(server.spawned.is_set() for server in self.servers.values())
        return addresses_known and all(
            self.servers[name].prepared.is_set() for name in self.awaited if name in self.servers
        )

    def _all_ready(self) -> bool:
        return len(self._watched) == len(self.servers) + len(self.programs) and all(
            watched.state.status == "ready" for watched in self._watched.values()
        )

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    # Keep running

    def _tend(self) -> None:
        """Handle components that have exited, are due for a restart, or have become ready."""
        for name, watched in list(self._watched.items()):
            child = watched.component.child
            if watched.restart_at is not None:
                if time.monotonic() >= watched.restart_at:
                    self._spawn(name)
            elif child is None or not child.alive:
                self._exited(name)
            elif watched.state.status != "ready" and watched.component.is_ready():
                self._set(name, "ready", None)
                if name in self.servers:
                    self._settings_may_have_changed()

    def _spawn(self, name: str) -> None:
        watched = self._watched[name]
        watched.restart_at = None
        try:
            child = watched.component.spawn()
        except PostilError as error:
            self._schedule_restart(name, str(error.what))
            return
        self._set_process(watched.state, child.pid)
        if watched.exits == 0:
            self._set(name, "starting", None)

    def _exited(self, name: str) -> None:
        watched = self._watched[name]
        child = watched.component.child
        if (
            watched.state.since is not None
            and watched.state.status == "ready"
            and time.time() - watched.state.since > STEADY
        ):
            watched.exits = 0
        self._schedule_restart(name, child.last_error() if child is not None else "it ended")

    def _schedule_restart(self, name: str, why: str) -> None:
        watched = self._watched[name]
        watched.exits += 1
        watched.state.restarts += 1
        delay = min(LAST_DELAY, FIRST_DELAY * 2 ** (watched.exits - 1))
        watched.restart_at = time.monotonic() + delay
        self._set(name, "failing" if watched.exits >= FAILING else "restarting", why)

    def _settings_may_have_changed(self) -> None:
        """Restart the programs if a restarted server has another address, because they know only the old one."""
        settings = self.settings()
        if settings == self.stack.settings:
            return
        self.stack.settings = settings
        for name, program in self.programs.items():
            program.stop()
            self._spawn(name)

    def _set(self, name: str, status: str, message: str | None) -> None:
        state = self.servers[name].state if name in self.servers else self._watched[name].state
        state.status, state.message = status, message
        if status == "ready":
            state.since = time.time()
        self.stack.processes[name] = state
        with contextlib.suppress(PostilError):  # a full disk must not stop a running stack
            self.stack.write(self.data_dir)
        self.report(name, state, time.monotonic() - self._began)

    @staticmethod
    def _set_process(state: ComponentState, pid: int) -> None:
        state.pid = pid
        with contextlib.suppress(psutil.Error):
            state.created = psutil.Process(pid).create_time()

    # Stop

    def _stop(self) -> None:
        """Stop the programs that read Kafka first, then the relay, which drains, then the servers."""
        self.stopping.set()
        self.before_stop()
        for program in reversed(list(self.programs.values())):
            program.stop()
        for server in reversed(list(self.servers.values())):
            server.component.stop()
        for thread in self._starting:  # a thread that is starting its server stops it itself
            thread.join(STOP_TIMEOUT)

    @contextmanager
    def _woken_by_signals(self) -> Generator[Wait]:
        """Yield an interruptible sleep: SIGCHLD and stop signals end it early."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        selector = selectors.DefaultSelector()
        selector.register(reading, selectors.EVENT_READ)

        def wait(seconds: float) -> None:
            if selector.select(seconds):
                with contextlib.suppress(BlockingIOError):
                    os.read(reading, 4096)
            if self.stopping.is_set():
                raise Stopped

        def stop(_number: int, _frame: object) -> None:
            self.stopping.set()

        previous = {
            number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        previous_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            yield wait
        finally:
            signal.set_wakeup_fd(previous_fd)
            for number, handler in previous.items():
                signal.signal(number, handler)
            selector.close()
            os.close(reading)
            os.close(writing)
