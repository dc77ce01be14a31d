"""Films made on the spot: small, real and of the codec that a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt

CLOCK = Fraction(1, 90_000)
CODECS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".avi": "mpeg4", ".webm": "libvpx"}


def picture(width: int, height: int, shade: int) -> npt.NDArray[np.uint8]:
    """Red upper left, green upper right, blue lower left, and a grey of `shade` lower right: which way is up shows."""
    image = np.zeros((height, width, 3), np.uint8)
    middle_y, middle_x = height // 2, width // 2
    image[:middle_y, :middle_x, 0] = 255
    image[:middle_y, middle_x:, 1] = 255
    image[middle_y:, :middle_x, 2] = 255
    image[middle_y:, middle_x:] = shade
    return image


def write_film(
    path: Path,
    pictures: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8],
    *,
    rate_hz: int,
    options: dict[str, str] | None = None,
) -> Path:
    """Write pictures (height, width, 3) as a video of the kind that its name says, in a folder that is made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(CODECS[path.suffix], rate=rate_hz, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


class MakeVideo(Protocol):
    def __call__(
        self,
        path: Path,
        *,
        times_s: Sequence[float] | None = None,
        frames: int = 30,
        rate_hz: int = 30,
        size: tuple[int, int] = (160, 120),
        codec: str = "libx264",
        pixels: str = "yuv420p",
        rotation_deg: int = 0,
        mirrored: bool = False,
        options: dict[str, str] | None = None,
        codec_options: dict[str, str] | None = None,
        format: str | None = None,
    ) -> Path: ...
