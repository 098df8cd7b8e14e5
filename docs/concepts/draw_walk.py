"""Draws the table of `walk.md` as `docs/images/walk.svg`. Run it with ``make docs``."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from drawing import IMAGES, frame, rows

PICTURE = IMAGES / "walk.svg"
TITLE = "The walk of an annotation from annotate() to the audit log and the page"

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
    return [Step(int(number), *rest) for number, *rest in rows("walk.md", 5) if number.isdigit()]


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
    return frame(width, bottom, TITLE, parts)


def _box(step: Step, x: int, y: int) -> str:
    return (
        f'<rect class="b" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{COLORS[step.process]}"/>'
        f'<text class="n" x="{x + 14}" y="{y + 23}">{step.number}. {escape(step.process)}: {escape(step.function)}</text>'
        f'<text class="f" x="{x + 14}" y="{y + 43}">{escape(step.form)}</text>'
    )


def _kafka(x: int, y: int) -> str:
    return (
        f'<rect class="b" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>'
        f'<text class="n" x="{x + 14}" y="{y + 23}">Kafka</text>'
        f'<text class="f" x="{x + 14}" y="{y + 43}">a record with the key tenant/run</text>'
    )


def _arrow(x: int, y: int) -> str:
    return f'<path class="l" d="M{x} {y} V{y + GAP}"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
