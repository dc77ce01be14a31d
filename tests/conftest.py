"""Video files and pose sequences made on the spot: every test's film is small, real and of the codec it is about."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.films import CLOCK, MakeVideo, picture
from support.screen import Screen

from fitcli.pose.track import PoseTrack
from fitcli.training.synthetic.people import synthesize

# A runner in the background ignores Ctrl-C, and what it starts inherits that; the tests that press it need it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)


HEAVY = ("rgb/test_train.py", "pose/test_distill.py", "pose/test_train.py", "test_isolation.py")
"""Files whose tests take longest, slowest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the heavy files, so that processes which share the tests end at about the same time."""

    def rank(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((number for number, name in enumerate(HEAVY) if path.endswith(name)), len(HEAVY))

    items.sort(key=rank)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-films", action="store_true", help="measure the accuracy of the whole program on 127 films")


@pytest.fixture
def make_video() -> MakeVideo:
    """Write a video: `picture` frames whose shade tells the frame's number, (number * 8) % 256.

    times_s gives every frame its own time; without it there are `frames` frames at `rate_hz`. rotation_deg is how far
    clockwise a player has to turn the stored picture.
    """

    def make(
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
    ) -> Path:
        with av.open(f"file:{path}", "w", format=format, options=options or {}) as container:
            stream: Any = container.add_stream(codec, rate=rate_hz, options=codec_options or {})
            stream.width, stream.height = size
            stream.pix_fmt = pixels
            if times_s is not None:
                stream.codec_context.time_base = CLOCK
            if rotation_deg or mirrored:
                stream.set_display_rotation(-rotation_deg, hflip=mirrored)
            count = frames if times_s is None else len(times_s)
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(picture(*size, (number * 8) % 256), format="rgb24")
                if times_s is not None:
                    frame.pts, frame.time_base = round(times_s[number] / CLOCK), CLOCK
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def screen() -> Iterator[Screen]:
    if not shutil.which("Xvfb"):
        pytest.skip("needs a display without a monitor: sudo apt install xvfb")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout
        yield Screen(f":{server.stdout.readline().decode().strip()}")
    finally:
        server.terminate()
        server.wait(10)


POSE_COLUMNS = tuple(
    """
id split exercise tier kind source series name ideal primary secondary
equipment note repetitions first frames seconds width height found
""".split()  # noqa: SIM905 - twenty quoted names are harder to read
)
EXERCISES = ("squat", "push-up", "bicep curl")


@pytest.fixture(scope="session")
def poses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder of pose sequences in the documented format: three exercises, other, ambiguous; train and dev."""
    folder = tmp_path_factory.mktemp("poses")
    rng = np.random.default_rng(3)
    tracks: list[PoseTrack] = []
    rows = []
    first = 0
    labels = [*EXERCISES * 8, "other", "other", "ambiguous", "ambiguous"]
    for number, name in enumerate(labels):
        track = synthesize("walking" if name in ("other", "ambiguous") else name, rng, repetitions=None).track
        tracks.append(track)
        row = dict.fromkeys(POSE_COLUMNS, "") | {
            "id": f"clip{number}",
            "split": "dev" if number % 4 == 3 else "train",
            "exercise": name,
            "tier": "core",
            "kind": "real",
            "source": "made here",
            "series": f"performer {number % 5}",
            "note": "clean",
            "primary": "quads" if name == "ambiguous" else "",
            "secondary": "glutes" if name == "ambiguous" else "",
            "first": first,
            "frames": len(track),
            "width": track.frame_width,
            "height": track.frame_height,
        }
        rows.append(row)
        first += len(track)
    for field in ("landmarks", "world", "presence"):
        np.save(folder / f"{field}.npy", np.concatenate([getattr(t, field) for t in tracks]).astype(np.float16))
    np.save(folder / "times.npy", np.concatenate([t.times_s for t in tracks]).astype(np.float32))
    with (folder / "clips.tsv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, POSE_COLUMNS, delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return folder
