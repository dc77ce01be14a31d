"""Films made by the tests: small, real and in the codec that a test is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import numpy.typing as npt

from fitcli.network.rgb_clips import RgbClipSpec, RgbWindow, RgbWindows
from fitcli.video import Frame

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


def rgb_windows(frames: Iterable[Frame], spec: RgbClipSpec) -> Iterator[RgbWindow]:
    """The windows of a whole stream of frames."""
    windows = RgbWindows(spec)
    yield from filter(None, map(windows.push, frames))
    yield from filter(None, (windows.finish(),))


def times(sampled: list[Frame]) -> list[float]:
    """The times of frames."""
    return [frame.time_s for frame in sampled]


def numbers(sampled: list[Frame]) -> list[int]:
    """The frame numbers that the pictures themselves show (see `make_video`)."""
    return [round(float(np.median(f.image[-f.image.shape[0] // 4 :, -f.image.shape[1] // 4 :])) / 8) for f in sampled]


def corners(image: np.ndarray) -> list[str]:
    """Colour names of the four quarters: upper left, upper right, lower left, lower right."""
    height, width = image.shape[:2]
    quarters = [image[y, x] for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return ["grey" if np.ptp(q.astype(int)) < 60 else ("red", "green", "blue")[int(q.argmax())] for q in quarters]


UPRIGHT = ["red", "green", "blue", "grey"]
