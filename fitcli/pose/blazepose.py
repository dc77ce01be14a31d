"""BlazePose on OpenVINO: a person detector and a landmark network, read directly from their .tflite files.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020 (arXiv 2006.10204), with the 33 landmarks
and metric world landmarks of MediaPipe Pose 0.10. This module does the steps of MediaPipe's graph around the two
networks (anchors, regions, crops, heatmap refinement, projections) in numpy and Pillow, with the graph's constants.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fitcli import engine
from fitcli.cache import cache_folder, without
from fitcli.pose.track import FloatArray
from fitcli.video import Image

if TYPE_CHECKING:
    from openvino import CompiledModel, InferRequest

LANDMARK_COUNT = 33

_DETECTOR_SIDE = 224  # pixels of the detector's square input
_DETECTOR_STRIDES = ((8, 2), (16, 2), (32, 6))  # (pixels per cell, anchors per cell) of the detector's output
_DETECTION_SCORE = 0.5
_OVERLAP = 0.3  # boxes with a larger intersection over union are one person

_LANDMARK_SIDE = 256  # pixels of the landmark network's square input
_NETWORK_LANDMARKS = 39  # the 33, two for the next region, and four that MediaPipe does not use either
_REGION_CENTER, _REGION_EDGE = 33, 34
_REGION_SCALE = 1.25  # the margin around the circle through head and feet
_HEATMAP_SIDE = 64
_HEATMAP_REACH = 3  # cells to each side of a landmark that refine it
_HEATMAP_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Region:
    """The rotated square around one person, in pixels of the frame; `rotation_rad` is the body's clockwise tilt."""

    center_x: float
    center_y: float
    side: float
    rotation_rad: float = 0.0

    @classmethod
    def around(cls, center: npt.ArrayLike, edge: npt.ArrayLike) -> Region:
        """The region of a person with the hips at `center` and `edge` on the circumscribed circle, overhead."""
        (x, y), (edge_x, edge_y) = np.asarray(center, float), np.asarray(edge, float)
        lean = math.pi / 2 - math.atan2(y - edge_y, edge_x - x)
        lean -= 2 * math.pi * math.floor((lean + math.pi) / (2 * math.pi))  # into -pi..pi
        return cls(float(x), float(y), 2 * math.hypot(edge_x - x, edge_y - y) * _REGION_SCALE, lean)

    def scaled(self, scale: float) -> Region:
        """The same region in a picture that is `scale` times as large."""
        return Region(self.center_x * scale, self.center_y * scale, self.side * scale, self.rotation_rad)


@dataclass(frozen=True)
class Detection:
    """One person found by the detector: their region and the score, 0.5..1."""

    region: Region
    score: float


@dataclass(frozen=True)
class PoseSample:
    """One person's pose in one frame, in the units of `PoseTrack`.

    landmarks: (33, 3) float32: x / frame width, y / frame height, visibility 0..1.
    world: (33, 3) float32, metres, hip-centred, image-aligned: x right, y down, z away from the camera.
    presence: 0..1, the landmark network's score that the region holds a person.
    """

    landmarks: FloatArray
    world: FloatArray
    presence: float


