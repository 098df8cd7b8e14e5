"""The console prints texts of other programs as they are."""

from __future__ import annotations

import pytest
from rich.table import Table

from postil.cli.console import PlainConsole

HOSTILE = "job [build] 7 [/b] :smile: \x1b[2J\x9b1A\x7f\r"
PRINTED = "job [build] 7 [/b] :smile: \\x1b[2J\\x9b1A\\x7f\\x0d"


def test_a_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets and colons are printed, and control characters become visible: a terminal would obey them."""
    PlainConsole().print(HOSTILE, style="red")
    PlainConsole(stderr=True).print(HOSTILE)
    assert capsys.readouterr() == (f"{PRINTED}\n", f"{PRINTED}\n")


def test_a_cell_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """The same holds for the cells of a table."""
    table = Table("run", box=None, pad_edge=False)
    table.add_row(HOSTILE)
    PlainConsole().print(table)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == ["run", PRINTED]
