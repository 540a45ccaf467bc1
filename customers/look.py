"""A site's accent, made readable: text on it and text of it reach 4.5:1 (WCAG 2.2,
1.4.3), by day and by night, whatever colour the site chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ENOUGH = 4.5
WHITE, BLACK, INK = "#ffffff", "#000000", "#10151c"
# The worse of the grounds on which accent-coloured text stands (static/tokens.css).
DAY_GROUND, NIGHT_GROUND = "#f5f6f5", "#1e2422"
STEPS = 20


@dataclass(frozen=True)
class Accent:
    ground: str
    on_ground: str
    text: str

    def __str__(self) -> str:
        return f"{self.ground} {self.on_ground} {self.text}"


def readable(accent: str, *, night: bool) -> Accent:
    on_accent = WHITE if contrast(accent, WHITE) >= ENOUGH else INK
    surface = NIGHT_GROUND if night else DAY_GROUND
    # A middling accent suits neither white nor ink: then it moves away from ink.
    away = BLACK if on_accent == WHITE else WHITE
    return Accent(
        ground=_towards(away, accent, lambda c: contrast(c, on_accent) >= ENOUGH),
        on_ground=on_accent,
        text=_towards(
            WHITE if night else BLACK,
            accent,
            lambda c: contrast(c, surface) >= ENOUGH,
        ),
    )


def _towards(end: str, colour: str, fits: Callable[[str], bool]) -> str:
    """The first colour on the way that will do."""
    for step in range(STEPS):
        mixed = _mixed(colour, end, step / STEPS)
        if fits(mixed):
            return mixed
    return end


def _mixed(a: str, b: str, part: float) -> str:
    pairs = zip(_channels(a), _channels(b), strict=True)
    return "#" + "".join(f"{round(x + (y - x) * part):02x}" for x, y in pairs)


def contrast(a: str, b: str) -> float:
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(value / 255) for value in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
