"""Decodes an open file: skips damaged packets, and observes on the way how the file ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from fitcli import interrupt
from fitcli.video.clock import clocked
from fitcli.video.container import stated_end_s
from fitcli.video.files import opened
from fitcli.video.picture import Decoded

if TYPE_CHECKING:  # PyAV takes .2 s to import, so the functions that decode or encode import it
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_EARLY_END_S = 0.5  # pictures that end this much before the stated end are cut off; less is rounding
_FALLBACK_RATE_HZ = 30.0  # for raw streams that state neither times nor a rate


@dataclass
class Tail:
    """How a file ends, on its own clock, filled while it is decoded.

    stated_s: the stated end of its pictures, None if the file states none. packet_s: time of the last packet.
    picture_s, picture_end_s: begin and end of the last picture. cut: the last packet is incomplete.
    """

    stated_s: float | None = None
    packet_s: float | None = None
    picture_s: float | None = None
    picture_end_s: float | None = None
    cut: bool = False

    @property
    def broken_off(self) -> bool:
        """Whether the file ends before its pictures do, because it is cut off or damaged."""
        if self.picture_s is None or self.picture_end_s is None:
            return False
        undecoded_s = (self.packet_s or self.picture_s) - self.picture_s
        missing_s = (self.stated_s or self.picture_end_s) - self.picture_end_s
        return self.cut or max(undecoded_s, missing_s) > _EARLY_END_S


def packets(container: InputContainer, stream: VideoStream, tail: Tail) -> Iterator[Packet[VideoStream]]:
    """The stream's packets, up to the end of the file or the point where it breaks off."""
    import av

    while True:
        try:
            for packet in container.demux(stream):
                interrupt.heed()
                if packet.pts is not None and packet.time_base is not None:
                    tail.packet_s, tail.cut = float(packet.pts * packet.time_base), packet.is_corrupt
                yield packet
            break
        except av.FFmpegError:
            tail.cut = True
            break
        except IndexError:  # PyAV does not know a stream that begins in the middle of the file: skip it
            continue
    interrupt.heed()  # a file that ends because of Ctrl-C is not broken off


class Decoder:
    """Decodes an open file from its current position, and again after a seek."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        self.usual_s = 1 / float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE_HZ)
        self.tail = Tail(stated_end_s(path, container, stream))
        self._container = container
        self._stream = stream
        self._stated = _aspect(stream.sample_aspect_ratio) or _aspect(stream.codec_context.sample_aspect_ratio) or 1.0
        self._at_first: float | None = None
        self._of_size: dict[tuple[int, int], float] = {}

    def frames(self) -> Iterator[Decoded]:
        """Every frame that decodes: damaged packets are skipped, and a file that breaks off just ends."""
        import av

        # None flushes the frames that the decoder still holds.
        for packet in chain(packets(self._container, self._stream, self.tail), (None,)):
            with suppress(av.FFmpegError):
                for frame in self._stream.decode(packet):
                    decoded = Decoded(frame, self._pixel_aspect(frame, packet is None), self._lasts_s(frame))
                    if frame.time is not None:
                        self.tail.picture_s, self.tail.picture_end_s = frame.time, frame.time + decoded.lasts_s
                    yield decoded

    def _pixel_aspect(self, frame: VideoFrame, at_end: bool) -> float:
        """The pixels' width over their height: the container's, as long as the stream states what it did at first."""
        own = _aspect(self._stream.codec_context.sample_aspect_ratio) or 1.0
        self._at_first = own if self._at_first is None else self._at_first
        size = frame.width, frame.height
        if not at_end or size not in self._of_size:  # at the end the decoder is ahead of the frames that it returns
            self._of_size[size] = self._stated if own == self._at_first else own
        return self._of_size[size]

    def _lasts_s(self, frame: VideoFrame) -> float:
        stated_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
        return stated_s if stated_s > 0 else self.usual_s


def _aspect(ratio: Fraction | None) -> float | None:
    """A pixel's width over its height; None outside the range of any camera, as some files claim."""
    return float(ratio) if ratio and 0.25 <= ratio <= 4 else None


@dataclass(frozen=True)
class Scan:
    """A file's packets: seconds from the first to the end of the last, and whether their clock restarts."""

    duration_s: float
    restarts: bool


def scan(path: Path) -> Scan:
    """Read a file's packets: for files without a stated duration (browser recordings, pipes), or concatenated ones."""
    status = path.stat()
    return _scanned(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _scanned(path: Path, modified_ns: int, size: int) -> Scan:
    begin_s, end_s = float("inf"), 0.0
    last_raw_s, restarts = float("-inf"), False
    with opened(path) as (container, stream):
        usual_s = Decoder(path, container, stream).usual_s
        # dts rises from packet to packet even if pts does not.
        stamped = (
            (float((packet.pts if packet.dts is None else packet.dts) * packet.time_base), packet)
            for packet in packets(container, stream, Tail())
            if packet.pts is not None and packet.time_base is not None
        )
        first = next(stamped, None)
        for time_s, packet in clocked(chain((first,), stamped), usual_s, first[0]) if first else ():
            pts, dts, tick_s = packet.pts or 0, packet.dts, float(packet.time_base or 0)
            raw_s = (pts if dts is None else dts) * tick_s
            restarts = restarts or raw_s <= last_raw_s
            last_raw_s = raw_s
            shown_s = time_s + (0.0 if dts is None else (pts - dts) * tick_s)
            begin_s = min(begin_s, shown_s)
            end_s = max(end_s, shown_s + float(packet.duration or 0) * tick_s)
    return Scan(max(end_s - begin_s, 0.0), restarts)
