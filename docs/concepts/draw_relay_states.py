"""Draws the tables of `relay-states.md` as one picture each in `docs/images/`. Run it with ``make docs``."""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import NamedTuple

from drawing import IMAGES, frame, rows

WIDTH, HEIGHT = 124, 44  # of the box of a state
LINE = 18  # between two lines of a label
ENDS = ("begin", "end")
"""These are drawn as dots."""


class Arrow(NamedTuple):
    """Where a transition is drawn: its path, and the anchor, place and width in characters of its label."""

    path: str
    anchor: str
    x: int
    y: int
    """The first line's, or the last line's if the label is above its arrow."""
    characters: int
    above: bool = False


class Diagram(NamedTuple):
    """One picture: its size, the centres of its states, and its arrows."""

    title: str
    width: int
    height: int
    states: dict[str, tuple[int, int]]
    arrows: dict[tuple[str, str], Arrow]


DIAGRAMS = {
    "relay-batch.svg": Diagram(
        "The states of a batch", 990, 210,
        {"begin": (24, 90), "fetched": (190, 90), "sent": (470, 90), "settled": (750, 90), "end": (966, 90)},
        {
            ("begin", "fetched"): Arrow("M32 90 H128", "middle", 78, 80, 9, above=True),
            ("fetched", "sent"): Arrow("M252 80 H408", "middle", 330, 70, 22, above=True),
            ("sent", "fetched"): Arrow("M408 100 H252", "middle", 330, 124, 20),
            ("sent", "settled"): Arrow("M532 90 H688", "middle", 608, 80, 20, above=True),
            ("settled", "fetched"): Arrow("M750 112 V166 H190 V112", "middle", 470, 188, 40),
            ("settled", "end"): Arrow("M812 90 H958", "middle", 884, 80, 18, above=True),
        },
    ),
    "relay-run.svg": Diagram(
        "The states of a run in the relay", 930, 520,
        {
            "normal": (150, 110), "waiting": (450, 110), "probing": (770, 110), "resent": (450, 290),
            "replaying": (150, 450), "parked": (450, 450), "parking": (770, 450),
        },
        {
            ("normal", "waiting"): Arrow("M212 110 H388", "middle", 300, 100, 22, above=True),
            ("waiting", "probing"): Arrow("M512 98 H708", "middle", 610, 88, 26, above=True),
            ("probing", "waiting"): Arrow("M708 122 H512", "middle", 610, 142, 26),
            ("waiting", "resent"): Arrow("M436 132 V268", "end", 426, 180, 20),
            ("resent", "waiting"): Arrow("M464 268 V132", "start", 474, 190, 20),
            ("resent", "normal"): Arrow("M388 290 H170 V132", "middle", 284, 310, 26),
            ("probing", "parking"): Arrow("M770 132 V428", "start", 780, 270, 16),
            ("parking", "parked"): Arrow("M708 450 H512", "middle", 610, 440, 24, above=True),
            ("parked", "replaying"): Arrow("M388 438 H212", "middle", 300, 428, 20, above=True),
            ("replaying", "parked"): Arrow("M212 462 H388", "middle", 300, 482, 22),
            ("replaying", "normal"): Arrow("M130 428 V132", "end", 120, 270, 14),
        },
    ),
    "relay-machine.svg": Diagram(
        "The states of the relay's machine", 900, 370,
        {"begin": (24, 58), "running": (200, 70), "paused": (680, 70), "draining": (200, 230), "end": (200, 338)},
        {
            ("begin", "running"): Arrow("M32 58 H138", "middle", 85, 48, 14, above=True),
            ("running", "paused"): Arrow("M262 58 H618", "middle", 440, 48, 30, above=True),
            ("paused", "running"): Arrow("M618 82 H262", "middle", 440, 102, 30),
            ("running", "draining"): Arrow("M200 92 V208", "start", 210, 150, 24),
            ("paused", "draining"): Arrow("M660 92 V230 H262", "end", 650, 160, 24),
            ("draining", "end"): Arrow("M200 252 V330", "start", 210, 276, 40),
            ("running", "end"): Arrow("M138 82 H106 V338 H192", "end", 96, 200, 10),
            ("paused", "end"): Arrow("M700 92 V338 H208", "start", 710, 200, 18),
        },
    ),
}  # fmt: skip


def transitions(picture: str) -> dict[tuple[str, str], str]:
    """Return what the page states about a diagram: the cause of each transition from a state to another."""
    states = DIAGRAMS[picture].states
    return {
        (start, end): cause
        for start, end, cause in rows("relay-states.md", 3)
        if {start, end} <= states.keys()
    }


def draw(picture: str) -> str:
    """Return a diagram; raises `KeyError` if the page has a transition that has no arrow here."""
    diagram = DIAGRAMS[picture]
    causes = transitions(picture)
    parts = [_arrow(diagram.arrows[edge], cause) for edge, cause in causes.items()]
    parts += [_state(name, *centre) for name, centre in diagram.states.items()]
    return frame(diagram.width, diagram.height, diagram.title, parts)


def _state(name: str, x: int, y: int) -> str:
    if name in ENDS:
        ring = f'<circle cx="{x}" cy="{y}" r="4" fill="#f8fafc"/>' if name == "end" else ""
        return f'<circle cx="{x}" cy="{y}" r="8" fill="#64748b"/>{ring}'
    left, top = x - WIDTH // 2, y - HEIGHT // 2
    box = f'<rect class="b" x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#e0e7ff"/>'
    return f"{box}{_text('n', 16, name, x, y + 5, 'middle')}"


def _arrow(arrow: Arrow, cause: str) -> str:
    lines = wrap(cause, arrow.characters)
    top = arrow.y - LINE * (len(lines) - 1) * arrow.above
    label = [_text("f", 15, line, arrow.x, top + LINE * n, arrow.anchor) for n, line in enumerate(lines)]
    return f'<path class="l" d="{arrow.path}"/>{"".join(label)}'


def _text(style: str, size: int, text: str, x: int, y: int, anchor: str) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" style="font-size:{size}px"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


if __name__ == "__main__":
    for name in DIAGRAMS:
        (IMAGES / name).write_text(draw(name), "utf-8")
