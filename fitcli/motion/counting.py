"""Repetitions of one exercise in one stretch of video: chooses the signal that shows them and segments it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from fitcli import interrupt
from fitcli.catalog import RepetitionSignal, catalog
from fitcli.motion.body import Array, Body, resample
from fitcli.motion.cycles import (
    NOISE_FLOOR,
    Cycles,
    Half,
    Paired,
    autocorrelation_period,
    find_cycles,
    phase_bounds,
    smoothed,
)
from fitcli.motion.holding import find_holds
from fitcli.motion.measures import (
    JOINTS,
    MIXED,
    SIDES,
    SPACES,
    VISIBLE,
    Fused,
    fused_measure,
    joint_angle,
    path,
    principal_movement,
    side_visibility,
    takes_turns,
)
from fitcli.motion.posture import measure_cues
from fitcli.motion.view import camera_view
from fitcli.motion.walking import knees_bent, walking
from fitcli.pose.track import PoseTrack
from fitcli.results.sets import CueMeasurement, Curve, ExerciseSet, Repetition

ANGLE, PATH, PERIODICITY = "joint angle", "landmark path", "periodicity"
"""How a set was counted: by the joint angle or the landmark path of its exercise, or by the general method."""

UNNAMED_PRIOR = 0.35
"""Weight of a signal that is not that of the named exercise: enough to win if the name is wrong."""
MINIMUM_PATH_M = 0.18
MINIMUM_PRINCIPAL_M = 0.12
"""Smallest movements of a landmark path and of the principal movement that count."""
SLOW_SMOOTHING_S, SLOW_HALF_S, SLOW_GAIN, SLOW_SPAN = 0.2, 0.8, 1.25, 0.6
"""Slow sets are lost in jitter: half cycles of at least `SLOW_HALF_S` are smoothed more if that raises their clarity by
the factor `SLOW_GAIN`. They must take up the share `SLOW_SPAN` of the time that the quicker ones did, or getting down
to the floor would replace the quick set that follows."""
SLOWEST_STEP_S, CLEARER_THAN_STEPS = 0.9, 0.8
"""Half cycles of the exercise's own angle that are slower and clearer than this are never taken for steps."""
AGREEMENT, AGREEMENT_DEEP = 0.3, 0.6
"""Share of all signals' weight that must count the same; a path in 3-D, which is noisiest, needs more."""
CLEAR_ENOUGH = 0.25
"""Clarity from which an angle shows the repetitions that another signal counted."""


@dataclass(frozen=True)
class Evidence:
    """Thresholds that a signal must reach to count.

    clarity is that of `Cycles`, amplitude a multiple of the signal's minimum. Their product lets a small, clear
    movement count as much as a large, rougher one.
    """

    clarity: float
    amplitude: float
    product: float

    def holds(self, signal: Signal) -> bool:
        clarity, amplitude = signal.cycles.clarity, signal.cycles.amplitude / signal.minimum
        return clarity >= self.clarity and amplitude >= self.amplitude and clarity * amplitude >= self.product


LONE, PAIR, SEVERAL = Evidence(0.25, 1.3, 1.0), Evidence(0.3, 1.1, 0.65), Evidence(0.2, 1.05, 0.4)
"""Thresholds for one repetition of a named exercise, two, and more.

Chosen on real training clips and synthetic sequences: 95 % of the sets reach these products. Of people who stand and
fidget, 95 % stay below those for two or more repetitions, and two thirds below that for one.
"""
LONE_ELSEWHERE = Evidence(0.5, 2.0, 2.0)
"""Thresholds for a single movement of another joint than the named exercise's, or without a name."""
LONE_LIVE, AGREEMENT_LIVE, LONE_LIVE_S = Evidence(0.5, 1.8, 1.3), 0.7, 1.1
"""Thresholds for the first repetition of a live set, or the first two without a name: evidence, share of all signals'
weight that must agree, and duration, which is longer than a step. A weaker one counts once the next one follows."""
FASTEST_S, FAST = 0.75, 2.0
"""Unnamed repetitions faster than `FASTEST_S` are steps or jitter, unless they are `FAST` times the smallest amplitude.
A named exercise has its own `fastest_s`."""
UNNAMED, UNNAMED_PERIODIC, UNNAMED_COUNT = Evidence(0.4, 1.4, 0.9), 0.5, 3
"""Thresholds for an unnamed movement: evidence, autocorrelation, and number of repetitions; less is fidgeting."""
_ANGLES = ("elbow angle", "shoulder angle", "hip angle", "knee angle")
"""Angles in which an unnamed movement is looked for: those of large joints, which BlazePose locates well."""
_PATHS = (
    ("wrist", "shoulder"), ("shoulder", "ankle"), ("hip", "ankle"), ("ankle", "hip"), ("ankle", "knee"),
    ("wrist", "hip"),
)  # fmt: skip
GENERAL_MINIMUM_DEG = 25.0


