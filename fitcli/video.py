"""Video files in and out with PyAV: probe, upright frames sampled by their true times, and a writer that keeps times.

Nothing here trusts a container's frame rate or frame count: a frame's time is its own timestamp, counted from the first
frame that decodes. Pictures come out upright (display matrix applied) with square pixels, each by its own size: a
stream may change it, as a phone's does that is turned.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from itertools import chain
from math import floor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from fitcli import interrupt
from fitcli.errors import FitcliError, InvalidVideoError, MissingInputError, StorageError, UnreadableInputError

if TYPE_CHECKING:  # PyAV takes .2 s to import, so the functions that decode or encode import it
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.stream import VideoStream

Image = npt.NDArray[np.uint8]
_Item = TypeVar("_Item")

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp", ".ts")
)
"""File names that count as videos when a folder is expanded; a file named by itself may have any name."""

SAMPLE_RATE_HZ = 15.0
"""Samples a second that pose works on; the shipped networks were trained at this rate."""

SAMPLE_MAX_SIDE_PX = 640
"""Longest side of a sampled frame: more adds nothing, the pose network reads 256 x 256."""

GAP_S = 4.0
"""Pictures further apart than this belong to two stretches, and nothing is laid over the time between them: as long as
a window of the shipped networks, and a pause that ends a set."""

SHORTEST_S = 0.5
"""A shorter stretch holds no movement to name; `probe` and `frames` still read it."""


_SEEK_AFTER_S = 5.0  # decoding a few seconds is cheaper than opening the file again when a seek lands badly
_SEEK_MARGIN_S = 1.0  # aim this far ahead of the wanted frame: B-frames are stored after the frames that they follow
_THREAD_PIXELS = 48_000_000  # frames that decoder threads hold at once: 8 threads up to 1080p, 1 at 8K
_MAX_THREADS = 8
_EARLY_END_S = 0.5  # pictures that end this much before the file says have broken off; less is rounding
_RESTART_FRAMES = 8  # as many frames in a row that come too late mean that the clock of the file began again
_FALLBACK_RATE_HZ = 30.0  # for raw streams that state neither times nor a rate
# The index moves to the front when the file is closed, so that a browser can begin at once.
_QUICK_START = {"movflags": "faststart"}
# An index for every second (1,000,000 us), replaced by one for the whole file when it is closed.
_LASTING = {"movflags": "hybrid_fragmented", "frag_duration": "1000000", "flush_packets": "1"}
_CLOCK = Fraction(1, 90_000)  # VideoWriter's tick, the MPEG system clock: exact enough for any camera
_LONGEST_STEP = 2**31 - 2  # ticks that MP4 can hold between two frames: 6.6 hours
_TEXT_CODECS = frozenset(("ansi", "bintext", "xbin", "idf"))  # FFmpeg draws text files as if they were videos
_MP4_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"))  # what an MP4 or MOV file begins with
_UNTIMED_CONTAINERS = frozenset(("mpeg", "mpegts"))  # they state no duration and FFmpeg guesses one
_STREAM_TIMED_CONTAINERS = ("mov", "avi")  # their index states when the pictures end
_FILE_TIMED_CONTAINER = "flv"  # it states when the file ends, which may be the sound's end
_ATTACHED_PICTURE = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the cover of a song


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


@dataclass(frozen=True)
class Frame:
    """One upright picture: `time_s` from the first frame of the file, `image` (H, W, 3) uint8 RGB."""

    time_s: float
    image: Image


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
        first = next(_Decoder(path, container, stream).frames(), None)
        if first is None:
            raise _no_frames(path)
        picture = _Picture.of(first, max_side=None)
        rate = stream.average_rate or stream.guessed_rate
        codec = stream.codec_context.name
        duration_s = _claimed_duration(container, stream)
    if duration_s is None:
        duration_s = _scan(path).duration_s
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
        for time_s, decoded in _sampled(timed, begin_s, rate_hz):
            yield Frame(time_s, _Picture.of(decoded, max_side, stretch).render(decoded.frame))
    if watched.first_s is None:
        lasts_s = probe(path).duration_s if watched.length_s is None else watched.length_s
        until = "its end" if end_s is None else f"{end_s:g} s"
        ends = "breaks off at" if watched.broken_off else "lasts"
        raise InvalidVideoError(
            f"{path} has no frame between {begin_s:g} s and {until}: it {ends} {lasts_s:.1f} s, choose a part inside."
        )


def fitted(image: Image, width: int, height: int) -> Image:
    """A picture (H, W, 3) scaled to fit (height, width, 3), in the middle, with black where its shape leaves room."""
    from PIL import Image as PillowImage

    if image.shape[:2] == (height, width):
        return image
    left, top, right, bottom = fitted_box(image.shape[1], image.shape[0], width, height)
    scaled = PillowImage.fromarray(image).resize((right - left, bottom - top), PillowImage.Resampling.BICUBIC)
    framed = np.zeros((height, width, 3), np.uint8)
    framed[top:bottom, left:right] = np.asarray(scaled)
    return framed


def fitted_box(width: int, height: int, outer_width: int, outer_height: int) -> tuple[int, int, int, int]:
    """Where `fitted` puts a picture of width x height pixels: left, top, right, bottom."""
    scale = min(outer_width / width, outer_height / height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (outer_width - inner_width) // 2, (outer_height - inner_height) // 2
    return left, top, left + inner_width, top + inner_height


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
        pts = max(self._last_pts + 1, round((time_s - self._first_s) / _CLOCK))
        self._last_pts = min(pts, self._last_pts + _LONGEST_STEP)
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
class _Decoded:
    """A frame as the decoder gives it, the width of its pixels over their height, and how long it is shown."""

    frame: VideoFrame
    pixel_aspect: float
    lasts_s: float


@dataclass(frozen=True)
class _Picture:
    """How a decoded frame becomes upright RGB: scaled first, which is cheap, and then turned."""

    width: int  # scaled, as stored, before the turn
    height: int
    transpose: bool
    flip_x: bool
    flip_y: bool

    @classmethod
    def of(cls, decoded: _Decoded, max_side: int | None, stretch: float = 1.0) -> _Picture:
        frame = decoded.frame
        return cls._of(frame.width, frame.height, decoded.pixel_aspect, _orientation(frame), max_side, stretch)

    @classmethod
    @lru_cache(maxsize=64)  # asked for every frame, and nearly always the same
    def _of(
        cls,
        stored_width: int,
        stored_height: int,
        pixel_aspect: float,
        orientation: tuple[bool, bool, bool],
        max_side: int | None,
        stretch: float,
    ) -> _Picture:
        width, height = stored_width * pixel_aspect, float(stored_height)
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
    """A file in which a damaged index may point anywhere: FFmpeg is told of a bad position and not interrupted.

    After Ctrl-C it is at its end, so that FFmpeg stops looking for something in a long file.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        return b"" if interrupt.pressed() else super().read(-1 if size is None else size)

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
            interrupt.heed()
            raise _not_a_video(path) from error
        with container:
            interrupt.heed()
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


