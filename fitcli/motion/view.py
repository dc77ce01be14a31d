"""The direction from which the camera sees the person, estimated from the pose."""

from __future__ import annotations

import numpy as np

from fitcli.motion.body import Body

FRONTAL, SIDEWAYS = 0.8, 0.45
"""Width of shoulders and hips in the picture as a share of their 3-D width: cosines of 37 and 63 degrees of turn."""


def camera_view(body: Body) -> str:
    """ "front", "back", "side" or "three-quarter"; "unknown" if the trunk is not visible."""
    trunk = body.visibility("shoulder", "hip")
    if len(body) == 0 or float(np.median(trunk)) < 0.4:
        return "unknown"
    flat = wide = 0.0
    for part in ("shoulder", "hip"):
        line = body.points("world", f"left {part}") - body.points("world", f"right {part}")
        flat += float(np.median(np.linalg.norm(line[:, :2], axis=1)))
        wide += float(np.median(np.linalg.norm(line, axis=1)))
    share = flat / max(wide, 1e-6)
    if share < SIDEWAYS:
        return "side"
    if share < FRONTAL:
        return "three-quarter"
    # From the front, the person's left is on the picture's right. The sign of the turn from up to left shows that for
    # any orientation of the camera.
    up = body.points("image", "shoulder") - body.points("image", "hip")
    left = body.points("image", "left shoulder") - body.points("image", "right shoulder")
    turn = np.median(up[:, 0] * left[:, 1] - up[:, 1] * left[:, 0])
    return "front" if turn > 0 else "back"
