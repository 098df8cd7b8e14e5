"""Kafka runs only from jars whose hashes are in the lock file, wherever the jars come from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import pytest

from postil_stack.errors import DownloadFailed
from postil_stack.servers import jars


class Garbage(BaseHTTPRequestHandler):
    """A repository that sends the same wrong content for every file."""

    def do_GET(self) -> None:
        body = b"not the requested file"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        pass


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache directory without jars."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return jars.cache_directory()


def use_repository(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Download jars from `url` only."""
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\ncentral = {url}\n", "utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))


@pytest.fixture
def garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use a repository that sends wrong content."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Garbage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        use_repository(f"http://127.0.0.1:{server.server_port}", tmp_path, monkeypatch)
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a repository that refuses connections."""
    use_repository("http://127.0.0.1:9", tmp_path, monkeypatch)


def test_the_lock_has_hashes_and_no_addresses() -> None:
    """The lock file has a SHA-256 for each jar and no download address."""
    lock = files("postil_stack.servers").joinpath(jars.LOCK_FILE).read_text("utf-8")
    assert "://" not in lock
    assert all(len(jar.sha256) == 64 for jar in jars.locked())


def test_a_jar_with_a_wrong_hash_is_not_cached(empty_cache: Path, garbage: None) -> None:
    """A downloaded jar whose hash is not in the lock is refused and not stored."""
    with pytest.raises(DownloadFailed, match="SHA-256 differs"):
        jars.class_path()
    assert list(empty_cache.glob("*.jar")) == []


def test_a_jar_changed_in_the_cache_is_refused(
    empty_cache: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached jar with one flipped bit is not on the class path."""
    with monkeypatch.context() as patch:
        patch.delenv("XDG_CACHE_HOME")
        patch.delenv("JGO_CONFIG_FILE")
        user_jars = jars.class_path()
    empty_cache.mkdir(parents=True)
    for jar in user_jars:
        (empty_cache / jar.name).symlink_to(jar)
    assert jars.class_path() == [empty_cache / jar.name for jar in user_jars]
    damaged = empty_cache / user_jars[0].name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.unlink()
    damaged.write_bytes(content)
    with pytest.raises(DownloadFailed):
        jars.class_path()


def test_without_a_network_the_error_advises(empty_cache: Path, no_network: None) -> None:
    """A refused connection raises `DownloadFailed` with the cause and the way to run without Kafka's jars."""
    with pytest.raises(DownloadFailed) as failed:
        jars.class_path()
    assert "the connection was refused" in failed.value.what
    assert "postil up --kafka memory" in failed.value.advice
