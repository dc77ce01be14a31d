"""The skeleton and a joint's angle, drawn on a picture: the same lines in the preview, the video and the page."""

from __future__ import annotations

from functools import cache
from math import atan2, degrees
from typing import TYPE_CHECKING

import numpy as np

from fitcli.motion.measures import JOINTS
from fitcli.pose.track import LANDMARKS, FloatArray

if TYPE_CHECKING:  # Pillow is imported where something is drawn
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

VISIBLE = 0.5
"""Visibility below which a landmark is not drawn."""

_LINES = (
    ("left shoulder", "right shoulder"),
    ("left hip", "right hip"),
    *(
        (f"{side} {first}", f"{side} {second}")
        for side in ("left", "right")
        for first, second in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "index"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
            ("heel", "foot index"),
            ("ankle", "foot index"),
        )
    ),
)
SKELETON = tuple((LANDMARKS.index(first), LANDMARKS.index(second)) for first, second in _LINES)
"""Pairs of landmarks that are joined by a line."""

JOINT_LANDMARKS = tuple(sorted({index for pair in SKELETON for index in pair} | {LANDMARKS.index("nose")}))
"""Landmarks that are drawn as dots."""

SIDE_COLOURS = {"left": "#ffa726", "right": "#26c6da", "middle": "#eeeeee"}
ANGLE_COLOUR = "#ffee58"


def draw_skeleton(draw: ImageDraw, landmarks: FloatArray, size: tuple[int, int], *, mirror: bool = False) -> None:
    """Draw landmarks (33, 3) of `PoseTrack` on a picture of `size` (width, height) pixels."""
    points = landmarks[:, :2] * size
    if mirror:
        points[:, 0] = size[0] - points[:, 0]
    thickness = line_width(size)
    seen = landmarks[:, 2] >= VISIBLE
    for first, second in SKELETON:
        if seen[first] and seen[second]:
            line = (*points[first].tolist(), *points[second].tolist())
            draw.line(line, fill="#00000090", width=thickness + 2)
            draw.line(line, fill=side_colour(first, second), width=thickness)
    for index in JOINT_LANDMARKS:
        if seen[index]:
            draw.circle(points[index].tolist(), thickness * 1.3, fill="white", outline="#00000090")


def draw_joint_angle(
    draw: ImageDraw, landmarks: FloatArray, size: tuple[int, int], joint: tuple[int, int, int], label: str
) -> None:
    """Draw an arc between the limbs that meet at the second landmark of `joint`, and `label` outside of it.

    Nothing is drawn if one of the three landmarks is not visible.
    """
    if (landmarks[list(joint), 2] < VISIBLE).any():
        return
    first, vertex, second = (landmarks[index, :2] * size for index in joint)
    towards = [each - vertex for each in (first, second)]
    lengths = [float(np.linalg.norm(each)) for each in towards]
    if min(lengths) < 2 * line_width(size):  # a limb that points at the camera spans no angle in the picture
        return
    radius = min(0.45 * min(lengths), min(size) / 10)
    begin, end = sorted(degrees(atan2(float(y), float(x))) for x, y in towards)
    if end - begin > 180:
        begin, end = end, begin + 360
    box = [*(vertex - radius).tolist(), *(vertex + radius).tolist()]
    draw.pieslice(box, begin, end, fill=ANGLE_COLOUR + "40")
    draw.arc(box, begin, end, fill=ANGLE_COLOUR, width=max(2, line_width(size) // 2))
    outward = -(towards[0] / lengths[0] + towards[1] / lengths[1])
    norm = float(np.linalg.norm(outward))
    # a straight limb has no outside: the label goes beside it
    outward = outward / norm if norm > 0.2 else np.array([towards[0][1], -towards[0][0]]) / lengths[0]
    height = max(14, round(min(size) / 26))
    text = font(height)
    place = vertex + outward * (line_width(size) * 2 + height * 1.3)
    half = text.getlength(label) / 2
    x = min(max(float(place[0]), half + 2), size[0] - half - 2)
    y = min(max(float(place[1]), height), size[1] - height)
    draw.text(
        (x, y), label, fill=ANGLE_COLOUR, font=text, anchor="mm", stroke_width=max(2, height // 8), stroke_fill="black"
    )


def joint_landmarks(measure: str, side: str) -> tuple[int, int, int] | None:
    """The three landmarks that span a joint angle such as "knee angle" of one side; None for other measures."""
    if measure not in JOINTS:
        return None
    first, vertex, second = (LANDMARKS.index(f"{side} {name}") for name in JOINTS[measure])
    return first, vertex, second


def side_colour(first: int, second: int) -> str:
    """The colour of the line between two landmarks: that of their side, or of the middle."""
    sides = {LANDMARKS[index].split()[0] for index in (first, second)}
    return SIDE_COLOURS[sides.pop() if len(sides) == 1 else "middle"]


def line_width(size: tuple[int, int]) -> int:
    """Width of a line in pixels on a picture of this size."""
    return max(2, round(min(size) / 140))


@cache
def font(size_px: int) -> FreeTypeFont | ImageFont:
    """The font that comes with Pillow."""
    from PIL import ImageFont

    return ImageFont.load_default(size_px)
