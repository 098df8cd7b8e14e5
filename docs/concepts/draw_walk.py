"""Draws the table of `walk.md` as `docs/images/walk.svg`. Run it with ``make docs``."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1]
PAGE = DOCS / "concepts" / "walk.md"
PICTURE = DOCS / "images" / "walk.svg"

WIDTH, HEIGHT, GAP = 430, 58, 16
LEFT, RIGHT, TOP = 60, 540, 40
COLORS = {
    "application": "#e0e7ff", "PostgreSQL": "#d1fae5", "relay": "#fef3c7", "dashboard": "#fce7f3", "audit log": "#e2e8f0",
}  # fmt: skip


class Step(NamedTuple):
    """A row of the table."""

    number: int
    process: str
    room: str
    function: str
    form: str


def steps() -> list[Step]:
    """Return the steps of the page's table."""
    row = re.compile(r"^\| (\d+) \| ([^|]+) \| `([^`]+)` \| `([^`]+)` \| (.+) \|$", re.MULTILINE)
    return [Step(int(number), *rest) for number, *rest in row.findall(PAGE.read_text("utf-8"))]


def draw() -> str:
    """Return the picture: one column down to Kafka, then a column per consumer."""
    shared = [step for step in steps() if step.process not in ("dashboard", "audit log")]
    branches = [[step for step in steps() if step.process == name] for name in ("dashboard", "audit log")]
    middle = (LEFT + RIGHT) // 2
    parts: list[str] = []
    y = TOP
    for step in shared:
        parts += [_box(step, middle, y), _arrow(middle + WIDTH // 2, y + HEIGHT)]
        y += HEIGHT + GAP
    parts += [_kafka(middle, y)]
    y += HEIGHT + 3 * GAP
    for x, branch in zip((LEFT, RIGHT), branches, strict=True):
        parts.append(f'<path class="l" d="M{middle + WIDTH // 2} {y - 3 * GAP} L{x + WIDTH // 2} {y}"/>')
        for n, step in enumerate(branch):
            at = y + n * (HEIGHT + GAP)
            parts += [_box(step, x, at)]
            if n + 1 < len(branch):
                parts.append(_arrow(x + WIDTH // 2, at + HEIGHT))
    bottom = y + max(map(len, branches)) * (HEIGHT + GAP) + TOP - GAP
    width = RIGHT + WIDTH + LEFT
    return _FRAME.format(width=width, height=bottom, body="\n".join(parts))


def _box(step: Step, x: int, y: int) -> str:
    return (
        f'<rect class="b" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{COLORS[step.process]}"/>'
        f'<text class="n" x="{x + 14}" y="{y + 23}">{step.number}. {escape(step.process)}: {escape(step.function)}</text>'
        f'<text class="f" x="{x + 14}" y="{y + 43}">{escape(step.form.replace("`", ""))}</text>'
    )


def _kafka(x: int, y: int) -> str:
    return (
        f'<rect class="b" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>'
        f'<text class="n" x="{x + 14}" y="{y + 23}">Kafka</text>'
        f'<text class="f" x="{x + 14}" y="{y + 43}">a record with the key tenant/run</text>'
    )


def _arrow(x: int, y: int) -> str:
    return f'<path class="l" d="M{x} {y} V{y + GAP}"/>'


_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 font-family="ui-sans-serif, system-ui, sans-serif" role="img" aria-labelledby="t">
<title id="t">The walk of an annotation from annotate() to the audit log and the page</title>
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

if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
