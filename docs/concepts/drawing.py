"""What the pictures of the concepts share: the frame, the colours and the arrow heads."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[1]
IMAGES = DOCS / "images"


def rows(page: str, columns: int) -> list[list[str]]:
    """Return the cells of all rows with so many columns in the tables of a page, without heads and code marks."""
    text = (DOCS / "concepts" / page).read_text("utf-8")
    lines = re.findall(r"^\| (.+) \|$", text, re.MULTILINE)
    cells = [[cell.strip().replace("`", "") for cell in line.split(" | ")] for line in lines]
    return [row for row in cells if len(row) == columns]


def frame(width: int, height: int, title: str, parts: list[str]) -> str:
    """Return the picture: a light panel, which is readable on a light page and on a dark one, with the parts on it."""
    return _FRAME.format(width=width, height=height, title=escape(title), body="\n".join(parts))


_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 font-family="ui-sans-serif, system-ui, sans-serif" role="img" aria-labelledby="t">
<title id="t">{title}</title>
<defs>
<marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 10 5 0 10z" fill="#64748b"/></marker>
<style>.b{{stroke:#64748b;stroke-width:1.2}}
.n{{font-size:14px;font-weight:600;fill:#0f172a}}.f{{font-size:13px;fill:#334155}}
.l{{stroke:#64748b;stroke-width:1.5;fill:none;
marker-end:url(#a)}}</style>
</defs>
<rect width="{width}" height="{height}" rx="14" fill="#f8fafc"/>
{body}
</svg>
"""
