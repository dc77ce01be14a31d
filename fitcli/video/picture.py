"""Pictures: decoded frames, turned upright with square pixels, and fitted into another size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # PyAV takes .2 s to import, so the functions that decode or encode import it
    from av import VideoFrame
    from av.sidedata.sidedata import SideData

Image = npt.NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class Frame:
    """One upright picture: `time_s` since the first frame of the file, `image` (H, W, 3) uint8 RGB."""

    time_s: float
    image: Image


@dataclass(frozen=True)
class Decoded:
    """A frame from the decoder, the ratio of its pixels' width to their height, and how long it is shown."""

    frame: VideoFrame
    pixel_aspect: float
    lasts_s: float


@dataclass(frozen=True)
class Picture:
    """How a decoded frame becomes upright RGB: scaled first, which is cheap, and turned after that."""

    width: int  # scaled, as stored, before the turn
    height: int
    transpose: bool
    flip_x: bool
    flip_y: bool

    @classmethod
    def of(cls, decoded: Decoded, max_side: int | None, stretch: float = 1.0) -> Picture:
        frame = decoded.frame
        return cls._of(frame.width, frame.height, decoded.pixel_aspect, _orientation(frame), max_side, stretch)

    @classmethod
    @lru_cache(maxsize=64)  # called for every frame, nearly always with the same arguments
    def _of(
        cls,
        stored_width: int,
        stored_height: int,
        pixel_aspect: float,
        orientation: tuple[bool, bool, bool],
        max_side: int | None,
        stretch: float,
    ) -> Picture:
        width, height = stored_width * pixel_aspect, float(stored_height)
        if orientation[0]:  # stored on its side: the height in the file is the width on the screen
            height /= stretch
        else:
            width /= stretch
        scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
        return cls(max(1, round(width * scale)), max(1, round(height * scale)), *orientation)

    @property
    def upright_size(self) -> tuple[int, int]:
        return (self.height, self.width) if self.transpose else (self.width, self.height)

    @property
    def rotation_deg(self) -> int:
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    def render(self, frame: VideoFrame) -> Image:
        """The frame as upright (H, W, 3) uint8 RGB."""
        import av

        scale = partial(frame.reformat, self.width, self.height, "rgb24", interpolation="AREA", threads=1)
        try:
            scaled = scale()
        except av.FFmpegError:  # FFmpeg cannot convert the colour matrix; a wrong tint does no harm
            scaled = scale(src_colorspace="ITU709")
        image: Image = scaled.to_ndarray().astype(np.uint8, copy=False)
        if self.transpose:
            image = image.transpose(1, 0, 2)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def _orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """(transpose, flip_x, flip_y) that make a frame upright, from its display matrix.

    `VideoFrame.rotation` cannot describe mirrored recordings (front cameras). Angles are rounded to quarter turns:
    phones write no others.
    """
    side = frame.side_data.get("DISPLAYMATRIX")
    if side is None:
        return False, False, False
    # FFmpeg's av_display_*: x' = a x + c y, y' = b x + d y in 16.16 fixed point, in rows of three
    a, b, _, c, d = np.frombuffer(bytes(cast("SideData", side)), dtype="<i4")[:5].tolist()
    if abs(a) >= abs(b):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def fitted(image: Image, width: int, height: int) -> Image:
    """A picture (H, W, 3) scaled to fit into (height, width, 3) and centred, with black bars."""
    from PIL import Image as PillowImage

    if image.shape[:2] == (height, width):
        return image
    left, top, right, bottom = fitted_box(image.shape[1], image.shape[0], width, height)
    scaled = PillowImage.fromarray(image).resize((right - left, bottom - top), PillowImage.Resampling.BICUBIC)
    framed = np.zeros((height, width, 3), np.uint8)
    framed[top:bottom, left:right] = np.asarray(scaled)
    return framed


def fitted_box(width: int, height: int, outer_width: int, outer_height: int) -> tuple[int, int, int, int]:
    """The box that a picture of width x height pixels takes in `fitted`: left, top, right, bottom."""
    scale = min(outer_width / width, outer_height / height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (outer_width - inner_width) // 2, (outer_height - inner_height) // 2
    return left, top, left + inner_width, top + inner_height
