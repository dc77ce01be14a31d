"""What the terminal shows, as Rich renderables: one result, a batch, the catalogue.

Everything is readable without colour, in ASCII and from 40 columns on. Nothing here prints.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fitcli.catalog import Catalog
from fitcli.report.amounts import plural, seconds, total
from fitcli.report.blocks import BesideBodyMap, RepetitionCurve
from fitcli.results.analysis import WORKS, Analysis, MuscleScore, Status, WindowScore
from fitcli.results.sets import ExerciseSet

MAX_WIDTH = 100
"""Columns of a result, at most: longer lines are harder to read."""

COUNTED_IN = {"repetitions": "reps", "seconds": "seconds", "cadence": "reps a minute"}
"""The unit of a set, by the catalogue's word for it."""

ALIASES_FROM_COLUMNS = 60
"""Columns from which the other names of exercises fit beside their muscles."""

TARGET, IDLE, EXTRA, REST = "green", "yellow", "magenta", "bright_black"


class Bar:
    """A bar for a share 0..1 over the available width, with a notch at the activation from which a muscle works."""

    def __init__(self, share: float, style: str, *, notch: bool = True) -> None:
        self.share = min(max(share, 0.0), 1.0)
        self.style = style
        self.notch = notch

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        full, rest, notch = "#-|" if options.ascii_only else "━─┼"
        width = options.max_width
        filled = round(self.share * width)
        track = [rest] * width
        if self.notch and width >= 8:
            track[round(WORKS * width)] = notch
        bar = Text(full * filled, self.style, no_wrap=True, overflow="crop", end="")
        bar.append("".join(track[filled:]), "bright_black")
        yield bar

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(4, min(50, options.max_width))


def result(
    analysis: Analysis, *, top: int = 3, saved: str = "", stored: str = "", verbose: bool = False
) -> RenderableType:
    """One analysis as a panel: exercise, muscles compared with the ideal, advice, and facts about the analysis.

    top: number of exercises named. saved: where the session was stored. stored: when, and with what remarks. verbose:
    adds windows, checksums and timings.
    """
    parts: list[RenderableType] = [_headline(analysis, top)]
    if analysis.muscles:
        shares = analysis.muscle_scores == "softmax"
        words = _muscles(analysis.muscles, named=analysis.exercise is not None and not shares, notch=not shares)
        parts += ["", BesideBodyMap(words, {muscle.name: muscle.activation for muscle in analysis.muscles})]
    if analysis.sets:
        parts += ["", _sets(analysis.sets, analysis.exercise.name if analysis.exercise else "")]
        parts += ["", RepetitionCurve(analysis.sets)]
    if analysis.feedback:
        parts += ["", *(Text(sentence) for sentence in analysis.feedback)]
    parts += ["", _facts(analysis, saved, stored, verbose)]
    if verbose and analysis.windows and analysis.exercises:
        parts += ["", _segments(analysis)]
    panel = Panel(
        Group(*parts),
        box=ROUNDED,
        title=Text(printable(Path(analysis.file).name), "bold"),
        title_align="left",
        border_style="bright_black",
        padding=(1, 2),
    )
    return Constrain(panel, MAX_WIDTH)


def brief(analysis: Analysis) -> Text:
    """One analysis in one line, for `--quiet`."""
    return Text(f"{printable(analysis.file)}: {_verdict(analysis)}")


def catalogue(shown: Catalog, columns: int) -> Table:
    """The exercises with their ideal muscles, the unit of their sets and, if they fit, their other names."""
    table = plain_table()
    table.add_column("exercise", no_wrap=True)
    table.add_column("muscles it is meant to work")
    table.add_column("counted in")
    wide = columns >= ALIASES_FROM_COLUMNS
    if wide:
        table.add_column("also called", style="bright_black")
    for exercise in shown.exercises:
        cells = (exercise.name, ", ".join(exercise.muscles), COUNTED_IN[exercise.counted], ", ".join(exercise.aliases))
        table.add_row(*(cells if wide else cells[:-1]))
    return table


def kilograms(weight_kg: float | None) -> str:
    """A weight in kilograms; "" for None."""
    return "" if weight_kg is None else f"{weight_kg:.1f}".removesuffix(".0") + " kg"


def percent(share: float) -> str:
    """A probability or activation 0..1 as whole per cent; certainty is never claimed."""
    return f"{min(round(share * 100), 99)} %"


def length(seconds: float) -> str:
    """A duration for a person: 4.8 s, 1:05, 1:02:05."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(seconds: float) -> str:
    """A time in a video, to the second: 0:04."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def working(analysis: Analysis) -> str:
    """The muscle groups that work, the strongest first."""
    active = [muscle for muscle in analysis.muscles if muscle.works]
    return ", ".join(muscle.name for muscle in sorted(active, key=_activation, reverse=True))


