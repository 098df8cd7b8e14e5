"""The pure functions of the page, tested in TypeScript (`*.test.ts` next to each) and run from here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_pure_functions_of_the_page() -> None:
    """Every unit test of the page passes; the failure shows the report of vitest."""
    done = subprocess.run(
        [sys.executable, "hatch_build.py", "test"],
        check=False, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
