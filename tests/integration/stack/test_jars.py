"""Only the jars the lock names are ever run, wherever they come from; without a network one is told what to do."""

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
    """A repository that has everything, and all of it wrong."""

    def do_GET(self) -> None:
        body = b"not what you asked for"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        pass


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return jars.cache_directory()


def use_repository(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\ncentral = {url}\n", "utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))


@pytest.fixture
def garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
    use_repository("http://127.0.0.1:9", tmp_path, monkeypatch)


def test_the_lock_names_no_address() -> None:
    lock = files("postil_stack.servers").joinpath(jars.LOCK_FILE).read_text("utf-8")
    assert "://" not in lock
    assert all(len(jar.sha256) == 64 for jar in jars.locked())


def test_a_jar_that_is_not_what_the_lock_says_never_enters_the_cache(
    empty_cache: Path, garbage: None
) -> None:
    with pytest.raises(DownloadFailed, match="SHA-256 differs"):
        jars.class_path()
    assert list(empty_cache.glob("*.jar")) == []


def test_a_jar_changed_in_the_cache_is_not_run(
    empty_cache: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as outside:
        outside.delenv("XDG_CACHE_HOME")
        outside.delenv("JGO_CONFIG_FILE")
        whole = jars.class_path()
    empty_cache.mkdir(parents=True)
    for jar in whole:
        (empty_cache / jar.name).symlink_to(jar)
    assert jars.class_path() == [empty_cache / jar.name for jar in whole]
    changed = empty_cache / whole[0].name
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.unlink()
    changed.write_bytes(content)
    with pytest.raises(DownloadFailed):
        jars.class_path()


def test_without_a_network_one_is_told_what_to_do(empty_cache: Path, no_network: None) -> None:
    with pytest.raises(DownloadFailed) as failed:
        jars.class_path()
    assert "the connection was refused" in failed.value.what
    assert "postil up --kafka memory" in failed.value.advice
