"""Whether the whole body is in the picture, and what to do if it is not."""

from __future__ import annotations

from collections import Counter

from fitcli.pose.track import LANDMARKS, FloatArray, PoseTrack

EDGE = 0.01
"""Share of the picture by which a landmark must lie outside to count as outside: about the jitter of landmarks."""

SMALLEST = 0.3
"""Smallest share of the picture's height that a body should fill: pose is inaccurate below about 150 pixels."""

NOBODY = "Nobody is in the picture: step in front of the camera."

_HEAD = tuple(LANDMARKS.index(name) for name in ("nose", "left ear", "right ear"))
_FEET = tuple(
    LANDMARKS.index(f"{side} {part}") for side in ("left", "right") for part in ("ankle", "heel", "foot index")
)
_SIDE_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee")
_SIDES = {side: tuple(LANDMARKS.index(f"{side} {part}") for part in _SIDE_PARTS) for side in ("left", "right")}


def framing_advice(landmarks: FloatArray | None, width: int, height: int) -> str | None:
    """What to do so that the whole body is in a picture of `width` x `height` pixels; None if it is.

    landmarks: (33, 3), x and y as shares of the picture, outside of 0..1 for landmarks that the pose network places
    beyond its edge; None if nobody was found. Left and right are the person's own, so the advice holds in a mirror.
    """
    if landmarks is None:
        return NOBODY
    x, y = landmarks[:, 0], landmarks[:, 1]
    outside = (x < -EDGE) | (x > 1 + EDGE) | (y < -EDGE) | (y > 1 + EDGE)
    head, feet = bool(outside[list(_HEAD)].any()), bool(outside[list(_FEET)].any())
    if head and feet:
        return "Step back: your head and your feet are out of the picture."
    if feet:
        return "Step back: your feet are out of the picture."
    if head:
        return "Step back or tilt the camera up: your head is out of the picture."
    left, right = (bool(outside[list(_SIDES[side])].any()) for side in ("left", "right"))
    if left and right:
        return "Step back: your arms are out of the picture."
    if left:
        return "Step to your right: your left side is out of the picture."
    if right:
        return "Step to your left: your right side is out of the picture."
    if max((x.max() - x.min()) * width / height, y.max() - y.min()) < SMALLEST:
        return "Come closer: you are too far from the camera."
    return None


def usual_advice(track: PoseTrack) -> str | None:
    """The advice that applies to most samples of a track; None for a whole body in the picture."""
    seen = [index for index in range(len(track)) if track.presence[index] > 0]
    advice = Counter(framing_advice(track.landmarks[index], *track.size(index)) for index in seen)
    return max(advice, key=advice.__getitem__, default=None)