def undone_stretch(analysis: Analysis) -> str:
    """How a stretched picture was corrected; "" for an ordinary one."""
    if analysis.picture_stretch == 1:
        return ""
    how = "stretched" if analysis.picture_stretch > 1 else "squeezed"
    return f"{how} to {analysis.picture_stretch:.2g} times its width; fitcli undid that"


def short_path(path: str | Path) -> str:
    """The shortest form of a path: relative to the current folder or to ~ if it lies below one of them."""
    absolute = Path(path).absolute()
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises for a user without one
    for base, prefix in ((Path.cwd(), ""), (home, "~/")):
        if absolute.is_relative_to(base):
            return printable(prefix + str(absolute.relative_to(base)).replace(os.sep, "/"))
    return printable(str(absolute))


def printable(name: str) -> str:
    """A name that is safe to print: control characters and invalid bytes are escaped."""
    return "".join(
        character
        if unicodedata.category(character)[0] != "C"
        else character.encode("unicode_escape", "surrogatepass").decode()
        for character in name
    )


def plain_table() -> Table:
    """A table with a line under its header and no frame."""
    return Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bright_black",
        border_style="bright_black",
    )


def _activation(muscle: MuscleScore) -> float:
    return muscle.activation


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _headline(analysis: Analysis, top: int) -> RenderableType:
    if analysis.exercise is None:
        head = Text(_sentence(analysis.message), "bold green" if analysis.status is Status.OK else "bold yellow")
        others = analysis.exercises[:top]
    else:
        several = len(analysis.performed) > 1
        head = Text(_sentence(title(analysis)), "bold green")
        if not several:  # with several, the probability is a share of the video
            head.append(f"  {percent(analysis.exercise.probability)} sure", "bold")
        if done := total(analysis):
            head.append(f"  {done}", "bold")
        others = () if several else analysis.exercises[1:top]
    if not others:
        return head
    listed = ", ".join(f"{other.name} {percent(other.probability)}" for other in others)
    lead = "candidates" if analysis.exercise is None else "runners-up" if len(others) > 1 else "runner-up"
    return Group(head, Text(f"{lead}: {listed}", "bright_black"))


def title(analysis: Analysis) -> str:
    """The title of an answer: the exercise, or all of them if several were performed; "" if none is named."""
    performed = analysis.performed
    if len(performed) > 1:
        return ", then ".join(performed)
    return analysis.exercise.name if analysis.exercise else ""


def _muscles(muscles: Sequence[MuscleScore], *, named: bool, notch: bool = True) -> Table:
    """Target muscles first, then the others, each the strongest first; the last column compares with the ideal."""
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    if named:
        table.add_row(*(Text(head, "bright_black") for head in ("muscle", "activation", "", "against the ideal")))
    for muscle in sorted(muscles, key=lambda muscle: (not muscle.ideal, -muscle.activation)):
        style, mark = _against_ideal(muscle, named)
        name = Text(muscle.name, "bold" if muscle.ideal else "")
        table.add_row(name, Bar(muscle.activation, style, notch=notch), percent(muscle.activation), Text(mark, style))
    return table


def _sets(sets: Sequence[ExerciseSet], named: str) -> Table:
    """The sets with their time in the video, work, tempo, range of motion and score.

    If a set is not of the exercise `named`, all sets show their exercise. Empty columns are left out.
    """
    mixed = bool(named) and any(one.exercise != named for one in sets)
    table = plain_table()
    table.add_column("set", no_wrap=True)
    table.add_column("when", no_wrap=True)
    # exercises that are quick on purpose have a cadence instead of a tempo
    tempo = [one.repetitions and one.cadence_per_min is None for one in sets]
    columns = {
        **_amounts(sets),
        "eccentric": [f"{one.eccentric_s:.1f} s" if slow else "" for one, slow in zip(sets, tempo, strict=True)],
        "concentric": [f"{one.concentric_s:.1f} s" if slow else "" for one, slow in zip(sets, tempo, strict=True)],
        "range": ["" if one.range_of_motion_deg is None else f"{one.range_of_motion_deg:.0f} deg" for one in sets],
        "score": [str(one.score.total) if one.score else "" for one in sets],
    }
    columns = {head: cells for head, cells in columns.items() if any(cells)}
    for head in columns:
        table.add_column(head, justify="right", no_wrap=True)
    for number, one in enumerate(sets, 1):
        table.add_row(
            f"{number} {one.exercise or 'other'}" if mixed else str(number),
            f"{clock(one.start_s)} to {clock(one.end_s)}",
            *(cells[number - 1] for cells in columns.values()),
        )
    return table


