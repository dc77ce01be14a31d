"""Reads video files: probes a file, and yields its upright frames, sampled by their true times.

A container's frame rate and frame count are never trusted: a frame's time is its own time stamp, counted from the first
frame that decodes. Pictures are upright (display matrix applied) with square pixels, each in its own size: the size may
change within a stream, for example when a phone is turned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from fitcli.errors import InvalidVideoError
from fitcli.video.clock import clocked, sampled
from fitcli.video.container import UNTIMED_CONTAINERS, claimed_duration_s
from fitcli.video.decoding import Decoder, Tail, scan
from fitcli.video.files import no_frames, opened
from fitcli.video.picture import Decoded, Frame, Image, Picture

SAMPLE_RATE_HZ = 15.0
"""Sampling rate for pose; the shipped networks were trained at this rate."""

SAMPLE_MAX_SIDE_PX = 640
"""Longest side of a sampled frame; larger ones gain nothing, because the pose network reads 256 x 256."""

_SEEK_AFTER_S = 5.0  # decoding a few seconds is cheaper than opening the file again when a seek lands badly
_SEEK_MARGIN_S = 1.0  # seek this far before the wanted frame: B-frames are stored after frames that are shown later


@dataclass(frozen=True)
class VideoFile:
    """The properties of a video file; width and height in pixels are those of the upright picture with square pixels.

    They belong to the first picture, and so does `rotation_deg`, the clockwise turn (0, 90, 180, 270) that made it
    upright. `duration_s` (0.0 for a single picture) and `average_rate_hz` are claims of the container and unreliable;
    `Watched.length_s` is measured.
    """

    path: Path
    duration_s: float
    width: int
    height: int
    rotation_deg: int
    codec: str
    average_rate_hz: float


@dataclass
class Watched:
    """What one pass over a file observed, filled while `frames` runs.

    first_s, last_s: times of the first and the last picture in the requested part, sampled or not; None without any.
    length_s: when the last picture of the file ends, None if the pass ended earlier, at `end_s`.
    broken_off: whether the file ends before its pictures do: it was cut off, or is damaged up to its end.
    """

    first_s: float | None = None
    last_s: float | None = None
    length_s: float | None = None
    broken_off: bool = False


@dataclass(frozen=True)
class Listener:
    """A second reader of a video's frames, in full size, in the same pass.

    `hear` is called with the time of each frame, at most about `rate_hz` times a second, and a function that renders
    the upright frame, so that frames that are not needed are never rendered.
    """

    hear: Callable[[float, Callable[[], Image]], None]
    rate_hz: float


def probe(path: Path) -> VideoFile:
    """The properties of a video file; decodes its first frame.

    Raises `MissingInputError`, `UnreadableInputError` (folder, FIFO, device, permissions) or `InvalidVideoError`
    (empty, no video, damaged, no frame).
    """
    with opened(path) as (container, stream):
        first = next(Decoder(path, container, stream).frames(), None)
        if first is None:
            raise no_frames(path)
        picture = Picture.of(first, max_side=None)
        rate = stream.average_rate or stream.guessed_rate
        codec = stream.codec_context.name
        duration_s = claimed_duration_s(container, stream)
    if duration_s is None:
        duration_s = scan(path).duration_s
    return VideoFile(
        path=path,
        duration_s=duration_s,
        width=picture.upright_size[0],
        height=picture.upright_size[1],
        rotation_deg=picture.rotation_deg,
        codec=codec,
        average_rate_hz=float(rate) if rate else 0.0,
    )


def frames(
    path: Path,
    *,
    rate_hz: float | None = SAMPLE_RATE_HZ,
    start_s: float | None = None,
    end_s: float | None = None,
    max_side: int | None = SAMPLE_MAX_SIDE_PX,
    stretch: float = 1.0,
    listener: Listener | None = None,
    watched: Watched | None = None,
) -> Iterator[Frame]:
    """Decode a video into upright RGB frames, sampled by time, with strictly rising times; only a few are in memory.

    rate_hz: the frames nearest to a grid of this many points a second, each at most once; every frame for None, or for
        a slower video. A new grid begins after a gap of more than `GAP_S`.
    start_s, end_s: only frames with `start_s <= time_s < end_s`; `time_s` still counts from the start of the file.
    max_side: longest side in pixels; frames are scaled down to it, never up.
    stretch: ratio of the shown width to the true one, beyond the pixel aspect that the file states; undone here.
    listener: receives the frames in full size and at its own rate, in the same pass over the file.
    watched: filled with what this pass observes.

    Frames of a damaged file that do not decode are skipped. Raises as `probe` does, at the first frame.
    """
    begin_s = max(start_s or 0.0, 0.0)
    if end_s is not None and end_s <= begin_s:
        raise InvalidVideoError(f"{path} cannot be read from {begin_s:g} s to {end_s:g} s: the end must come later.")
    watched = watched or Watched()
    with _open_at(path, begin_s) as (timed, tail):
        timed = _within(_observed(timed, tail, watched), begin_s, end_s, watched)
        if listener:
            timed = _heard(timed, begin_s, listener)
        for time_s, decoded in sampled(timed, begin_s, rate_hz):
            yield Frame(time_s, Picture.of(decoded, max_side, stretch).render(decoded.frame))
    if watched.first_s is None:
        lasts_s = probe(path).duration_s if watched.length_s is None else watched.length_s
        until = "its end" if end_s is None else f"{end_s:g} s"
        ends = "breaks off at" if watched.broken_off else "lasts"
        raise InvalidVideoError(
            f"{path} has no frame between {begin_s:g} s and {until}: it {ends} {lasts_s:.1f} s, choose a part of that."
        )


_Timed = Iterator[tuple[float, Decoded]]
"""Frames with their seconds since the file's first one, strictly rising."""


