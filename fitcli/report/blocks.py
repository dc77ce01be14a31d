"""Pictures made of characters: the body map in quarter blocks, the repetition curve in braille dots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table
from rich.text import Text

from fitcli.report.body_map import Figure, Shape, body_map, colour, raster, skin
from fitcli.results.sets import ExerciseSet

_GROUND = "unknown"
COUNTED, UNCOUNTED = "green", "bright_black"

_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""Block elements by which quarters they fill: 1 upper left, 2 upper right, 4 lower left, 8 lower right."""

_EIGHTHS = "⠀▁▂▃▄▅▆▇█"
"""Bars of zero to eight eighths; the first is a blank that is never stripped."""

_SAMPLES = 3
"""Points that vote on the colour of each quarter, in each direction: fewer would make thin gaps uneven."""

_CELL_RATIO = 2.0
"""Height of a character divided by its width, in nearly every terminal font."""

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille character's dots: two columns, from top to bottom."""
_BRAILLE = 0x2800

CURVE_ROWS = 3
_GAP = 2
"""Columns between the curves of two sets."""
_NARROWEST_SET = 10
MAP_FROM_COLUMNS = 66
"""Columns from which a body map fits beside the table of muscles."""
_LARGE_MAP_FROM_COLUMNS = 86


def shows_pictures(console: Console, options: ConsoleOptions) -> bool:
    """Whether pictures of coloured blocks can be drawn here: 256 colours and more than ASCII."""
    return console.color_system in ("256", "truecolor") and not (console.no_color or options.ascii_only)


@dataclass(frozen=True)
class BesideBodyMap:
    """Words, and beside them the front and the back of a body coloured by activation, if the terminal can show it."""

    words: RenderableType
    activations: Mapping[str, float]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < MAP_FROM_COLUMNS or not shows_pictures(console, options):
            yield self.words
            return
        rows = 12 if options.max_width >= _LARGE_MAP_FROM_COLUMNS else 11
        pictures = [figure(each, self.activations, rows) for each in body_map().figures]
        side_by_side = Table.grid(padding=(0, 2, 0, 0), expand=True)
        side_by_side.add_column(ratio=1)
        for _ in pictures:
            side_by_side.add_column(no_wrap=True)
        side_by_side.add_row(self.words, *pictures)
        yield side_by_side


def figure(drawn: Figure, activations: Mapping[str, float], rows: int) -> Text:
    """One side of the body, its name above `rows` lines of quarter blocks."""
    canvas = body_map()
    columns = round(rows * _CELL_RATIO * canvas.width / canvas.height)
    points = raster(drawn, columns * 2 * _SAMPLES, rows * 2 * _SAMPLES)
    text = Text(drawn.name.center(columns), UNCOUNTED, no_wrap=True, end="")
    for row in range(rows):
        text.append("\n")
        for column in range(columns):
            quarters = [
                _vote(points, 2 * row + down, 2 * column + right, activations, drawn)
                for down in (0, 1)
                for right in (0, 1)
            ]
            text.append(*_cell(quarters))
    return text


def _vote(
    points: Sequence[Sequence[Shape | None]], row: int, column: int, activations: Mapping[str, float], drawn: Figure
) -> str | None:
    """The colour of most points in a quarter of a character; None if most lie beside the body."""
    votes = Counter(
        None if shape is None else skin(_GROUND) if shape is drawn.outline else colour(shape, activations, _GROUND)
        for line in points[row * _SAMPLES : (row + 1) * _SAMPLES]
        for shape in line[column * _SAMPLES : (column + 1) * _SAMPLES]
    )
    # the name breaks ties, so that both sides of a body agree
    return max(votes, key=lambda each: (votes[each], each or ""))


def _cell(quarters: Sequence[str | None]) -> tuple[str, Style]:
    """The character for four quarters: two colours, or one on the terminal's background."""
    filled = Counter(each for each in quarters if each)
    ranked = sorted(filled, key=lambda each: (-filled[each], each))
    if not ranked:
        return " ", Style()
    ground = None if None in quarters else (ranked[1] if len(ranked) > 1 else None)
    front = [each is not None if None in quarters else each == ranked[0] for each in quarters]
    mask = sum(1 << i for i, lit in enumerate(front) if lit)
    return _QUARTERS[mask], Style(color=ranked[0], bgcolor=ground)


