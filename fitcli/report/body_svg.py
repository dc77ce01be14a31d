"""The body map for a page: shapes with their colours, and labels beside the muscle groups that stand out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fitcli.report.body_map import Figure, Shape, body_map, colour, heat, skin

MARGIN = 122.0
"""Room for the labels beside the figures, in units of the canvas."""
_BETWEEN = 6.0
_TOP = 16.0
_LINE_HEIGHT = 19.0
_STEPS = 6


@dataclass(frozen=True)
class Shade:
    """One colour on a light and on a dark page."""

    light: str
    dark: str

    @classmethod
    def of(cls, activation: float) -> Shade:
        return cls(heat(activation, "light"), heat(activation, "dark"))


@dataclass(frozen=True)
class DrawnShape:
    """One path; `activation` is in per cent."""

    path: str
    muscle: str
    activation: int
    target: bool
    light: str
    dark: str
    tooltip: str


@dataclass(frozen=True)
class DrawnFigure:
    """One side of the body, `x` units from the left."""

    name: str
    x: float
    shapes: tuple[DrawnShape, ...]


@dataclass(frozen=True)
class Label:
    """A label beside a figure, and the line from it to its muscle."""

    name: str
    value: str
    x: float
    y: float
    anchor: str
    from_x: float
    from_y: float
    to_x: float
    to_y: float


@dataclass(frozen=True)
class DrawnMap:
    """Front and back, ready to be drawn; `spoken` is the text for screen readers."""

    view: str
    spoken: str
    figures: tuple[DrawnFigure, ...]
    labels: tuple[Label, ...]
    steps: tuple[Shade, ...]


def drawn_map(
    shares: Mapping[str, float], values: Mapping[str, str], *, targets: Sequence[str] = (), labelled: Sequence[str] = ()
) -> DrawnMap:
    """The body coloured by a share 0..1 of each muscle group; groups without a share are neutral.

    values: text for each group, such as "97 %". targets: groups with an outline. labelled: groups with a label.
    """
    canvas = body_map()
    figures = []
    for number, figure in enumerate(canvas.figures):
        x = MARGIN + number * (canvas.width + _BETWEEN)
        shapes = tuple(_shape(each, figure, shares, values, targets) for each in (figure.outline, *figure.shapes))
        figures.append(DrawnFigure(figure.name, x, shapes))
    width = 2 * MARGIN + 2 * canvas.width + _BETWEEN
    spoken = ", ".join(f"{name} {values[name]}" for name in labelled) or "no muscle group stands out"
    return DrawnMap(
        f"0 0 {width:g} {canvas.height + _TOP:g}",
        f"Body map: {spoken}",
        tuple(figures),
        _labels(labelled, values),
        tuple(Shade.of(step / (_STEPS - 1)) for step in range(_STEPS)),
    )


def _shape(
    shape: Shape, figure: Figure, shares: Mapping[str, float], values: Mapping[str, str], targets: Sequence[str]
) -> DrawnShape:
    outer = shape is figure.outline
    muscle = shape.muscle if shape.muscle in shares else ""
    light, dark = (skin(ground) if outer else colour(shape, shares, ground) for ground in ("light", "dark"))
    return DrawnShape(
        shape.path(),
        muscle,
        round(100 * shares.get(muscle, 0.0)),
        bool(muscle) and muscle in targets,
        light,
        dark,
        f"{muscle} {values.get(muscle, '')}".strip(),
    )


def _labels(labelled: Sequence[str], values: Mapping[str, str]) -> tuple[Label, ...]:
    canvas = body_map()
    labels: list[Label] = []
    named: set[str] = set()
    for number, figure in enumerate(canvas.figures):
        centres = {name: _anchor(figure, name, outward=-1 if number == 0 else 1) for name in labelled if
                   name not in named and any(shape.muscle == name for shape in figure.shapes)}  # fmt: skip
        if number == 0:  # a group that both sides show is labelled on the front
            named |= set(centres)
        y = 0.0
        for name, (x, centre_y) in sorted(centres.items(), key=lambda item: item[1][1]):
            y = max(y + _LINE_HEIGHT, centre_y + _TOP)
            left = number == 0
            figure_x = MARGIN + number * (canvas.width + _BETWEEN)
            edge = MARGIN - 6 if left else figure_x + canvas.width + 6
            labels.append(
                Label(
                    name,
                    values[name],
                    edge - 4 if left else edge + 4,
                    y + 4,
                    "end" if left else "start",
                    edge,
                    y,
                    round(figure_x + x, 1),
                    round(centre_y + _TOP, 1),
                )
            )
    return tuple(labels)


def _anchor(figure: Figure, muscle: str, *, outward: int) -> tuple[float, float]:
    """The middle of a group's largest shape on the side of its label, in units of the figure."""
    middle = body_map().width / 2
    shapes = [
        shape.points
        for shape in figure.shapes
        if shape.muscle == muscle and (sum(x for x, _ in shape.points) / len(shape.points) - middle) * outward > 0
    ]
    points = max(shapes, key=lambda points: max(y for _, y in points) - min(y for _, y in points))
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
