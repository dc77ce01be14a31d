"""Video files in and out with PyAV: probe, upright frames sampled by their true times, and a writer that keeps times.

Nothing here trusts a container's frame rate or frame count: a frame's time is its own timestamp, counted from the first
frame that decodes. Pictures come out upright (display matrix applied) with square pixels.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from math import floor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import numpy.typing as npt

from fitcli.errors import FitcliError, InvalidVideoError, MissingInputError, StorageError, UnreadableInputError

if TYPE_CHECKING:  # PyAV takes .2 s to import, so the functions that decode or encode import it
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.stream import VideoStream

Image = npt.NDArray[np.uint8]

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp", ".ts")
)
"""File names that count as videos when a folder is expanded; a file named by itself may have any name."""

SAMPLE_RATE_HZ = 15.0
"""Samples a second that pose works on; the shipped networks were trained at this rate."""

SAMPLE_MAX_SIDE_PX = 640
"""Longest side of a sampled frame: more adds nothing, the pose network reads 256 x 256."""

MIN_DURATION_S = 0.5
"""Shorter clips hold no movement to name; `probe` and `frames` still read them."""

_SEEK_AFTER_S = 5.0  # decoding a few seconds is cheaper than opening the file again when a seek lands badly
_SEEK_MARGIN_S = 1.0  # aim this far ahead of the wanted frame: B-frames are stored after the frames that they follow
_THREAD_PIXELS = 48_000_000  # frames that decoder threads hold at once: 8 threads up to 1080p, 1 at 8K
_MAX_THREADS = 8
_RESTART_FRAMES = 8  # as many frames in a row that come too late mean that the clock of the file began again
_FALLBACK_RATE_HZ = 30.0  # for raw streams that state neither times nor a rate
# The index moves to the front when the file is closed, so that a browser can begin at once.
_QUICK_START = {"movflags": "faststart"}
# An index for every second (1,000,000 us), replaced by one for the whole file when it is closed.
_LASTING = {"movflags": "hybrid_fragmented", "frag_duration": "1000000", "flush_packets": "1"}
_CLOCK = Fraction(1, 90_000)  # VideoWriter's tick, the MPEG system clock: exact enough for any camera
_TEXT_CODECS = frozenset(("ansi", "bintext", "xbin", "idf"))  # FFmpeg draws text files as if they were videos
_MP4_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"))  # what an MP4 or MOV file begins with
_UNTIMED_CONTAINERS = frozenset(("mpeg", "mpegts"))  # they state no duration and FFmpeg guesses one
_ATTACHED_PICTURE = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the cover of a song


@dataclass(frozen=True)
class VideoFile:
    """What a video file is; width and height in pixels are those of the upright picture with square pixels.

    `rotation_deg` is the clockwise turn (0, 90, 180, 270) that made it upright, `duration_s` 0.0 for a single picture,
    `average_rate_hz` the container's claim and nothing to compute with.
    """

    path: Path
    duration_s: float
    width: int
    height: int
    rotation_deg: int
    codec: str
    average_rate_hz: float


@dataclass(frozen=True)
class Frame:
    """One upright picture: `time_s` from the first frame of the file, `image` (H, W, 3) uint8 RGB."""

    time_s: float
    image: Image


@dataclass(frozen=True)
class Listener:
    """Who wants a video's frames in full size while others read them small.

    `hear` is called with the time of each frame, at most about `rate_hz` a second, and a function that makes the
    upright frame: what is not wanted is never made.
    """

    hear: Callable[[float, Callable[[], Image]], None]
    rate_hz: float


def expand(path: Path) -> list[Path]:
    """The video files that one argument of a command stands for: the file itself, or a folder's videos, sorted.

    Folders are searched with all that lies below them; hidden files and folders are left out. A path to a file is given
    back whatever it is: `probe` and `frames` judge it. Raises `MissingInputError` for a path that is not there or a
    folder without videos, and `UnreadableInputError` for a folder that may not be listed.
    """
    mode = _stat(path).st_mode
    if not stat.S_ISDIR(mode):
        return [path]
    try:
        next(path.iterdir(), None)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be listed ({error.strerror}): check its permissions.") from error
    found = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [Path(folder, name) for name in names if not name.startswith(".") and _looks_like_video(name)]
    if not found:
        known = " ".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
        raise MissingInputError(f"{path} holds no video: put files in it that end in one of {known}.")
    return sorted(found)


def video_files(paths: Iterable[Path]) -> list[Path]:
    """The videos that several paths stand for, each once, in the order given; raises as `expand` does."""
    return list(dict.fromkeys(file for path in paths for file in expand(path)))


def probe(path: Path) -> VideoFile:
    """Open a video, decode its first frame and say what the file is.

    Raises `MissingInputError`, `UnreadableInputError` (folder, FIFO, device, permissions) or `InvalidVideoError`
    (empty, no video, damaged, no frame), each with a sentence that says what to do.
    """
    with _open(path) as (container, stream):
        first = next(_decoded(container, stream), None)
        if first is None:
            raise _no_frames(path)
        picture = _Picture.of(first, stream, max_side=None)
        rate = stream.average_rate or stream.guessed_rate
        codec = stream.codec_context.name
        duration_s = _claimed_duration(container, stream)
    if duration_s is None:
        duration_s = _scanned_duration(path)
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
) -> Iterator[Frame]:
    """Decode a video and give upright RGB frames, sampled by time, strictly rising, without holding more than a few.

    rate_hz: the frames nearest to a grid of this many points a second, each at most once; None gives every frame, and a
        video slower than this gives every frame too.
    start_s, end_s: only frames with `start_s <= time_s < end_s`; `time_s` still counts from the start of the file.
    max_side: longest side in pixels; frames are scaled down to it, never up.
    stretch: how many times its true width the picture is shown, beyond what the file says of its pixels: undone here.
    listener: hears of the frames in full size and at its own rate, in the same pass over the file.

    What decodes of a damaged file is given; what does not is left out. Raises as `probe` does, at the first frame.
    """
    begin_s = max(start_s or 0.0, 0.0)
    if end_s is not None and end_s <= begin_s:
        raise InvalidVideoError(f"{path} cannot be read from {begin_s:g} s to {end_s:g} s: the end must come later.")
    picture: _Picture | None = None
    given = 0
    with _open_at(path, begin_s) as (stream, timed):
        timed = _within(timed, begin_s, end_s)
        if listener:
            timed = _heard(timed, stream, begin_s, listener)
        for time_s, frame in _sampled(timed, begin_s, rate_hz):
            picture = picture or _Picture.of(frame, stream, max_side, stretch)
            yield Frame(time_s, picture.render(frame))
            given += 1
    if not given:
        lasts_s = probe(path).duration_s  # raises where the file has no frame at all
        until = "its end" if end_s is None else f"{end_s:g} s"
        raise InvalidVideoError(
            f"{path} has no frame between {begin_s:g} s and {until}: it lasts {lasts_s:.1f} s, choose a part inside."
        )


class VideoWriter:
    """Write RGB frames to an MP4 (H.264, yuv420p) at their true times, so that it plays in any browser.

    A context manager. The frame rate is variable: the first frame's time becomes 0 and every other keeps its distance.
    An odd width or height, which yuv420p does not have, is made even by repeating the last column or row. Leaving the
    block finishes the file even after an exception, so an interrupted recording stays playable; a writer that got no
    frame leaves no file. Raises `StorageError` where the file cannot be created or the disk is full, leaving no file.

    lasting: for a recording, which cannot be made again. The file must be new, and it plays however the program ends,
    but for the last second or two; it stays where the disk is full, too.
    """

    def __init__(self, path: Path, width: int, height: int, *, lasting: bool = False) -> None:
        import av

        self.path = path
        self.width = width
        self.height = height
        self._lasting = lasting
        self._first_s: float | None = None
        self._last_pts = -1
        self._closed = False
        if lasting:
            self._create()
        with self._storage():
            self._container = av.open(f"file:{path}", "w", format="mp4", options=_LASTING if lasting else _QUICK_START)
            # No B-frames: with uneven frame times they make the container state a shorter duration than it has.
            how = {"preset": "veryfast", "crf": "21", "bf": "0"}
            self._stream = self._container.add_stream("libx264", rate=30, options=how)
        self._stream.width = width + width % 2
        self._stream.height = height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _CLOCK
        with self._storage():
            self._container.start_encoding()  # creates the file now, before anything is recorded

    def _create(self) -> None:
        """Create the file, which FFmpeg would overwrite."""
        try:
            self.path.open("xb").close()
        except FileExistsError as error:
            raise StorageError(f"{self.path} is there already: choose another name.") from error
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, image: Image, time_s: float) -> None:
        """Add one (height, width, 3) uint8 RGB frame shown at `time_s`; times must rise."""
        import av

        if image.shape != (self.height, self.width, 3):
            raise ValueError(f"frame of shape {image.shape}, expected {(self.height, self.width, 3)}")
        if self._first_s is None:
            self._first_s = time_s
        if self.width % 2 or self.height % 2:
            image = np.pad(image, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        # two frames of a camera may carry one time; the encoder refuses that, and a tick of 11 us is not seen
        self._last_pts = max(self._last_pts + 1, round((time_s - self._first_s) / _CLOCK))
        frame.pts = self._last_pts
        frame.time_base = _CLOCK
        with self._storage():
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds and the index; called by leaving the `with` block."""
        if self._closed:
            return
        with self._storage():
            if self._first_s is not None:
                self._container.mux(self._stream.encode())
            self._container.close()
            self._closed = True
        if self._first_s is None:
            self.path.unlink(missing_ok=True)

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # FFmpeg's errors are OSErrors where the system gave the reason
            kept = self._discard()
            raise self._unwritable(error, kept=kept) from error

    def _unwritable(self, error: OSError, *, kept: bool = False) -> StorageError:
        reason = error.strerror or "unknown reason"
        end = ", to its end; it holds what was recorded before that" if kept else ""
        return StorageError(f"{self.path} cannot be written{end} ({reason}): free some space or choose another folder.")

    def _discard(self) -> bool:
        """Remove the file that cannot be finished: without its index no player opens it. Returns whether it stays."""
        self._closed = True
        # closing writes again and fails again; the file handle must go all the same
        with suppress(OSError, AttributeError):
            self._container.close()
        if self._lasting and _plays(self.path):
            return True
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plays(path: Path) -> bool:
    try:
        return probe(path).duration_s > 0
    except FitcliError:
        return False