@dataclass
class _Tail:
    """How a file ends, on its own clock, filled while it is decoded.

    stated_s: when its pictures end, as the file says, None where it does not say. packet_s: time of the last packet.
    picture_s, picture_end_s: begin and end of the last picture. cut: the last packet is not all there.
    """

    stated_s: float | None = None
    packet_s: float | None = None
    picture_s: float | None = None
    picture_end_s: float | None = None
    cut: bool = False

    @property
    def broken_off(self) -> bool:
        """Whether the file ends before its pictures do."""
        if self.picture_s is None or self.picture_end_s is None:
            return False
        undecoded_s = (self.packet_s or self.picture_s) - self.picture_s
        missing_s = (self.stated_s or self.picture_end_s) - self.picture_end_s
        return self.cut or max(undecoded_s, missing_s) > _EARLY_END_S


def _packets(container: InputContainer, stream: VideoStream, tail: _Tail) -> Iterator[Packet[VideoStream]]:
    """The stream's packets up to the end or to where the file breaks off."""
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
        except IndexError:  # PyAV does not know a stream that begins in the middle of the file: go on after it
            continue
    interrupt.heed()  # a file that ends because of Ctrl-C says nothing


class _Decoder:
    """Decodes an open file, from its start first and then from wherever it was sent."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        self.usual_s = 1 / float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE_HZ)
        self.tail = _Tail(_stated_end_s(path, container, stream))
        self._container = container
        self._stream = stream
        self._stated = _aspect(stream.sample_aspect_ratio) or _aspect(stream.codec_context.sample_aspect_ratio) or 1.0
        self._at_first: float | None = None
        self._of_size: dict[tuple[int, int], float] = {}

    def frames(self) -> Iterator[_Decoded]:
        """Every frame that decodes: damaged packets are left out, and a file that breaks off just ends."""
        import av

        packets = _packets(self._container, self._stream, self.tail)
        for packet in chain(packets, (None,)):  # None hands out what the decoder still holds
            with suppress(av.FFmpegError):
                for frame in self._stream.decode(packet):
                    decoded = _Decoded(frame, self._pixel_aspect(frame, packet is None), self._lasts_s(frame))
                    if frame.time is not None:
                        self.tail.picture_s, self.tail.picture_end_s = frame.time, frame.time + decoded.lasts_s
                    yield decoded

    def _pixel_aspect(self, frame: VideoFrame, at_end: bool) -> float:
        """The container's word counts for as long as the pictures themselves say what they said at first."""
        own = _aspect(self._stream.codec_context.sample_aspect_ratio) or 1.0
        self._at_first = own if self._at_first is None else self._at_first
        size = frame.width, frame.height
        if not at_end or size not in self._of_size:  # at the end the decoder has gone ahead of the frames it gives
            self._of_size[size] = self._stated if own == self._at_first else own
        return self._of_size[size]

    def _lasts_s(self, frame: VideoFrame) -> float:
        stated_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
        return stated_s if stated_s > 0 else self.usual_s


