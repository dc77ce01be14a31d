"""Draws the states of a session: as a panel or plain lines in the terminal, and as a picture in the preview window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.align import Align
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.text import Text

from fitcli.live.coach import Coaching, SetSummary, reached_ten_seconds
from fitcli.live.session import LiveState, Step
from fitcli.report.amounts import amount, pace, plural, seconds
from fitcli.report.skeleton import draw_skeleton, font
from fitcli.report.terminal import clock
from fitcli.video import Image

if TYPE_CHECKING:  # Pillow's drawing is imported where the preview is drawn
    from PIL.ImageDraw import ImageDraw

SMALLEST_TERMINAL = (44, 15)
"""Columns and lines that the panel needs; smaller terminals show plain lines."""

PREVIEW_SIDE_PX = 960
"""Longest side of the preview window."""

TITLES = {
    Step.FRAMING: "Get into the picture",
    Step.COUNTDOWN: "Get ready",
    Step.RECORDING: "Recording",
    Step.LIVE: "Live",
    Step.REST: "Rest",
}
STYLES = {
    Step.FRAMING: "yellow",
    Step.COUNTDOWN: "cyan",
    Step.RECORDING: "red",
    Step.LIVE: "red",
    Step.REST: "green",
}
COLOURS = {
    Step.FRAMING: "#e5c100",
    Step.COUNTDOWN: "#29b6f6",
    Step.RECORDING: "#ef5350",
    Step.LIVE: "#ef5350",
    Step.REST: "#66bb6a",
}
HINTS = {
    Step.FRAMING: "Enter: start now · q or Ctrl-C: leave",
    Step.COUNTDOWN: "q or Ctrl-C: leave",
    Step.RECORDING: "q or Ctrl-C: stop, keep and analyse",
    Step.LIVE: "q or Ctrl-C: stop, keep and analyse",
    Step.REST: "Enter: next set now · q or Ctrl-C: leave",
}
HINTS_ANALYSIS = "Ctrl-C: leave without an answer"

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
    """A number in digits five lines high, in plain characters if the terminal has only ASCII."""

    def __init__(self, number: str, style: str) -> None:
        self.number = number
        self.style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in range(5):
            row = " ".join(_DIGITS[character][line] for character in self.number)
            if options.ascii_only:
                row = "".join(" " if block == " " else "#" for block in row)
            yield Align.center(Text(row, self.style, no_wrap=True))


class TwoLines:
    """Centred words on exactly two lines, so that nothing moves when they change; longer text is cut off."""

    def __init__(self, words: str, style: str) -> None:
        self.words = words
        self.style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = Text(self.words, self.style).wrap(console, options.max_width)
        if len(lines) > 2:
            rest = Text(" ").join(line for line in list(lines)[1:])
            rest.truncate(options.max_width, overflow="ellipsis")
            lines[1] = rest
        for number in range(2):
            yield Align.center(lines[number] if number < len(lines) else Text(""))


class Bar:
    """A bar across the whole line for a share 0..1, readable without colour too."""

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
    """Whether the panel can be shown: on a terminal that is large enough and not a dumb one."""
    width, height = SMALLEST_TERMINAL
    usable = console.is_terminal and not console.is_dumb_terminal
    return usable and console.width >= width and console.height >= height


def number(state: LiveState) -> str:
    """The main figure of this step: seconds to go, seconds recorded, or the count."""
    if state.step is Step.LIVE:
        return figure(state.coaching)
    if state.step is Step.RECORDING:
        return f"{state.elapsed_s:.1f}"
    return str(math.ceil(state.remaining_s)) if math.isfinite(state.total_s) else ""


def figure(coaching: Coaching) -> str:
    """The count: the repetitions of the set, or the whole seconds of a hold."""
    return str(coaching.repetitions if coaching.held_s is None else int(coaching.held_s))


def counted(coaching: Coaching) -> str:
    """The count with its unit: "7 repetitions", "34 s"."""
    return plural(coaching.repetitions, "repetition") if coaching.held_s is None else seconds(coaching.held_s)


def status(state: LiveState) -> str:
    """Whether a person is visible, and how to get into the picture."""
    if state.pose is None:
        return "Looking for you ..."
    return state.advice or "Your whole body is in the picture."


def exercise_line(coaching: Coaching) -> str:
    """What is counted: "repetitions of squat (93%)", "seconds of plank (97%)"."""
    unit = "repetition" if coaching.held_s is None else "second"
    unit = plural(int(figure(coaching)), unit).split(" ", 1)[1]
    if coaching.exercise is None:
        return unit
    return f"{unit} of {coaching.exercise.name} ({coaching.exercise.probability:.0%})"


def repetition_line(coaching: Coaching) -> str:
    """Tempo or pace, and range of motion of the last repetition; empty before the first one and for a hold."""
    latest = coaching.latest
    if latest is None:
        return ""
    parts = [f"{latest.eccentric_s:.1f} s eccentric", f"{latest.concentric_s:.1f} s concentric"]
    if coaching.exercise is None:  # which phase is eccentric depends on the exercise
        parts = [f"{latest.end_s - latest.start_s:.1f} s"]
    elif coaching.cadence_per_min is not None:
        parts = [pace(coaching.cadence_per_min)]
    if latest.range_of_motion_deg is not None:
        parts.append(f"range {latest.range_of_motion_deg:.0f} deg")
    return " · ".join(parts)


def set_line(summary: SetSummary) -> str:
    """A finished set, in words that can be read aloud."""
    if summary.held_s is not None:
        return f"Set {summary.number}: {summary.exercise or 'a position'}, {amount(0, summary.held_s)}."
    done = plural(summary.repetitions, "repetition") + (f" of {summary.exercise}" if summary.exercise else "")
    tempo = f", {pace(summary.cadence_per_min)}" if summary.cadence_per_min is not None else ""
    return f"Set {summary.number}: {done}{tempo}."


class PlainLines:
    """The states of a session as lines of text, each given once, for a terminal without room for the panel."""

    def __init__(self) -> None:
        self._latest = ""
        self._counted = 0
        self._held_s: float | None = None
        self._cue_number = 0
        self._finished: tuple[SetSummary, ...] = ()

    def new(self, state: LiveState, advice: str | None, set_number: int | None = None) -> Iterator[str]:
        """The lines that this state adds; `advice` is the advice that has not changed for a while."""
        line = TITLES[state.step] + (f", set {set_number}" if set_number else "")
        if state.step is Step.FRAMING:
            line = advice or line
        elif state.step is Step.COUNTDOWN:
            line = number(state)
        elif state.step is Step.LIVE:
            line += ": until q or Ctrl-C" + (f", {state.total_s:g} s at most" if math.isfinite(state.total_s) else "")
            yield from self._coached(state.coaching)
        else:
            line += f": {state.total_s:g} s"
        if line != self._latest:
            self._latest = line
            yield line

    def _coached(self, coaching: Coaching) -> Iterator[str]:
        """A line for every repetition, every ten seconds of a hold, every cue and every set."""
        if coaching.total > self._counted:
            self._counted = coaching.total
            parts = (f"{coaching.repetitions} {exercise_line(coaching)}", repetition_line(coaching))
            yield ": ".join(part for part in parts if part)
        if reached_ten_seconds(coaching, self._held_s):
            yield f"{figure(coaching)} {exercise_line(coaching)}"
        self._held_s = coaching.held_s
        if coaching.cue and coaching.cue_number > self._cue_number:
            yield coaching.cue
        yield from (set_line(summary) for summary in coaching.finished if summary not in self._finished)
        self._cue_number, self._finished = coaching.cue_number, coaching.finished


def _live_panel(state: LiveState, camera: str) -> RenderableType:
    coaching = state.coaching
    resting = coaching.rest_s is not None
    style = STYLES[Step.REST if resting else Step.LIVE]
    title = f"{'Rest' if resting else TITLES[Step.LIVE]} · set {coaching.set_number}"
    middle = exercise_line(coaching)
    last = f"rest {clock(coaching.rest_s)}" if coaching.rest_s is not None else repetition_line(coaching)
    advice = coaching.cue or ("" if coaching.exercise else "The exercise is named once it has been seen for a moment.")
    height, width = state.frame.image.shape[:2]
    total = [f"{coaching.total} in all"] if coaching.total or coaching.held_s is None else []
    facts = [*total, clock(state.elapsed_s), f"{width}x{height}", f"{state.rate_hz:.0f} frames/s"]
    lines: list[RenderableType] = [
        BigNumber(number(state), f"bold {style}"),
        Align.center(Text(middle, "bold", overflow="ellipsis", no_wrap=True)),
        Align.center(Text(last, overflow="ellipsis", no_wrap=True)),
        TwoLines(advice, "bold yellow" if coaching.cue else "bright_black"),
        Text(
            status(state), "green" if state.pose and not state.advice else "yellow", overflow="ellipsis", no_wrap=True
        ),
        Text(" · ".join((*facts, camera)), "bright_black", overflow="ellipsis", no_wrap=True),
    ]
    return _framed(lines, title, style, HINTS[Step.LIVE])


def panel(state: LiveState, camera: str, set_number: int | None = None) -> RenderableType:
    """The panel of a state. set_number: None for a single set."""
    if state.step is Step.LIVE:
        return _live_panel(state, camera)
    style = STYLES[state.step]
    title = TITLES[state.step] + (f" · set {set_number}" if set_number else "")
    large = number(state)
    height, width = state.frame.image.shape[:2]
    coaching = state.pose.coaching if state.pose else None
    facts = [f"{width}x{height}", f"{state.rate_hz:.0f} frames/s"]
    if state.step is Step.RECORDING:
        facts.append(f"{state.dropped} dropped" if state.dropped else "none dropped")
    if coaching is not None:
        facts.append(counted(coaching))
    seen = Text(
        status(state), "green" if state.pose and not state.advice else "yellow", overflow="ellipsis", no_wrap=True
    )
    lines: list[RenderableType] = [
        BigNumber(large, f"bold {style}") if large else Text("\n\n\n\n"),
        "",
        _bar(state, style),
        seen,
        Text(" · ".join((camera, *facts)), "bright_black", overflow="ellipsis", no_wrap=True),
    ]
    return _framed(lines, title, style, HINTS[state.step])


def analysis_panel(share: float, set_number: int | None = None) -> RenderableType:
    """The panel of an analysis. share: the part that is done, 0..1."""
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
    """The picture of a state for the preview window, (H, W, 3) uint8 RGB: skeleton, step, time and repetitions.

    The skeleton is drawn on the frame in which it was found, so that it matches a body in fast motion.
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


