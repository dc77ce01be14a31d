"""Cameras: true times, no frame lost silently, and every way in which a camera can be missing."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as PillowImage
from support.films import MakeVideo

from fitcli import remedy
from fitcli.camera import Camera, Recorder, Recording, Resolution, capture
from fitcli.errors import CameraError, StorageError
from fitcli.video import VideoWriter, frames, probe

pytestmark = pytest.mark.clock
as_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or not os.access("/dev", os.W_OK),
    reason="puts a file into /dev, for which it must be root",
)

Times = Sequence[float] | npt.NDArray[np.float64]

SHADES, SHADE_STEP = 25, 10
"""Grey levels between one frame and the next: compression does not blur them into each other."""


def shaded(number: int, width: int = 320, height: int = 240) -> np.ndarray:
    return np.full((height, width, 3), number % SHADES * SHADE_STEP, np.uint8)


def numbers_in(path: Path) -> list[int]:
    """Which of the `shaded` frames a video holds, in order, each modulo `SHADES`."""
    return [round(float(frame.image.mean()) / SHADE_STEP) for frame in frames(path, rate_hz=None)]


def times_in(path: Path) -> np.ndarray:
    return np.array([frame.time_s for frame in frames(path, rate_hz=None)])


@contextmanager
def network_camera(times_s: Times, *, then: str = "end") -> Iterator[str]:
    """A camera that sends JPEGs over HTTP, as phones and cheap network cameras do, each at its time; gives its address.

    After the last picture it ends the connection, or with `then="hang"` sends nothing more.
    """
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            zero_s = time.monotonic()
            try:
                for number, time_s in enumerate(times_s):
                    picture = io.BytesIO()
                    PillowImage.fromarray(shaded(number)).save(picture, "JPEG")
                    jpeg = picture.getvalue()
                    time.sleep(max(0.0, zero_s + time_s - time.monotonic()))
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
                    self.wfile.flush()
                if then == "hang":
                    released.wait(30)
            except OSError:  # the other side has enough
                pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stream"
    finally:
        released.set()
        server.shutdown()
        server.server_close()


def record(camera: str, path: Path, duration_s: float, *, after_s: float = 0.0) -> Recording:
    with Camera(camera) as source:
        time.sleep(after_s)
        recorder = Recorder(path, duration_s)
        source.begin(recorder)
        while not recorder.done and source.ended_s is None:
            time.sleep(0.01)
        return recorder.finish(source.ended_s)


class MakeFilm(Protocol):
    def __call__(self, times_s: Times, width: int = 320, height: int = 240) -> Path: ...


@pytest.fixture
def film(tmp_path: Path) -> MakeFilm:
    """Write a film of `shaded` frames at these times."""

    def write(times_s: Times, width: int = 320, height: int = 240) -> Path:
        path = tmp_path / "film.mp4"
        with VideoWriter(path, width, height) as writer:
            for number, time_s in enumerate(times_s):
                writer.write(shaded(number, width, height), time_s)
        return path

    return write


def test_ten_seconds_last_ten_seconds_however_the_camera_stutters(tmp_path: Path) -> None:
    full_speed = np.arange(0, 5, 1 / 30)
    slowed_down = np.arange(5, 8, 1 / 6)
    after_a_gap = np.arange(9.2, 20, 1 / 3)
    path = tmp_path / "set.mp4"
    with network_camera([*full_speed, *slowed_down, *after_a_gap]) as address:
        recording = record(address, path, 10, after_s=0.5)

    assert recording.dropped == 0
    assert recording.duration_s == pytest.approx(10, abs=0.1)
    assert probe(path).duration_s == pytest.approx(10, abs=0.1)
    # Every frame has its time of arrival: the same gaps, in the same order.
    gaps = np.diff(times_in(path))
    fast, slow = np.median(gaps[:100]), np.median(gaps[140:150])
    assert fast == pytest.approx(1 / 30, abs=0.01)
    assert slow == pytest.approx(1 / 6, abs=0.03)
    assert gaps.max() == pytest.approx(9.2 - 8 + 1 / 6, abs=0.1)


def test_a_file_plays_in_real_time_and_is_recorded_at_its_own_times(tmp_path: Path, film: MakeFilm) -> None:
    source_s = [*np.arange(0, 1, 1 / 30), *np.arange(1, 3, 1 / 8)]
    began_s = time.monotonic()
    recording = record(str(film(source_s)), tmp_path / "set.mp4", 60)

    assert time.monotonic() - began_s >= 2.8
    recorded_s = times_in(recording.path)
    assert len(recorded_s) == len(source_s)
    assert np.abs(recorded_s - source_s).max() < 0.1
    assert np.median(np.abs(recorded_s - source_s)) < 0.02


def test_a_file_waits_on_its_first_frame_until_the_recording_begins(tmp_path: Path, film: MakeFilm) -> None:
    recording = record(str(film(np.arange(0, 1, 1 / 30))), tmp_path / "set.mp4", 60, after_s=1.2)
    numbers = numbers_in(recording.path)
    assert numbers[:3] in ([0, 1, 2], [0, 0, 1])
    assert numbers[-1] == 29 % SHADES


def test_no_frame_is_lost_to_encoding_at_720p(tmp_path: Path, film: MakeFilm) -> None:
    recording = record(str(film(np.arange(0, 2, 1 / 30), 1280, 720)), tmp_path / "set.mp4", 60)
    assert recording.dropped == 0
    assert (recording.width, recording.height) == (1280, 720)
    numbers = numbers_in(recording.path)
    assert numbers[-59:] == [number % SHADES for number in range(1, 60)]


def test_a_stream_that_changes_its_size_is_kept_whole(tmp_path: Path, make_video: MakeVideo) -> None:
    parts = [make_video(tmp_path / f"{width}.ts", frames=30, size=(width, 120)) for width in (160, 90)]
    joined = tmp_path / "turned.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    recording = record(str(joined), tmp_path / "set.mp4", 60)
    kept = list(frames(recording.path, rate_hz=None))
    assert {frame.image.shape for frame in kept} == {(120, 160, 3)}
    assert len(kept) >= 58
    assert kept[-1].image[:, :20].max() < 16 < kept[-1].image[:, 80].max()


def test_frames_that_the_encoder_cannot_take_are_counted(
    tmp_path: Path, film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "QUEUE_BYTES", 1)
    recording = record(str(film([number / 1000 for number in range(200)], 1280, 720)), tmp_path / "set.mp4", 60)
    assert recording.dropped > 0
    assert recording.frames + recording.dropped in (200, 201)
    # One more if the last picture was shown until the end.
    assert len(times_in(recording.path)) in (recording.frames, recording.frames + 1)


def test_a_camera_that_is_unplugged_leaves_what_was_recorded(tmp_path: Path) -> None:
    with network_camera(np.arange(0, 2.5, 1 / 30)) as address:
        recording = record(address, tmp_path / "set.mp4", 60)
    assert recording.duration_s == pytest.approx(2.5, abs=0.6)
    assert probe(recording.path).duration_s == pytest.approx(recording.duration_s, abs=0.1)


def test_a_camera_that_falls_silent_leaves_what_was_recorded(tmp_path: Path) -> None:
    with network_camera(np.arange(0, 2, 1 / 30), then="hang") as address:
        recording = record(address, tmp_path / "set.mp4", 60)
    assert recording.duration_s < 2.2
    assert probe(recording.path).duration_s == pytest.approx(recording.duration_s, abs=0.1)


def test_a_camera_that_never_delivers_is_given_up() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # and never answers
        began_s = time.monotonic()
        with pytest.raises(CameraError, match="within 5 s"), Camera(f"http://127.0.0.1:{listener.getsockname()[1]}/"):
            pass
        assert 4.5 < time.monotonic() - began_s < 30


def test_a_stream_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/stream"
    with pytest.raises(CameraError, match="check the address"), Camera(address):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists its cameras")
@pytest.mark.parametrize("camera", ["77", "/dev/video77"])
def test_an_index_that_does_not_exist_says_which_do(camera: str) -> None:
    there = sorted(map(str, Path("/dev").glob("video*")))
    expected = there[0] if there else "this machine has no camera"
    with pytest.raises(CameraError, match=expected), Camera(camera):
        pass


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no camera or video file"), Camera(str(tmp_path / "nothing.mp4")):
        pass


@as_root
def test_a_camera_without_permission_names_the_mend() -> None:
    device = Path("/dev/video97")
    device.touch(mode=0o600)
    try:
        os.seteuid(65534)
        with pytest.raises(CameraError) as refused, Camera("97"):
            pass
    finally:
        os.seteuid(0)
        device.unlink()
    assert "Permission denied" in str(refused.value)
    assert remedy.CAMERA_ACCESS.here in str(refused.value)


@as_root
def test_a_camera_in_use_names_who_uses_it() -> None:
    device = Path("/dev/video98")
    device.touch()
    user = subprocess.Popen(
        [sys.executable, "-c", f"held = open('{device}'); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert user.stdout
        user.stdout.readline()
        with pytest.raises(CameraError, match=rf"in use by python.* \(process {user.pid}\)"), Camera("98"):
            pass
    finally:
        user.communicate(b"\n")
        device.unlink()


def test_a_resolution_that_is_none_is_told() -> None:
    for text in ("720p", "x", "0x0", "1280x-1"):
        with pytest.raises(CameraError, match="1280x720"):
            Resolution.parse(text)


def test_a_folder_that_takes_no_video_is_told(tmp_path: Path, film: MakeFilm) -> None:
    with pytest.raises(StorageError):
        record(str(film(np.arange(0, 1, 1 / 30))), tmp_path / "nowhere" / "set.mp4", 60)