@dataclass(frozen=True)
class Signal:
    """One view of the movement: a curve (M,), its name, and the cycles found in it."""

    name: str
    method: str
    space: str
    unit: str
    minimum: float
    fused: Fused
    cycles: Cycles
    weight: float


def count_repetitions(track: PoseTrack, exercise: str | None) -> ExerciseSet | None:
    """All repetitions in a track that shows one set of `exercise`, or of an unnamed movement (None).

    For an exercise that is counted in seconds, the longest hold. Of a track with gaps, the stretch with the most
    repetitions. The exercise's own signal is preferred to others, unless another one shows the movement far better: so
    a set with a wrong name is counted correctly. None if nothing repeats: no person, standing still, walking.
    """
    found: list[ExerciseSet] = []
    known = catalog().described(exercise)
    for stretch in track.stretches():
        body = resample(stretch)
        if known.hold:
            found += find_holds(body, known)
        elif signal := choose_signal(body, exercise):
            found += [one] if (one := build_set(body, signal, exercise)) else []
    return max(found, key=lambda one: (len(one.repetitions), one.held_s or 0.0), default=None)


def choose_signal(body: Body, exercise: str | None, training: bool = False) -> Signal | None:
    """The signal that shows the repetitions best; None if none does.

    training: the set is running and the answer is needed at once. An unnamed movement then needs less evidence, a
    single one more.

    The weight of a signal depends on its clarity, on the visibility of its landmarks, and on whether it belongs to the
    named exercise. Signals that count the same support each other.
    """
    if len(body) < 4:
        return None
    own = catalog().described(exercise).signal
    found = [signal for signal in _signals(body, own) if signal.weight >= 0.01]
    if not found:
        return None
    total = sum(signal.weight for signal in found)

    def agreement(signal: Signal) -> float:
        return sum(s.weight * _alike(s.cycles.count, signal.cycles.count) for s in found) / total

    best = max(found, key=lambda s: s.weight * (1 + agreement(s)))
    alone = agreement(best) < (AGREEMENT_DEEP if best.unit == "m" and best.space == "world" else AGREEMENT)
    if training and best.cycles.count <= (1 if exercise else 2):
        lasts = 2 * best.cycles.half_s >= LONE_LIVE_S
        convincing = lasts and LONE_LIVE.holds(best) and agreement(best) >= AGREEMENT_LIVE
    else:
        convincing = _convincing(best, exercise is not None or training, own.fastest_s if own else FASTEST_S)
    if alone or not convincing or _on_foot(body, best):
        return None
    # Among signals that count the same an angle is preferred, above all the mixed one: its range is reported.
    angles = [
        s
        for s in found
        if s.method == ANGLE and s.cycles.count == best.cycles.count and s.cycles.clarity >= CLEAR_ENOUGH
    ]
    return max(angles, key=lambda s: (s.space == MIXED, s.weight), default=best)


def _alike(count: int, other: int) -> float:
    """1 for equal counts, 0 from a quarter apart: ten and nine nearly agree, two and one do not."""
    return max(0.0, 1 - 4 * abs(count - other) / max(count, other, 1))


def _convincing(signal: Signal, named: bool, fastest_s: float) -> bool:
    count = signal.cycles.count
    if 2 * signal.cycles.half_s < fastest_s and signal.cycles.amplitude < FAST * signal.minimum:
        return False
    if not named:
        repeats = autocorrelation_period(signal.fused.values)[1] >= UNNAMED_PERIODIC
        return count >= UNNAMED_COUNT and repeats and UNNAMED.holds(signal)
    if count <= 1:
        # a single movement of another joint: the name is wrong, or it is no repetition
        return (LONE_ELSEWHERE if signal.method == PERIODICITY else LONE).holds(signal)
    return (PAIR if count == 2 else SEVERAL).holds(signal)


