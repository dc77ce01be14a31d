"""Self-contained pages: the report of one analysis, and the history's progress.

Each is one file that contains its style and pictures. It opens from disk, loads nothing, follows the reader's light or
dark setting, fits a phone and can be printed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli.catalog import catalog
from fitcli.history.key_poses import START, TURN, KeyPose
from fitcli.history.progress import Reached, TrainingProgress, one_repetition_max_kg
from fitcli.report.amounts import counts_repetitions, plural, seconds
from fitcli.report.body_svg import Shade, drawn_map
from fitcli.report.charts import repetition_chart, trend_chart
from fitcli.report.terminal import clock, kilograms, length, part_seen, percent, printable, title, undone_stretch
from fitcli.results.analysis import Analysis, Status
from fitcli.results.sets import CueFinding, ExerciseSet
from fitcli.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template  # imported where a page is rendered

SYMMETRIC_VIEWS = ("front", "back")
"""Views from which left and right can be compared; from others one side hides the other."""

EPLEY = "Epley's formula, weight \N{MULTIPLICATION SIGN} (1 + repetitions / 30), for sets of up to 12 repetitions."

CANDIDATES = 5
"""Exercises listed with their probabilities."""


@dataclass(frozen=True)
class Remembered:
    """What is stored with an analysis: when it was made, and what the person added."""

    moment: datetime
    version: str = __version__
    session_id: str = ""
    weight_kg: float | None = None
    note: str = ""


def report_page(
    analysis: Analysis, remembered: Remembered, *, picture: bytes | None = None, poses: Sequence[KeyPose] = ()
) -> str:
    """One analysis as an HTML page; `picture` is a JPEG file, without which `poses` are drawn."""
    return _template("report.html").render(version=__version__, page=_report(analysis, remembered, picture, poses))


def progress_page(progress: TrainingProgress, moment: datetime) -> str:
    """What a history adds up to as an HTML page."""
    return _template("progress.html").render(version=__version__, page=_progress(progress, moment))


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only those who want a page wait for it

    return Environment(
        loader=PackageLoader("fitcli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)


def _report(
    analysis: Analysis, remembered: Remembered, picture: bytes | None, poses: Sequence[KeyPose]
) -> dict[str, Any]:
    named = analysis.exercise
    scores = [one.score.total for one in analysis.sets if one.score]
    return {
        "file": printable(Path(analysis.file).name),
        "moment": f"{remembered.moment.astimezone():%Y-%m-%d %H:%M}",
        "note": printable(remembered.note),
        "named": named is not None,
        "uncertain": analysis.status is not Status.OK,
        "exercise": named.name if named else "",
        "title": title(analysis).capitalize() if named else _unsure_title(analysis),
        "lead": "" if named else printable(analysis.message),
        "chips": _chips(analysis, remembered),
        # a score is meaningful only if the exercise is certain
        "score": round(sum(scores) / len(scores)) if scores and named else None,
        "map": _muscle_map(analysis) if analysis.muscles else None,
        "picture": _picture(picture, poses) if picture else None,
        "poses": _stick_figures(_shown(poses), analysis),
        "advice": analysis.feedback,
        "muscles": _muscles(analysis),
        "candidates": [
            {"name": each.name, "width": round(100 * each.probability, 1), "percent": percent(each.probability)}
            for each in analysis.exercises[:CANDIDATES]
        ],
        "sureness": _sureness(analysis),
        "sets": [_set(one, number, analysis) for number, one in enumerate(analysis.sets, 1)],
        "facts": _facts(analysis, remembered),
    }


def _unsure_title(analysis: Analysis) -> str:
    if analysis.consistent_with:
        return f"Like {' or '.join(analysis.consistent_with)}"
    if analysis.status is Status.UNCERTAIN and analysis.exercises:
        return f"Not sure: {analysis.exercises[0].name}?"
    return "Nobody found" if analysis.status is Status.NO_PERSON else "Not analysed"


def _sureness(analysis: Analysis) -> str:
    if analysis.exercise or not analysis.exercises:
        return ""
    return "Too close to call, so nothing is compared with an ideal and no exercise is named."


def _chips(analysis: Analysis, remembered: Remembered) -> list[dict[str, str]]:
    chips = []
    if analysis.exercise and len(analysis.performed) < 2:
        chips.append({"value": percent(analysis.exercise.probability), "name": "sure"})
    held = [one.held_s for one in analysis.sets if one.held_s is not None]
    if counts_repetitions(analysis):
        chips.append(_chip(analysis.repetitions or 0, "repetition"))
    if len(analysis.sets) == 1 and (cadence := analysis.sets[0].cadence_per_min) is not None:
        chips.append({"value": f"{cadence:.0f}", "name": "repetitions a minute"})
    if held:
        chips.append({"value": seconds(sum(held)), "name": "held"})
    if len(analysis.sets) > 1:
        chips.append(_chip(len(analysis.sets), "set"))
    if remembered.weight_kg:
        chips.append({"value": kilograms(remembered.weight_kg), "name": "moved"})
        estimates = [one_repetition_max_kg(remembered.weight_kg, len(one.repetitions)) for one in analysis.sets]
        if best := max((each for each in estimates if each), default=None):
            chips.append({"value": kilograms(best), "name": "estimated 1RM (Epley)"})
    chips.append({"value": length(analysis.duration_s), "name": "of video"})
    return chips


def _chip(number: int, unit: str) -> dict[str, str]:
    value, name = plural(number, unit).split(" ", 1)
    return {"value": value, "name": name}


def _muscle_map(analysis: Analysis) -> Any:
    shares = {muscle.name: muscle.activation for muscle in analysis.muscles}
    targets = [muscle.name for muscle in analysis.muscles if muscle.ideal]
    labelled = [m.name for m in analysis.muscles if m.ideal or m.works]
    return drawn_map(
        shares, {name: percent(share) for name, share in shares.items()}, targets=targets, labelled=labelled
    )


def _muscles(analysis: Analysis) -> list[dict[str, Any]]:
    rows = []
    for muscle in sorted(analysis.muscles, key=lambda muscle: (not muscle.ideal, -muscle.activation)):
        works, shade = muscle.works, Shade.of(muscle.activation)
        verdict, tone = "", ""
        if analysis.exercise is None:
            verdict = "works" if works else ""
        elif muscle.ideal:
            verdict, tone = ("target, works", "good") if works else ("target, little used", "warn")
        elif works:
            verdict, tone = "extra, works too", "warn"
        rows.append(
            {
                "name": muscle.name,
                "target": muscle.ideal,
                "width": round(100 * muscle.activation, 1),
                "percent": percent(muscle.activation),
                "light": shade.light,
                "dark": shade.dark,
                "verdict": verdict,
                "tone": tone,
            }
        )
    return rows


def _picture(picture: bytes, poses: Sequence[KeyPose]) -> dict[str, str]:
    shown = _shown(poses)
    at = f" at {shown[-1].time_s:.1f} s" if shown else ""
    return {
        "source": f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}",
        "caption": f"The video{at}, with the landmarks that were followed.",
    }


def _shown(poses: Sequence[KeyPose]) -> list[KeyPose]:
    """Start and turn of the first set that has them, else the first pose."""
    first = next((pose.set_number for pose in poses if pose.moment == TURN), None)
    if first is None:
        return list(poses[:1])
    return [pose for pose in poses if pose.set_number == first]


def _stick_figures(poses: Sequence[KeyPose], analysis: Analysis) -> list[dict[str, Any]]:
    """Poses as lines, each with its side of the body, at one scale so that they can be compared."""
    if not poses:
        return []
    from fitcli.pose.track import LANDMARKS
    from fitcli.report.skeleton import JOINT_LANDMARKS, SIDE_COLOURS, SKELETON, VISIBLE, side_colour  # numpy

    sides = {colour: side for side, colour in SIDE_COLOURS.items()}
    seen = [[i for i in JOINT_LANDMARKS if pose.landmarks[i][2] >= VISIBLE] or list(JOINT_LANDMARKS) for pose in poses]
    spots = [pose.landmarks[i][:2] for pose, indices in zip(poses, seen, strict=True) for i in indices]
    (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*spots, strict=True))
    scale = 100 / max(right - left, bottom - top, 1e-6)  # fills the view, whatever the distance to the camera
    pad = 8.0
    view = f"{-pad:g} {-pad:g} {(right - left) * scale + 2 * pad:.1f} {(bottom - top) * scale + 2 * pad:.1f}"
    figures = []
    for pose, indices in zip(poses, seen, strict=True):
        points = [(round((x - left) * scale, 1), round((y - top) * scale, 1)) for x, y, _ in pose.landmarks]
        head = points[LANDMARKS.index("nose")]
        lines = [
            {"side": sides[side_colour(*pair)], "from": points[pair[0]], "to": points[pair[1]]}
            for pair in SKELETON
            if pair[0] in indices and pair[1] in indices
        ]
        figures.append({"view": view, "caption": _pose_caption(pose, analysis), "lines": lines, "head": head})
    return figures


def _pose_caption(pose: KeyPose, analysis: Analysis) -> str:
    caption = {START: "start", TURN: "turn"}.get(pose.moment, "the moment seen best") + f", {pose.time_s:.1f} s"
    one = analysis.sets[pose.set_number - 1] if 0 < pose.set_number <= len(analysis.sets) else None
    if one and one.curve.unit == "deg" and one.curve.times_s:
        caption += f": {one.signal} {one.curve.at(pose.time_s):.0f}°"
    return caption


def _tiles(one: ExerciseSet) -> list[dict[str, str]]:
    """The figures of a set, most important first."""
    tiles = [{"value": str(len(one.repetitions)), "name": "repetitions" + _halves(one)}]
    if one.held_s is not None:
        tiles = [{"value": seconds(one.held_s), "name": "held"}]
    if one.cadence_per_min is not None:
        tiles.append({"value": f"{one.cadence_per_min:.0f}", "name": "repetitions a minute"})
    elif one.repetitions:
        tiles.append({"value": f"{one.eccentric_s:.1f} / {one.concentric_s:.1f} s", "name": "eccentric / concentric"})
    if one.range_of_motion_deg is not None:
        tiles.append({"value": f"{one.range_of_motion_deg:.0f}°", "name": f"range of the {one.signal}"})
    if one.difference_deg is not None and one.side == "both" and one.view in SYMMETRIC_VIEWS:
        side = "left" if one.difference_deg > 0 else "right"
        tiles.append({"value": f"{abs(one.difference_deg):.0f}°", "name": f"further on the {side} side"})
    drifts = [("range", one.range_drift, "wider", "narrower"), ("pace", one.duration_drift, "slower", "faster")]
    for name, drift, more, less in drifts:
        if drift is not None:
            changed = abs(drift) >= 0.005
            direction = "the same" if not changed else more if drift > 0 else less
            value = _signed(f"{drift:+.0%}") if changed else "0%"
            tiles.append({"value": value, "name": f"{name}, first to last: {direction}"})
    return tiles


def _set(one: ExerciseSet, number: int, analysis: Analysis) -> dict[str, Any]:
    title = one.exercise or "movement without a name"
    if one.exercise and analysis.status is not Status.OK:
        title = f"perhaps {title}"
    how = "by its joint angle" if one.method == "joint angle" else f"by {one.method}, a general method"
    explained = f"counted {how}; the green parts are counted repetitions"
    if one.held_s is not None:
        explained = "and in green the time that the position was held"
    angles = {"unknown": "", "three-quarter": ", seen at an angle"}
    seen = angles.get(one.view, f", seen from the {one.view}")
    return {
        "title": f"Set {number}: {title}" if len(analysis.sets) > 1 else f"The set: {title}",
        "when": f"{clock(one.start_s)} to {clock(one.end_s)}{seen}",
        "tiles": _tiles(one),
        "chart": repetition_chart(one),
        "chart_title": f"{one.signal.capitalize()}, {explained}.",
        "repetitions": [
            {
                "number": i,
                "at": f"{r.start_s:.1f} s",
                "eccentric": f"{r.eccentric_s:.1f} s",
                "concentric": f"{r.concentric_s:.1f} s",
                "range": _degrees(r.range_of_motion_deg),
                "left": _degrees(r.left_deg),
                "right": _degrees(r.right_deg),
            }
            for i, r in enumerate(one.repetitions, 1)
        ],
        "has_range": any(r.range_of_motion_deg is not None for r in one.repetitions),
        "has_left": any(r.left_deg is not None for r in one.repetitions),
        "has_right": any(r.right_deg is not None for r in one.repetitions),
        "uneven_view": one.view not in SYMMETRIC_VIEWS,
        "score": one.score.total if one.score else None,
        "parts": [
            {
                "name": part.name,
                "points": round(part.points),
                "tone": "good" if part.points >= 75 else "warn" if part.points >= 50 else "accent",
                "reason": part.reason,
                "weight": f"{part.weight:.0%}",
            }
            for part in (one.score.parts if one.score else ())
        ],
        "cues": [_cue(cue, one) for cue in sorted(one.cues, key=lambda cue: not cue.fired)],
    }


def _halves(one: ExerciseSet) -> str:
    return f" and {one.partial} half" if one.partial else ""


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}°"


def _cue(finding: CueFinding, one: ExerciseSet) -> dict[str, Any]:
    known = {cue.name: cue for cue in catalog().described(one.exercise).cues}
    limit = "limit"
    if cue := known.get(finding.cue):
        limit = "at least" if cue.at_least is not None else "at most"
    measured = f"{_measure(finding.value, finding.unit)}, {limit} {_measure(finding.threshold, finding.unit)}"
    of_what = "repetitions" if one.held_s is None else "time"
    return {
        "name": finding.cue,
        "fired": finding.fired,
        "verdict": f"{measured}, in {finding.share:.0%} of the {of_what}" if finding.fired else measured,
        "sentence": finding.sentence if finding.fired else "",
        "source": finding.source,
    }


def _measure(value: float, unit: str) -> str:
    written = f"{value:.0f}°" if unit == "deg" else f"{value:.2g} {unit}".strip()
    return _signed(written)


def _signed(number: str) -> str:
    """A number with a minus sign as wide as the plus."""
    return number.replace("-", "\N{MINUS SIGN}")


def _facts(analysis: Analysis, remembered: Remembered) -> list[dict[str, str]]:
    facts = [
        ("video", printable(analysis.file)),
        ("analysed", part_seen(analysis)),
    ]
    if shape := undone_stretch(analysis):
        facts.append(("picture", shape))
    facts += [
        (
            network.architecture,
            f"reads {network.input}; weight {network.weight_exercise:g} on the exercise, {network.weight_muscle:g} on "
            f"the muscles; {Path(network.checkpoint).name}, sha256 {network.checkpoint_sha256[:12]}",
        )
        for network in analysis.networks
    ]
    took = f"{analysis.timings.total_s:.1f} s" + (f" on {analysis.device}" if analysis.device else "")
    took += f", {analysis.device_reason}" if analysis.device_reason else ""
    facts += [("took", took), ("made by", f"fitcli {remembered.version}")]
    if remembered.session_id:
        facts.append(("session", remembered.session_id))
    return [{"name": name, "value": value} for name, value in facts]


def _progress(progress: TrainingProgress, moment: datetime) -> dict[str, Any]:
    most = max((muscle.sessions for muscle in progress.muscles), default=0)
    shares = {muscle.name: muscle.sessions / most if most else 0.0 for muscle in progress.muscles}
    values = {
        muscle.name: "once" if muscle.sessions == 1 else f"{muscle.sessions} times" for muscle in progress.muscles
    }
    neglected = [muscle.name for muscle in progress.muscles if muscle.neglected]
    return {
        "moment": f"{moment:%Y-%m-%d %H:%M}",
        "title": "Training history",
        "chips": [
            _chip(progress.sessions, "session"),
            *([_chip(progress.repetitions, "repetition")] if progress.repetitions else []),
            {"value": plural(progress.weeks_in_a_row, "week"), "name": "in a row"},
            {"value": plural(progress.days_in_a_row, "day"), "name": "in a row"},
        ],
        "map": drawn_map(shares, values, labelled=[muscle.name for muscle in progress.muscles if muscle.sessions]),
        "most": plural(most, "session") if most else "most sessions",
        "muscles": [
            {
                "name": muscle.name,
                "width": round(100 * shares[muscle.name]),
                "light": Shade.of(shares[muscle.name]).light,
                "dark": Shade.of(shares[muscle.name]).dark,
                "sessions": muscle.sessions or "",
                "last": "never" if muscle.last is None else f"{muscle.last}",
                "tone": "warn" if muscle.neglected else "",
            }
            for muscle in progress.muscles
        ],
        "neglected": f"Not trained in the last 7 days: {', '.join(neglected)}." if neglected else "",
        **_weekly(progress),
        "trends": [_trend(progress, name) for name in progress.exercises if len(progress.scores(name)) > 1],
        "rising": _rising_lines(progress),
        "best_held": any(best.held_s is not None for best in progress.best),
        "best_paced": any(best.cadence_per_min is not None for best in progress.best),
        "best": [
            {
                "exercise": best.exercise,
                "repetitions": best.repetitions or "",
                "held": "" if best.held_s is None else seconds(best.held_s),
                "cadence": "" if best.cadence_per_min is None else f"{best.cadence_per_min:.0f}",
                "weight": kilograms(best.session.weight_kg),
                "maximum": kilograms(best.one_repetition_max_kg),
                "score": "" if best.session.score is None else round(best.session.score),
                "when": f"{best.session.created.astimezone():%Y-%m-%d}",
            }
            for best in progress.best
        ],
    }


def _weekly(progress: TrainingProgress) -> dict[str, Any]:
    """The bars of the weeks: repetitions, or sessions if none of them has repetitions."""
    weeks = progress.shown_weeks
    repetitions = any(week.repetitions for week in weeks)
    amounts = [week.repetitions if repetitions else week.sessions for week in weeks]
    title = f"{'Repetitions' if repetitions else 'Sessions'} a week"
    spoken = ", ".join(f"{week.monday} {amount}" for week, amount in zip(weeks, amounts, strict=True))
    return {
        "weekly": title,
        "weekly_spoken": f"{title}: {spoken}",
        "weeks": [
            {"amount": amount, "height": round(88 * amount / max(*amounts, 1), 1), "day": f"{week.monday:%d %b}"}
            for week, amount in zip(weeks, amounts, strict=True)
        ],
    }


def _trend(progress: TrainingProgress, name: str) -> dict[str, Any]:
    points = progress.scores(name)
    trend = next((each for each in progress.trends if each.exercise == name), None)
    change = round(trend.latest) - round(trend.before) if trend else 0
    ends = (f"{points[0].day:%d %b}", f"{points[-1].day:%d %b}")
    chart = trend_chart([p.value for p in points], f"score of {name}", low=0, high=100, ends=ends)
    return {
        "exercise": name,
        "change": f"{change:+d}" if change else "steady",
        "tone": "good" if change > 0 else "warn" if change < 0 else "muted",
        "chart": chart,
    }


def _rising(name: str, points: Sequence[Reached], measured: str, latest: str) -> dict[str, Any]:
    """The values reached from session to session as a line, with the latest value."""
    values = [point.value for point in points]
    room = max(0.1 * max(values), 1.0)
    ends = (f"{points[0].day:%d %b}", f"{points[-1].day:%d %b}")
    low, high = min(values) - room, max(values) + room
    chart = trend_chart(values, f"{measured} of {name}", low=low, high=high, ends=ends)
    return {"exercise": name, "latest": latest, "chart": chart}


def _rising_lines(progress: TrainingProgress) -> list[dict[str, Any]]:
    """Each kind of reached value, with a line for every exercise that has more than one session."""
    kinds: tuple[tuple[str, str, Callable[[str], Sequence[Reached]], Callable[[float], str]], ...] = (
        ("Estimated one-repetition maximum", EPLEY, progress.maxima, kilograms),
        ("Longest hold", "", progress.holds, seconds),
        ("Repetitions a minute", "", progress.cadences, lambda value: f"{value:.0f}"),
    )
    shown = []
    for heading, note, reached, written in kinds:
        lines = [
            _rising(name, points, heading.lower(), written(points[-1].value))
            for name in progress.exercises
            if len(points := reached(name)) > 1
        ]
        if lines:
            shown.append({"title": heading, "note": note, "lines": lines})
    return shown
