"""Runs the stack: starts its parts side by side, starts again what dies, ends all in order."""

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
from postil_stack.programs import Part, Program
from postil_stack.state_file import PartRecord, StackRecord

FIRST_DELAY, LAST_DELAY = 0.5, 30.0
STEADY = 60.0
"""A part that ran this many seconds has recovered: its next death counts as the first."""
FAILING = 3
"""So many deaths in a row are no accident any more: the part is shown as failing."""

STOP_PATIENCE = 30.0

Wait = Callable[[float], None]
"""Waits so many seconds, less when a child ends; raises `Stopped` when somebody asked the stack to end."""


class Stopped(Exception):
    """Somebody asked the stack to end."""


@dataclass
class Server:
    """A part the programs need: what to do once it is ready, which may answer with a line to show."""

    part: Part
    record: PartRecord
    prepare: Callable[[], str | None]
    spawned: threading.Event = field(default_factory=threading.Event)
    prepared: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Watched:
    part: Part
    record: PartRecord
    deaths: int = 0
    again_at: float | None = None


@dataclass
class Supervisor:
    """The stack in `data_dir`, whose lock the caller holds.

    Servers start side by side. The programs start as soon as the addresses of all servers are known
    and those in `awaited` are prepared. `settings` says how to connect to them all; `report` is told of every change.
    `before_end` is called when all is to end, while everything still runs.
    """

    data_dir: Path
    servers: Mapping[str, Server]
    programs: Mapping[str, Program]
    stack: StackRecord
    settings: Callable[[], Mapping[str, Any]]
    report: Callable[[str, PartRecord, float], None]
    awaited: Sequence[str] = ("postgres",)
    timeout: float = 90.0
    stopping: threading.Event = field(default_factory=threading.Event)
    before_end: Callable[[], None] = lambda: None
    _watched: dict[str, _Watched] = field(default_factory=dict[str, _Watched])
    _starting: list[threading.Thread] = field(default_factory=list[threading.Thread])
    _failures: list[Exception] = field(default_factory=list[Exception])
    _began: float = 0.0

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start everything, call `on_ready`, keep it running until SIGTERM or SIGINT, then end all in order.

        Raises `PostilError` where a part cannot be started in the first place: all or nothing, and nobody waits for ever.
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

    # ------------------------------------------------------------------ start

    def _start(self, wait: Wait) -> None:
        self._began = time.monotonic()
        deadline = self._began + self.timeout
        for program in self.programs.values():
            program.check()
        for name, server in self.servers.items():
            thread = threading.Thread(target=self._bring_up, args=[name, server], daemon=True)
            self._starting.append(thread)
            thread.start()

        # A warm start, profiled on two cores: Postgres answers after 0.1 s, its schema is checked by 0.5 s, Kafka serves
        # by 0.9 s; each program needs 0.6-1.0 s of CPU, nearly all of it Python's imports. Started one after the other that
        # is 5 s. So nothing waits for what it does not need: the programs import while Kafka comes up, and find it there.
        while not self._programs_may_start():
            self._raise_failure()
            wait(0.01)
        self.stack.settings = self.settings()
        for name, program in self.programs.items():
            self._watched[name] = _Watched(program, PartRecord(program.label, "starting"))
            self._spawn(name)
        while not self._all_ready():
            self._raise_failure()
            wait(0.02)
            self._tend()
            for name in self.programs:
                watched = self._watched[name]
                if watched.deaths > 1:  # once may be an accident
                    raise start_failure(
                        watched.record.label, watched.record.message or "it ended", self.programs[name].log
                    )
            if time.monotonic() > deadline:
                late = [w.record.label for w in self._watched.values() if w.record.status != "ready"]
                raise StartFailed(
                    f"Not ready after {self.timeout:.0f} s: {', '.join(late)}.",
                    advice=f"Look into {self.data_dir / 'logs'}.",
                )
        self.stack.write(self.data_dir)

    def _bring_up(self, name: str, server: Server) -> None:
        """In a thread of its own: download, initialise, start, wait, prepare."""
        try:
            child = server.part.spawn()
            if self.stopping.is_set():
                server.part.stop()
                return
            self._note_process(server.record, child.pid)
            server.spawned.set()
            child.wait_until(server.part.is_ready, self.timeout)
            server.record.message = server.prepare()
            self._watched[name] = _Watched(server.part, server.record)
            self._set(name, "ready", server.record.message)
            server.prepared.set()
        except Exception as error:  # noqa: BLE001 (handed to the main thread, which raises it)
            self._failures.append(error)

    def _programs_may_start(self) -> bool:
        known = all(server.spawned.is_set() for server in self.servers.values())
        return known and all(
            self.servers[name].prepared.is_set() for name in self.awaited if name in self.servers
        )

    def _all_ready(self) -> bool:
        return len(self._watched) == len(self.servers) + len(self.programs) and all(
            watched.record.status == "ready" for watched in self._watched.values()
        )

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    # ------------------------------------------------------------------ keep running

    def _tend(self) -> None:
        """See who died, who is due to be started again, who has become ready."""
        for name, watched in list(self._watched.items()):
            child = watched.part.child
            if watched.again_at is not None:
                if time.monotonic() >= watched.again_at:
                    self._spawn(name)
            elif child is None or not child.alive:
                self._died(name)
            elif watched.record.status != "ready" and watched.part.is_ready():
                self._set(name, "ready", None)
                if name in self.servers:
                    self._settings_may_have_changed()

    def _spawn(self, name: str) -> None:
        watched = self._watched[name]
        watched.again_at = None
        try:
            child = watched.part.spawn()
        except PostilError as error:
            self._try_again(name, str(error.what))
            return
        self._note_process(watched.record, child.pid)
        if watched.deaths == 0:
            self._set(name, "starting", None)

    def _died(self, name: str) -> None:
        watched = self._watched[name]
        child = watched.part.child
        if (
            watched.record.since is not None
            and watched.record.status == "ready"
            and time.time() - watched.record.since > STEADY
        ):
            watched.deaths = 0
        self._try_again(name, child.last_words() if child is not None else "it ended")

    def _try_again(self, name: str, why: str) -> None:
        watched = self._watched[name]
        watched.deaths += 1
        watched.record.restarts += 1
        delay = min(LAST_DELAY, FIRST_DELAY * 2 ** (watched.deaths - 1))
        watched.again_at = time.monotonic() + delay
        self._set(name, "failing" if watched.deaths >= FAILING else "restarting", why)

    def _settings_may_have_changed(self) -> None:
        """A server that came back elsewhere is of no use to programs that know its old address: start them again."""
        settings = self.settings()
        if settings == self.stack.settings:
            return
        self.stack.settings = settings
        for name, program in self.programs.items():
            program.stop()
            self._spawn(name)

    def _set(self, name: str, status: str, message: str | None) -> None:
        known = self.servers[name].record if name in self.servers else self._watched[name].record
        known.status, known.message = status, message
        if status == "ready":
            known.since = time.time()
        self.stack.processes[name] = known
        with contextlib.suppress(PostilError):  # a full disk must not end a stack that runs
            self.stack.write(self.data_dir)
        self.report(name, known, time.monotonic() - self._began)

    @staticmethod
    def _note_process(known: PartRecord, pid: int) -> None:
        known.pid = pid
        with contextlib.suppress(psutil.Error):
            known.created = psutil.Process(pid).create_time()

    # ------------------------------------------------------------------ end

    def _stop(self) -> None:
        """Readers first, then the relay, which drains into Kafka, then the servers."""
        self.stopping.set()
        self.before_end()
        for program in reversed(list(self.programs.values())):
            program.stop()
        for server in reversed(list(self.servers.values())):
            server.part.stop()
        for thread in self._starting:  # one that was just about to start its server ends it itself
            thread.join(STOP_PATIENCE)

    @contextmanager
    def _woken_by_signals(self) -> Generator[Wait]:
        """Give a way to wait that a child's death or a request to end cuts short."""
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

        before = {
            number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            yield wait
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            selector.close()
            os.close(reading)
            os.close(writing)
