"""The page of settings: every setting, its default and what it means."""

from __future__ import annotations

from pages.markdown import code, table
from postil.settings import Settings

HEAD = """# Settings

The first of these sources with a value wins: a command's option, the environment, \
the TOML file named by `POSTIL_CONFIG` (default `postil.toml`, where the names are lower-case and without the prefix), \
the stack that runs under the data directory, the default.

"""


def page() -> str:
    """Return the page."""
    rows = [
        (f"`POSTIL_{name.upper()}`", code(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + table(("variable", "default", "meaning"), rows)
