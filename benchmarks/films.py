"""The test films that the benchmarks share, made from the samples.

    python benchmarks/films.py

writes the two that every benchmark of `fitcli analyze` can use to `benchmarks/films/` (ignored by git) and prints their
size and bit rate: the squat sample scaled to 1080p, and the same with sensor grain at 12 Mbit/s, as phones and
webcams film in a gym. Neither has B-frames. The benchmarks make what they need by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np
from PIL import Image as PillowImage

from fitcli.video import Frame, Image, VideoWriter, frames, probe

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SQUAT = SAMPLES / "squat.mp4"
FOLDER = Path(__file__).with_name("films")

PHONE_HEIGHT = 1080

GRAIN_LEVELS = 10.0
"""Standard deviation of the grain, in grey levels of 0..255."""

GRAINY_BIT_RATE = 12_000_000

CAMERA_WIDTH, CAMERA_HEIGHT, CAMERA_RATE_HZ = 1280, 720, 30
"""What a webcam gives."""


def phone_film(folder: Path = FOLDER) -> Path:
    """The squat sample as a phone films it, 1080p; made once."""
    path = folder / f"{SQUAT.stem}-{PHONE_HEIGHT}.mp4"
    return path if path.exists() else scaled(SQUAT, PHONE_HEIGHT, folder)


def grainy_film(folder: Path = FOLDER) -> Path:
    """`phone_film` with grain at 12 Mbit/s and without B-frames, which takes longer to decode; made once."""
    path = folder / f"{SQUAT.stem}-{PHONE_HEIGHT}-grainy.mp4"
    if path.exists():
        return path
    clean = phone_film(folder)
    size = probe(clean)
    grain = np.random.default_rng(0).normal(0, GRAIN_LEVELS, (size.height, size.width, 1)).astype(np.int16)
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as container:
        stream = container.add_stream("libx264", rate=CAMERA_RATE_HZ, options={"preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        stream.bit_rate = GRAINY_BIT_RATE
        stream.codec_context.time_base = Fraction(1, 90_000)
        shifts = np.random.default_rng(1)
        for frame in frames(clean, rate_hz=None, max_side=None):
            # One field of grain, shifted at random: as unpredictable for the encoder as a new one, and cheaper.
            shifted = np.roll(grain, shifts.integers(0, (size.height, size.width)), (0, 1))
            picture = av.VideoFrame.from_ndarray((frame.image + shifted).clip(0, 255).astype(np.uint8), format="rgb24")
            picture.pts, picture.time_base = round(frame.time_s * 90_000), Fraction(1, 90_000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return unfinished.replace(path)


def scaled(source: Path, height: int, folder: Path) -> Path:
    """A video at another height, with the same frames and times: `NAME-HEIGHT.mp4` in `folder`."""
    video = probe(source)
    size = (round(video.width * height / video.height / 2) * 2, height)

    def resized(image: Image) -> Image:
        return np.asarray(PillowImage.fromarray(image).resize(size))

    pictures = (Frame(f.time_s, resized(f.image)) for f in frames(source, rate_hz=None, max_side=None))
    return _write(pictures, *size, folder / f"{source.stem}-{height}.mp4")


def first_seconds(source: Path, seconds: float, target: Path) -> Path:
    """Write the first seconds of a video to `target`."""
    video = probe(source)
    return _write(frames(source, rate_hz=None, max_side=None, end_s=seconds), video.width, video.height, target)


def repeated(source: Path, minutes: float, target: Path) -> Path:
    """Write a video's packets again and again until it lasts `minutes`; encoding an hour would take an hour."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [(bytes(p), p.pts or 0, p.dts or 0, p.is_keyframe) for p in container.demux(stream) if p.size]
        clock, length = stream.time_base or Fraction(1), stream.duration or 1
        with av.open(str(target), "w") as long:
            copy = long.add_stream_from_template(stream)
            for turn in range(max(1, round(minutes * 60 / float(length * clock)))):
                for content, pts, dts, is_keyframe in packets:
                    packet = av.Packet(content)
                    packet.pts, packet.dts = pts + turn * length, dts + turn * length
                    packet.time_base, packet.stream, packet.is_keyframe = clock, copy, is_keyframe
                    long.mux(packet)
    return target


def camera_pictures(source: Path) -> list[Image]:
    """A video's pictures as a webcam gives them, 1280x720 at 30 a second, with grey at the sides."""
    pictures = []
    for frame in frames(source, rate_hz=CAMERA_RATE_HZ, max_side=None):
        picture = PillowImage.fromarray(frame.image)
        resized = picture.resize((round(picture.width * CAMERA_HEIGHT / picture.height), CAMERA_HEIGHT))
        whole = PillowImage.new("RGB", (CAMERA_WIDTH, CAMERA_HEIGHT), "gray")
        whole.paste(resized, ((CAMERA_WIDTH - resized.width) // 2, 0))
        pictures.append(np.asarray(whole))
    return pictures


def camera_film(pictures: list[Image], count: int, target: Path) -> Path:
    """Write `count` pictures to `target` as a webcam's film, from the beginning again when they run out."""
    numbered = enumerate(islice(cycle(pictures), count))
    film = (Frame(number / CAMERA_RATE_HZ, picture) for number, picture in numbered)
    return _write(film, CAMERA_WIDTH, CAMERA_HEIGHT, target)


def _write(pictures: Iterable[Frame], width: int, height: int, target: Path) -> Path:
    """Write frames to a new file, which has its name only once it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part.mp4")
    with VideoWriter(unfinished, width, height) as writer:
        for frame in pictures:
            writer.write(frame.image, frame.time_s)
    return unfinished.replace(target)


def main() -> None:
    """Make both films and print a line for each."""
    for path in (phone_film(), grainy_film()):
        video = probe(path)
        bits = path.stat().st_size * 8 / video.duration_s
        print(f"{path}: {video.width}x{video.height}, {video.duration_s:.1f} s, {bits / 1e6:.1f} Mbit/s")


if __name__ == "__main__":
    main()