def _amounts(sets: Sequence[ExerciseSet]) -> dict[str, list[str]]:
    """Columns with the work of each set: a single one if the sets have different units."""
    held = ["" if one.held_s is None else seconds(one.held_s) for one in sets]
    reps = [
        "" if one.held_s is not None else f"{len(one.repetitions)}" + (f" + {one.partial} half" if one.partial else "")
        for one in sets
    ]
    paces = ["" if one.cadence_per_min is None else f"{one.cadence_per_min:.0f}" for one in sets]
    if any(held) and any(reps):
        parts = zip(held, reps, [each and f"{each} a minute" for each in paces], strict=True)
        return {"done": [", ".join(filter(None, each)) for each in parts]}
    return {"held": held, "reps": reps, "a minute": paces}


def _against_ideal(muscle: MuscleScore, named: bool) -> tuple[str, str]:
    if not named:
        return (TARGET, "works") if muscle.works else (REST, "")
    if muscle.ideal:
        return (TARGET, "target, works") if muscle.works else (IDLE, "target, little used")
    return (EXTRA, "extra, works too") if muscle.works else (REST, "")


def part_seen(analysis: Analysis) -> str:
    """The analysed part of the video, and whether the file breaks off."""
    seen = f"{analysis.start_s:.1f} to {analysis.end_s:.1f} s of {length(analysis.duration_s)}"
    if analysis.windows:
        seen += f", {plural(len(analysis.windows), 'window')}"
    if analysis.broken_off_s is not None:
        seen += f"; the file breaks off at {analysis.broken_off_s:.1f} s: copy or export it again"
    return seen


def _facts(analysis: Analysis, saved: str, stored: str, verbose: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(style="bright_black", overflow="fold")
    table.add_row("analysed", part_seen(analysis))
    if shape := undone_stretch(analysis):
        table.add_row("picture", shape)
    took = analysis.timings
    spent = f"{took.total_s:.1f} s on {analysis.device}" if analysis.device else f"{took.total_s:.1f} s"
    if analysis.device_reason:
        spent += f", {analysis.device_reason}"
    if verbose:
        spent += f" (decode {took.decode_s:.2f}, pose {took.pose_s:.2f}, network {took.network_s:.2f} s)"
    table.add_row("took", spent)
    for folder in dict.fromkeys(Path(network.checkpoint).parent for network in analysis.networks):
        used = [network for network in analysis.networks if Path(network.checkpoint).parent == folder]
        named = ", ".join(f"{network.architecture} ({network.input})" for network in used)
        table.add_row("networks", Text(f"{named} from {short_path(folder)}"))
    for network in analysis.networks if verbose else ():
        table.add_row(
            network.architecture,
            f"sha256 {network.checkpoint_sha256[:12]}, weight {network.weight_exercise:g} on exercise, "
            f"{network.weight_muscle:g} on muscles",
        )
    if stored:
        table.add_row("stored", Text(printable(stored)))
    if saved:
        table.add_row("session", Text(saved))
    return table


def _segments(analysis: Analysis) -> Table:
    """The parts of the video: runs of windows with the same best exercise."""
    names = analysis.classes.exercises
    runs: list[tuple[str, list[WindowScore]]] = []
    for window in analysis.windows:
        best = names[max(range(len(names)), key=window.exercises.__getitem__)]
        if not runs or runs[-1][0] != best:
            runs.append((best, []))
        runs[-1][1].append(window)
    table = plain_table()
    table.add_column("part", no_wrap=True)
    table.add_column("windows", justify="right")
    table.add_column("best exercise")
    table.add_column("sure", justify="right")
    table.add_column("none of them", justify="right")
    table.add_column("weight", justify="right")
    for name, windows in runs:
        index = names.index(name)
        table.add_row(
            f"{windows[0].start_s:.1f} to {windows[-1].end_s:.1f} s",
            str(len(windows)),
            name,
            percent(_mean(window.exercises[index] for window in windows)),
            percent(_mean(window.other for window in windows)),
            f"{_mean(window.weight for window in windows):.2f}",
        )
    return table


def _verdict(analysis: Analysis) -> str:
    if analysis.exercise is None:
        return analysis.message
    if len(analysis.performed) > 1:
        return title(analysis)
    return f"{analysis.exercise.name} {percent(analysis.exercise.probability)}"


def short_status(analysis: Analysis) -> str:
    """The entry of a table for an answer without an exercise."""
    if analysis.consistent_with:
        return f"{' or '.join(analysis.consistent_with)}?"
    if analysis.status is Status.UNCERTAIN and analysis.exercises:
        return f"not sure: {analysis.exercises[0].name}?"
    return analysis.status.value.replace("_", " ")
