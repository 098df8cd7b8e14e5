"""The reference pages say what the code says."""

from __future__ import annotations

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