@dataclass(frozen=True)
class _Picture:
    """How one file's decoded frames become upright RGB: scaled first, which is cheap, and then turned."""

    width: int  # scaled, as stored, before the turn
    height: int
    transpose: bool
    flip_x: bool
    flip_y: bool

    @classmethod
    def of(cls, frame: VideoFrame, stream: VideoStream, max_side: int | None, stretch: float = 1.0) -> _Picture:
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        # some files claim nonsense pixels; no camera has them outside of this range
        pixel = float(aspect) if aspect and 0.25 <= aspect <= 4 else 1.0
        width, height = frame.width * pixel, float(frame.height)
        orientation = _orientation(frame)
        if orientation[0]:  # it lies on its side: what is its width as people see it is stored as the height
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
        except av.FFmpegError:  # a colour matrix that FFmpeg cannot convert; a person of a wrong tint is still a person
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

    The matrix is used, not `VideoFrame.rotation`: mirrored recordings (front cameras) have no rotation that is right.
    Quarter turns only, as every phone writes; others count as the nearest.
    """
    side = frame.side_data.get("DISPLAYMATRIX")
    if side is None:
        return False, False, False
    # FFmpeg's av_display_*: x' = a x + c y, y' = b x + d y in 16.16 fixed point, in rows of three
    a, b, _, c, d = np.frombuffer(bytes(cast("SideData", side)), dtype="<i4")[:5].tolist()
    if abs(a) >= abs(b):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInputError(f"{path} does not exist: check the name.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableInputError(f"{path} cannot be opened ({reason}): check its name and permissions.") from error


def _looks_like_video(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


class _File(io.FileIO):
    """A file in which a damaged index may point anywhere: FFmpeg is told of a bad position and not interrupted."""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return super().seek(offset, whence)
        except OSError:
            return -1


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file for decoding, with every reason why that is not possible as its own sentence."""
    import av

    status = _stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableInputError(f"{path} is a folder: give a video file.")
    if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for ever
        raise UnreadableInputError(f"{path} is a pipe, socket or device: save the video to a file first.")
    if status.st_size == 0:
        raise InvalidVideoError(f"{path} is empty: copy or export the video again.")
    try:
        file = _File(path)
    except OSError as error:
        raise UnreadableInputError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    with file:
        try:
            # A file object, because FFmpeg reads some names as addresses; and with no protocol allowed a playlist or
            # a link inside of the file opens nothing else, neither on this machine nor on a network.
            container = av.open(file, "r", options={"protocol_whitelist": "none"}, **_lenient_metadata())
        except (av.FFmpegError, ValueError) as error:
            raise _not_a_video(path) from error
        with container:
            yield container, _video_stream(path, container)