def _signals(body: Body, own: RepetitionSignal | None) -> Iterator[Signal]:
    """Everything that may repeat: the exercise's own angle and path, then the angles and paths of every other joint."""
    measured = _measured_by(body, own)
    by_turns = own is not None and takes_turns(body, own.measure)
    if own:
        for space in (*SPACES, MIXED) if own.measure in JOINTS else SPACES:
            angle = fused_measure(body, space, own.measure, by_turns)
            yield measured(own.measure, ANGLE, space, "deg", angle, own.minimum_deg)
    for space in SPACES:
        for measure in _ANGLES:
            if own is None or measure != own.measure:
                angle = fused_measure(body, space, measure, takes_turns(body, measure))
                yield measured(measure, PERIODICITY, space, "deg", angle, GENERAL_MINIMUM_DEG)
    # Depth drifts by decimetres while a person stands still. So only the exercise's own path, which a camera that looks
    # along it cannot see otherwise, is read in 3-D too, and it must be longer.
    if own:
        for space, minimum in (("image", own.minimum_m), ("world", own.minimum_deep_m)):
            moved = path(body, space, *own.path, by_turns=by_turns)
            yield measured(f"{own.path[0]} path", PATH, space, "m", moved, minimum)
    if by_turns:  # the following signals combine both sides and would count half
        return
    for moving, reference in _PATHS:
        if own is None or (moving, reference) != own.path:
            moved = path(body, "image", moving, reference)
            yield measured(f"{moving} path", PERIODICITY, "image", "m", moved, MINIMUM_PATH_M)
    whole = principal_movement(body, "image")
    yield measured("principal movement", PERIODICITY, "image", "m", whole, MINIMUM_PRINCIPAL_M)


def _measured_by(body: Body, own: RepetitionSignal | None) -> Callable[[str, str, str, str, Fused, float], Signal]:
    """The function that finds the cycles of one signal and weighs it: (name, method, space, unit, fused, minimum)."""
    own_angle = None if own is None else sum(_standard(fused_measure(body, sp, own.measure).values) for sp in SPACES)

    def signal(name: str, method: str, space: str, unit: str, fused: Fused, minimum: float) -> Signal:
        interrupt.heed()
        # every signal rises with the exercise's own angle, so that rest is at the same end in all of them
        if own_angle is not None and method != ANGLE and float(fused.values @ own_angle) < 0:
            fused = replace(fused, values=-fused.values)
        cycles = find_cycles(fused.values, minimum)
        calm = replace(fused, values=smoothed(fused.values, SLOW_SMOOTHING_S))
        slow = find_cycles(calm.values, minimum)
        clearer = slow.clarity > SLOW_GAIN * cycles.clarity and slow.half_s >= SLOW_HALF_S
        if slow.halves and clearer and slow.samples >= SLOW_SPAN * cycles.samples:
            fused, cycles = calm, slow
        prior = 1.0 if method != PERIODICITY or own is None else UNNAMED_PRIOR
        weight = prior * cycles.clarity * max(fused.visible, 0.01) ** 0.5
        return Signal(name, method, space, unit, minimum, fused, cycles, weight)

    return signal


def _standard(values: Array) -> Array:
    """(M,) values minus their mean, in standard deviations."""
    standard: Array = (values - values.mean()) / max(float(values.std()), 1e-9)
    return standard


def _on_foot(body: Body, signal: Signal) -> bool:
    """Whether the cycles are steps: the person walks during most of them."""
    slow_and_clear = signal.cycles.half_s > SLOWEST_STEP_S and signal.cycles.clarity > CLEARER_THAN_STEPS
    if slow_and_clear and signal.method == ANGLE:
        return False
    steps, bent = walking(body), knees_bent(body)
    spans = [slice(half.start, half.end + 1) for half in signal.cycles.halves]
    return bool(np.mean([steps[span].mean() > 0.5 and not bent[span].any() for span in spans]) > 0.5)


def build_set(body: Body, signal: Signal, exercise: str | None) -> ExerciseSet | None:
    """The set that `signal` shows in `body`; None without a repetition or half of one."""
    own = catalog().described(exercise).signal
    if not signal.cycles.halves:
        return None
    paired = orientation(signal, exercise)
    halves = signal.cycles.halves
    bounds = [phase_bounds(body.times_s, signal.fused.values, half) for half in halves]
    start_s, end_s = min(b[0] for b in bounds), max(b[1] for b in bounds)
    view = camera_view(body.between(start_s, end_s))
    by_turns = own is not None and takes_turns(body, own.measure)
    angle = _range_curve(body, signal, paired, own, by_turns)
    repetitions = tuple(_repetition(body, signal, own, angle, first, second) for first, second in paired.pairs)
    shown = (body.times_s >= start_s - 1.0) & (body.times_s <= end_s + 1.0)
    return ExerciseSet(
        exercise=exercise,
        start_s=start_s,
        end_s=end_s,
        repetitions=repetitions,
        partial=len(paired.left_over),
        signal=signal.name,
        method=signal.method,
        side=signal.fused.side,
        view=view,
        curve=Curve(
            tuple(float(t) for t in body.times_s[shown]),
            tuple(float(v) for v in signal.fused.values[shown]),
            signal.unit,
        ),
        measurements=()
        if own is None
        else _measured(body, repetitions, exercise, view, not by_turns and signal.fused.side == "both", angle),
    )


