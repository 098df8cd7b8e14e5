"""The files that the commands here are given."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest


def trajectory(**step: Any) -> bytes:
    """A trajectory of one step."""
    return json.dumps({"trajectory": [{"action": "ls", **step}]}).encode()


def case(more: bytes) -> bytes:
    """An event log of one case."""
    return b'<log><trace><string key="concept:name" value="c"/>' + more + b"</trace></log>"


FILES = {
    "a_file": b"x",
    os.fsdecode(b"not_text\xff.xes"): b"<log",
    "ok.xes": case(b""),
    "folder/a.txt": b"hello",
    "empty.xes": b"",
    "empty.traj": b"",
    "unknown.txt": b"x",
    "cut.xes.gz": gzip.compress(case(b""))[:20],
    "nul.traj": trajectory(thought="a\0b"),
    "nul_key.traj": trajectory(**{"a\0b": 1}),
    "surrogate.traj": trajectory(thought="a\ud800b"),
    "nan.traj": trajectory(execution_time=float("nan")),
    "infinity.traj": trajectory(x=float("-inf")),
    "beyond.traj": b'{"trajectory": [{"action": "ls", "x": 1e999}]}',
    "digits.traj": b'{"trajectory": [], "x": %s}' % (b"9" * 5000),
    "deep.traj": b'{"trajectory": %s1%s}' % (b"[" * 100_000, b"]" * 100_000),
    "sixty_five.traj": b'{"trajectory": [], "x": %s%s}' % (b"[" * 70, b"]" * 70),
    "latin.traj": '{"trajectory": [{"action": "é"}]}'.encode("latin-1"),
    "utf16.traj": '{"trajectory": []}'.encode("utf-16"),
    "nul.xes": case(b'<string key="a" value="\0"/>'),
    "reference.xes": case(b'<string key="a" value="&#xD800;"/>'),
    "encoding.xes": b'<?xml version="1.0" encoding="klingon"?>' + case(b""),
    "latin.xes": case('<string key="a" value="é"/>'.encode("latin-1")),
    "deep.xes": b"<log>" + b"<trace>" * 10_000,
    "integer.xes": case(b'<int key="n" value="%s"/>' % (b"9" * 5000)),
    "garbage/postil.events-0/manifest.ndjson": b"\0\xff\n" + b"[" * 100_000 + b"\n",
    "headless/postil.events-0/00000000000000000000.ndjson": b"{}\n",
}
DIRECTORIES = ["directory.xes", "empty", "unreadable/postil.events-0/manifest.ndjson"]


@pytest.fixture(autouse=True, scope="module")
def bad_files(world: Any) -> None:
    """Write the files into the directory where the commands run."""
    directory: Path = world.directory
    for name, content in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    for name in DIRECTORIES:
        (directory / name).mkdir(parents=True)
    for name in ("circle", "circle.xes"):
        (directory / name).symlink_to(directory / name)
    os.mkfifo(directory / "pipe.xes")