def _lenient_metadata() -> dict[str, Any]:
    """Options of `av.open` with which tags in another encoding than UTF-8 do not fail the whole file.

    PyAV up to 18 raises unless it is asked to ignore them; PyAV 19 always replaces them and has no such option.
    """
    from av.container import Container

    return {"metadata_errors": "ignore"} if hasattr(Container, "metadata_errors") else {}


def _not_a_video(path: Path) -> InvalidVideoError:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in _MP4_BOXES:
        return InvalidVideoError(
            f"{path} is cut off: its index, which ends an MP4 or MOV file, is missing. Copy or export it again."
        )
    return InvalidVideoError(f"{path} is no video, whatever its name says: give a video file.")


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The stream to analyse, set up to decode on several threads."""
    streams = [s for s in container.streams.video if not s.disposition & _ATTACHED_PICTURE]
    if not streams:
        if container.streams.audio:
            raise InvalidVideoError(f"{path} holds sound and no picture: give a video file.")
        raise InvalidVideoError(f"{path} holds no video: give a video file.")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    context = stream.codec_context
    if context is not None and context.name in _TEXT_CODECS:
        raise _not_a_video(path)
    if context is None:
        raise InvalidVideoError(f"{path} is in no video format that can be decoded: export it as MP4 (H.264).")
    pixels = max(context.width * context.height, 1)
    context.thread_count = max(1, min(_MAX_THREADS, os.cpu_count() or 1, _THREAD_PIXELS // pixels))
    context.thread_type = "AUTO"
    return stream


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The stream's packets up to the end or to where the file breaks off."""
    import av

    while True:
        try:
            yield from container.demux(stream)
            return
        except av.FFmpegError:
            return
        except IndexError:  # PyAV does not know a stream that begins in the middle of the file: go on after it
            continue


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Every frame that decodes: damaged packets are left out, and a file that breaks off just ends."""
    import av

    for packet in chain(_packets(container, stream), (None,)):  # None hands out what the decoder still holds
        with suppress(av.FFmpegError):
            yield from stream.decode(packet)


@contextmanager
def _open_at(path: Path, begin_s: float) -> Iterator[tuple[VideoStream, Iterator[tuple[float, VideoFrame]]]]:
    """Open a video and decode it from `begin_s` or earlier: the stream, and (seconds since the first frame, frame)."""
    import av

    with _open(path) as (container, stream):
        decoded = _decoded(container, stream)
        first = next(decoded, None)
        if first is None:
            raise _no_frames(path)
        origin_s = first.time or 0.0
        if begin_s <= _SEEK_AFTER_S:
            yield stream, _clocked(chain((first,), decoded), stream, origin_s)
            return
        landed = None
        with suppress(av.FFmpegError):
            container.seek(int((origin_s + begin_s - _SEEK_MARGIN_S) / (stream.time_base or 1)), stream=stream)
            decoded = _decoded(container, stream)
            landed = next(decoded, None)
        if landed is not None and landed.time is not None and 0 <= landed.time - origin_s <= begin_s:
            yield stream, _clocked(chain((landed,), decoded), stream, origin_s)
            return
    with _open(path) as (container, stream):  # no index, or a wrong one: read up to the place instead
        yield stream, _clocked(_decoded(container, stream), stream, origin_s)


def _clocked(decoded: Iterable[VideoFrame], stream: VideoStream, origin_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Frames with their seconds since the file's first frame, strictly rising."""
    gap_s = 1 / float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE_HZ)
    last_s, shift_s, late = -gap_s, -origin_s, 0
    for frame in decoded:
        time_s = last_s + gap_s if frame.time is None else frame.time + shift_s  # raw streams carry no times
        if time_s <= last_s:
            late += 1
            if late < _RESTART_FRAMES or frame.time is None:  # damage makes single frames come late: leave them out
                continue
            shift_s += last_s + gap_s - time_s  # the clock began again: recordings joined end to end
            time_s = frame.time + shift_s
        last_s, late = time_s, 0
        yield time_s, frame


