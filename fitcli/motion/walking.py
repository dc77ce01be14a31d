"""Walking: steps repeat as repetitions do, and no exercise of the catalogue consists of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fitcli.motion.body import RATE_HZ, Body
from fitcli.motion.cycles import Half, find_cycles
from fitcli.motion.measures import MIXED, SIDES, SPACES, joint_angle, principal_component, side_visibility, trunk_angle

MINIMUM_STEP_M = {"image": 0.2, "world": 0.35}
"""Least change of the distance between the ankles in a step; depth drifts while people stand."""
LONGEST_STEP_S = 1.2
STRAIGHT_DEG = 125.0
"""Angle that the standing leg and the trunk keep while walking, but not in seated and lying leg exercises."""
UPRIGHT_DEG = 30.0
"""Trunk angle from which a person can walk: not in a mountain climber, nor on the back."""
BENT_DEG = 110.0
"""Angle of both knees at the bottom of a lunge, which a step never reaches."""
BARELY_SEEN = 0.05
"""Visibility of hips and ankles below which walking cannot be recognised."""
MOSTLY = 0.7
"""Share of a step in which the standing leg is straight."""
CLEAR_STEPS = 0.1
"""Least clarity of the cycles of steps."""
SWAY = 0.5
"""Largest movement of the hips relative to the feet, as a share of that of the feet relative to each other."""
STRIDE_GAP_S = 1.0
"""Longest pause between two steps of one walk."""


def walking(body: Body) -> npt.NDArray[np.bool_]:
    """(M,) True while the person walks: the feet alternate and one leg is always straight under the trunk."""
    steps = np.zeros(len(body), dtype=bool)
    if len(body) < RATE_HZ or min(side_visibility(body, ("hip", "ankle")).values()) < BARELY_SEEN:
        return steps
    for space in SPACES:
        apart = body.points(space, "left ankle") - body.points(space, "right ankle")
        together = body.points(space, "ankle") - body.points(space, "hip")
        # in squats and dips the feet stand still, and the hips move
        if together.std(0).max() > SWAY * apart.std(0).max():
            continue
        knee, hip = (
            np.maximum(*(joint_angle(body, space, measure, side) for side in SIDES))
            for measure in ("knee angle", "hip angle")
        )
        upright = trunk_angle(body, space) >= UPRIGHT_DEG
        straight = upright & (knee >= STRAIGHT_DEG) & (hip >= STRAIGHT_DEG)
        # the distance shows steps in any direction, the principal component shows them from the front too
        for separation in (np.linalg.norm(apart, axis=1), principal_component(apart)):
            cycles = find_cycles(separation, MINIMUM_STEP_M[space])
            if cycles.count < 2 or cycles.clarity < CLEAR_STEPS:
                continue
            for half in cycles.halves:
                span = slice(half.start, half.end + 1)
                quick = (half.end - half.start) / RATE_HZ < LONGEST_STEP_S
                if quick and straight[span].mean() >= MOSTLY and not _sideways(body, half):
                    steps[span] = True
    return _closed(steps, round(STRIDE_GAP_S * RATE_HZ))


def knees_bent(body: Body) -> npt.NDArray[np.bool_]:
    """(M,) True where both knees bend further than in any step."""
    straighter = np.maximum(*(joint_angle(body, MIXED, "knee angle", side) for side in SIDES))
    return np.asarray(straighter < BENT_DEG)


def _sideways(body: Body, half: Half) -> bool:
    """Whether the feet move apart along the line of the hips, as in a jumping jack, not across it, as in a step."""
    apart = body.points("world", "left ankle") - body.points("world", "right ankle")
    hips = body.points("world", "left hip") - body.points("world", "right hip")
    axis = hips[half.start : half.end + 1].mean(0)
    axis /= max(float(np.linalg.norm(axis)), 1e-9)
    parted = apart[half.end] - apart[half.start]
    along = float(parted @ axis)
    return abs(along) > float(np.linalg.norm(parted - along * axis))


def _closed(mask: npt.NDArray[np.bool_], longest: int) -> npt.NDArray[np.bool_]:
    """The mask with gaps of up to `longest` samples filled."""
    on = np.flatnonzero(mask)
    filled = mask.copy()
    for before, after in pairwise(on):
        if after - before <= longest:
            filled[before:after] = True
    return filled
