"""The annotated video: skeleton, exercise, repetitions, joint angle, muscles and repetition curve on every frame."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fitcli import interrupt
from fitcli.history.key_poses import KeyPose
from fitcli.motion.measures import SIDES, angle_deg
from fitcli.pose.track import FloatArray, PoseTrack
from fitcli.report.amounts import plural
from fitcli.report.body_map import body_map, colour, skin
from fitcli.report.skeleton import VISIBLE, draw_joint_angle, draw_skeleton, font, joint_landmarks
from fitcli.report.terminal import percent
from fitcli.results.analysis import Analysis, Status
from fitcli.results.sets import ExerciseSet
from fitcli.video import VideoWriter, fitted, fitted_box, frames

if TYPE_CHECKING:  # Pillow is imported where something is drawn
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

MAX_SIDE_PX = 1920
"""Longest side of the annotated video; larger sources are scaled down."""

LEAST_SIDE_PX = 480
"""Shortest side with readable captions; smaller sources are enlarged by a whole number."""

PICTURE_SIDE_PX = 1280
"""Longest side of the key frame in a report."""
PICTURE_QUALITY = 82

LONGEST_GAP_S = 0.5
"""Longest gap between two samples over which the skeleton is interpolated."""

FLASH_S = 0.4
"""Time for which the counter lights up when a repetition is complete."""

_SUPERSAMPLING = 4
_ROUNDING_S = 1e-4
_CARD = (13, 17, 23, 176)
_MUTED = "#aab4c2"
_WARNING = "#ffd166"
_COUNTED = "#66d9a0"
_CURVE = "#8b98a9"


def annotate(
    analysis: Analysis, source: Path, target: Path, *, on_progress: Callable[[float], None] | None = None
) -> None:
    """Draw on every frame of the analysed part of `source`, and write it to the MP4 file `target` at its own time.

    A stretched picture is shown in its true shape, in which the person was followed. The video has the size of its
    first picture; pictures of other shapes are fitted into it with black borders.
    `target` must not exist; an unfinished video is removed. on_progress: called with the share of the work that is
    done, 0..1. Raises a `FitcliError` if the source cannot be read or the target cannot be written.
    """
    # The track of a camera ends with the last pose; the kept video ends a little later.
    whole = analysis.end_s >= analysis.duration_s
    shown = frames(
        source,
        rate_hz=None,
        start_s=max(analysis.start_s - _ROUNDING_S, 0.0) or None,
        end_s=None if whole else analysis.end_s + _ROUNDING_S,
        max_side=MAX_SIDE_PX,
        stretch=analysis.picture_stretch,
    )
    span_s = max(analysis.end_s - analysis.start_s, 1e-6)
    writer: VideoWriter | None = None
    annotator: Annotator | None = None
    try:
        for frame in shown:
            if writer is None or annotator is None:
                height, width = frame.image.shape[:2]
                enlarged = -(-LEAST_SIDE_PX // min(width, height)) if min(width, height) < LEAST_SIDE_PX else 1
                annotator = Annotator(analysis, (width * enlarged, height * enlarged))
                writer = VideoWriter(target, width * enlarged, height * enlarged)
            writer.write(annotator.draw(frame.image, frame.time_s), frame.time_s)
            if on_progress:
                on_progress(min(1.0, (frame.time_s - analysis.start_s) / span_s))
            interrupt.heed()
        if writer:
            writer.close()
    except BaseException:  # also Ctrl-C: half a video looks like a whole one
        if writer:
            try:
                writer.close()
            finally:
                target.unlink(missing_ok=True)
        raise


def key_picture(source: Path, pose: KeyPose, exercise_set: ExerciseSet | None, *, stretch: float = 1.0) -> bytes:
    """The frame of a key pose with skeleton and joint angle, as a JPEG file.

    stretch: how many times its true width the source shows its picture, as in `Analysis.picture_stretch`.
    """
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    # A little early: a seek may land just beside the frame's own time.
    begin_s = max(pose.time_s - 1e-3, 0.0) or None
    frame = next(frames(source, rate_hz=None, start_s=begin_s, max_side=PICTURE_SIDE_PX, stretch=stretch))
    picture = PillowImage.fromarray(frame.image)
    draw = ImageDraw.Draw(picture, "RGBA")
    landmarks = np.array(pose.landmarks, np.float32) * (picture.height / picture.width, 1, 1)
    draw_skeleton(draw, landmarks, picture.size)
    if exercise_set:
        joint = _joint(exercise_set, np.array([pose.time_s]), landmarks[None], picture.size)
        if joint:
            draw_joint_angle(draw, landmarks, picture.size, joint, f"{exercise_set.curve.at(pose.time_s):.0f}°")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=PICTURE_QUALITY, optimize=True)
    return file.getvalue()


@dataclass(frozen=True)
class _Followed:
    """A set, its curve as arrays (N,), and the landmarks of the joint whose angle is shown; None for other signals."""

    exercise_set: ExerciseSet
    number: int
    times_s: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    ends_s: tuple[float, ...]
    joint: tuple[int, int, int] | None

    @classmethod
    def of(cls, exercise_set: ExerciseSet, number: int, track: PoseTrack | None) -> _Followed:
        curve = exercise_set.curve
        ends_s = tuple(repetition.end_s for repetition in exercise_set.repetitions)
        joint = None
        if track is not None:
            within = track.between(exercise_set.start_s, exercise_set.end_s)
            size = track.frame_width, track.frame_height
            joint = _joint(exercise_set, within.times_s, within.in_first_frame(), size)
        return cls(exercise_set, number, np.array(curve.times_s), np.array(curve.values), ends_s, joint)

    def angle_deg(self, time_s: float) -> float | None:
        """The joint angle at that time; None outside of the curve and for other signals."""
        curve = self.exercise_set.curve
        if curve.unit != "deg" or not curve.times_s or not curve.times_s[0] <= time_s <= curve.times_s[-1]:
            return None
        return float(np.interp(time_s, self.times_s, self.values))


class Annotator:
    """Draws on the frames of one video; elements that are the same on all frames are drawn once."""

    def __init__(self, analysis: Analysis, size: tuple[int, int]) -> None:
        """`size` is the (width, height) in pixels of the annotated frames, whatever that of the source."""
        self._analysis = analysis
        self._size = size
        self._unit = max(10, round(min(size) / 24))
        self._margin = self._unit // 2
        self._passing_s, self._passed = _timescale(analysis)
        self._sets = [_Followed.of(each, number, analysis.track) for number, each in enumerate(analysis.sets, 1)]
        self._timeline = self._draw_timeline() if any(len(each.times_s) > 1 for each in self._sets) else None
        self._map = self._draw_map() if analysis.muscles else None
        self._map_corner = self._free_corner(self._map) if self._map else (0, 0)

    def draw(self, image: npt.NDArray[np.uint8], time_s: float) -> npt.NDArray[np.uint8]:
        """The annotated frame (H, W, 3) uint8 RGB of that time."""
        from PIL import Image as PillowImage
        from PIL import ImageDraw

        picture = PillowImage.fromarray(fitted(image, *self._size))
        draw = ImageDraw.Draw(picture, "RGBA")
        current = next((each for each in reversed(self._sets) if each.exercise_set.start_s <= time_s), None)
        shown_deg = current.angle_deg(time_s) if current else None
        landmarks = landmarks_at(self._analysis.track, time_s) if self._analysis.track else None
        if landmarks is not None:
            left, top, right, bottom = fitted_box(image.shape[1], image.shape[0], *self._size)
            landmarks[:, :2] = (landmarks[:, :2] * (right - left, bottom - top) + (left, top)) / self._size
            draw_skeleton(draw, landmarks, self._size)
            if current and current.joint and shown_deg is not None:
                draw_joint_angle(draw, landmarks, self._size, current.joint, f"{shown_deg:.0f}°")
        self._draw_captions(draw, current, shown_deg, time_s)
        if self._timeline:
            corner = (self._margin, self._size[1] - self._margin - self._timeline.height)
            picture.paste(self._timeline, corner, self._timeline)
            self._draw_cursor(draw, time_s, corner)
        if self._map:
            picture.paste(self._map, self._map_corner, self._map)
        return np.asarray(picture)

    def _free_corner(self, card: Image) -> tuple[int, int]:
        """The upper left corner, in pixels, at which a card hides the least of the person."""
        width, height = self._size
        right = width - self._margin - card.width
        below = self._timeline.height + self._margin if self._timeline else 0
        bottom = height - self._margin - below - card.height
        corners = [(right, bottom), (right, self._margin), (self._margin, bottom)]
        track = self._analysis.track
        if track is None:
            return corners[0]
        seen = track.in_first_frame()[track.landmarks[:, :, 2] >= VISIBLE][:, :2] * self._size

        def hidden(corner: tuple[int, int]) -> int:
            inside = (seen >= corner) & (seen <= (corner[0] + card.width, corner[1] + card.height))
            return int(inside.all(1).sum())

        return min(corners, key=hidden)

    def _draw_captions(
        self, draw: ImageDraw, current: _Followed | None, shown_deg: float | None, time_s: float
    ) -> None:
        unit, margin = self._unit, self._margin
        title, title_colour, remark = _title(self._analysis, current)
        count = sum(end_s <= time_s for end_s in current.ends_s) if current else 0
        flash = bool(current and any(0 <= time_s - end_s < FLASH_S for end_s in current.ends_s))
        counted = "repetition"
        if current and current.exercise_set.held_s is not None:
            count, counted = int(min(time_s, current.exercise_set.end_s) - current.exercise_set.start_s), "second"
        counter = str(count) if self._sets else ""
        unit_word = plural(count, counted).split(" ", 1)[1]
        if len(self._sets) > 1 and current:
            unit_word += f" · set {current.number} of {len(self._sets)}"
        angle = f"{current.exercise_set.signal} {shown_deg:.0f}°" if current and shown_deg is not None else ""
        large, medium, small = font(round(unit * 2.6)), font(round(unit * 1.25)), font(round(unit * 0.85))
        side = round(unit * 0.7)
        counter_width = large.getlength(counter) + side * 0.6 if counter else 0
        wide = max(
            medium.getlength(title),
            small.getlength(remark),
            # as wide as the longest caption of the video, so that the card keeps its width
            counter_width + max(small.getlength(unit_word), small.getlength("shoulder angle 180°")) if counter else 0,
        )
        height = unit * 3.2 + (unit * 3 if counter else 0)
        box = (margin, margin, margin + min(wide + 2 * side, self._size[0] - 2 * margin), margin + height)
        draw.rounded_rectangle(box, radius=unit * 0.6, fill=_CARD)
        x, y = margin + side, margin + unit * 1.15
        draw.text((x, y), title, fill=title_colour, font=medium, anchor="lm", stroke_width=max(1, unit // 36))
        draw.text((x, y + unit * 1.3), remark, fill=_MUTED, font=small, anchor="lm")
        if counter:
            middle = y + unit * 3.6
            draw.text(
                (x, middle),
                counter,
                fill=_COUNTED if flash else "white",
                font=large,
                anchor="lm",
                stroke_width=max(1, unit // 20),
            )
            beside = x + counter_width
            draw.text((beside, middle - unit * 0.55), unit_word, fill="white", font=small, anchor="lm")
            draw.text((beside, middle + unit * 0.65), angle, fill="#ffee58", font=small, anchor="lm")

    def _draw_map(self) -> Image:
        """The body map, front and back, on a card."""
        from PIL import Image as PillowImage
        from PIL import ImageDraw

        drawn = body_map()
        width, height = self._size
        tall = min(height * 0.36, (width * 0.3) * drawn.height / (2 * drawn.width))
        scale = tall / drawn.height * _SUPERSAMPLING
        pad = self._unit * 0.4 * _SUPERSAMPLING
        whole = (round(2 * drawn.width * scale + 2 * pad), round(drawn.height * scale + 2 * pad))
        card = PillowImage.new("RGBA", whole)
        draw = ImageDraw.Draw(card)
        draw.rounded_rectangle((0, 0, whole[0] - 1, whole[1] - 1), radius=self._unit * 0.6 * _SUPERSAMPLING, fill=_CARD)
        activations = {muscle.name: muscle.activation for muscle in self._analysis.muscles}
        for number, figure in enumerate(drawn.figures):
            for shape in (figure.outline, *figure.shapes):
                fill = skin() if shape is figure.outline else colour(shape, activations)
                corners = [(pad + (x + number * drawn.width) * scale, pad + y * scale) for x, y in shape.polygon()]
                draw.polygon(corners, fill=fill)
        return card.resize((whole[0] // _SUPERSAMPLING, whole[1] // _SUPERSAMPLING), PillowImage.Resampling.LANCZOS)

    def _draw_timeline(self) -> Image:
        """The curves of all sets over the time of the video, without its gaps, on a card."""
        from PIL import Image as PillowImage
        from PIL import ImageDraw

        width, height = self._size[0] - 2 * self._margin, round(self._unit * 2.6)
        whole = (width * _SUPERSAMPLING, height * _SUPERSAMPLING)
        card = PillowImage.new("RGBA", whole)
        draw = ImageDraw.Draw(card)
        draw.rounded_rectangle((0, 0, whole[0] - 1, whole[1] - 1), radius=self._unit * 0.6 * _SUPERSAMPLING, fill=_CARD)
        line = max(2, round(self._unit / 9)) * _SUPERSAMPLING
        for each in self._sets:
            if len(each.times_s) < 2:
                continue
            points = [tuple(_SUPERSAMPLING * place for place in self._place(each, t)) for t in each.times_s.tolist()]
            draw.line(points, fill=_CURVE, width=line, joint="curve")
            for start_s, end_s in each.exercise_set.counted_s:
                inside = (each.times_s >= start_s) & (each.times_s <= end_s)
                counted = [point for point, there in zip(points, inside.tolist(), strict=True) if there]
                if len(counted) > 1:
                    draw.line(counted, fill=_COUNTED, width=line, joint="curve")
        return card.resize((width, height), PillowImage.Resampling.LANCZOS)

    def _place(self, followed: _Followed, time_s: float) -> tuple[float, float]:
        """The point of a set's curve at that time, in pixels of the timeline."""
        width, height = self._size[0] - 2 * self._margin, round(self._unit * 2.6)
        low, high = followed.exercise_set.curve.shown
        value = float(np.interp(time_s, followed.times_s, followed.values))
        pad = self._unit * 0.55
        share = float(np.interp(time_s, self._passing_s, self._passed))
        return (
            pad + share * (width - 2 * pad),
            pad + (high - value) / max(high - low, 1e-9) * (height - 2 * pad),
        )

    def _draw_cursor(self, draw: ImageDraw, time_s: float, corner: tuple[int, int]) -> None:
        """A hairline at that time, with a dot on each curve."""
        x, _ = self._place(self._sets[0], time_s)
        pad = self._unit * 0.3
        top, bottom = corner[1] + pad, corner[1] + round(self._unit * 2.6) - pad
        draw.line((corner[0] + x, top, corner[0] + x, bottom), fill="#ffffff90", width=max(1, self._unit // 14))
        for each in self._sets:
            if len(each.times_s) > 1 and each.times_s[0] <= time_s <= each.times_s[-1]:
                x, y = self._place(each, time_s)
                draw.circle((corner[0] + x, corner[1] + y), self._unit * 0.3, fill="white", outline="#0d1117")


def _timescale(analysis: Analysis) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times (M,) and the share of the video that has passed by then (M,), 0..1, without gaps."""
    gaps_s = analysis.track.gaps_s() if analysis.track else ()
    times_s = np.array([analysis.start_s, *chain.from_iterable(gaps_s), analysis.end_s])
    lasting_s = np.maximum(np.diff(times_s), 0.0)
    lasting_s[1::2] = 0.0
    passed = np.concatenate([[0.0], np.cumsum(lasting_s)])
    return times_s, passed / max(float(passed[-1]), 1e-6)


def landmarks_at(track: PoseTrack, time_s: float) -> FloatArray | None:
    """The landmarks (33, 3) at any time, as shares of the frame of that time; None if nobody was found near it."""
    after = int(np.searchsorted(track.times_s, time_s))
    around = [index for index in (after - 1, after) if 0 <= index < len(track) and track.presence[index] > 0]
    near = [index for index in around if abs(float(track.times_s[index]) - time_s) <= LONGEST_GAP_S / 2]
    if len(around) == 2:
        begin_s, end_s = (float(track.times_s[index]) for index in around)
        one_size = track.size(around[0]) == track.size(around[1])
        if end_s - begin_s <= LONGEST_GAP_S and one_size:
            share = (time_s - begin_s) / max(end_s - begin_s, 1e-9)
            between: FloatArray = (1 - share) * track.landmarks[around[0]] + share * track.landmarks[around[1]]
            return between.astype(np.float32)
    if not near:
        return None
    nearest: FloatArray = track.landmarks[min(near, key=lambda index: abs(float(track.times_s[index]) - time_s))]
    return nearest.copy()


def _joint(
    exercise_set: ExerciseSet, times_s: npt.NDArray[np.float64], landmarks: FloatArray, size: tuple[int, int]
) -> tuple[int, int, int] | None:
    """The joint on which to draw a set's angle: on the side whose angle in the picture is nearer to it.

    times_s: (N,), landmarks: (N, 33, 3) as in `PoseTrack`, size: the picture's pixels. None if the signal is no joint
    angle.
    """
    sides: Sequence[str] = SIDES if exercise_set.side == "both" else (exercise_set.side,)
    joints = [joint for side in sides if (joint := joint_landmarks(exercise_set.signal, side))]
    curve = exercise_set.curve
    if curve.unit != "deg" or not joints or not len(times_s) or not curve.times_s:
        return None
    stated = np.interp(times_s, curve.times_s, curve.values)

    def error_deg(joint: tuple[int, int, int]) -> float:
        first, vertex, second = (landmarks[:, index, :2].astype(np.float64) * size for index in joint)
        hidden = 1 - landmarks[:, list(joint), 2].min(1)
        return float(np.median(np.abs(angle_deg(first, vertex, second) - stated) + 90 * hidden))

    return min(joints, key=error_deg)


def _title(analysis: Analysis, current: _Followed | None) -> tuple[str, str, str]:
    """The title of the card, its colour, and the remark under it."""
    if analysis.status is Status.NO_PERSON:
        return "Nobody found", _WARNING, "is the whole body in the picture?"
    if analysis.consistent_with:
        return f"Like {analysis.consistent_with[0]}", "white", "by the muscles that work"
    if analysis.exercise is None:
        best, second = analysis.exercises[:2]
        return (
            f"Not sure: {best.name}?",
            _WARNING,
            f"{percent(best.probability)}, then {second.name} {percent(second.probability)}",
        )
    own = current.exercise_set.exercise if current else None
    if own and own != analysis.exercise.name:
        return own.capitalize(), "white", f"most of the video: {analysis.exercise.name}"
    return analysis.exercise.name.capitalize(), "white", f"{percent(analysis.exercise.probability)} sure"