class BlazePose:
    """The two networks of BlazePose full, compiled for the CPU. Thread-safe.

    streams: pictures processed in parallel, by as many threads of the caller, each on one core, which is faster for
    small networks than several cores per picture. None is one picture at a time, on as many cores as OpenVINO chooses.
    """

    def __init__(self, *, streams: int | None = None) -> None:
        self.streams = streams or 1
        with ThreadPoolExecutor(1) as beside:  # compiling releases the GIL
            detector = beside.submit(_compiled, "pose_detection", (0, 1), (-1.0, 1.0), streams)
            # Landmarks, presence, heatmaps, world; leaving out the segmentation mask halves the time.
            self._landmarker = _Answering(_compiled("pose_landmark_full", (0, 1, 3, 4), (0.0, 1.0), streams))
            self._detector = _Answering(detector.result())

    def detect(self, image: Image) -> list[Detection]:
        """People in an (H, W, 3) uint8 RGB frame, best score first."""
        height, width = image.shape[:2]
        side = float(max(height, width))
        square = crop(image, Region(width / 2, height / 2, side), _DETECTOR_SIDE)
        boxes, logits = self._detector(square)
        scores = _sigmoid(logits[:, 0])
        likely = scores >= _DETECTION_SCORE
        found = _merged(_decoded(boxes[likely], _anchors()[likely]), scores[likely])
        corner = np.array([(width - side) / 2, (height - side) / 2])
        return [
            Detection(Region.around(points[4:6] * side + corner, points[6:8] * side + corner), score)
            for points, score in found
        ]

    def landmarks(self, image: Image, region: Region) -> tuple[PoseSample, Region]:
        """The pose of the person in `region` of an (H, W, 3) uint8 RGB frame, and their region for the next frame."""
        square = crop(image, region, _LANDMARK_SIDE)
        raw, presence, heatmaps, world = self._landmarker(square)
        raw = raw.reshape(_NETWORK_LANDMARKS, 5)
        points = _refined(raw[:, :2] / np.float32(_LANDMARK_SIDE), heatmaps)
        turn = _turn(region.rotation_rad)
        placed = (points - 0.5) @ turn * region.side + (region.center_x, region.center_y)
        height, width = image.shape[:2]
        landmarks = np.empty((LANDMARK_COUNT, 3), np.float32)
        landmarks[:, :2] = placed[:LANDMARK_COUNT] / (width, height)
        landmarks[:, 2] = _sigmoid(raw[:LANDMARK_COUNT, 3])
        metres = world.reshape(_NETWORK_LANDMARKS, 3)[:LANDMARK_COUNT].copy()
        metres[:, :2] = metres[:, :2] @ turn
        following = Region.around(placed[_REGION_CENTER], placed[_REGION_EDGE])
        return PoseSample(landmarks, metres, float(presence[0])), following


class _Answering:
    """A compiled network with an inference request for each thread."""

    def __init__(self, network: CompiledModel) -> None:
        self._network = network
        self._own = threading.local()

    def __call__(self, picture: Image) -> list[FloatArray]:
        """The outputs for one (H, W, 3) uint8 picture, valid until the next call in this thread."""
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        request: InferRequest = self._own.request
        request.infer([picture[None]], share_inputs=True)
        return [tensor.data[0] for tensor in request.output_tensors]


def crop(image: Image, region: Region, side: int) -> Image:
    """The region of an (H, W, 3) uint8 frame, turned upright and scaled to (side, side, 3); black outside the frame.

    Bilinear and aligned to pixel indices like MediaPipe's. MediaPipe's landmark crop repeats the edge of the frame
    instead of black, but the shipped networks were trained on sequences from black crops. The difference is .1 % of the
    body for visible landmarks, and affects the visibility of those outside the picture.
    """
    from PIL import Image as PillowImage

    height, width = image.shape[:2]
    # One step along the crop in pixels of the frame. MediaPipe puts the square's corners on pixel indices 0 and `side`.
    step = _turn(region.rotation_rad) * region.side / side
    corner = np.array([region.center_x, region.center_y]) - step.sum(axis=0) * side / 2
    reach = corner + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) @ step * side
    # Pillow copies its input, so it gets only the part of the frame that the square covers.
    left, top = np.floor(reach.min(axis=0)).astype(int).clip(1, (width, height)) - 1
    right, bottom = (np.ceil(reach.max(axis=0)).astype(int) + 2).clip((left + 1, top + 1), (width, height))
    # Pillow samples at pixel centres, half a pixel off the indices above.
    (xx, yx), (xy, yy) = step
    x, y = corner - (left, top) + 0.5 - step.sum(axis=0) / 2
    picture = PillowImage.fromarray(np.ascontiguousarray(image[top:bottom, left:right])).transform(
        (side, side),
        PillowImage.Transform.AFFINE,
        (xx, xy, x, yx, yy, y),
        PillowImage.Resampling.BILINEAR,
    )
    return np.asarray(picture)


