"""The reference pages say what the code says."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_reference_is_what_make_docs_would_write() -> None:
    spec = spec_from_file_location("generate_reference", REFERENCE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generator = module_from_spec(spec)
    spec.loader.exec_module(generator)
    stale = [
        name for name, page in generator.PAGES.items() if (REFERENCE / name).read_text("utf-8") != page()
    ]
    assert stale == [], "run `make docs`"


def test_every_test_a_guarantee_names_exists() -> None:
    root = REFERENCE.parents[1]
    named = re.findall(
        r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (root / "docs" / "guarantees.md").read_text("utf-8")
    )
    assert len(named) > 30
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (root / file).is_file() or (test and f"def {test}(" not in (root / file).read_text("utf-8"))
    ]
    assert missing == []