def _aspect(ratio: Fraction | None) -> float | None:
    """A pixel's width over its height; None for nonsense that some files claim: no camera's are outside of this."""
    return float(ratio) if ratio and 0.25 <= ratio <= 4 else None


_Timed = Iterator[tuple[float, _Decoded]]
"""Frames with their seconds since the file's first one, strictly rising."""


@contextmanager
def _open_at(path: Path, begin_s: float) -> Iterator[tuple[_Timed, _Tail]]:
    """Open a video and decode it from `begin_s` or earlier."""
    import av

    with _open(path) as (container, stream):
        decoder = _Decoder(path, container, stream)
        decoded = decoder.frames()
        first = next(decoded, None)
        if first is None:
            raise _no_frames(path)
        origin_s = first.frame.time or 0.0
        if begin_s <= _SEEK_AFTER_S:
            yield _timed(chain((first,), decoded), decoder, origin_s), decoder.tail
            return
        landed = None
        # Where the clock begins anew in mid-file, a time of the file's own stands for several places.
        if container.format.name not in _UNTIMED_CONTAINERS or not _scan(path).restarts:
            with suppress(av.FFmpegError):
                container.seek(int((origin_s + begin_s - _SEEK_MARGIN_S) / (stream.time_base or 1)), stream=stream)
                decoded = decoder.frames()
                landed = next(decoded, None)
        if landed and landed.frame.time is not None and 0 <= landed.frame.time - origin_s <= begin_s:
            yield _timed(chain((landed,), decoded), decoder, origin_s), decoder.tail
            return
    with _open(path) as (container, stream):  # no index, or a wrong one: read up to the place instead
        decoder = _Decoder(path, container, stream)
        yield _timed(decoder.frames(), decoder, origin_s), decoder.tail


def _timed(decoded: Iterable[_Decoded], decoder: _Decoder, origin_s: float) -> _Timed:
    return _clocked(((item.frame.time, item) for item in decoded), decoder.usual_s, origin_s)


def _clocked(
    timed: Iterable[tuple[float | None, _Item]], usual_s: float, origin_s: float
) -> Iterator[tuple[float, _Item]]:
    """Items with their seconds since `origin_s`, strictly rising, from times on the file's own clock.

    Raw streams carry no times: their items follow each other at `usual_s`. Single items that come late are damage and
    left out, and so is one that is far ahead of all that follows. Where many come late, the clock began again:
    recordings were joined end to end.
    """
    last_s, shift_s = -usual_s, -origin_s
    late: list[tuple[float, _Item]] = []
    ahead: tuple[float, _Item] | None = None  # after a gap, until the next item proves it
    for raw_s, item in timed:
        time_s = (ahead[0] if ahead else last_s) + usual_s if raw_s is None else raw_s + shift_s
        if time_s <= last_s and raw_s is not None:
            late = [*late, (raw_s, item)] if late and raw_s > late[-1][0] else [(raw_s, item)]
            if len(late) < _RESTART_FRAMES:
                continue
            if ahead:
                yield ahead
                last_s, ahead = ahead[0], None
            shift_s = last_s + usual_s - late[0][0]
            yield from ((raw_s + shift_s, item) for raw_s, item in late)
            last_s, late = late[-1][0] + shift_s, []
            continue
        late = []
        if ahead and time_s > ahead[0]:
            yield ahead
            last_s = ahead[0]
        ahead = None
        if last_s >= 0 and time_s - last_s > GAP_S:
            ahead = time_s, item
            continue
        last_s = time_s
        yield time_s, item
    if ahead:
        yield ahead


def _observed(timed: _Timed, tail: _Tail, watched: Watched) -> _Timed:
    """The same frames; at the end of the file `watched` learns where that was."""
    last: tuple[float, _Decoded] | None = None
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


