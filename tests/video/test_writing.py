"""What writing a video promises: true times, a file that plays anywhere, and no broken file."""

from __future__ import annotations

import resource
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import UPRIGHT, corners, numbers, picture, times

from fitcli.errors import StorageError
from fitcli.video import VideoWriter, frames


def test_a_written_video_keeps_its_times_and_plays_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    shown = [7.0, 7.05, 7.2, 7.21, 8.5]
    with VideoWriter(path, 160, 120) as writer:
        for number, time_s in enumerate(shown):
            writer.write(picture(160, 120, number * 8), time_s)

    every = list(frames(path, rate_hz=None))
    assert times(every) == pytest.approx([time_s - 7 for time_s in shown], abs=0.001)
    assert numbers(every) == list(range(5))
    assert corners(every[0].image) == UPRIGHT
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # a browser can begin before it has the whole file


@pytest.mark.parametrize("size", [(161, 121), (1, 1), (99, 34)])
def test_an_odd_size_is_written_without_scaling(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    with VideoWriter(path, *size) as writer:
        writer.write(picture(*size, 200), 0.0)
    written = next(frames(path)).image
    assert written.shape[:2] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    if size[0] > 1:
        assert corners(written) == UPRIGHT


def test_two_frames_of_one_time_are_both_kept(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 64, 64) as writer:
        for time_s in (0.0, 0.1, 0.1, 0.2):
            writer.write(picture(64, 64, 0), time_s)
    assert len(list(frames(tmp_path / "out.mp4", rate_hz=None))) == 4


def test_an_interrupted_recording_stays_playable(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "out.mp4", 64, 64) as writer:
        for i in range(30):
            writer.write(picture(64, 64, 0), i / 30)
        raise KeyboardInterrupt
    assert len(list(frames(tmp_path / "out.mp4", rate_hz=None))) == 30


def test_a_writer_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 64, 64):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_said_before_anything_is_encoded(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        VideoWriter(tmp_path / "gone" / "out.mp4", 64, 64)


@pytest.mark.parametrize("lasting", [False, True])
def test_a_full_disk_is_said_and_leaves_no_broken_file(lasting: bool, tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    rng = np.random.default_rng(0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with (
            pytest.raises(StorageError, match="cannot be written"),
            VideoWriter(path, 320, 240, lasting=lasting) as writer,
        ):
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))  # as if the disk had that much left
            for i in range(200):
                writer.write(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8), i / 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [path] * lasting
    if lasting:  # what was recorded until then plays
        assert [frame.time_s for frame in frames(path, rate_hz=None)][-1] > 0.9


def test_a_recording_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "set.mp4"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(StorageError, match="already exists"):
        VideoWriter(path, 64, 64, lasting=True)
    assert path.read_text(encoding="utf-8") == "precious"