def _within(
    timed: Iterable[tuple[float, VideoFrame]], begin_s: float, end_s: float | None
) -> Iterator[tuple[float, VideoFrame]]:
    for time_s, frame in timed:
        if end_s is not None and time_s >= end_s:
            return
        if time_s >= begin_s:
            yield time_s, frame


def _sampled(
    timed: Iterable[tuple[float, VideoFrame]], begin_s: float, rate_hz: float | None
) -> Iterator[tuple[float, VideoFrame]]:
    """The frames that are the nearest one to some point of the grid `begin_s + k / rate_hz`."""
    if rate_hz is None:
        yield from timed
        return
    held: tuple[float, VideoFrame] | None = None
    half_gap_s = 0.0
    due_s = begin_s  # the first grid point that no frame has been given for
    for entry in timed:
        if held is not None:
            half_gap_s = (entry[0] - held[0]) / 2
            reach_s = held[0] + half_gap_s  # up to here the held frame is nearer than the new one
            if due_s <= reach_s:
                yield held
                due_s = begin_s + (floor((reach_s - begin_s) * rate_hz) + 1) / rate_hz
        held = entry
    if held is not None and due_s <= held[0] + half_gap_s:
        yield held


def _heard(
    timed: Iterable[tuple[float, VideoFrame]], stream: VideoStream, begin_s: float, listener: Listener
) -> Iterator[tuple[float, VideoFrame]]:
    """The same frames, those that are left at the listener's rate, each after the listener has heard of it."""
    picture: _Picture | None = None
    for time_s, frame in _sampled(timed, begin_s, listener.rate_hz):
        picture = picture or _Picture.of(frame, stream, max_side=None)
        listener.hear(time_s, partial(picture.render, frame))
        yield time_s, frame


def _claimed_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """The duration in seconds that the container states, or None."""
    if container.format.name in _UNTIMED_CONTAINERS:
        return None
    if stream.duration and stream.time_base:
        claimed = float(stream.duration * stream.time_base)
    else:  # Matroska states when the film ends, which counts from the clock's zero and not from the first frame
        claimed = ((container.duration or 0) - max(container.start_time or 0, 0)) / 1_000_000
    return claimed if claimed > 0 else None


def _scanned_duration(path: Path) -> float:
    """Seconds from the first packet to the end of the last, for files that state none (browser recordings, pipes)."""
    begin_s, end_s = float("inf"), 0.0
    with _open(path) as (container, stream):
        for packet in _packets(container, stream):
            if packet.pts is not None and packet.time_base is not None:
                time_s = float(packet.pts * packet.time_base)
                begin_s = min(begin_s, time_s)
                end_s = max(end_s, time_s + float((packet.duration or 0) * packet.time_base))
    return max(end_s - begin_s, 0.0)


def _no_frames(path: Path) -> FitcliError:
    return InvalidVideoError(f"{path} has no frame that can be decoded: copy or export the video again.")