def _sampled(timed: _Timed, begin_s: float, rate_hz: float | None) -> _Timed:
    """The frames that are the nearest one to some point of the grid `begin_s + k / rate_hz`.

    A gap ends the grid and the next frame begins another, so that what follows a gap is sampled as if it stood alone.
    """
    if rate_hz is None:
        yield from timed
        return
    held: tuple[float, _Decoded] | None = None
    half_gap_s = 0.0
    due_s = begin_s  # the first grid point that no frame has been given for
    for entry in timed:
        if held is not None and entry[0] - held[0] > GAP_S:
            if due_s <= held[0] + half_gap_s:
                yield held
            held, half_gap_s, begin_s = None, 0.0, entry[0]
            due_s = begin_s
        if held is not None:
            half_gap_s = (entry[0] - held[0]) / 2
            reach_s = held[0] + half_gap_s  # up to here the held frame is nearer than the new one
            if due_s <= reach_s:
                yield held
                due_s = begin_s + (floor((reach_s - begin_s) * rate_hz) + 1) / rate_hz
        held = entry
    if held is not None and due_s <= held[0] + half_gap_s:
        yield held


def _heard(timed: _Timed, begin_s: float, listener: Listener) -> _Timed:
    """The same frames, those that are left at the listener's rate, each after the listener has heard of it."""
    for time_s, decoded in _sampled(timed, begin_s, listener.rate_hz):
        listener.hear(time_s, partial(_Picture.of(decoded, max_side=None).render, decoded.frame))
        yield time_s, decoded


def _claimed_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """The duration in seconds that the container states, or None."""
    if container.format.name in _UNTIMED_CONTAINERS:
        return None
    if stream.duration and stream.time_base:
        claimed = float(stream.duration * stream.time_base)
    else:  # Matroska states when the film ends, which counts from the clock's zero and not from the first frame
        claimed = ((container.duration or 0) - max(container.start_time or 0, 0)) / 1_000_000
    return claimed if claimed > 0 else None


def _stated_end_s(path: Path, container: InputContainer, stream: VideoStream) -> float | None:
    """When the pictures end on the file's own clock, as the file says; None where it does not say.

    Only what a file that is all there gets right: a Matroska file states when its longest stream ends and may be wrong
    even about that, so its word counts only where bytes of the file are missing.
    """
    kind = container.format.name
    if kind.startswith(_STREAM_TIMED_CONTAINERS) and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    alone = kind == _FILE_TIMED_CONTAINER and len(container.streams) == 1
    if container.duration and (alone or (kind.startswith("matroska") and _matroska_is_cut(path))):
        return container.duration / 1_000_000
    return None


def _matroska_is_cut(path: Path) -> bool:
    """Whether a Matroska file is shorter than its segment, or does not say how long that is (RFC 8794, RFC 9559)."""
    with path.open("rb") as file:
        head = file.read(4096)

    def number(at: int) -> tuple[int, int, bool]:
        """A number of variable length at this place, the place after it, and whether it stands for "unknown"."""
        length = 9 - head[at].bit_length()
        value = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
        return value, at + length, value == (1 << 7 * length) - 1

    try:
        size, at, _ = number(4)
        size, at, unknown = number(at + size + 4)
    except IndexError:
        return True
    return unknown or at + size > path.stat().st_size


@dataclass(frozen=True)
class _Scan:
    """What a file's packets say: seconds from the first to the end of the last, and whether their clock restarts."""

    duration_s: float
    restarts: bool


def _scan(path: Path) -> _Scan:
    """Read a file's packets, for files that state no duration (browser recordings, pipes), or may be joined ones."""
    status = path.stat()
    return _scanned(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _scanned(path: Path, modified_ns: int, size: int) -> _Scan:
    begin_s, end_s = float("inf"), 0.0
    last_raw_s, restarts = float("-inf"), False
    with _open(path) as (container, stream):
        usual_s = _Decoder(path, container, stream).usual_s
        # dts rises from packet to packet where pts does not
        packets = (
            (float((packet.pts if packet.dts is None else packet.dts) * packet.time_base), packet)
            for packet in _packets(container, stream, _Tail())
            if packet.pts is not None and packet.time_base is not None
        )
        first = next(packets, None)
        for time_s, packet in _clocked(chain((first,), packets), usual_s, first[0]) if first else ():
            pts, dts, tick_s = packet.pts or 0, packet.dts, float(packet.time_base or 0)
            raw_s = (pts if dts is None else dts) * tick_s
            restarts = restarts or raw_s <= last_raw_s
            last_raw_s = raw_s
            shown_s = time_s + (0.0 if dts is None else (pts - dts) * tick_s)
            begin_s = min(begin_s, shown_s)
            end_s = max(end_s, shown_s + float(packet.duration or 0) * tick_s)
    return _Scan(max(end_s - begin_s, 0.0), restarts)


def _no_frames(path: Path) -> FitcliError:
    return InvalidVideoError(f"{path} has no frame that can be decoded: copy or export the video again.")
