"""Walking: steps are the one everyday movement that repeats as exercise does, and no exercise here is made of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fitcli.motion.body import RATE_HZ, Body
from fitcli.motion.cycles import Half, find_cycles
from fitcli.motion.measures import MIXED, SIDES, SPACES, joint_angle, principal_component, side_visibility, trunk_angle

MINIMUM_STEP_M = {"image": 0.2, "world": 0.35}
"""The ankles part and meet, or pass each other, by at least this much; depth wanders while people stand."""
LONGEST_STEP_S = 1.2
STRAIGHT_DEG = 125.0
"""The standing leg and the trunk above it stay this straight while walking; seated and lying leg exercises do not."""
UPRIGHT_DEG = 30.0
"""Trunk above the horizontal from which somebody can be on foot: not in a mountain climber or on their back."""
BENT_DEG = 110.0
"""Both knees bend this far at the bottom of a lunge, never in a step."""
BARELY_SEEN = 0.05
MOSTLY = 0.7
CLEAR_STEPS = 0.1
SWAY = 0.5
"""Hips move against the feet by at most this share of what the feet move against each other."""
STRIDE_GAP_S = 1.0
"""Steps further apart than this are two walks."""


def walking(body: Body) -> npt.NDArray[np.bool_]:
    """(M,) True where the person walks: the feet take turns while one leg is always straight under the trunk."""
    steps = np.zeros(len(body), dtype=bool)
    if len(body) < RATE_HZ or min(side_visibility(body, ("hip", "ankle")).values()) < BARELY_SEEN:
        return steps
    for space in SPACES:
        apart = body.points(space, "left ankle") - body.points(space, "right ankle")
        together = body.points(space, "ankle") - body.points(space, "hip")
        # in squats and dips the feet stand still against each other and move together against the hips
        if together.std(0).max() > SWAY * apart.std(0).max():
            continue
        knee, hip = (
            np.maximum(*(joint_angle(body, space, measure, side) for side in SIDES))
            for measure in ("knee angle", "hip angle")
        )
        upright = trunk_angle(body, space) >= UPRIGHT_DEG
        straight = upright & (knee >= STRAIGHT_DEG) & (hip >= STRAIGHT_DEG)
        # the distance shows steps whichever way the walker turns, the direction shows them also from the front
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
    """Whether the feet part along the line of the hips, as in a jumping jack, and not across it, as in a step."""
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
