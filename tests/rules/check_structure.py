"""Checks the limits that CONTRIBUTING prints: sizes of files and folders, and the names of tests.

* A source file has at most 400 lines, a folder at most 14 source files.
* A test's name has at most 60 characters, and a docstring states the rule that it holds.
* A test does not sleep. Benchmarks may.
* No module or folder is called util, utils, common, helpers or manager.

Run by ``make lint``; paths given as arguments limit the check.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
MAX_FILES = 14
MAX_NAME = 60  # characters of a test's name
SOURCE = {".py", ".sql", ".ts", ".tsx", ".css"}
BANNED = {"util", "utils", "common", "helper", "helpers", "manager"}


def source_files(paths: list[str]) -> Iterator[Path]:
    """Yield the project's own source files."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if file.is_file() and file.suffix in SOURCE:
            yield file


def broken_test_rules(file: Path) -> Iterator[str]:
    """Yield what is wrong with the names and docstrings of a test file."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            if len(node.name) > MAX_NAME:
                yield f"{node.lineno}: {node.name} has {len(node.name)} characters, the limit is {MAX_NAME}"
            if not ast.get_docstring(node):
                yield f"{node.lineno}: {node.name} has no docstring that states its rule"


def sleeps(file: Path) -> Iterator[str]:
    """Yield each call of `sleep` in a test file, except `sleep(0)`, which lets other tasks run."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        if name == "sleep" and not (node.args and ast.unparse(node.args[0]) == "0"):
            yield f"{node.lineno}: a test waits on a signal and does not sleep"


def main(paths: list[str]) -> int:
    """Print every broken rule; returns 1 if there are any."""
    broken: list[str] = []
    folders: Counter[Path] = Counter()
    for file in source_files(paths):
        name = file.relative_to(ROOT)
        folders[name.parent] += 1
        lines = len(file.read_text("utf-8").splitlines())
        if lines > MAX_LINES:
            broken.append(f"{name}: {lines} lines, the limit is {MAX_LINES}")
        if BANNED.intersection(part.removesuffix(file.suffix) for part in name.parts):
            broken.append(f"{name}: the name does not show what is inside")
        if file.name.startswith("test_") and file.suffix == ".py":
            broken += [f"{name}:{fault}" for fault in broken_test_rules(file)]
        if name.parts[0] == "tests" and name.parts[1] != "benchmarks" and file.suffix == ".py":
            broken += [f"{name}:{fault}" for fault in sleeps(file)]
    broken += [
        f"{d}: {n} source files, the limit is {MAX_FILES}" for d, n in folders.items() if n > MAX_FILES
    ]
    print(*broken, f"check_structure: {len(broken)} broken rules", sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
