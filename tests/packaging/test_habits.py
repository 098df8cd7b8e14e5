"""The files that guide an editor, git and a release fit the repository."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FRAGMENTS = ROOT / "changelog.d"


def hooks() -> list[dict[str, Any]]:
    """Return the hooks of the repository."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    return [hook for repo in config["repos"] for hook in repo["hooks"]]


def test_each_hook_uses_the_tools_of_the_project() -> None:
    """No hook downloads a tool, so that a hook and `make lint` agree."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks()} == {"system"}


def test_each_piece_of_make_lint_is_a_hook() -> None:
    """Each target that `make lint` runs is also run by a hook of git."""
    match = re.search(r"^lint: (?P<pieces>[^#\n]+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert match is not None
    entries = " ".join(hook["entry"] for hook in hooks())
    assert [piece for piece in match["pieces"].split() if piece not in entries] == []


def test_each_script_of_a_hook_exists() -> None:
    """Each check script that a hook runs is a file of the repository."""
    scripts = [word for hook in hooks() for word in hook["entry"].split() if word.endswith(".py")]
    assert scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_text_files_have_the_form_of_editorconfig() -> None:
    """Text files end with one line feed, and have no trailing blanks, carriage returns or tabs."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    wrong = []
    for name in listed.stdout.splitlines():
        file = ROOT / name
        content = file.read_bytes() if file.is_file() else b""
        if not content or b"\0" in content or file.suffix == ".svg":
            continue
        if not content.endswith(b"\n") or content.endswith(b"\n\n"):
            wrong.append(f"{name}: end of the file")
        if re.search(rb"[ \t\r]$", content, re.MULTILINE) or (b"\t" in content and name != "Makefile"):
            wrong.append(f"{name}: blanks")
    assert wrong == []


def test_each_changelog_fragment_has_a_type() -> None:
    """A fragment is named `+<words>.<type>.md`, with a type that the release notes have a section for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        types = [kind["directory"] for kind in tomllib.load(file)["tool"]["towncrier"]["type"]]
    name = re.compile(rf"\+[a-z0-9-]+\.({'|'.join(types)})\.md")
    files = {file.name for file in FRAGMENTS.iterdir()} - {"README.md"}
    assert [file for file in files if not name.fullmatch(file)] == []


def test_each_changelog_fragment_is_a_sentence() -> None:
    """A fragment has at most 300 characters, begins with a capital or a command, and ends with a full stop."""
    sentence = re.compile(r"(?s)[A-Z`].{20,298}\.\n")
    wrong = [file.name for file in FRAGMENTS.glob("+*.md") if not sentence.fullmatch(file.read_text("utf-8"))]
    assert wrong == []


def test_the_fragments_form_the_release_notes() -> None:
    """The draft of the next release has a line for each fragment."""
    draft = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "99.0"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(re.findall(r"^- ", draft.stdout, re.MULTILINE)) == len(list(FRAGMENTS.glob("+*.md")))
