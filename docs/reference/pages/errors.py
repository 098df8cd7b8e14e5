"""The page of errors: every error of the write functions, with its SQLSTATE and what to do."""

from __future__ import annotations

import inspect

from pages.markdown import table
from postil import errors

HEAD = """# Errors

The write functions raise these SQLSTATEs, with the offending field's path in DETAIL and advice in HINT; \
Python raises the class of the same name. \
After any of them the transaction must be rolled back; nothing of it was stored.

"""


def page() -> str:
    """Return the page."""
    rows = [
        (f"`{kind.sqlstate}`", f"`{kind.__name__}`", _first_paragraph(kind), kind.default_advice)
        for _, kind in sorted(errors.BY_SQLSTATE.items())
    ]
    return HEAD + table(("SQLSTATE", "class", "what happened", "what to do"), rows)


def _first_paragraph(kind: type) -> str:
    return (inspect.getdoc(kind) or "").split("\n\n")[0]
