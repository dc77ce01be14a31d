"""The human body, front and back, with its muscle groups as shapes: one geometry for page, video and terminal."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Point = tuple[float, float]

CURVE_STEPS = 6
"""Straight pieces that replace one piece of a curve where curves cannot be drawn."""

_HEAT = {
    "light": ("#cbd2dc", "#f3cda6", "#f2955a", "#dd4a3b", "#a3142f"),
    "dark": ("#3a4250", "#6d5342", "#c0703a", "#f0643c", "#ff3d52"),
    "unknown": ("#66717f", "#94755d", "#cf8145", "#f0643c", "#ff3d52"),
}
"""Colours of the activations 0, .25, .5, .75 and 1 on a light, a dark, and an unknown background, as in a terminal."""

_SKIN = {"light": "#e6eaf0", "dark": "#262c36", "unknown": "#505a67"}
_DETAIL = {"light": "#d8dee6", "dark": "#2f3743", "unknown": "#5a6572"}


@dataclass(frozen=True)
class Shape:
    """A closed curve through `points` on the canvas, and its muscle group; "" for a shape that is no muscle."""

    muscle: str
    points: tuple[Point, ...]

    def path(self) -> str:
        """The curve as an SVG path of cubic Bezier pieces."""
        pieces = [f"M{_number(self.points[0])}"]
        for _, first, second, end in _bezier(self.points):
            pieces.append(f"C{_number(first)} {_number(second)} {_number(end)}")
        return "".join(pieces) + "Z"

    def polygon(self) -> list[Point]:
        """The curve as corners of a polygon."""
        corners = []
        for start, first, second, end in _bezier(self.points):
            for step in range(CURVE_STEPS):
                t = step / CURVE_STEPS
                shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                four = (start, first, second, end)
                x, y = (sum(share * point[axis] for share, point in zip(shares, four, strict=True)) for axis in (0, 1))
                corners.append((x, y))
        return corners


@dataclass(frozen=True)
class Figure:
    """One side of the body: its outline, and the shapes on it."""

    name: str
    outline: Shape
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class BodyMap:
    """Front and back on canvases of `width` x `height` units each."""

    width: float
    height: float
    figures: tuple[Figure, ...]


@cache
def body_map() -> BodyMap:
    """The drawing that ships with fitcli."""
    table = tomllib.loads(resources.files(__package__).joinpath("body_map.toml").read_text(encoding="utf-8"))
    width, height = map(float, table["size"])
    middle = float(table["middle"])
    half = _points(table["outline"])
    outline = Shape("", half + tuple(_mirror(half[-2:0:-1], middle)))
    figures = tuple(Figure(name, outline, tuple(_pairs(table[name], middle))) for name in ("front", "back"))
    return BodyMap(width, height, figures)


def heat(activation: float, ground: str = "dark") -> str:
    """The colour "#rrggbb" of an activation 0..1 on a "light", "dark" or "unknown" background."""
    stops = _HEAT[ground]
    place = min(max(activation, 0.0), 1.0) * (len(stops) - 1)
    lower = min(int(place), len(stops) - 2)
    low, high = (tuple(bytes.fromhex(stop[1:])) for stop in stops[lower : lower + 2])
    mixed = (round(a + (b - a) * (place - lower)) for a, b in zip(low, high, strict=True))
    return "#" + bytes(mixed).hex()


def colour(shape: Shape, activations: Mapping[str, float], ground: str = "dark") -> str:
    """The fill of a shape: the colour of its muscle group's activation, or a neutral one if that is unknown."""
    return heat(activations[shape.muscle], ground) if shape.muscle in activations else _DETAIL[ground]


def skin(ground: str = "dark") -> str:
    """The fill of the outline."""
    return _SKIN[ground]


def raster(figure: Figure, columns: int, rows: int) -> list[list[Shape | None]]:
    """The figure as rows of points: the shape at each point, the outline between shapes, None beside the body."""
    drawn = body_map()
    grid: list[list[Shape | None]] = [[None] * columns for _ in range(rows)]
    for shape in (figure.outline, *figure.shapes):
        corners = [(x * columns / drawn.width, y * rows / drawn.height) for x, y in shape.polygon()]
        for row, line in enumerate(grid):
            for start, end in _crossings(corners, row + 0.5):
                # points whose middle lies inside
                for column in range(max(0, int(start + 0.5)), min(columns, int(end + 0.5))):
                    line[column] = shape
    return grid


def _crossings(corners: Sequence[Point], y: float) -> Iterable[Point]:
    """The pairs of x between which a horizontal line is inside a polygon."""
    crossed = sorted(
        x0 + (y - y0) * (x1 - x0) / (y1 - y0)
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True)
        if (y0 <= y) != (y1 <= y)
    )
    return zip(crossed[::2], crossed[1::2], strict=True)


def _pairs(rows: Iterable[dict[str, Any]], middle: float) -> Iterable[Shape]:
    for row in rows:
        points = _points(row["points"])
        yield Shape(row["muscle"], points)
        yield Shape(row["muscle"], tuple(_mirror(points, middle)))


def _points(rows: Iterable[Sequence[float]]) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in rows)


def _mirror(points: Iterable[Point], middle: float) -> Iterable[Point]:
    return ((2 * middle - x, y) for x, y in points)


def _bezier(points: Sequence[Point]) -> Iterable[tuple[Point, Point, Point, Point]]:
    """A closed Catmull-Rom curve through the points as cubic Bezier pieces: start, two control points, end."""
    count = len(points)
    for i, (start, end) in enumerate(zip(points, [*points[1:], points[0]], strict=True)):
        if start == end:  # a corner
            continue
        before, after = points[i - 1], points[(i + 2) % count]
        # a sixth of the way between the neighbours; none at a corner, so that the curve arrives straight
        leave = (0.0, 0.0) if before == start else ((end[0] - before[0]) / 6, (end[1] - before[1]) / 6)
        arrive = (0.0, 0.0) if after == end else ((after[0] - start[0]) / 6, (after[1] - start[1]) / 6)
        yield start, (start[0] + leave[0], start[1] + leave[1]), (end[0] - arrive[0], end[1] - arrive[1]), end


def _number(point: Point) -> str:
    return " ".join(f"{value:.1f}".removesuffix(".0") for value in point)
