"""What is shown while a set is recorded: a panel in the terminal, a picture in the preview window, or plain lines."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.align import Align
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.text import Text

from fitcli.pose.track import LANDMARKS, FloatArray
from fitcli.recording import LiveState, Step
from fitcli.video import Image

if TYPE_CHECKING:  # Pillow's drawing is imported where the preview is drawn
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

SMALLEST_TERMINAL = (44, 15)
"""Columns and lines that the panel needs; smaller terminals get plain lines."""

PREVIEW_SIDE_PX = 960
"""Longest side of the preview window."""

VISIBLE = 0.5
"""Landmarks that the pose network sees less surely than this are not drawn."""

TITLES = {
    Step.FRAMING: "Get into the picture",
    Step.COUNTDOWN: "Get ready",
    Step.RECORDING: "Recording",
    Step.REST: "Rest",
}
STYLES = {Step.FRAMING: "yellow", Step.COUNTDOWN: "cyan", Step.RECORDING: "red", Step.REST: "green"}
COLOURS = {Step.FRAMING: "#e5c100", Step.COUNTDOWN: "#29b6f6", Step.RECORDING: "#ef5350", Step.REST: "#66bb6a"}
HINTS = {
    Step.FRAMING: "Enter: start now · q or Ctrl-C: leave",
    Step.COUNTDOWN: "q or Ctrl-C: leave",
    Step.RECORDING: "q or Ctrl-C: stop, keep and analyse",
    Step.REST: "Enter: next set now · q or Ctrl-C: leave",
}
HINTS_ANALYSIS = "Ctrl-C: leave without an answer"

_LINES = (
    ("left shoulder", "right shoulder"),
    ("left hip", "right hip"),
    *(
        (f"{side} {first}", f"{side} {second}")
        for side in ("left", "right")
        for first, second in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "index"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
            ("heel", "foot index"),
            ("ankle", "foot index"),
        )
    ),
)
SKELETON = tuple((LANDMARKS.index(first), LANDMARKS.index(second)) for first, second in _LINES)
"""Pairs of landmarks that a line of the skeleton joins."""

SIDE_COLOURS = {"left": "#ffa726", "right": "#26c6da", "middle": "#eeeeee"}

_DIGITS = {
    "0": ("█▀█", "█ █", "█ █", "█ █", "█▄█"),
    "1": (" ▄█", "  █", "  █", "  █", "  █"),
    "2": ("▀▀█", "  █", "█▀▀", "█  ", "█▄▄"),
    "3": ("▀▀█", "  █", " ▀█", "  █", "▄▄█"),
    "4": ("█ █", "█ █", "█▄█", "  █", "  █"),
    "5": ("█▀▀", "█  ", "▀▀█", "  █", "▄▄█"),
    "6": ("█▀▀", "█  ", "█▀█", "█ █", "█▄█"),
    "7": ("▀▀█", "  █", "  █", "  █", "  █"),
    "8": ("█▀█", "█ █", "█▀█", "█ █", "█▄█"),
    "9": ("█▀█", "█ █", "▀▀█", "  █", "▄▄█"),
    ".": (" ", " ", " ", " ", "▄"),
    ":": (" ", "▀", " ", "▄", " "),
}


class BigNumber:
    """A number in digits five lines high; plain where the terminal has ASCII only."""

    def __init__(self, number: str, style: str) -> None:
        self.number = number
        self.style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in range(5):
            row = " ".join(_DIGITS[character][line] for character in self.number)
            if options.ascii_only:
                row = "".join(" " if block == " " else "#" for block in row)
            yield Align.center(Text(row, self.style, no_wrap=True))


class Bar:
    """A bar across the whole line for a share 0..1; what is done can be told from the rest without colour too."""

    def __init__(self, share: float, style: str) -> None:
        self.share = min(max(share, 0.0), 1.0)
        self.style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        full, rest = "#-" if options.ascii_only else "━─"
        filled = round(self.share * options.max_width)
        line = Text(full * filled, self.style, no_wrap=True)
        line.append(rest * (options.max_width - filled), "bright_black")
        yield line


def has_room(console: Console) -> bool:
    """Whether the panel can be shown: a terminal, not a dumb one, and large enough."""
    width, height = SMALLEST_TERMINAL
    usable = console.is_terminal and not console.is_dumb_terminal
    return usable and console.width >= width and console.height >= height


def number(state: LiveState) -> str:
    """The figure that matters in this step: whole seconds to go, or tenths of a second recorded."""
    if state.step is Step.RECORDING:
        return f"{state.elapsed_s:.1f}"
    return str(math.ceil(state.remaining_s)) if math.isfinite(state.total_s) else ""


def status(state: LiveState) -> str:
    """Whether a person is seen, and how to get into the picture."""
    if state.pose is None:
        return "Looking for you ..."
    return state.advice or "Your whole body is in the picture."


def panel(state: LiveState, camera: str, set_number: int | None = None) -> RenderableType:
    """The terminal's picture of a state; `set_number` counts the sets where there are several."""
    style = STYLES[state.step]
    title = TITLES[state.step] + (f" · set {set_number}" if set_number else "")
    figure = number(state)
    height, width = state.frame.image.shape[:2]
    repetitions = state.pose.repetitions if state.pose else None
    facts = [f"{width}x{height}", f"{state.rate_hz:.0f} frames/s"]
    if state.step is Step.RECORDING:
        facts.append(f"{state.dropped} dropped" if state.dropped else "none dropped")
    if repetitions is not None:
        facts.append(f"{repetitions} repetitions")
    seen = Text(
        status(state), "green" if state.pose and not state.advice else "yellow", overflow="ellipsis", no_wrap=True
    )
    lines: list[RenderableType] = [
        BigNumber(figure, f"bold {style}") if figure else Text("\n\n\n\n"),
        "",
        _bar(state, style),
        seen,
        Text(" · ".join((camera, *facts)), "bright_black", overflow="ellipsis", no_wrap=True),
    ]
    return _framed(lines, title, style, HINTS[state.step])


