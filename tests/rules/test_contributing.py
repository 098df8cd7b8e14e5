"""The tree in CONTRIBUTING is the tree of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITH_SUBFOLDERS = ("tests/unit", "tests/properties", "tests/integration", "tests/faults")
"""Folders whose line describes their subfolders too: one per package."""


def described() -> set[str]:
    """Return the folders of the tree, as paths from the root."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    tree = re.search(r"```\n(core/postil/ .*?)```", text, re.DOTALL)
    assert tree
    folders: set[str] = set()
    parents: dict[int, str] = {-2: ""}
    for line in tree[1].splitlines():
        name = re.match(r"( *)(\S+)/(?: |$)", line)
        assert name, f"a line of the tree names a folder first: {line}"
        depth = len(name[1])
        parents[depth] = f"{parents[depth - 2]}{name[2]}/"
        folders.add(parents[depth].rstrip("/"))
    return folders


def folders_with_sources() -> set[str]:
    """Return every folder that holds source files, except those below a folder that describes them."""
    listed = subprocess.run(
        ["git", "ls-files", "core", "outbox_relay", "consumers", "deploy", "tests"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    folders = {
        str(Path(name).parent)
        for name in listed.stdout.splitlines()
        if name.endswith((".py", ".sql", ".service", ".ts", ".tsx", ".css"))
    }
    return {folder for folder in folders if not folder.startswith(tuple(f"{f}/" for f in WITH_SUBFOLDERS))}


def test_every_folder_has_its_line_in_the_tree() -> None:
    """A newcomer finds each folder with source files in CONTRIBUTING."""
    assert folders_with_sources() - described() - {"tests", *WITH_SUBFOLDERS} == set()


def test_every_line_of_the_tree_is_a_folder() -> None:
    """The tree names no folder that does not exist."""
    assert [folder for folder in sorted(described()) if not (ROOT / folder).is_dir()] == []
