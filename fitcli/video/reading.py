"""Video files in: probe a file, and its upright frames sampled by their true times.

Nothing here trusts a container's frame rate or frame count: a frame's time is its own timestamp, counted from the first
frame that decodes. Pictures come out upright (display matrix applied) with square pixels, each by its own size: a
stream may change it, as a phone's does that is turned.
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
"""Samples a second that pose works on; the shipped networks were trained at this rate."""

SAMPLE_MAX_SIDE_PX = 640
"""Longest side of a sampled frame: more adds nothing, the pose network reads 256 x 256."""

_SEEK_AFTER_S = 5.0  # decoding a few seconds is cheaper than opening the file again when a seek lands badly
_SEEK_MARGIN_S = 1.0  # aim this far ahead of the wanted frame: B-frames are stored after the frames that they follow


@dataclass(frozen=True)
class VideoFile:
    """What a video file is; width and height in pixels are those of the upright picture with square pixels.

    They are the first picture's, as is `rotation_deg`, the clockwise turn (0, 90, 180, 270) that made it upright.
    `duration_s`, 0.0 for a single picture, and `average_rate_hz` are the container's claims and nothing to compute
    with: `Watched.length_s` is what its pictures say.
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
    """What one pass over a file saw of it, filled while `frames` runs.

    first_s, last_s: times of the first and the last picture in the part that was asked for, sampled or not; None where
        it holds none.
    length_s: when the last picture of the file ends, None where the pass ended earlier, at `end_s`.
    broken_off: whether the file ends before its pictures do: it was cut off, or is damaged up to its end.
    """

    first_s: float | None = None
    last_s: float | None = None
    length_s: float | None = None
    broken_off: bool = False


@dataclass(frozen=True)
class Listener:
    """Who wants a video's frames in full size while others read them small.

    `hear` is called with the time of each frame, at most about `rate_hz` a second, and a function that makes the
    upright frame: what is not wanted is never made.
    """

    hear: Callable[[float, Callable[[], Image]], None]
    rate_hz: float


def probe(path: Path) -> VideoFile:
    """Open a video, decode its first frame and say what the file is.

    Raises `MissingInputError`, `UnreadableInputError` (folder, FIFO, device, permissions) or `InvalidVideoError`
    (empty, no video, damaged, no frame), each with a sentence that says what to do.
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
    """Decode a video and give upright RGB frames, sampled by time, strictly rising, without holding more than a few.

    rate_hz: the frames nearest to a grid of this many points a second, each at most once; None gives every frame, and a
        video slower than this gives every frame too. The grid begins anew after a gap of more than `GAP_S`.
    start_s, end_s: only frames with `start_s <= time_s < end_s`; `time_s` still counts from the start of the file.
    max_side: longest side in pixels; frames are scaled down to it, never up.
    stretch: how many times its true width the picture is shown, beyond what the file says of its pixels: undone here.
    listener: hears of the frames in full size and at its own rate, in the same pass over the file.
    watched: is filled with what this pass sees of the file.

    What decodes of a damaged file is given; what does not is left out. Raises as `probe` does, at the first frame.
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
            f"{path} has no frame between {begin_s:g} s and {until}: it {ends} {lasts_s:.1f} s, choose a part inside."
        )


_Timed = Iterator[tuple[float, Decoded]]
"""Frames with their seconds since the file's first one, strictly rising."""


@contextmanager
def _open_at(path: Path, begin_s: float) -> Iterator[tuple[_Timed, Tail]]:
    """Open a video and decode it from `begin_s` or earlier."""
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
        # Where the clock begins anew in mid-file, a time of the file's own stands for several places.
        if container.format.name not in UNTIMED_CONTAINERS or not scan(path).restarts:
            with suppress(av.FFmpegError):
                container.seek(int((origin_s + begin_s - _SEEK_MARGIN_S) / (stream.time_base or 1)), stream=stream)
                decoded = decoder.frames()
                landed = next(decoded, None)
        if landed and landed.frame.time is not None and 0 <= landed.frame.time - origin_s <= begin_s:
            yield _timed(chain((landed,), decoded), decoder, origin_s), decoder.tail
            return
    with opened(path) as (container, stream):  # no index, or a wrong one: read up to the place instead
        decoder = Decoder(path, container, stream)
        yield _timed(decoder.frames(), decoder, origin_s), decoder.tail


def _timed(decoded: Iterable[Decoded], decoder: Decoder, origin_s: float) -> _Timed:
    return clocked(((item.frame.time, item) for item in decoded), decoder.usual_s, origin_s)


def _observed(timed: _Timed, tail: Tail, watched: Watched) -> _Timed:
    """The same frames; at the end of the file `watched` learns where that was."""
    last: tuple[float, Decoded] | None = None
    for last in timed:
        yield last
    if last is not None:
        watched.length_s = last[0] + last[1].lasts_s
        watched.broken_off = tail.broken_off


def _within(timed: _Timed, begin_s: float, end_s: float | None, watched: Watched) -> _Timed:
    """The frames of a part; `watched` learns when it begins and ends."""
    for time_s, decoded in timed:
        if end_s is not None and time_s >= end_s:
            return
        if time_s >= begin_s:
            watched.first_s = time_s if watched.first_s is None else watched.first_s
            watched.last_s = time_s
            yield time_s, decoded


def _heard(timed: _Timed, begin_s: float, listener: Listener) -> _Timed:
    """The same frames, those that are left at the listener's rate, each after the listener has heard of it."""
    for time_s, decoded in sampled(timed, begin_s, listener.rate_hz):
        listener.hear(time_s, partial(Picture.of(decoded, max_side=None).render, decoded.frame))
        yield time_s, decoded