@dataclass(frozen=True)
class Amounts:
    """A series of amounts as a row of bars, one character each, with the latest amount as a number.

    The bars begin at `base`, so that a trend is visible, and take at least `columns` characters.
    """

    name: str
    values: Sequence[int]
    base: int = 0
    columns: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        most = max(self.values, default=0)
        line = Text(f"{self.name}  ", UNCOUNTED)
        if options.ascii_only:
            line.append(" ".join(map(str, self.values)), COUNTED)
        else:
            span = max(most - self.base, 1)
            bars = "".join(_EIGHTHS[min(max(-(-(value - self.base) * 8 // span), 0), 8)] for value in self.values)
            line.append(bars.ljust(self.columns), COUNTED)
            line.append(f"  {self.values[-1] if self.values else 0} now, {most} at most")
        yield line


@dataclass(frozen=True)
class RepetitionCurve:
    """The repetition signal of each set, side by side, with the number of each repetition under its turn.

    Counted repetitions and holds are bright, the rest is dim. In ASCII and in narrow terminals the times of the turns
    are listed instead.
    """

    sets: Sequence[ExerciseSet]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        drawn = [each for each in self.sets if len(each.curve.times_s) > 1]
        width = options.max_width
        if options.ascii_only or width < max(40, len(drawn) * (_NARROWEST_SET + _GAP)):
            for number, each in enumerate(drawn, 1):
                turns = ", ".join(f"{repetition.turn_s:.1f}" for repetition in each.repetitions)
                if each.held_s is not None:
                    yield Text(f"set {number}, {each.signal}: held {each.start_s:.1f} to {each.end_s:.1f} s", UNCOUNTED)
                if turns:
                    yield Text(f"set {number}, {each.signal}: turns at {turns} s", UNCOUNTED)
            return
        room = width - _GAP * (len(drawn) - 1) - _NARROWEST_SET * len(drawn)
        total_s = sum(_length_s(each) for each in drawn)
        counted = 0
        blocks = []
        for each in drawn:
            columns = _NARROWEST_SET + int(room * _length_s(each) / total_s)
            blocks.append(_curve(each, columns, counted))
            counted += len(each.repetitions)
        for row in range(CURVE_ROWS + 2):
            line = Text(no_wrap=True, overflow="crop")
            for block in blocks:
                line.append_text(block[row]).append(" " * _GAP)
            line.rstrip()
            yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(40, options.max_width), options.max_width)


def _length_s(exercise_set: ExerciseSet) -> float:
    return exercise_set.curve.times_s[-1] - exercise_set.curve.times_s[0]


def _curve(exercise_set: ExerciseSet, columns: int, counted: int) -> list[Text]:
    """The caption, `CURVE_ROWS` lines of braille and a line with the numbers of the repetitions, equally wide."""
    times, values = exercise_set.curve.times_s, exercise_set.curve.values
    begin_s, step_s = times[0], _length_s(exercise_set) / (2 * columns)
    low, high = exercise_set.curve.shown
    levels = 4 * CURVE_ROWS

    def level(value: float) -> int:
        return round((high - value) / max(high - low, 1e-9) * (levels - 1))

    cells = [[0] * columns for _ in range(CURVE_ROWS)]
    for dot in range(2 * columns):
        # from one edge of the column to the other, so that a steep line has no gaps
        ends = sorted(level(exercise_set.curve.at(begin_s + edge * step_s)) for edge in (dot, dot + 1))
        for row in range(ends[0], ends[1] + 1):
            cells[row // 4][dot // 2] |= _DOTS[dot % 2][row % 4]
    bright = [
        any(start_s <= begin_s + (2 * column + 1) * step_s <= end_s for start_s, end_s in exercise_set.counted_s)
        for column in range(columns)
    ]
    lines = [_caption(exercise_set, min(values), max(values), columns)]
    for row_cells in cells:
        line = Text()
        for cell, lit in zip(row_cells, bright, strict=True):
            line.append(chr(_BRAILLE + cell), COUNTED if lit else UNCOUNTED)
        lines.append(line)
    numbers = [" "] * columns
    for number, repetition in enumerate(exercise_set.repetitions, counted + 1):
        written = str(number)
        place = round((repetition.turn_s - begin_s) / (2 * step_s) - len(written) / 2)
        place = min(max(place, 0), columns - len(written))
        around = numbers[max(place - 1, 0) : place + len(written) + 1]
        if all(each == " " for each in around):
            numbers[place : place + len(written)] = written
    lines.append(Text("".join(numbers), "bold"))
    return lines


def _caption(exercise_set: ExerciseSet, low: float, high: float, columns: int) -> Text:
    span = f" {low:.0f} to {high:.0f} deg" if exercise_set.curve.unit == "deg" else ""
    caption = Text(f"{exercise_set.signal}{span}", UNCOUNTED)
    caption.truncate(columns, overflow="ellipsis", pad=True)
    return caption