def _turn(angle_rad: float) -> FloatArray:
    """(2, 2) matrix that turns row vectors (x right, y down) clockwise on the screen."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[cos, sin], [-sin, cos]], np.float32)


@cache
def _anchors() -> FloatArray:
    """(2254, 2) centres of the detector's anchors, x and y in 0..1; all of size 1."""
    grids = []
    for stride, per_cell in _DETECTOR_STRIDES:
        cells = _DETECTOR_SIDE // stride
        y, x = np.divmod(np.arange(cells * cells), cells)
        grids.append(np.repeat((np.stack([x, y], axis=1) + 0.5) / cells, per_cell, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _decoded(boxes: FloatArray, anchors: FloatArray) -> FloatArray:
    """(N, 12): box corners x0 y0 x1 y1 and four keypoints x y, all in 0..1 of the detector's square."""
    points = boxes.reshape(-1, 6, 2) / _DETECTOR_SIDE
    center, size = points[:, 0] + anchors, points[:, 1]
    keypoints = (points[:, 2:] + anchors[:, None]).reshape(-1, 8)
    return np.concatenate([center - size / 2, center + size / 2, keypoints], axis=1)


def _merged(people: FloatArray, scores: FloatArray) -> list[tuple[FloatArray, float]]:
    """Weighted non-maximum suppression: overlapping boxes become their mean by score, with the best score."""
    order = np.argsort(-scores, kind="stable")
    people, scores = people[order], scores[order]
    merged = []
    while len(people):
        overlap = _intersection_over_union(people[0], people)
        same = overlap > _OVERLAP
        same[0] = True
        weights = scores[same, None]
        merged.append(((people[same] * weights).sum(axis=0) / weights.sum(), float(scores[0])))
        people, scores = people[~same], scores[~same]
    return merged


def _intersection_over_union(box: FloatArray, boxes: FloatArray) -> FloatArray:
    shared = np.minimum(box[2:4], boxes[:, 2:4]) - np.maximum(box[:2], boxes[:, :2])
    intersection = shared.clip(min=0).prod(axis=1)
    union = (box[2:4] - box[:2]).prod() + (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1) - intersection
    overlap: FloatArray = intersection / np.maximum(union, 1e-9)
    return overlap


def _refined(points: FloatArray, heatmaps: FloatArray) -> FloatArray:
    """Landmarks (39, 2) in 0..1, moved to the mean of their heatmap (64, 64, 39) nearby where it is confident."""
    near = np.arange(-_HEATMAP_REACH, _HEATMAP_REACH + 1)
    cells = np.floor(points * _HEATMAP_SIDE).astype(int)
    columns, rows = cells[:, 0, None] + near, cells[:, 1, None] + near  # (39, 7) each
    in_columns, in_rows = (columns >= 0) & (columns < _HEATMAP_SIDE), (rows >= 0) & (rows < _HEATMAP_SIDE)
    patches = heatmaps[
        rows.clip(0, _HEATMAP_SIDE - 1)[:, :, None],
        columns.clip(0, _HEATMAP_SIDE - 1)[:, None, :],
        np.arange(len(points))[:, None, None],
    ]
    weights = _sigmoid(patches) * (in_rows[:, :, None] & in_columns[:, None, :])
    total = np.maximum(weights.sum(axis=(1, 2)), 1e-9)
    means = np.stack([(weights.sum(axis=1) * columns).sum(axis=1), (weights.sum(axis=2) * rows).sum(axis=1)], axis=1)
    inside = in_columns[:, _HEATMAP_REACH] & in_rows[:, _HEATMAP_REACH]
    sure = inside & (weights.max(axis=(1, 2)) >= _HEATMAP_CONFIDENCE)
    refined: FloatArray = np.where(sure[:, None], means / total[:, None] / _HEATMAP_SIDE, points).astype(np.float32)
    return refined


def _sigmoid(logits: FloatArray) -> FloatArray:
    probabilities: FloatArray = 1 / (1 + np.exp(-logits.clip(-80, 80)))  # clipped: exp overflows at 88 in float32
    return probabilities


def _compiled(name: str, outputs: tuple[int, ...], span: tuple[float, float], streams: int | None) -> CompiledModel:
    """One of the two networks with only these outputs, kept in the user's cache.

    It reads uint8 and scales 0..255 to `span`.
    """
    source = Path(str(resources.files(__package__) / "models" / f"{name}.tflite"))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    folder = cache_folder(engine.COMPILED)
    kept = folder / f"{name}-uint8-{digest}.xml" if folder else None
    if kept and kept.exists():
        with contextlib.suppress(RuntimeError):  # damaged: made again below
            return engine.compiled(kept, streams=streams)
    ov = engine.openvino()
    model = engine.core().read_model(source)
    part = ov.preprocess.PrePostProcessor(
        ov.Model([model.outputs[i] for i in outputs], model.get_parameters(), name),
    )
    low, high = span
    scale = 255 / (high - low)
    part.input().tensor().set_element_type(ov.Type.u8)
    part.input().preprocess().convert_element_type(ov.Type.f32).mean(-low * scale).scale(scale)
    made = part.build()
    if kept:
        try:
            engine.save(made, kept)
        except OSError as error:
            without(f"{folder} cannot be used as cache ({error.strerror})")
        else:
            # From its file, so that the first run compiles the same model as later runs.
            return engine.compiled(kept, streams=streams)
    return engine.compiled(made, streams=streams)