def _measured(
    body: Body,
    repetitions: tuple[Repetition, ...],
    exercise: str | None,
    view: str,
    together: bool,
    angle: Array | None,
) -> tuple[CueMeasurement, ...]:
    """The measurements of the exercise's cues; empty if the exercise's own angle does not show the movement."""
    if exercise is None or angle is None:
        return ()
    known = catalog().described(exercise)
    times = [t for r in repetitions for t in (r.start_s, r.turn_s)]
    at_start, at_turn = np.interp(times, body.times_s, angle).reshape(-1, 2).T
    begins_at_rest = (np.median(at_start - at_turn) > 0) == (known.signal is not None and known.signal.rest == "high")
    return measure_cues(body, repetitions, known, view, together, bool(begins_at_rest))


def orientation(signal: Signal, exercise: str | None) -> Paired:
    """The repetitions in a signal: cycles that leave the exercise's rest position and come back to it.

    A clip may begin and end in the other position, such as the bottom of a press: cycles from there are taken if more
    of them are complete.
    """
    rest_high = rests_high(signal, exercise)
    usual, other = signal.cycles.paired(rest_high), signal.cycles.paired(not rest_high)
    return other if len(other.pairs) > len(usual.pairs) else usual


def rests_high(signal: Signal, exercise: str | None) -> bool:
    """Whether rest is the signal's high end: as the catalogue says, else the end at which the signal stays longer."""
    own = catalog().described(exercise).signal
    if own is not None:
        return own.rest == "high"
    first, last = signal.cycles.halves[0].start, signal.cycles.halves[-1].end
    values = signal.fused.values[first : last + 1]
    low, high = np.percentile(values, (5, 95))
    return bool((values > high - 0.25 * (high - low)).mean() >= (values < low + 0.25 * (high - low)).mean())


def _range_curve(
    body: Body, signal: Signal, paired: Paired, own: RepetitionSignal | None, by_turns: bool
) -> Array | None:
    """The angle (M,) from which ranges of motion are read; None if no angle shows this movement."""
    if own is None:
        return signal.fused.values if signal.unit == "deg" else None
    angle = fused_measure(body, MIXED, own.measure, by_turns).values
    ranges = [_range(angle, first, second) for first, second in paired.pairs]
    return angle if ranges and float(np.median(ranges)) >= NOISE_FLOOR * own.minimum_deg else None


def _repetition(
    body: Body,
    signal: Signal,
    own: RepetitionSignal | None,
    angle: Array | None,
    first: Half,
    second: Half,
) -> Repetition:
    values, times = signal.fused.values, body.times_s
    leave, arrive = phase_bounds(times, values, first)
    back, end = phase_bounds(times, values, second)
    rising_first = first.rise > 0
    if angle is not None:
        rising_first = bool(angle[first.end] > angle[first.start])
    first_is_concentric = own is not None and rising_first == (own.concentric == "rising")
    durations = (arrive - leave, end - back)
    ranges: dict[str, float | None] = {"left": None, "right": None}
    if own is not None and own.measure in JOINTS and angle is not None:
        visible = side_visibility(body, JOINTS[own.measure])
        for side in SIDES:
            if visible[side] >= VISIBLE:
                ranges[side] = _range(joint_angle(body, MIXED, own.measure, side), first, second)
    return Repetition(
        start_s=leave,
        turn_s=(arrive + back) / 2,
        end_s=end,
        eccentric_s=durations[first_is_concentric],
        concentric_s=durations[not first_is_concentric],
        range_of_motion_deg=None if angle is None else _range(angle, first, second),
        left_deg=ranges["left"],
        right_deg=ranges["right"],
    )


def _range(angle: Array, first: Half, second: Half) -> float:
    """Degrees between the turn and the mean of the two rest positions around it."""
    return float(abs(angle[first.end] - (angle[first.start] + angle[second.end]) / 2))
