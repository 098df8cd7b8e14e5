"""The reference pages agree with the code."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_reference_pages_are_up_to_date() -> None:
    """Each generated reference page is equal to the output of `make docs`."""
    spec = spec_from_file_location("generate_reference", REFERENCE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generator = module_from_spec(spec)
    spec.loader.exec_module(generator)
    stale = [
        name for name, page in generator.PAGES.items() if (REFERENCE / name).read_text("utf-8") != page()
    ]
    assert stale == [], "run `make docs`"


def test_each_test_named_by_a_guarantee_exists() -> None:
    """Each test that docs/guarantees.md names exists in the named file."""
    root = REFERENCE.parents[1]
    names = re.findall(
        r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (root / "docs" / "guarantees.md").read_text("utf-8")
    )
    assert len(names) > 30
    missing = [
        f"{file}::{test}"
        for file, test in names
        if not (root / file).is_file() or (test and f"def {test}(" not in (root / file).read_text("utf-8"))
    ]
    assert missing == []
