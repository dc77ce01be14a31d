"""Decoded once, read many times: every video's frames, scaled down and stored as JPEG in a cache folder.

Decoding a second of 1080p video costs more than a training step's share of it on any accelerator. Stored as JPEG at the
size that training reads, a clip takes a few milliseconds, and a data set of the paper's size some 6 GB instead of 100.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Seq
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fitcli.cache import cache_folder, without
from fitcli.errors import FitcliError, Setting, StorageError
from fitcli.training.rgb.videos import LeftOut
from fitcli.video import Image, frames, probe

RATE_HZ = 30.0
"""Frames a second that are kept at most: training spreads no more than 32 over two seconds."""

JPEG_QUALITY = 92
"""Under what a camera's own compression loses."""

_VERSION = "1"  # part of every name: a change of the format makes new files and reads no old ones
_INDEX = np.dtype([("time_s", "<f8"), ("offset", "<i8"), ("length", "<i8")])


@dataclass(frozen=True)
class StoredFrames:
    """One video's frames, JPEG one after another: `times_s` (N,) float64 from its first frame, strictly rising.

    store: the cache's file, or its bytes where it could not be written.
    """

    store: Path | bytes
    index: np.ndarray

    @property
    def times_s(self) -> np.ndarray:
        return np.asarray(self.index["time_s"])

    def read(self, numbers: Seq[int]) -> list[Image]:
        """The frames of these numbers, each (H, W, 3) uint8 RGB."""
        from PIL import Image as Pictures

        read: dict[int, Image] = {}
        with io.BytesIO(self.store) if isinstance(self.store, bytes) else self.store.open("rb") as stream:
            for number in sorted(set(numbers)):
                _, offset, length = self.index[number]
                stream.seek(offset)
                with Pictures.open(io.BytesIO(stream.read(length))) as picture:
                    read[number] = np.asarray(picture)
        return [read[number] for number in numbers]


@dataclass(frozen=True)
class FrameCache:
    """The frames of many videos with `short_side` pixels on the shorter side, in `folder`.

    folder: None keeps nothing: a video is decoded whenever it is opened. optional: so it is where the folder cannot be
    written; otherwise that is a `StorageError`.
    """

    folder: Path | None
    short_side: int
    optional: bool = False

    @classmethod
    def at(cls, named: Path | None, short_side: int) -> FrameCache:
        """In the folder that the user named, which has to be writable, or in the user's cache if that can be used."""
        if named:
            return cls(named, short_side)
        return cls(cache_folder("frames"), short_side, optional=True)

    def open(self, video: Path) -> StoredFrames:
        """A video's frames, decoded now if they never were; raises a `FitcliError` where it cannot be read."""
        if self.folder is None:
            return self._decoded(video)
        path = self._path(video, self.folder)
        index = path.with_suffix(".npy")
        if not index.exists():
            try:
                self._store(video, path)
            except OSError as error:
                if not self.optional:
                    raise self._unwritable(error) from error
                without(f"Frames cannot be stored in {self.folder} ({error.strerror})")
                return self._decoded(video)
        return StoredFrames(path, np.load(index))

    def prepare(
        self,
        videos: Iterable[Path],
        *,
        processes: int = 1,
        first: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> list[LeftOut]:
        """Decode all that is missing, in `processes`; returns the files that cannot be read, with the reason.

        first: the video to begin with. Machines that share the folder and begin at different ones share the work.
        """
        wanted = list(videos)
        missing = [video for video in wanted[first:] + wanted[:first] if not self._has(video)]
        try:
            if self.folder and not self.optional:
                self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        on_progress = on_progress or (lambda share: None)
        if processes < 2 or len(missing) < 2:
            left = [reason for reason in map(partial(_prepare, self), _counted(missing, on_progress)) if reason]
        else:
            # Spawned and not forked: torch's threads do not survive a fork.
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                left = self._prepare_in(pool, missing, on_progress)
        order = {video: i for i, video in enumerate(wanted)}
        return sorted(left, key=lambda entry: order[entry.path])

    def _prepare_in(self, pool: Executor, missing: Seq[Path], on_progress: Callable[[float], None]) -> list[LeftOut]:
        jobs: list[Future[LeftOut | None]] = [pool.submit(_prepare, self, video) for video in missing]
        left = []
        try:
            for done, job in enumerate(as_completed(jobs), 1):
                reason = job.result()
                if reason:
                    left.append(reason)
                on_progress(done / len(jobs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return left

    def _has(self, video: Path) -> bool:
        return self.folder is not None and self._path(video, self.folder).with_suffix(".npy").exists()

    def _path(self, video: Path, folder: Path) -> Path:
        status = video.stat()
        identity = (_VERSION, video.resolve(), status.st_size, status.st_mtime_ns, self.short_side, RATE_HZ)
        name = hashlib.sha256("\0".join(map(str, identity)).encode(errors="surrogateescape")).hexdigest()[:24]
        return folder / f"{name}.mjpeg"

    def _store(self, video: Path, path: Path) -> None:
        temporary = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                index = self._encode(video, stream)
            temporary.replace(path)
            with temporary.open("wb") as stream:
                np.save(stream, index)
            temporary.replace(path.with_suffix(".npy"))  # last: where it exists, the frames are complete
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _decoded(self, video: Path) -> StoredFrames:
        stream = io.BytesIO()
        index = self._encode(video, stream)
        return StoredFrames(stream.getvalue(), index)

    def _encode(self, video: Path, stream: BinaryIO) -> np.ndarray:
        """Write the video's frames to `stream`; returns where each begins and ends."""
        from PIL import Image as Pictures

        entries = []
        whole = probe(video)
        ratio = max(whole.width, whole.height) / min(whole.width, whole.height)
        for frame in frames(video, rate_hz=RATE_HZ, max_side=round(self.short_side * ratio)):
            offset = stream.tell()
            Pictures.fromarray(frame.image).save(stream, "JPEG", quality=JPEG_QUALITY)
            entries.append((frame.time_s, offset, stream.tell() - offset))
        return np.array(entries, _INDEX)

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(
            f"Frames cannot be stored in {self.folder} ({error.strerror}): free some space, or name another folder.",
            setting=Setting.CACHE,
        )


def _prepare(cache: FrameCache, video: Path) -> LeftOut | None:
    try:
        cache.open(video)
    except StorageError:
        raise
    except FitcliError as error:
        return LeftOut.unreadable(video, error)
    return None


def _counted(videos: Seq[Path], on_progress: Callable[[float], None]) -> Iterable[Path]:
    for done, video in enumerate(videos, 1):
        yield video
        on_progress(done / len(videos))
