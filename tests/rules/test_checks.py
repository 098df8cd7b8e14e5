"""The check scripts of `make lint` report what they are meant to find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RULES = Path(__file__).parent


def check(script: str, tree: Path, arguments: tuple[str, ...] = ("src",)) -> subprocess.CompletedProcess[str]:
    """Run a copy of the check inside a small repository."""
    rules = tree / "tests" / "rules"
    rules.mkdir(parents=True)
    (rules / script).write_bytes((RULES / script).read_bytes())
    (tree / "docs").mkdir(exist_ok=True)
    (tree / "docs" / "glossary.md").write_bytes((RULES.parents[1] / "docs" / "glossary.md").read_bytes())
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    return subprocess.run(
        [sys.executable, rules / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "content", "reported"),
    [
        ("a.py", '"""Whoever calls this."""\n', "src/a.py:1: 'Whoever'"),
        ("a.py", "x = 1  # this is no list\n", "src/a.py:1: 'is no'"),
        ("a.py", 'x = f"{1} strangers"\n', "src/a.py:1: 'strangers'"),
        ("a.sql", "-- returns it\n-- and answers\n", "src/a.sql:2: 'answers'"),
        ("a.md", "It goes\non.\nIt goes on.\n", "src/a.md:3: 'goes on'"),
    ],
)
def test_a_ruled_out_word_is_reported(tmp_path: Path, name: str, content: str, reported: str) -> None:
    """A word of the glossary's last table is reported with file, line and replacement."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / name).write_text(content)

    result = check("check_words.py", tmp_path)

    assert reported in result.stdout
    assert result.returncode == 1


def test_plain_text_passes_the_word_check(tmp_path: Path) -> None:
    """Names in code are not prose, and "there is no" is plain English."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text('"""There is no other."""\n\nsaid = whoever = 1\n')

    result = check("check_words.py", tmp_path)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("name", "content", "reported"),
    [
        ("long.py", "x = 1\n" * 401, "src/long.py: 401 lines"),
        ("helpers.py", "", "src/helpers.py: the name does not show"),
        ("test_a.py", "def test_a(): ...\n", "src/test_a.py:1: test_a has no docstring"),
        ("test_a.py", f'def test_{"a" * 60}():\n    """Rule."""\n', "has 65 characters, the limit is 60"),
    ],
)
def test_a_broken_rule_of_structure_is_reported(
    tmp_path: Path, name: str, content: str, reported: str
) -> None:
    """A file, folder or test name beyond the limits is reported."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / name).write_text(content)

    result = check("check_structure.py", tmp_path)

    assert reported in result.stdout
    assert result.returncode == 1


def test_a_crowded_folder_is_reported(tmp_path: Path) -> None:
    """A folder with more than 14 source files is reported."""
    (tmp_path / "src").mkdir()
    for number in range(15):
        (tmp_path / "src" / f"m{number}.py").touch()

    result = check("check_structure.py", tmp_path)

    assert "src: 15 source files, the limit is 14" in result.stdout
    assert result.returncode == 1


def test_a_test_that_sleeps_is_reported(tmp_path: Path) -> None:
    """A call of `sleep` below `tests` is reported, unless it only lets other tasks run."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "world.py").write_text("time.sleep(1)\nawait asyncio.sleep(0)\nsleep(seconds)\n")

    result = check("check_structure.py", tmp_path, ("tests/world.py",))

    assert [line for line in result.stdout.splitlines() if "sleep" in line] == [
        f"tests/world.py:{line}: a test waits on a signal and does not sleep" for line in (1, 3)
    ]
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("comment", "code"),
    [
        ("# noqa: S608", 1),
        ("# type: ignore[arg-type]", 1),
        ("# type: ignore[arg-type]  # noqa: E501", 1),
        ("# noqa: S608 (the name is a constant)", 0),
        ("# pyright: ignore[reportPrivateUsage] (a test of it)", 0),
        ("# type: ignore[arg-type]  # noqa: E501 (the message of the test)", 0),
        ("# type: ignore[arg-type]  # declared too narrow", 0),
    ],
)
def test_an_exception_without_a_reason_is_reported(tmp_path: Path, comment: str, code: int) -> None:
    """An exception from a linter or type checker states its reason."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text(f"x = 1  {comment}\n")

    assert check("check_exceptions.py", tmp_path).returncode == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("relay: publish in order\n\nSeen: two orders.\n", 0),
        ("relay: publish in order\n\nSeen: two orders.\n# a comment of git\n", 0),
        ("relay: publish in order\n", 1),
        ("relay: publish in order\nSeen: two orders.\n", 1),
        ("relay: published in order\n\nSeen: two orders.\n", 1),
        ("relay: publish in order.\n\nSeen: two orders.\n", 1),
        ("Publish in order\n\nSeen: two orders.\n", 1),
        (f"relay: publish {'x' * 60}\n\nSeen: two orders.\n", 1),
    ],
)
def test_the_message_of_a_commit_has_one_form(tmp_path: Path, message: str, code: int) -> None:
    """A subject `area: imperative` of at most 72 characters, an empty line, and a body."""
    (tmp_path / "message").write_text(message)

    assert check("check_commits.py", tmp_path, ("--message", str(tmp_path / "message"))).returncode == code


def test_a_shallow_clone_has_its_newest_commit_checked(tmp_path: Path) -> None:
    """Without the commit that the rule starts from, the newest commit is checked."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(
        ["git", "-C", tmp_path, *identity, "commit", "--quiet", "--allow-empty", "-m", "No area"], check=True
    )

    result = check("check_commits.py", tmp_path, ())

    assert "2 broken rules in 1 messages" in result.stdout