@contextmanager
def _open_at(path: Path, begin_s: float) -> Iterator[tuple[_Timed, Tail]]:
    """Open a video and decode it from `begin_s` or somewhat earlier."""
    import av

    with opened(path) as (container, stream):
        decoder = Decoder(path, container, stream)
        decoded = decoder.frames()
        first = next(decoded, None)
        if first is None:
            raise no_frames(path)
        origin_s = first.frame.time or 0.0
        if begin_s <= _SEEK_AFTER_S:
            yield _timed(chain((first,), decoded), decoder, origin_s), decoder.tail
            return
        landed = None
        # If the clock restarts within the file, one time stamp stands for several positions.
        if container.format.name not in UNTIMED_CONTAINERS or not scan(path).restarts:
            with suppress(av.FFmpegError):
                container.seek(int((origin_s + begin_s - _SEEK_MARGIN_S) / (stream.time_base or 1)), stream=stream)
                decoded = decoder.frames()
                landed = next(decoded, None)
        if landed and landed.frame.time is not None and 0 <= landed.frame.time - origin_s <= begin_s:
            yield _timed(chain((landed,), decoded), decoder, origin_s), decoder.tail
            return
    with opened(path) as (container, stream):  # no index, or a wrong one: decode from the start
        decoder = Decoder(path, container, stream)
        yield _timed(decoder.frames(), decoder, origin_s), decoder.tail


def _timed(decoded: Iterable[Decoded], decoder: Decoder, origin_s: float) -> _Timed:
    return clocked(((item.frame.time, item) for item in decoded), decoder.usual_s, origin_s)


def _observed(timed: _Timed, tail: Tail, watched: Watched) -> _Timed:
    """The same frames; at the end of the file, its length is noted in `watched`."""
    last: tuple[float, Decoded] | None = None
    for last in timed:
        yield last
    if last is not None:
        watched.length_s = last[0] + last[1].lasts_s
        watched.broken_off = tail.broken_off


def _within(timed: _Timed, begin_s: float, end_s: float | None, watched: Watched) -> _Timed:
    """The frames of a part, whose first and last time are noted in `watched`."""
    for time_s, decoded in timed:
        if end_s is not None and time_s >= end_s:
            return
        if time_s >= begin_s:
            watched.first_s = time_s if watched.first_s is None else watched.first_s
            watched.last_s = time_s
            yield time_s, decoded


def _heard(timed: _Timed, begin_s: float, listener: Listener) -> _Timed:
    """The same frames, reduced to the listener's rate, each after the listener received it."""
    for time_s, decoded in sampled(timed, begin_s, listener.rate_hz):
        listener.hear(time_s, partial(Picture.of(decoded, max_side=None).render, decoded.frame))
        yield time_s, decoded