def analysis_panel(share: float, set_number: int | None = None) -> RenderableType:
    """The terminal's picture of an analysis that is `share` (0..1) done."""
    title = "Analysing" + (f" · set {set_number}" if set_number else "")
    lines: list[RenderableType] = [
        BigNumber(str(int(100 * share)), "bold magenta"),
        "",
        Bar(share, "magenta"),
        Text("per cent done", "bright_black"),
        "",
    ]
    return _framed(lines, title, "magenta", HINTS_ANALYSIS)


def _bar(state: LiveState, style: str) -> RenderableType:
    if not math.isfinite(state.total_s):
        return ""
    return Bar(state.elapsed_s / state.total_s if state.total_s else 1.0, style)


def _framed(lines: list[RenderableType], title: str, style: str, hint: str) -> RenderableType:
    return Panel(
        Group(*lines),
        title=Text(title, f"bold {style}"),
        subtitle=Text(hint, "bright_black"),
        border_style=style,
        padding=(1, 2),
        width=None,
    )


def preview(state: LiveState, *, mirror: bool) -> Image:
    """The preview window's picture of a state: the frame with skeleton, step, time and repetitions, (H, W, 3) RGB.

    The skeleton is drawn on the frame that it was found in, so that it lies on the body however fast that moves.
    """
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    frame = state.pose.frame if state.pose else state.frame
    picture = PillowImage.fromarray(frame.image)
    picture.thumbnail((PREVIEW_SIDE_PX, PREVIEW_SIDE_PX), PillowImage.Resampling.BILINEAR)
    if mirror:
        picture = picture.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT)
    draw = ImageDraw.Draw(picture, "RGBA")
    if state.pose and state.pose.sample:
        draw_skeleton(draw, state.pose.sample.landmarks, picture.size, mirror=mirror)
    _draw_captions(draw, state, picture.size)
    return np.asarray(picture)


def draw_skeleton(draw: ImageDraw, landmarks: FloatArray, size: tuple[int, int], *, mirror: bool = False) -> None:
    """Draw landmarks (33, 3) of `PoseTrack` on a picture of `size` (width, height) pixels."""
    points = landmarks[:, :2] * size
    if mirror:
        points[:, 0] = size[0] - points[:, 0]
    thickness = max(2, round(min(size) / 140))
    seen = landmarks[:, 2] >= VISIBLE
    for first, second in SKELETON:
        if seen[first] and seen[second]:
            line = (*points[first].tolist(), *points[second].tolist())
            draw.line(line, fill="#00000090", width=thickness + 2)
            draw.line(line, fill=_colour(first, second), width=thickness)
    for index in sorted({index for pair in SKELETON for index in pair} | {LANDMARKS.index("nose")}):
        if seen[index]:
            draw.circle(points[index].tolist(), thickness * 1.3, fill="white", outline="#00000090")


def _colour(first: int, second: int) -> str:
    sides = {LANDMARKS[index].split()[0] for index in (first, second)}
    return SIDE_COLOURS[sides.pop() if len(sides) == 1 else "middle"]


def _draw_captions(draw: ImageDraw, state: LiveState, size: tuple[int, int]) -> None:
    width, height = size
    unit = max(12, round(min(size) / 22))
    strip = unit * 2
    draw.rectangle((0, 0, width, strip), fill="#000000a0")
    draw.circle((strip / 2, strip / 2), unit * 0.4, fill=COLOURS[state.step])
    title = TITLES[state.step]
    if state.step is Step.RECORDING:
        title += f"  {state.elapsed_s:.1f} / {state.total_s:.0f} s"
        share = min(state.elapsed_s / state.total_s, 1.0)
        draw.rectangle((0, strip - 3, width * share, strip), fill=COLOURS[state.step])
    draw.text((strip, strip / 2), title, fill="white", font=_font(unit), anchor="lm")
    repetitions = state.pose.repetitions if state.pose else None
    if repetitions is not None:
        draw.text((width - unit, strip / 2), f"{repetitions} reps", fill="white", font=_font(unit), anchor="rm")
    if state.step in (Step.COUNTDOWN, Step.REST):
        large: dict[str, Any] = {"font": _font(unit * 8), "anchor": "mm", "stroke_width": unit // 3}
        draw.text((width / 2, height / 2), number(state), fill="white", stroke_fill="#000000a0", **large)
    if state.advice:
        draw.rectangle((0, height - strip, width, height), fill="#000000a0")
        draw.text((width / 2, height - strip / 2), state.advice, fill="#ffd54f", font=_font(unit), anchor="mm")


@cache
def _font(size_px: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size_px)
