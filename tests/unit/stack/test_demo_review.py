"""The demonstration only reads, and bases each decision on a fact that it read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from postil_stack.demo.folder import HASHED, FileDescription, describe, listing
from postil_stack.demo.judgement import OVERSIZED, judge
from postil_stack.demo.report import render


def file_of(path: str, **changes: object) -> Any:
    """A description of a file, as `describe` returns it."""
    return {"path": path, "bytes": 5, "sha256": path, **changes}


@pytest.mark.parametrize(
    ("file", "outcome", "rule", "reason"),
    [
        (file_of("a"), "keep", "ordinary", "5 bytes"),
        (file_of("b", sha256="first"), "flag", "duplicate", "the same as those of first"),
        (file_of("c", bytes=OVERSIZED + 1), "flag", "oversized", "10,485,761 bytes"),
        (file_of("d", unreadable="Permission denied"), "flag", "unreadable", "Permission denied"),
        (
            file_of("e", suspicions=[{"kind": "a private key", "line": 7}]),
            "flag",
            "secret-looking",
            "a private key (line 7)",
        ),
        (file_of("f", bytes=0, sha256="empty"), "keep", "ordinary", "0 bytes"),
    ],
)
def test_each_rule_gives_its_reason(file: FileDescription, outcome: str, rule: str, reason: str) -> None:
    """Each rule decides keep or flag, and its rationale contains the fact it decided by."""
    *_, verdict = judge([file_of("first"), file_of("nothing", bytes=0, sha256="empty"), file])

    assert (verdict.outcome, verdict.rule) == (outcome, rule)
    assert reason in verdict.rationale


def test_confidence_is_stated_only_where_computed() -> None:
    """Equal hashes are certain; the suspicion of a secret has no confidence."""
    same, secret = judge(
        [file_of("a"), file_of("b", sha256="a"), file_of("c", suspicions=[{"kind": "x", "line": 1}])]
    )[1:]

    assert (same.confidence, secret.confidence) == (1.0, None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("key = AKIA" + "A1B2C3D4E5F6G7H8", "an AWS access key id"),
        ("ghp_" + "a" * 36, "a GitHub token"),
        ('password = "correct horse"'.replace(" horse", "-horse"), "a password or key in an assignment"),
    ],
)
def test_a_suspected_secret_is_never_shown(tmp_path: Path, text: str, kind: str) -> None:
    """A suspected secret is reported by kind and line, never by its text."""
    file = tmp_path / "settings.py"
    file.write_text(f"first\n{text}\n")
    description = describe(file, "settings.py")

    assert description.get("suspicions") == [{"kind": kind, "line": 2}]
    assert text not in str(description)


@pytest.mark.parametrize(
    "text", ['password = ""', 'password = "$SECRET"', "password: str", "\0-----BEGIN PRIVATE KEY-----"]
)
def test_a_placeholder_is_not_a_secret(tmp_path: Path, text: str) -> None:
    """An empty value, a variable and a type are not reported as secrets, nor is anything in a binary file."""
    file = tmp_path / "x"
    file.write_text(text)
    assert "suspicions" not in describe(file, "x")


def test_a_missing_file_is_reported_as_unreadable(tmp_path: Path) -> None:
    """A file that disappeared is described with the reason why it cannot be read."""
    assert describe(tmp_path / "gone", "gone") == {
        "path": "gone",
        "bytes": 0,
        "unreadable": "No such file or directory",
    }


def test_a_huge_file_is_judged_by_its_size_alone(tmp_path: Path) -> None:
    """A file beyond the limit of hashing has a size and no hash."""
    file = tmp_path / "huge"
    with file.open("wb") as huge:
        huge.truncate(HASHED + 1)
    assert describe(file, "huge") == {"path": "huge", "bytes": HASHED + 1}


def test_skipped_entries_are_named(tmp_path: Path) -> None:
    """Links, pipes and the folders of other programs are not read, and the listing names them."""
    for name in (".git/config", "src/b.py", "a.txt", "own/reports/r.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "pipe")
    found = listing(tmp_path, limit=10, leave_out=frozenset({tmp_path / "own"}))

    assert [str(file.relative_to(tmp_path)) for file in found.files] == ["a.txt", "src/b.py"]
    assert found.skipped == [".git", "own", "link: not a regular file", "pipe: not a regular file"]


def test_files_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    """The listing stops at the limit, and the report states how many files were not read."""
    for number in range(7):
        (tmp_path / str(number)).touch()
    found = listing(tmp_path, limit=5)

    assert (len(found.files), found.beyond_limit) == (5, 2)
    assert "2 files or more were not read" in render("x", "r", found, [])