def _short(coaching: Coaching) -> str:
    return f"{coaching.repetitions} reps" if coaching.held_s is None else seconds(coaching.held_s)


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
    coaching = state.pose.coaching if state.pose else None
    if coaching and state.step is Step.LIVE:
        title += f", set {coaching.set_number}" + (f": {coaching.exercise.name}" if coaching.exercise else "")
    draw.text((strip, strip / 2), title, fill="white", font=font(unit), anchor="lm")
    if coaching:
        draw.text((width - unit, strip / 2), _short(coaching), fill="white", font=font(unit), anchor="rm")
    large: dict[str, Any]
    if state.step in (Step.COUNTDOWN, Step.REST):
        large = {"font": font(unit * 8), "anchor": "mm", "stroke_width": unit // 3}
        draw.text((width / 2, height / 2), number(state), fill="white", stroke_fill="#000000a0", **large)
    advice = state.advice or (coaching.cue if coaching and state.step is Step.LIVE else None)
    if coaching and state.step is Step.LIVE:
        large = {"font": font(unit * 5), "anchor": "ra", "stroke_width": unit // 4, "stroke_fill": "#000000a0"}
        draw.text((width - unit, strip + unit // 2), figure(coaching), fill="white", **large)
    if advice:
        draw.rectangle((0, height - strip, width, height), fill="#000000a0")
        fitting = (width - unit) / draw.textlength(advice, font=font(unit))
        draw.text(
            (width / 2, height - strip / 2), advice, fill="#ffd54f", font=font(int(unit * min(fitting, 1))), anchor="mm"
        )
