"""The demonstration only reads, and gives a reason it has seen for each thing it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postil_stack.demo.folder import HASHED, FileDescription, describe, listing
from postil_stack.demo.judgement import OVERSIZED, judge
from postil_stack.demo.report import render


def seen(path: str, **changes: object) -> FileDescription:
    return {"path": path, "bytes": 5, "sha256": path, **changes}  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("file", "outcome", "rule", "reason"),
    [
        (seen("a"), "keep", "ordinary", "5 bytes"),
        (seen("b", sha256="first"), "flag", "duplicate", "the same as those of first"),
        (seen("c", bytes=OVERSIZED + 1), "flag", "oversized", "10,485,761 bytes"),
        (seen("d", unreadable="Permission denied"), "flag", "unreadable", "Permission denied"),
        (
            seen("e", suspicions=[{"kind": "a private key", "line": 7}]),
            "flag",
            "secret-looking",
            "a private key (line 7)",
        ),
        (seen("f", bytes=0, sha256="empty"), "keep", "ordinary", "0 bytes"),
    ],
)
def test_each_rule_gives_its_reason(file: FileDescription, outcome: str, rule: str, reason: str) -> None:
    *_, verdict = judge([seen("first"), seen("nothing", bytes=0, sha256="empty"), file])

    assert (verdict.outcome, verdict.rule) == (outcome, rule)
    assert reason in verdict.rationale


def test_confidence_is_claimed_only_where_it_was_computed() -> None:
    same, secret = judge(
        [seen("a"), seen("b", sha256="a"), seen("c", suspicions=[{"kind": "x", "line": 1}])]
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
def test_what_looks_like_a_secret_is_told_by_kind_and_line_and_never_shown(
    tmp_path: Path, text: str, kind: str
) -> None:
    file = tmp_path / "settings.py"
    file.write_text(f"first\n{text}\n")
    found = describe(file, "settings.py")

    assert found.get("suspicions") == [{"kind": kind, "line": 2}]
    assert text not in str(found)


@pytest.mark.parametrize(
    "text", ['password = ""', 'password = "$SECRET"', "password: str", "\0-----BEGIN PRIVATE KEY-----"]
)
def test_a_placeholder_is_no_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x"
    file.write_text(text)
    assert "suspicions" not in describe(file, "x")


def test_a_file_that_is_gone_is_told_as_unreadable(tmp_path: Path) -> None:
    assert describe(tmp_path / "gone", "gone") == {
        "path": "gone",
        "bytes": 0,
        "unreadable": "No such file or directory",
    }


def test_a_huge_file_is_judged_by_its_size_alone(tmp_path: Path) -> None:
    file = tmp_path / "huge"
    with file.open("wb") as huge:
        huge.truncate(HASHED + 1)
    assert describe(file, "huge") == {"path": "huge", "bytes": HASHED + 1}


def test_links_pipes_and_the_folders_of_other_programs_are_left_out_and_named(tmp_path: Path) -> None:
    for name in (".git/config", "src/b.py", "a.txt", "own/reports/r.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "pipe")
    found = listing(tmp_path, limit=10, leave_out=frozenset({tmp_path / "own"}))

    assert [str(file.relative_to(tmp_path)) for file in found.files] == ["a.txt", "src/b.py"]
    assert found.skipped == [".git", "own", "link: not a regular file", "pipe: not a regular file"]


def test_what_is_beyond_the_limit_is_counted(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / str(number)).touch()
    found = listing(tmp_path, limit=5)

    assert (len(found.files), found.beyond_limit) == (5, 2)
    assert "2 files or more were not read" in render("x", "r", found, [])
