"""The check scripts of `make lint` report what they are meant to find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RULES = Path(__file__).parent


def check(script: str, tree: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the check inside a small repository."""
    rules = tree / "tests" / "rules"
    rules.mkdir(parents=True)
    (rules / script).write_bytes((RULES / script).read_bytes())
    (tree / "docs").mkdir(exist_ok=True)
    (tree / "docs" / "glossary.md").write_bytes((RULES.parents[1] / "docs" / "glossary.md").read_bytes())
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    return subprocess.run(
        [sys.executable, rules / script, "src"], capture_output=True, text=True, check=False
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
