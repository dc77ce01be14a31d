"""How people move in each exercise of the catalogue: key poses as joint angles, in variants, as data for `synthetic`.

One angle stays (a number) or goes from the start of a repetition to its turning point and back (a pair). Degrees:

| angle | of | 0 is | positive |
|---|---|---|---|
| lean | pelvis | upright | forward; 90 lies prone, -90 supine |
| curve, tip, twist | chest on pelvis | straight | rounded forward; to the left; turned to the left |
| nod | head on chest | straight | chin down |
| hip | thigh on pelvis | in line with the trunk | flexed |
| spread, splay | thigh on pelvis | parallel | out to the side; turned outwards about the trunk's axis |
| knee | shin on thigh | straight | flexed |
| ankle | foot on shin | square | toes pointed; a flat foot ignores it |
| lift, plane | upper arm on chest | hanging; forwards | up, in a plane that turns outwards (90 is sideways) |
| spin | upper arm about itself | a bent elbow points the hand the lifted plane's way up | hand outwards |
| elbow | forearm on upper arm | straight | flexed |

lift, plane and spin are the ISB's elevation, plane of elevation, axial rotation (Wu et al., J. Biomechanics 38, 2005).
The values are textbook technique (NSCA, "Exercise Technique Manual for Resistance Training") corrected by eye against
the landmarks of real videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Angle = float | tuple[float, float]
Angles = Mapping[str, Angle]

PinnedPoint = Literal["ankles", "toes", "knees", "hips", "wrists", "shoulders"]
HeldLimb = Literal["", "hands", "feet"]
Sides = Literal["both", "alternate", "one"]


@dataclass(frozen=True)
class Movement:
    """One variant of an exercise.

    angles: by name as above; what is left out is as in `STANDING`.
    pinned: what stays where it is in the room. held: limbs whose ends stay too, by inverse kinematics, as the feet
    of pinned ankles and the hands of pinned wrists do.
    sides: who moves: both limbs, left and right in turn (each counts as a repetition), or one of them alone.
    flat_feet: the soles are level.
    repetition_s: the usual shortest and longest duration of a repetition.
    trailing: angles of the limbs that do something else, as the back leg of a lunge.
    """

    name: str
    angles: Angles
    pinned: PinnedPoint = "ankles"
    held: HeldLimb = ""
    sides: Sides = "both"
    flat_feet: bool = True
    repetition_s: tuple[float, float] = (1.3, 4.5)
    trailing: Angles = field(default_factory=dict)


STANDING: Angles = MappingProxyType(
    {
        "lean": 2, "curve": 2, "tip": 0, "twist": 0, "nod": 5,
        "hip": 2, "spread": 2, "splay": 8, "knee": 6, "ankle": 0,
        "lift": 7, "plane": 65, "spin": -14, "elbow": 18,
    }
)  # fmt: skip

_SPLIT_STANCE = {"lean": 12, "hip": 18, "knee": 14, "spread": 7}
_SEATED = {"lean": -5, "curve": 4, "hip": 86, "splay": 10, "knee": 86, "spread": 0}
_ON_BENCH = {"lean": -88, "curve": 2, "nod": 8, "hip": 4, "spread": 14, "splay": 6, "knee": 82}
_ON_INCLINE = {"lean": -48, "curve": 2, "nod": 8, "hip": 50, "spread": 6, "splay": 16, "knee": 82}
_ON_FLOOR = {"lean": -90, "curve": 0, "nod": 8, "spread": -1, "splay": 3, "ankle": 25}
_HANGING = {"lean": -2, "curve": 0, "spread": -1, "splay": 3, "ankle": 25, "lift": 168, "plane": 70, "elbow": 8}

_SQUATTING = {"lean": (3, 32), "curve": (2, 4), "nod": (2, -12), "hip": (3, 112), "knee": (6, 106), "splay": (12, 20)}
_BAR_ON_BACK = {"lift": 42, "plane": 128, "spin": 68, "elbow": 128}
_RACKED = {"lift": 48, "plane": 14, "spin": -22, "elbow": 138}

_HANDS_ON_HIPS_BAR = {"lift": 6, "plane": 60, "elbow": 14, "spin": -14}
_ARMS_ALONG = {"lift": 14, "plane": 75, "elbow": 10}
_HANDS_AT_SEAT = {"lift": 14, "plane": 112, "elbow": 28, "spin": -12}

_HANDS_AT_HEAD = {"lift": 110, "plane": 80, "elbow": 125, "spin": 70}
_ARMS_CROSSED = {"lift": 36, "plane": 14, "elbow": 116, "spin": -60}
_HANDS_ON_HIPS = {"lift": 34, "plane": 100, "elbow": 92, "spin": -48}
_KNEES_UP = {"lean": -90, "curve": 0, "nod": 10, "hip": 48, "spread": 2, "splay": 4, "knee": 96}
_IN_PLANK = {
    "lean": 73, "curve": 0, "nod": -14, "hip": 5, "knee": 4, "spread": 0, "splay": 2, "lift": 71, "plane": 16,
    "elbow": 6, "spin": -14,
}  # fmt: skip
_ON_FOURS = {
    "lean": 84, "curve": 0, "nod": -14, "hip": 86, "knee": 88, "ankle": 30, "spread": 0, "splay": 2, "lift": 82,
    "plane": 8, "elbow": 5, "spin": -14,
}  # fmt: skip
_LUNGE_BACK_LEG: Angles = {"hip": (-8, -14), "knee": (18, 92), "ankle": -20}
_STEP_BACK_LEG: Angles = {"hip": (3, -16), "knee": (6, 90), "ankle": -20}

MOVEMENTS: Mapping[str, tuple[Movement, ...]] = MappingProxyType(
    {
        "bench press": (
            Movement("barbell", _ON_BENCH | {
                "lift": (86, 62), "plane": (18, 76), "elbow": (7, 102), "spin": (-40, -12)}, "hips"),
            Movement("narrow grip", _ON_BENCH | {
                "lift": (84, 26), "plane": (6, 40), "elbow": (8, 100), "spin": (-20, 0)}, "hips"),
            Movement("dumbbells", _ON_BENCH | {
                "lift": (86, 60), "plane": (14, 88), "elbow": (10, 92), "spin": (-40, 0)}, "hips"),
            Movement("incline", _ON_INCLINE | {
                "lift": (96, 56), "plane": (14, 76), "elbow": (8, 108), "spin": (-35, -6)}, "hips"),
            Movement("incline dumbbells", _ON_INCLINE | {
                "lift": (98, 52), "plane": (16, 88), "elbow": (10, 98), "spin": (-40, 4)}, "hips"),
        ),
        "bicep curl": (
            Movement("standing", {
                "lift": (8, 18), "plane": (40, 22), "elbow": (14, 136), "spin": 4, "lean": (3, -2)}),
            Movement("barbell", {
                "lift": (8, 24), "plane": (30, 14), "elbow": (12, 132), "spin": 8, "lean": (4, -4)}),
            Movement("hammer", {
                "lift": (7, 14), "plane": (50, 25), "elbow": (14, 130), "spin": -4}),
            Movement("alternating", {
                "lift": (8, 22), "plane": (45, 20), "elbow": (14, 134), "spin": 4}, sides="alternate"),
            Movement("one arm", {
                "lift": (8, 20), "plane": (40, 20), "elbow": (14, 134), "spin": 4}, sides="one"),
            Movement("seated", _SEATED | {
                "lift": (9, 20), "plane": (40, 22), "elbow": (15, 134), "spin": 4}, "hips"),
            Movement("incline seated", _SEATED | {
                "lean": -32, "hip": 62, "lift": (-14, 6), "plane": -20, "elbow": (12, 128), "spin": 4}, "hips"),
            Movement("preacher", _SEATED | {
                "lean": 10, "curve": 10, "hip": 92, "lift": 52, "plane": 5, "elbow": (16, 122), "spin": -4}, "hips"),
        ),
        "chest fly machine": (
            Movement("seated machine", _SEATED | {
                "lift": (78, 54), "plane": (96, 20), "elbow": (24, 36), "spin": (6, -74)}, "hips"),
            Movement("pec deck", _SEATED | {
                "lift": (76, 62), "plane": (94, 26), "elbow": 88, "spin": (88, 24)}, "hips"),
            Movement("standing cable", _SPLIT_STANCE | {
                "lift": (74, 44), "plane": (98, 16), "elbow": (30, 30), "spin": (2, -70)}),
            Movement("high to low cable", _SPLIT_STANCE | {
                "lean": 20, "hip": 26, "lift": (84, 30), "plane": (92, 18), "elbow": (30, 22), "spin": (0, -62)}),
            Movement("low to high cable", _SPLIT_STANCE | {
                "lean": 4, "hip": 10, "lift": (24, 72), "plane": (100, 8), "elbow": (22, 26), "spin": (0, -50)}),
            Movement("lying dumbbell", _ON_BENCH | {
                "lift": (78, 66), "plane": (14, 92), "elbow": (14, 36), "spin": (-66, 0)}, "hips"),
            Movement("incline dumbbell", _ON_INCLINE | {
                "lift": (86, 58), "plane": (14, 90), "elbow": (14, 36), "spin": (-70, 0)}, "hips"),
        ),
        "deadlift": (
            Movement("conventional", {
                "lean": (58, 0), "curve": (10, 0), "nod": (-22, 4), "hip": (108, 2), "knee": (68, 4),
                "lift": (62, 10), "plane": (0, 10), "elbow": 8, "spin": -14}),
            Movement("sumo", {
                "lean": (46, 0), "curve": (8, 0), "nod": (-18, 4), "hip": (98, 4), "knee": (72, 6), "spread": 16,
                "splay": (44, 34), "lift": (50, 10), "plane": (0, 20), "elbow": 6, "spin": -12}),
            Movement("romanian", {
                "lean": (1, 66), "curve": (0, 10), "nod": (4, -14), "hip": (3, 84), "knee": (8, 22),
                "lift": (10, 70), "plane": (15, 0), "elbow": 8, "spin": -14}),
            Movement("stiff-leg dumbbells", {
                "lean": (1, 74), "curve": (0, 16), "nod": (4, -6), "hip": (3, 82), "knee": (6, 10),
                "lift": (8, 80), "plane": (40, 5), "elbow": 12, "spin": -12}),
            Movement("trap bar", {
                "lean": (44, 0), "curve": (8, 0), "nod": (-20, 4), "hip": (104, 2), "knee": (82, 5),
                "lift": (46, 8), "plane": (24, 70), "elbow": 6, "spin": -5}),
        ),
        "hip thrust": (
            Movement("on a bench", _HANDS_ON_HIPS_BAR | {
                "lean": (-46, -88), "curve": (10, 4), "nod": (22, 40), "hip": (72, 14), "knee": (112, 112),
                "spread": 10, "splay": 8}, "shoulders", "feet"),
            Movement("on a bench, hands at the chest", {
                "lean": (-48, -86), "curve": (8, 4), "nod": (15, 34), "hip": (70, 12), "knee": (108, 106), "spread": 8,
                "splay": 8, "lift": 30, "plane": 25, "elbow": 120, "spin": -50}, "shoulders", "feet"),
            Movement("elbows on the bench", {
                "lean": (-44, -84), "curve": (8, 4), "nod": (15, 34), "hip": (72, 14), "knee": (112, 112), "spread": 8,
                "splay": 8, "lift": (-40, -26), "plane": -60, "elbow": 70, "spin": 20}, "shoulders", "feet"),
            Movement("bridge on the floor", {
                "lean": (-88, -118), "curve": (0, 6), "nod": (8, 26), "hip": (50, 12), "knee": (118, 104), "spread": 4,
                "splay": 6, "lift": (4, -26), "plane": 10, "elbow": 10}, "shoulders", "feet"),
            Movement("bridge, arms beside", _ON_FLOOR | {
                "lean": (-86, -112), "curve": (0, 4), "nod": (10, 24), "hip": (52, 8), "knee": (122, 110), "spread": 3,
                "splay": 6, "lift": (-4, -30), "plane": 0, "elbow": 12}, "shoulders", "feet"),
        ),
        "lat pulldown": (
            Movement("wide", _SEATED | {
                "lean": (-6, -18), "lift": (144, 44), "plane": (80, 70), "elbow": (14, 112), "spin": (64, 70),
                "nod": (-8, -4)}, "hips"),
            Movement("narrow", _SEATED | {
                "lean": (-4, -20), "lift": (146, 22), "plane": (18, 14), "elbow": (14, 118), "spin": -8,
                "nod": (-10, -4)}, "hips"),
            Movement("underhand", _SEATED | {
                "lean": (-5, -16), "lift": (148, 20), "plane": (36, 34), "elbow": (12, 128), "spin": 10,
                "nod": (-8, -2)}, "hips"),
            Movement("behind the neck", _SEATED | {
                "lean": (6, 10), "lift": (144, 48), "plane": (90, 96), "elbow": (16, 116), "spin": (78, 88),
                "nod": (8, 20)}, "hips"),
            Movement("kneeling or standing", {
                "lean": (8, -4), "hip": (10, 4), "knee": (18, 12), "lift": (142, 32), "plane": (56, 50),
                "elbow": (14, 118), "spin": (40, 50)}),
        ),
        "lateral raise": (
            Movement("standing", {
                "lift": (10, 96), "plane": (58, 70), "elbow": (18, 16), "spin": (0, 2), "lean": 3}),
            Movement("bent arms", {
                "lift": (12, 94), "plane": (62, 72), "elbow": (40, 46), "spin": (0, 10)}),
            Movement("seated", _SEATED | {
                "lift": (12, 94), "plane": (62, 72), "elbow": (20, 18), "spin": (0, 2)}, "hips"),
            Movement("machine", _SEATED | {
                "lift": (16, 90), "plane": (76, 80), "elbow": 86, "spin": 0}, "hips"),
            Movement("one arm cable", {
                "lift": (6, 94), "plane": (40, 72), "elbow": (16, 18), "tip": 4}, sides="one"),
            Movement("partial range", {
                "lift": (18, 78), "plane": (74, 78), "elbow": (22, 24), "spin": 0}, repetition_s=(1.0, 3.0)),
        ),
        "leg extension": (
            Movement("machine", _SEATED | _HANDS_AT_SEAT | {
                "lean": -18, "hip": 64, "knee": (94, 10), "ankle": -5}, "hips", flat_feet=False),
            Movement("upright", _SEATED | _HANDS_AT_SEAT | {
                "lean": -6, "hip": 76, "knee": (90, 16), "ankle": 0}, "hips", flat_feet=False),
            Movement("reclined", _SEATED | _HANDS_AT_SEAT | {
                "lean": -28, "hip": 56, "knee": (100, 6), "ankle": -8}, "hips", flat_feet=False),
            Movement("one leg", _SEATED | _HANDS_AT_SEAT | {
                "lean": -16, "hip": 66, "knee": (92, 10), "ankle": -2}, "hips", sides="one", flat_feet=False),
            Movement("alternating", _SEATED | _HANDS_AT_SEAT | {
                "lean": -12, "hip": 72, "knee": (90, 12), "ankle": 0}, "hips", sides="alternate", flat_feet=False),
        ),
        "leg raises": (
            Movement("lying", _ON_FLOOR | _ARMS_ALONG | {
                "hip": (12, 88), "knee": (14, 18)}, "shoulders", flat_feet=False),
            Movement("lying, hands at the head", _ON_FLOOR | {
                "hip": (14, 86), "knee": (18, 24), "lift": 110, "plane": 80, "elbow": 125, "spin": 70, "nod": 24},
                "shoulders", flat_feet=False),
            Movement("lying, hips lifted", _ON_FLOOR | _ARMS_ALONG | {
                "lean": (-90, -104), "curve": (0, 16), "hip": (14, 98), "knee": (14, 20)},
                "shoulders", flat_feet=False),
            Movement("alternating", _ON_FLOOR | _ARMS_ALONG | {
                "hip": (10, 76), "knee": (8, 10)}, "shoulders", sides="alternate", flat_feet=False),
            Movement("hanging", _HANGING | {
                "lean": (-2, -12), "curve": (0, 8), "hip": (-2, 86), "knee": (6, 10)}, "wrists", flat_feet=False),
            Movement("hanging knees", _HANGING | {
                "lean": (-2, -14), "curve": (0, 10), "hip": (-2, 100), "knee": (10, 96)}, "wrists", flat_feet=False),
            Movement("captain's chair", {
                "lean": (0, -8), "curve": (2, 10), "hip": (0, 88), "knee": (10, 30), "spread": -1, "splay": 3,
                "ankle": 20, "lift": 12, "plane": 20, "elbow": 88, "spin": 0}, "wrists", flat_feet=False),
            Movement("seated on a bench", _ARMS_ALONG | {
                "lean": (-42, -30), "curve": 12, "hip": (48, 92), "knee": (12, 84), "ankle": 20,
                "lift": -24, "plane": 0}, "hips", flat_feet=False),
        ),
        "push-up": (
            Movement("standard", {
                "lean": (70, 85), "curve": 0, "nod": -18, "hip": 4, "knee": 3, "spread": 0, "splay": 2,
                "lift": (70, 40), "plane": (16, 58), "elbow": (6, 96), "spin": (-14, -6)}, "toes", "hands",
                flat_feet=False, repetition_s=(0.9, 3.5)),
            Movement("wide", {
                "lean": (72, 85), "curve": 0, "nod": -14, "hip": 5, "knee": 3, "spread": 0, "splay": 2,
                "lift": (68, 56), "plane": (30, 82), "elbow": (8, 92), "spin": (-20, -10)}, "toes", "hands",
                flat_feet=False, repetition_s=(0.9, 3.5)),
            Movement("narrow", {
                "lean": (69, 84), "curve": 0, "nod": -14, "hip": 4, "knee": 3, "spread": 0, "splay": 2,
                "lift": (68, 14), "plane": (2, 40), "elbow": (6, 104), "spin": (-30, -12)}, "toes", "hands",
                flat_feet=False, repetition_s=(0.9, 3.5)),
            Movement("on the knees", {
                "lean": (58, 82), "curve": 0, "nod": -16, "hip": 6, "knee": 66, "ankle": 30, "spread": 0, "splay": 2,
                "lift": (70, 42), "plane": (16, 62), "elbow": (6, 96), "spin": (-14, -6)}, "knees", "hands",
                flat_feet=False, repetition_s=(0.9, 3.5)),
            Movement("incline", {
                "lean": (46, 62), "curve": 0, "nod": -10, "hip": 4, "knee": 3, "spread": 0, "splay": 2,
                "lift": (66, 32), "plane": (16, 56), "elbow": (7, 100), "spin": (-14, -6)}, "toes", "hands",
                flat_feet=False, repetition_s=(0.9, 3.5)),
            Movement("feet raised", {
                "lean": (88, 100), "curve": 0, "nod": -24, "hip": 4, "knee": 3, "spread": 0, "splay": 2,
                "lift": (78, 46), "plane": (16, 62), "elbow": (6, 98), "spin": (-14, -6)}, "toes", "hands",
                flat_feet=False, repetition_s=(0.9, 3.5)),
        ),
        "russian twist": (
            Movement("feet up, hands together", {
                "lean": -36, "curve": 16, "nod": 6, "hip": 76, "knee": 68, "ankle": 10, "spread": -2, "splay": 4,
                "twist": (30, -30), "lift": 44, "plane": 2, "elbow": 62, "spin": -30}, "hips", flat_feet=False),
            Movement("feet down, hands together", {
                "lean": -34, "curve": 14, "nod": 6, "hip": 72, "knee": 84, "spread": -1, "splay": 6,
                "twist": (28, -28), "lift": 42, "plane": 2, "elbow": 66, "spin": -30}, "hips"),
            Movement("weight, arms long", {
                "lean": -38, "curve": 14, "nod": 6, "hip": 74, "knee": 66, "ankle": 10, "spread": -2, "splay": 4,
                "twist": (34, -34), "lift": 74, "plane": -4, "elbow": 26, "spin": -42}, "hips", flat_feet=False),
            Movement("touching the floor", {
                "lean": -34, "curve": 18, "nod": 4, "hip": 76, "knee": 76, "ankle": 10, "spread": -2, "splay": 4,
                "twist": (40, -40), "lift": 32, "plane": 4, "elbow": 48, "spin": -34}, "hips", flat_feet=False),
        ),
        "shoulder press": (
            Movement("standing dumbbells", {
                "lift": (62, 158), "plane": (46, 54), "elbow": (112, 16), "spin": (42, 50), "nod": 0}),
            Movement("standing barbell", {
                "lift": (46, 162), "plane": (34, 52), "elbow": (126, 12), "spin": (28, 50),
                "lean": (-4, 1), "nod": -4}),
            Movement("seated dumbbells", _SEATED | {
                "lift": (64, 158), "plane": (54, 58), "elbow": (110, 16), "spin": (52, 54), "nod": 0}, "hips"),
            Movement("seated machine", _SEATED | {
                "lean": -12, "hip": 80, "lift": (54, 148), "plane": (48, 54), "elbow": (116, 20), "spin": (46, 54)},
                "hips"),
            Movement("arnold", _SEATED | {
                "lift": (44, 158), "plane": (8, 62), "elbow": (132, 14), "spin": (-14, 62)}, "hips"),
            Movement("one arm", {
                "lift": (60, 160), "plane": (46, 56), "elbow": (114, 14), "spin": (42, 52), "tip": 3}, sides="one"),
        ),
        "squat": (
            Movement("arms forward", _SQUATTING | {
                "lift": (12, 118), "plane": (40, 6), "elbow": (14, 10), "spin": -20}),
            Movement("bar on the back", _SQUATTING | _BAR_ON_BACK | {"lean": (5, 38), "hip": (5, 116)}),
            Movement("front rack or goblet", _SQUATTING | _RACKED | {"lean": (1, 24), "hip": (2, 106), "curve": 2}),
            Movement("hands at the chest", _SQUATTING | {"lift": 28, "plane": 22, "elbow": 118, "spin": -48}),
            Movement("dumbbells at the sides", _SQUATTING | {
                "lean": (3, 34), "hip": (3, 108), "knee": (6, 98), "lift": (8, 40), "plane": (70, 22), "elbow": 8}),
            Movement("sumo, weight at the chest", _SQUATTING | _RACKED | {
                "lean": (1, 16), "hip": (8, 92), "knee": (10, 94), "spread": 18, "splay": (36, 52)}),
            Movement("sumo, weight hanging", _SQUATTING | {
                "lean": (1, 18), "hip": (8, 88), "knee": (10, 90), "spread": 18, "splay": (36, 50), "lift": (8, 20),
                "plane": 5, "elbow": 8, "spin": -20}),
        ),
        "t bar row": (
            Movement("bent over", {
                "lean": 50, "curve": 10, "nod": -18, "hip": 84, "knee": 56, "spread": 2, "splay": 8,
                "lift": (60, -16), "plane": (4, -45), "elbow": (8, 92), "spin": -10}),
            Movement("bent over, flat back", {
                "lean": (62, 56), "curve": 6, "nod": -24, "hip": (92, 86), "knee": 54, "spread": 2, "splay": 8,
                "lift": (70, -12), "plane": (2, -40), "elbow": (8, 96), "spin": -8}),
            Movement("landmine, upright", {
                "lean": (36, 28), "curve": 12, "nod": -10, "hip": (66, 58), "knee": 48, "spread": 2, "splay": 8,
                "lift": (46, -12), "plane": (2, -40), "elbow": (10, 96), "spin": -16}),
            Movement("chest supported", {
                "lean": 44, "curve": 4, "nod": -24, "hip": 50, "knee": 38, "spread": 2, "splay": 8,
                "lift": (62, -18), "plane": (10, -60), "elbow": (8, 96), "spin": -4}),
            Movement("chest supported, wide grip", {
                "lean": 42, "curve": 4, "nod": -24, "hip": 48, "knee": 40, "spread": 2, "splay": 8,
                "lift": (66, 60), "plane": (24, 104), "elbow": (8, 92), "spin": -4}),
        ),
        "tricep pushdown": (
            Movement("bar", {
                "lean": 12, "curve": 4, "nod": 8, "hip": 14, "knee": 10, "lift": (26, 15), "plane": (25, 35),
                "elbow": (104, 12), "spin": -24}),
            Movement("rope", {
                "lean": 14, "curve": 6, "nod": 8, "hip": 16, "knee": 12, "lift": (26, 12), "plane": (20, 45),
                "elbow": (112, 8), "spin": (-26, -6)}),
            Movement("leaning over", {
                "lean": (28, 30), "curve": 8, "nod": 0, "hip": 32, "knee": 16, "lift": (40, 26), "plane": 20,
                "elbow": (100, 10), "spin": -22}),
            Movement("split stance", _SPLIT_STANCE | {
                "lean": 16, "curve": 4, "lift": (26, 14), "plane": (25, 38), "elbow": (106, 12), "spin": -22}),
            Movement("one arm", {
                "lean": 8, "curve": 4, "hip": 10, "knee": 8, "lift": (22, 12), "plane": (30, 45),
                "elbow": (108, 8), "spin": -14}, sides="one"),
        ),
        "tricep dips": (
            Movement("parallel bars", {
                "lean": (6, 16), "curve": (0, 6), "nod": (4, 0), "hip": (4, 14), "knee": 62, "spread": 3, "splay": 3,
                "ankle": 20, "lift": (18, 60), "plane": (112, 164), "elbow": (8, 92), "spin": -14}, "wrists",
                flat_feet=False),
            Movement("chest dips", {
                "lean": (18, 36), "curve": (6, 14), "nod": (0, -6), "hip": (20, 34), "knee": 78, "spread": 3,
                "splay": 3, "ankle": 20, "lift": (22, 56), "plane": (80, 144), "elbow": (10, 98), "spin": -18},
                "wrists", flat_feet=False),
            Movement("straight legs", {
                "lean": (2, 12), "curve": (0, 4), "nod": 4, "hip": (6, 14), "knee": 12, "spread": 3, "splay": 3,
                "ankle": 25, "lift": (18, 56), "plane": (114, 162), "elbow": (8, 90), "spin": -14},
                "wrists", flat_feet=False),
            Movement("bench, legs long", {
                "lean": (-10, -2), "curve": 4, "nod": 4, "hip": (62, 92), "knee": (8, 12), "spread": 3, "splay": 4,
                "ankle": 10, "lift": (28, 66), "plane": (150, 166), "elbow": (10, 88), "spin": -10}, "wrists", "feet",
                flat_feet=False),
            Movement("bench, knees bent", {
                "lean": (-8, 2), "curve": 4, "nod": 4, "hip": (74, 104), "knee": (72, 88), "spread": 4, "splay": 6,
                "lift": (26, 64), "plane": (150, 166), "elbow": (10, 86), "spin": -10}, "wrists", "feet"),
            Movement("machine", _SEATED | {
                "lean": (4, 8), "lift": (16, 54), "plane": (96, 160), "elbow": (14, 96), "spin": 0}, "hips"),
        ),
        "lunge": (
            Movement("lunge", {
                "lean": 4, "hip": (22, 86), "knee": (14, 92), "spread": 2}, "toes", trailing=_LUNGE_BACK_LEG,
                flat_feet=False),
            Movement("lunge, hands on the hips", _HANDS_ON_HIPS | {
                "lean": 4, "hip": (22, 86), "knee": (14, 92), "spread": 2}, "toes", trailing=_LUNGE_BACK_LEG,
                flat_feet=False),
            Movement("reverse lunge", {
                "lean": (2, 8), "hip": (3, 84), "knee": (6, 90)}, "toes", trailing=_STEP_BACK_LEG, flat_feet=False),
            Movement("reverse lunge, bar on the back", _BAR_ON_BACK | {
                "lean": (3, 10), "hip": (3, 84), "knee": (6, 90)}, "toes", trailing=_STEP_BACK_LEG, flat_feet=False),
            Movement("side lunge", {
                "lean": (2, 32), "hip": (3, 88), "knee": (6, 88), "spread": (4, 12), "lift": (10, 40), "plane": 10},
                "toes", trailing={"hip": (3, 34), "knee": 5, "spread": (4, 40)}),
        ),
        "pull-up": (
            Movement("pull-up", _HANGING | {
                "lean": (-2, -10), "lift": (166, 46), "plane": (80, 70), "elbow": (8, 114), "spin": (60, 70),
                "knee": 12,
                "nod": (-8, -4)}, "wrists", flat_feet=False),
            Movement("pull-up, knees bent", _HANGING | {
                "lean": (0, -8), "lift": (164, 40), "plane": (74, 66), "elbow": (10, 118), "spin": (50, 66), "knee": 84,
                "hip": 12, "nod": (-8, -4)}, "wrists", flat_feet=False),
            Movement("chin-up", _HANGING | {
                "lean": (-2, -12), "lift": (164, 22), "plane": (36, 34), "elbow": (10, 126), "spin": 10, "knee": 40,
                "nod": (-8, -4)}, "wrists", flat_feet=False),
            Movement("pull-up, narrow grip", _HANGING | {
                "lean": (-2, -10), "lift": (166, 34), "plane": (40, 36), "elbow": (8, 122), "spin": (30, 40),
                "knee": 20,
                "nod": (-8, -4)}, "wrists", flat_feet=False),
        ),
        "row": (
            Movement("bent over, barbell", {
                "lean": 58, "curve": 6, "nod": -20, "hip": 84, "knee": 34, "spread": 1, "splay": 8,
                "lift": (66, -20), "plane": (6, -50), "elbow": (8, 104), "spin": -8}),
            Movement("bent over, dumbbells", {
                "lean": 62, "curve": 6, "nod": -22, "hip": 88, "knee": 38, "spread": 1, "splay": 8,
                "lift": (70, -26), "plane": (20, -70), "elbow": (10, 98), "spin": -4}),
            Movement("one arm, knee on a bench", {
                "lean": 74, "curve": 2, "nod": -20, "hip": 88, "knee": 40, "lift": (78, -22), "plane": (6, -60),
                "elbow": (8, 100), "spin": -6}, sides="one"),
            Movement("seated cable", _SEATED | {
                "lean": (8, -8), "hip": 84, "knee": 34, "lift": (72, -16), "plane": (4, -50), "elbow": (10, 106),
                "spin": -10}, "hips", flat_feet=False),
            Movement("chest supported on an incline", {
                "lean": 52, "curve": 2, "nod": -20, "hip": 26, "knee": 34, "lift": (58, -22), "plane": (10, -66),
                "elbow": (8, 98), "spin": -4}),
            Movement("inverted, under a bar", {
                "lean": (-58, -50), "curve": 0, "nod": (10, 16), "hip": 4, "knee": 6, "ankle": 10, "lift": (92, 34),
                "plane": (30, 74), "elbow": (8, 108), "spin": 30}, "toes", "hands", flat_feet=False),
        ),
        "plank": (
            Movement("on the forearms", {
                "lean": 86, "curve": 2, "nod": -8, "hip": (3, 7), "knee": 4, "spread": 0, "splay": 2, "lift": 88,
                "plane": 10,
                "elbow": 88, "spin": -12}, "toes", flat_feet=False, repetition_s=(3.0, 8.0)),
            Movement("on the hands", _IN_PLANK | {
                "hip": (4, 7)}, "toes", "hands", flat_feet=False, repetition_s=(3.0, 8.0)),
            Movement("on the forearms, knees down", {
                "lean": 78, "curve": 2, "nod": -8, "hip": (5, 9), "knee": 62, "ankle": 30, "spread": 0, "splay": 2,
                "lift": 84, "plane": 10, "elbow": 88, "spin": -12}, "knees", flat_feet=False, repetition_s=(3.0, 8.0)),
            Movement("on the forearms, hips high", {
                "lean": 92, "curve": 4, "nod": -6, "hip": (14, 18), "knee": 4, "spread": 0, "splay": 2, "lift": 92,
                "plane": 10, "elbow": 88, "spin": -12}, "toes", flat_feet=False, repetition_s=(3.0, 8.0)),
        ),
        "crunch": (
            Movement("crunch, hands at the head", _KNEES_UP | _HANDS_AT_HEAD | {
                "curve": (0, 40), "nod": (8, 22)}, "hips", repetition_s=(1.0, 3.5)),
            Movement("crunch, arms crossed", _KNEES_UP | _ARMS_CROSSED | {
                "curve": (0, 44), "nod": (8, 22)}, "hips", repetition_s=(1.0, 3.5)),
            Movement("crunch, legs in the air", _KNEES_UP | _HANDS_AT_HEAD | {
                "hip": 92, "knee": 88, "curve": (0, 38), "nod": (8, 22)}, "hips", flat_feet=False, repetition_s=(1.0,
                3.5)),
            Movement("toe touch", _KNEES_UP | {
                "hip": 88, "knee": 8, "curve": (2, 42), "nod": (4, 12), "lift": (96, 84), "plane": 6, "elbow": 6},
                "hips",
                flat_feet=False, repetition_s=(0.8, 3.0)),
        ),
        "sit-up": (
            Movement("sit-up, hands at the head", _KNEES_UP | _HANDS_AT_HEAD | {
                "lean": (-90, -18), "curve": (2, 22), "nod": (6, 14)}, "hips"),
            Movement("sit-up, arms crossed", _KNEES_UP | _ARMS_CROSSED | {
                "lean": (-90, -14), "curve": (2, 18), "nod": (6, 12)}, "hips"),
            Movement("sit-up, arms forward", _KNEES_UP | {
                "lean": (-90, -12), "curve": (2, 24), "nod": (6, 12), "lift": (104, 76), "plane": 8, "elbow": 10},
                "hips"),
            Movement("sit-up, legs long", _ON_FLOOR | _ARMS_CROSSED | {
                "lean": (-90, -16), "curve": (2, 22), "nod": (6, 12), "hip": (4, 76), "knee": 10}, "hips",
                flat_feet=False),
        ),
        "calf raise": (
            Movement("calf raise", {"ankle": (0, 40)}, "toes", flat_feet=False, repetition_s=(0.8, 3.0)),
            Movement("calf raise, hands on a bar", {
                "ankle": (0, 40), "lift": 46, "plane": 30, "elbow": 62}, "toes", flat_feet=False, repetition_s=(0.8,
                3.0)),
            Movement("seated calf raise", _SEATED | {
                "hip": (84, 92), "ankle": (-4, 38), "lift": 30, "plane": 14, "elbow": 48}, "hips", flat_feet=False,
                repetition_s=(0.8, 3.0)),
            Movement("calf raise, dumbbells at the sides", {
                "ankle": (-4, 38), "lift": 8, "elbow": 8}, "toes", flat_feet=False, repetition_s=(1.0, 3.5)),
        ),
        "burpee": (
            Movement("burpee", {
                "lean": (2, 73), "curve": (2, 0), "nod": (4, -14), "hip": (4, 6), "knee": (8, 5), "lift": (12, 71),
                "plane": (30, 16), "elbow": (12, 8)}, "toes", flat_feet=False, repetition_s=(1.8, 4.5)),
            Movement("burpee, to the floor", {
                "lean": (2, 82), "curve": (2, 0), "nod": (4, -14), "hip": (4, 8), "knee": (8, 8), "lift": (12, 56),
                "plane": (30, 40), "elbow": (12, 84)}, "toes", flat_feet=False, repetition_s=(2.0, 5.0)),
            Movement("squat thrust", {
                "lean": (12, 66), "curve": (6, 2), "nod": (0, -12), "hip": (30, 24), "knee": (40, 30), "lift": (20, 68),
                "plane": (24, 16), "elbow": (14, 8)}, "toes", flat_feet=False, repetition_s=(1.5, 4.0)),
            Movement("burpee, arms overhead", {
                "lean": (0, 73), "curve": (0, 0), "nod": (-4, -14), "hip": (2, 6), "knee": (6, 5), "lift": (158, 71),
                "plane": (50, 16), "elbow": (14, 8)}, "toes", flat_feet=False, repetition_s=(1.8, 4.5)),
        ),
        "mountain climber": (
            Movement("mountain climber", _IN_PLANK | {
                "hip": (6, 108), "knee": (5, 112)}, "wrists", sides="alternate", flat_feet=False, repetition_s=(0.3,
                1.4)),
            Movement("slow, knee to the chest", _IN_PLANK | {
                "hip": (4, 118), "knee": (4, 122)}, "wrists", sides="alternate", flat_feet=False,
                repetition_s=(0.9, 2.2)),
            Movement("short steps, hips high", _IN_PLANK | {
                "lean": 84, "hip": (20, 84), "knee": (8, 92)}, "wrists", sides="alternate", flat_feet=False,
                repetition_s=(0.3, 0.9)),
            Movement("hands raised", _IN_PLANK | {
                "lean": 54, "lift": 62, "hip": (6, 100), "knee": (6, 106)}, "wrists", sides="alternate",
                flat_feet=False, repetition_s=(0.4, 1.4)),
        ),
        "triceps extension": (
            Movement("skull crusher", _ON_BENCH | {
                "lift": (88, 94), "plane": 6, "elbow": (8, 108), "spin": -8}, "hips"),
            Movement("overhead, both hands", {
                "lean": -2, "lift": 160, "plane": 20, "elbow": (118, 14), "spin": 6}),
            Movement("overhead, seated", _SEATED | {
                "lift": 158, "plane": 24, "elbow": (116, 14), "spin": 8}, "hips"),
            Movement("overhead, one arm", {
                "lift": (160, 164), "plane": 40, "elbow": (122, 12), "spin": 20}, sides="one"),
            Movement("overhead cable, leaning forward", _SPLIT_STANCE | {
                "lean": 34, "hip": 40, "lift": 148, "plane": 12, "elbow": (112, 12), "spin": 0}),
        ),
        "jumping jack": (
            Movement("jumping jack", {
                "spread": (1, 24), "knee": 8, "lift": (10, 152), "plane": 86, "elbow": 16, "spin": (-10, 50)}, "hips",
                repetition_s=(0.6, 1.6)),
            Movement("half jack", {
                "spread": (1, 22), "knee": 8, "lift": (10, 96), "plane": 86, "elbow": 14}, "hips",
                repetition_s=(0.6, 1.6)),
            Movement("seal jack", {
                "spread": (1, 24), "knee": 8, "lift": (84, 86), "plane": (6, 96), "elbow": 10}, "hips",
                repetition_s=(0.6, 1.6)),
            Movement("bent arms", {
                "spread": (2, 20), "knee": 12, "lift": (14, 140), "plane": 80, "elbow": (30, 44), "spin": (-10, 50)},
                "hips", repetition_s=(0.6, 1.6)),
        ),
        "bicycle crunch": (
            Movement("bicycle crunch", _ON_FLOOR | _HANDS_AT_HEAD | {
                "curve": 32, "nod": 18, "hip": (22, 104), "knee": (14, 104)}, "hips", sides="alternate",
                flat_feet=False,
                repetition_s=(0.4, 1.6)),
            Movement("slow, legs long", _ON_FLOOR | _HANDS_AT_HEAD | {
                "curve": 30, "nod": 18, "hip": (14, 110), "knee": (6, 112)}, "hips", sides="alternate",
                flat_feet=False, repetition_s=(1.0, 3.0)),
            Movement("feet high", _ON_FLOOR | _HANDS_AT_HEAD | {
                "curve": 26, "nod": 14, "hip": (44, 104), "knee": (12, 108)}, "hips", sides="alternate",
                flat_feet=False, repetition_s=(0.5, 1.8)),
            Movement("arms along the body", _ON_FLOOR | _ARMS_ALONG | {
                "curve": 14, "nod": 18, "hip": (24, 102), "knee": (16, 100)}, "hips", sides="alternate",
                flat_feet=False, repetition_s=(0.5, 1.8)),
        ),
        "front raise": (
            Movement("dumbbells", {
                "lift": (10, 92), "plane": (20, 4), "elbow": (14, 10), "spin": (-20, -20), "lean": (3, -2)}),
            Movement("alternating", {
                "lift": (10, 90), "plane": (20, 4), "elbow": (14, 10), "spin": -20}, sides="alternate"),
            Movement("plate or bar", {
                "lift": (12, 96), "plane": (4, -6), "elbow": (16, 12), "spin": -30, "lean": (3, -3)}),
            Movement("seated", _SEATED | {
                "lift": (10, 90), "plane": (22, 6), "elbow": (14, 10), "spin": -18}, "hips"),
            Movement("one arm cable", {
                "lift": (6, 92), "plane": (20, 4), "elbow": (12, 10), "spin": -20}, sides="one"),
        ),
    }
)  # fmt: skip
"""Variants of each exercise of the catalogue, each as likely as the next."""

POSTURES: tuple[Movement, ...] = (
    Movement("standing", {}),
    Movement("standing, arms crossed", {"lift": 26, "plane": 20, "elbow": 112, "spin": -62}),
    Movement("standing, hands on hips", {"lift": 34, "plane": 100, "elbow": 92, "spin": -48}),
    Movement("standing, bent forward", {"lean": 30, "hip": 40, "knee": 18, "lift": 36, "plane": 10, "elbow": 30}),
    Movement("seated", _SEATED | {"lift": 24, "plane": 15, "elbow": 52, "spin": -10}, "hips"),
    Movement("seated on the floor", {
        "lean": -14, "curve": 12, "hip": 92, "knee": 60, "lift": 40, "plane": 10, "elbow": 24}, "hips"),
    Movement("lying", _ON_FLOOR | _ARMS_ALONG | {"hip": 6, "knee": 6}, "hips", flat_feet=False),
    Movement("lying on a bench", _ON_BENCH | {"lift": 30, "plane": 30, "elbow": 60}, "hips"),
    Movement("hanging", _HANGING | {"hip": 4, "knee": 10}, "wrists", flat_feet=False),
)  # fmt: skip
"""People between exercises."""

OTHER_MOVEMENTS: tuple[Movement, ...] = (
    Movement("v-up", _ON_FLOOR | {
        "lean": (-90, -52), "curve": (0, 16), "hip": (4, 62), "knee": 8, "lift": (168, 96), "plane": 20,
        "elbow": 6}, "hips", flat_feet=False),
    Movement("flutter kick", _ON_FLOOR | _ARMS_ALONG | {
        "hip": (6, 32), "knee": 6, "nod": 20}, "hips", sides="alternate", flat_feet=False, repetition_s=(0.25, 0.8)),
    Movement("plank jack", _IN_PLANK | {"spread": (0, 22)}, "wrists", flat_feet=False, repetition_s=(0.6, 1.6)),
    Movement("shoulder tap", _IN_PLANK | {
        "lift": (71, 52), "plane": (16, -14), "elbow": (6, 116)}, "toes", sides="alternate", flat_feet=False,
        repetition_s=(0.6, 2.0)),
    Movement("high knees", {
        "lean": -2, "hip": (4, 92), "knee": (8, 96), "lift": (2, 26), "plane": 8, "elbow": 84}, "shoulders",
        sides="alternate", flat_feet=False, repetition_s=(0.25, 1.4)),
    Movement("butt kick", {
        "hip": (4, 8), "knee": (10, 112), "lift": 8, "elbow": 80}, "shoulders", sides="alternate", flat_feet=False,
        repetition_s=(0.25, 1.0)),
    Movement("face pull", _SPLIT_STANCE | {
        "lean": (4, -4), "lift": (78, 84), "plane": (8, 96), "elbow": (10, 118), "spin": (20, 74)}),
    Movement("kettlebell swing", {
        "lean": (54, -2), "curve": (6, 0), "nod": (-18, 2), "hip": (88, 0), "knee": (34, 6), "spread": 8,
        "lift": (26, 84), "plane": 0, "elbow": 8}, repetition_s=(1.0, 2.2)),
    Movement("power clean", {
        "lean": (52, 0), "curve": (8, 2), "nod": (-20, 2), "hip": (104, 4), "knee": (70, 8), "lift": (56, 46),
        "plane": (0, 14), "elbow": (8, 136), "spin": (-14, -22)}),
    Movement("snatch", {
        "lean": (52, 0), "curve": (8, 2), "nod": (-20, 2), "hip": (104, 4), "knee": (70, 8), "lift": (56, 164),
        "plane": (0, 60), "elbow": 8, "spin": (-14, 50)}),
    Movement("ball slam", {
        "lean": (0, 54), "curve": (0, 18), "hip": (4, 74), "knee": (8, 42), "lift": (168, 46), "plane": (20, 2),
        "elbow": (18, 14)}, repetition_s=(1.0, 3.0)),
    Movement("kickback", {
        "lean": 54, "curve": 4, "nod": -14, "hip": 60, "knee": 24, "lift": -10, "plane": 0, "elbow": (94, 8)}),
    Movement("kickback, one arm", {
        "lean": 60, "curve": 4, "nod": -14, "hip": 66, "knee": 24, "lift": -8, "plane": 0, "elbow": (94, 8)},
        sides="one"),
    Movement("side bend", {"tip": (-6, 28), "lift": 6, "elbow": 10}),
    Movement("wood chop", {
        "lean": (0, 24), "hip": (6, 34), "knee": (10, 30), "twist": (30, -34), "lift": (128, 40), "plane": 2,
        "elbow": 14}),
    Movement("superman", {
        "lean": 90, "curve": (0, -30), "nod": (-6, -22), "hip": (2, -16), "knee": 8, "ankle": 30, "lift": (158, 176),
        "plane": 50, "elbow": 8}, "hips", flat_feet=False),
    Movement("bird dog", _ON_FOURS | {
        "hip": (86, -4), "knee": (88, 8)}, "wrists", sides="alternate", flat_feet=False),
    Movement("donkey kick", _ON_FOURS | {"hip": (86, -12)}, "wrists", sides="one", flat_feet=False),
    Movement("fire hydrant", _ON_FOURS | {"splay": (2, 62)}, "wrists", sides="one", flat_feet=False),
    Movement("leg swing to the front", {
        "hip": (-22, 62), "knee": 8, "spread": 2}, "shoulders", sides="one", flat_feet=False,
        repetition_s=(0.7, 2.2)),
    Movement("leg swing to the side", {
        "spread": (-14, 44), "knee": 6}, "shoulders", sides="one", flat_feet=False, repetition_s=(0.7, 2.2)),
    Movement("standing kickback", {
        "lean": 14, "hip": (12, -22), "knee": 10, "lift": 48, "plane": 12, "elbow": 50}, "shoulders", sides="one",
        flat_feet=False),
    Movement("hip abductor", _SEATED | _HANDS_AT_SEAT | {"splay": (2, 38)}, "hips"),
    Movement("hip adductor", _SEATED | _HANDS_AT_SEAT | {"splay": (38, 2)}, "hips"),
    Movement("punch", _SPLIT_STANCE | {
        "lift": (30, 84), "plane": (12, 2), "elbow": (128, 12), "spin": -24}, sides="alternate",
        repetition_s=(0.35, 1.3)),
)  # fmt: skip
"""What people train that is none of the catalogue's exercises, each as likely as the next."""
