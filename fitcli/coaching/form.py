"""Form: the measurements of a set compared with the catalogue's cues, and the set's score."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from fitcli.catalog import Cue, catalog
from fitcli.results.sets import CueFinding, ExerciseSet, ScorePart, SetScore

SAID_FROM = 0.5
"""Share of the judged repetitions that must break a cue for it to be given."""
JUDGED_FROM = 0.5
"""Share of the repetitions that must show a cue for it to be judged."""

CLEAR_SHARE = 0.75
CLEAR_BY = {"deg": 8.0, "s": 0.1, "ankle widths": 0.05}
"""A cue is stated plainly if this share of the repetitions broke it by this much in its unit. A smaller excess may be a
measuring error: range of motion errs by 5 to 7 degrees (see `fitcli.motion.measures.joint_angle`)."""

LIVE_LAST, LIVE_LEAST = 3, 2
"""During a set, a cue is given if `LIVE_LEAST` of the `LIVE_LAST` latest repetitions (or judgements of a hold) broke
it: a single one may be a stumble."""

WEIGHTS = {
    "range of motion": 0.3, "form": 0.25, "tempo": 0.2, "consistency": 0.15, "symmetry": 0.1, "steadiness": 0.25,
}  # fmt: skip
"""Shares of the score; the share of a part that a video does not show goes to the others."""
CONTROLLED_S, DROPPED_S = 1.0, 0.3
"""Eccentric seconds that earn all points for tempo, and none: moderate velocity is 1 to 2 s each way (ACSM,
Progression Models in Resistance Training for Healthy Adults, Med Sci Sports Exerc 41(3), 2009)."""
EVEN, UNEVEN = 0.10, 0.50
"""Left-right difference, as a share of the range, that earns all points, and none. Under 10 to 15 % is usual (Bishop,
Turner and Read, J Sports Sci 36(10), 2018), which one camera can barely measure; so points decrease slowly."""
STILL_DEG, SHAKY_DEG = 3.0, 12.0
"""Standard deviation of a held joint that earns all points, and none; BlazePose alone causes one to two degrees."""
STEADY, ERRATIC = 0.08, 0.35
"""Coefficient of variation of range and duration between repetitions that earns all points, and none."""

TIMED = "eccentric time"
"""The measure that scores as tempo, not as form."""


def judge(exercise_set: ExerciseSet) -> ExerciseSet:
    """The same set with its score, and with every cue that can be judged."""
    findings = tuple(judge_cues(exercise_set))
    judged = replace(exercise_set, cues=findings)
    return replace(judged, score=score(judged))


def advice(sets: Iterable[ExerciseSet], most: int = 2) -> list[str]:
    """What to change: the cue that was broken most often first, each once for all sets.

    A sentence begins with "Perhaps" unless `is_clear`.
    """
    fired = [cue for exercise_set in sets for cue in exercise_set.cues if cue.fired]
    fired.sort(key=lambda cue: (not is_clear(cue), -cue.share))
    sentences: dict[str, str] = {}
    for cue in fired:
        sentences.setdefault(cue.sentence, cue.sentence if is_clear(cue) else f"Perhaps {lower_first(cue.sentence)}")
    return list(sentences.values())[:most]


def is_clear(finding: CueFinding) -> bool:
    """Whether most repetitions broke the cue by more than the measuring error."""
    return finding.share >= CLEAR_SHARE and abs(finding.value - finding.threshold) >= CLEAR_BY.get(finding.unit, 0.0)


def lower_first(sentence: str) -> str:
    """The sentence with a lower-case initial, to follow other words."""
    return sentence[0].lower() + sentence[1:]


def newest_cue(exercise_set: ExerciseSet, silent: Collection[str] = ()) -> CueFinding | None:
    """The cue to give during a set: one that at least two of the latest repetitions, or judgements of a hold, broke.

    silent: names of cues that are not given now. Returns None if there is nothing to say.
    """
    last = tuple(replace(one, values=one.values[-LIVE_LAST:]) for one in exercise_set.measurements)
    judged = len(last[0].values) if last else 0
    broken = [
        finding
        for finding in judge_cues(replace(exercise_set, measurements=last))
        if finding.cue not in silent and finding.fired and round(finding.share * judged) >= LIVE_LEAST
    ]
    return max(broken, key=lambda finding: finding.share, default=None)


def judge_cues(exercise_set: ExerciseSet) -> Iterable[CueFinding]:
    """Each cue of the exercise that can be judged from this view, broken or not."""
    if exercise_set.exercise is None:
        return
    cues = {cue.name: cue for cue in catalog().described(exercise_set.exercise).cues}
    for measurement in exercise_set.measurements:
        cue = cues[measurement.cue]
        values = [value for value in measurement.values if value is not None]
        if not values or len(values) < JUDGED_FROM * len(measurement.values):
            continue
        broken = [value for value in values if _breaks(cue, value)]
        share = len(broken) / len(values)
        fired = share >= SAID_FROM
        value = float(np.median(broken if fired else values))
        yield CueFinding(cue.name, fired, share, value, cue.threshold, cue.unit, cue.sentence, cue.source)


def _breaks(cue: Cue, value: float) -> bool:
    return (cue.at_least is not None and value < cue.at_least) or (cue.at_most is not None and value > cue.at_most)


def score(exercise_set: ExerciseSet) -> SetScore | None:
    """The score of a set; None without a repetition or hold, and if there is nothing to judge it by."""
    parts = [part for part in _parts(exercise_set) if part is not None]
    if not parts:
        return None
    total_weight = sum(part.weight for part in parts)
    weighted = tuple(replace(part, weight=part.weight / total_weight) for part in parts)
    return SetScore(round(sum(part.points * part.weight for part in weighted)), weighted)


def _parts(exercise_set: ExerciseSet) -> Iterable[ScorePart | None]:
    if exercise_set.exercise is None:
        return
    if exercise_set.held_s is not None:
        yield _form_part(exercise_set)
        yield _steadiness_part(exercise_set)
        return
    if not exercise_set.repetitions:
        return
    yield _range_part(exercise_set)
    yield _form_part(exercise_set)
    if catalog().described(exercise_set.exercise).counted != "cadence":  # those are quick on purpose
        yield _tempo_part(exercise_set)
    yield _consistency_part(exercise_set)
    yield _symmetry_part(exercise_set)


def _range_part(exercise_set: ExerciseSet) -> ScorePart | None:
    reached = exercise_set.range_of_motion_deg
    signal = catalog().described(exercise_set.exercise).signal
    if reached is None or signal is None:
        return None
    reason = f"{reached:.0f} degrees of {signal.measure}; a full repetition is about {signal.full_deg:.0f}"
    return _part("range of motion", reached / signal.full_deg, reason)


def _form_part(exercise_set: ExerciseSet) -> ScorePart | None:
    timed = {c.name for c in catalog().described(exercise_set.exercise).cues if c.measure == TIMED}
    judged = [finding for finding in exercise_set.cues if finding.cue not in timed]
    if not judged:
        return None
    broken = [finding.cue for finding in judged if finding.fired]
    kept = 1 - sum(finding.share for finding in judged) / len(judged)
    reason = f"to work on: {', '.join(broken)}" if broken else f"all {len(judged)} points that this view shows"
    return _part("form", kept, reason)


def _tempo_part(exercise_set: ExerciseSet) -> ScorePart:
    eccentric_s = exercise_set.eccentric_s
    reason = f"{eccentric_s:.1f} s on the way that the muscle lengthens; {CONTROLLED_S:.0f} s and more is controlled"
    return _part("tempo", (eccentric_s - DROPPED_S) / (CONTROLLED_S - DROPPED_S), reason)


def _steadiness_part(exercise_set: ExerciseSet) -> ScorePart | None:
    curve = exercise_set.curve
    held = [
        value
        for time_s, value in zip(curve.times_s, curve.values, strict=True)
        if exercise_set.start_s <= time_s <= exercise_set.end_s
    ]
    if len(held) < 2:
        return None
    moved_deg = float(np.std(held))
    reason = f"the {exercise_set.signal} varies by {moved_deg:.0f} degrees"
    return _part("steadiness", (SHAKY_DEG - moved_deg) / (SHAKY_DEG - STILL_DEG), reason)


def _consistency_part(exercise_set: ExerciseSet) -> ScorePart | None:
    repetitions = exercise_set.repetitions
    if len(repetitions) < 3:
        return None
    variations = [_variation([r.end_s - r.start_s for r in repetitions])]
    ranges = [r.range_of_motion_deg for r in repetitions if r.range_of_motion_deg is not None]
    if len(ranges) >= 3:
        variations.append(_variation(ranges))
    variation = float(np.mean(variations))
    return _part(
        "consistency", (ERRATIC - variation) / (ERRATIC - STEADY), f"repetitions differ by {variation:.0%} on average"
    )


def _symmetry_part(exercise_set: ExerciseSet) -> ScorePart | None:
    difference, reached = exercise_set.difference_deg, exercise_set.range_of_motion_deg
    # From the side, one arm hides the other, whose landmarks are guesses.
    if difference is None or not reached or exercise_set.view not in ("front", "back") or exercise_set.side != "both":
        return None
    share = abs(difference) / reached
    side = "left" if difference > 0 else "right"
    reason = f"the {side} side moves {abs(difference):.0f} degrees further" if share > EVEN else "both sides move alike"
    return _part("symmetry", (UNEVEN - share) / (UNEVEN - EVEN), reason)


def _variation(values: list[float]) -> float:
    return float(np.std(values) / np.mean(values))


def _part(name: str, share: float, reason: str) -> ScorePart:
    return ScorePart(name, 100 * float(np.clip(share, 0, 1)), WEIGHTS[name], reason)
