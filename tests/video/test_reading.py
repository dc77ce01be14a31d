"""What reading a video promises: true times, upright pictures, and all that decodes of a damaged file."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import UPRIGHT, MakeVideo, corners, numbers, picture, times

from fitcli.video import VIDEO_SUFFIXES, frames, probe

FORMATS = {  # container: codec, pixel format, the rate that the container can hold
    "mp4": ("libx264", "yuv420p", 30),
    "mov": ("libx264", "yuv420p", 30),
    "m4v": ("mpeg4", "yuv420p", 30),
    "avi": ("mpeg4", "yuv420p", 30),
    "mkv": ("libx264", "yuv420p", 30),
    "webm": ("libvpx", "yuv420p", 30),
    "gif": ("gif", "rgb8", 20),
    "mpg": ("mpeg1video", "yuv420p", 30),
    "mpeg": ("mpeg2video", "yuv420p", 30),
    "wmv": ("wmv2", "yuv420p", 30),
    "3gp": ("mpeg4", "yuv420p", 30),
    "ts": ("libx264", "yuv420p", 30),
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_read_with_its_size_duration_times_and_colours(
    suffix: str, make_video: MakeVideo, tmp_path: Path
) -> None:
    codec, pixels, rate = FORMATS[suffix]
    path = make_video(tmp_path / f"clip.{suffix}", codec=codec, pixels=pixels, rate_hz=rate, frames=rate)

    video = probe(path)
    every = list(frames(path, rate_hz=None))

    assert (video.width, video.height, video.rotation_deg) == (160, 120, 0)
    assert video.duration_s == pytest.approx(1.0, abs=0.08)
    assert corners(every[-1].image) == UPRIGHT
    assert len(every) >= rate - 1  # MPEG program streams may end before the last frame
    assert times(every) == pytest.approx([i / rate for i in range(len(every))], abs=0.002)


def test_every_suffix_that_a_folder_is_searched_for_is_tested_above() -> None:
    assert {f".{suffix}" for suffix in FORMATS} == VIDEO_SUFFIXES


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_phone_held_any_way_gives_an_upright_picture(
    turn: int, mirrored: bool, make_video: MakeVideo, tmp_path: Path
) -> None:
    path = make_video(tmp_path / "phone.mp4", rotation_deg=turn, mirrored=mirrored, frames=3)
    expected = np.rot90(picture(160, 120, 0), k=-turn // 90)
    expected = expected[:, ::-1] if mirrored else expected

    image = next(frames(path)).image
    video = probe(path)

    assert corners(image) == corners(expected)
    assert image.shape == expected.shape
    assert (video.height, video.width) == expected.shape[:2]
    if not mirrored:
        assert video.rotation_deg == turn


def test_variable_frame_rate_keeps_its_true_times(make_video: MakeVideo, tmp_path: Path) -> None:
    shown = [0.0, 0.04, 0.1, 0.13, 0.5, 0.52, 0.9, 1.7, 1.72]
    path = make_video(tmp_path / "vfr.mp4", times_s=shown)

    every = list(frames(path, rate_hz=None))

    assert times(every) == pytest.approx(shown, abs=0.001)
    assert numbers(every) == list(range(9))


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_times_count_from_the_first_frame_wherever_the_clock_of_the_file_starts(
    suffix: str, make_video: MakeVideo, tmp_path: Path
) -> None:
    path = make_video(tmp_path / f"late.{suffix}", times_s=[100 + i / 30 for i in range(60)])

    assert times(list(frames(path, rate_hz=None))) == pytest.approx([i / 30 for i in range(60)], abs=0.002)
    assert probe(path).duration_s == pytest.approx(2.0, abs=0.1)


def test_two_recordings_joined_end_to_end_go_on_in_time(make_video: MakeVideo, tmp_path: Path) -> None:
    one = make_video(tmp_path / "one.ts", times_s=[50 + i / 30 for i in range(60)])
    two = make_video(tmp_path / "two.ts", times_s=[i / 30 for i in range(60)])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())

    got = times(list(frames(joined, rate_hz=None)))

    assert len(got) >= 110  # a few frames pass until a restart is sure
    assert got == sorted(set(got))
    assert got[-1] == pytest.approx(4.0, abs=0.4)


def test_sampling_takes_the_frames_nearest_to_a_regular_grid(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=31)
    assert numbers(list(frames(path, rate_hz=15))) == list(range(0, 31, 2))
    assert times(list(frames(path, rate_hz=15))) == pytest.approx([i / 15 for i in range(16)], abs=0.001)
    assert numbers(list(frames(path, rate_hz=6))) == list(range(0, 31, 5))


def test_sampling_goes_by_time_and_not_by_count(make_video: MakeVideo, tmp_path: Path) -> None:
    dense = [i / 100 for i in range(20)]  # 0 .. 0.19
    sparse = [0.3, 0.5, 0.6]
    path = make_video(tmp_path / "vfr.mp4", times_s=dense + sparse)
    assert times(list(frames(path, rate_hz=10))) == pytest.approx([0, 0.1, 0.19, 0.3, 0.5, 0.6], abs=0.001)


def test_a_video_slower_than_the_grid_gives_every_frame_once(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "slow.mp4", frames=12, rate_hz=8)
    assert numbers(list(frames(path, rate_hz=15))) == list(range(12))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "webm"])
def test_a_part_of_a_long_file_is_the_same_frames_as_in_the_whole(
    suffix: str, make_video: MakeVideo, tmp_path: Path
) -> None:
    codec, pixels, _ = FORMATS[suffix]
    path = make_video(tmp_path / f"long.{suffix}", frames=600, size=(64, 48), codec=codec, pixels=pixels)
    whole = [f for f in frames(path, rate_hz=None) if 12.01 <= f.time_s < 13.01]

    part = list(frames(path, rate_hz=None, start_s=12.01, end_s=13.01))

    assert len(part) == 30
    assert times(part) == pytest.approx(times(whole), abs=1e-6)
    assert numbers(part) == numbers(whole)


def test_a_file_without_an_index_is_read_from_the_right_place(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "live.webm", frames=300, size=(64, 48), codec="libvpx", options={"live": "1"})
    part = list(frames(path, rate_hz=None, start_s=8.005))
    assert times(part)[0] == pytest.approx(8.033, abs=0.002)
    assert numbers(part)[0] == 241 % 32


def test_frames_are_scaled_down_to_the_longest_side_and_never_up(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", size=(320, 180), frames=2)
    assert next(frames(path, max_side=160)).image.shape == (90, 160, 3)
    assert next(frames(path, max_side=640)).image.shape == (180, 320, 3)
    assert next(frames(path, max_side=None)).image.shape == (180, 320, 3)


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 72, 58, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(72, 58, 0))))
        container.mux(stream.encode())
    assert (probe(path).width, probe(path).height) == (144, 58)
    assert next(frames(path)).image.shape == (58, 144, 3)


def test_colours_that_cannot_be_converted_still_give_a_picture(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "hdr.mp4", frames=3, codec_options={"x264-params": "colormatrix=ictcp"})
    assert next(frames(path)).image.shape == (120, 160, 3)


def test_the_duration_is_found_where_the_container_states_none(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "browser.webm", frames=75, codec="libvpx", options={"live": "1"})
    with av.open(str(path)) as container:
        assert not container.duration  # as a browser's recorder writes it
    assert probe(path).duration_s == pytest.approx(2.5, abs=0.05)


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_single_frame_is_a_video_of_one_frame(suffix: str, make_video: MakeVideo, tmp_path: Path) -> None:
    codec, pixels, rate = FORMATS[suffix]
    path = make_video(tmp_path / f"one.{suffix}", frames=1, codec=codec, pixels=pixels, rate_hz=rate)
    assert times(list(frames(path))) == [0.0]
    assert probe(path).duration_s < 0.2


def test_a_clip_of_a_quarter_second_is_read(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "short.mp4", frames=8)
    assert numbers(list(frames(path))) == [0, 2, 4, 6]
    assert probe(path).duration_s == pytest.approx(8 / 30, abs=0.02)


def test_one_pixel_is_a_picture(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "dot.mkv", size=(1, 1), frames=3, codec="ffv1", pixels="bgr0")
    assert [frame.image.shape for frame in frames(path, rate_hz=None)] == [(1, 1, 3)] * 3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's own peak of a process")
def test_8k_is_read_within_a_gigabyte(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "8k.mp4", size=(7680, 4320), frames=6, codec_options={"preset": "ultrafast", "bf": "0"}
    )
    script = (
        "import sys; from pathlib import Path; from fitcli.video import frames\n"
        "print([f.image.shape for f in frames(Path(sys.argv[1]), rate_hz=None)])\n"
        # Not ru_maxrss: a child inherits the peak of the process that started it.
        "status = Path('/proc/self/status').read_text()\n"
        "print(int(status.split('VmHWM:')[1].split()[0]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, encoding="utf-8", check=True)
    shapes, peak_mib = done.stdout.splitlines()
    assert shapes == str([(360, 640, 3)] * 6)
    assert int(peak_mib) < 1024


# --- damaged files: what decodes is given


def test_damaged_packets_in_the_middle_are_left_out(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "scratched.mp4", frames=300, codec_options={"g": "15"})
    with av.open(str(path)) as container:
        damaged = [p for p in container.demux(video=0) if p.size and 3.0 < float((p.pts or 0) * p.time_base) < 4.0]
    content = bytearray(path.read_bytes())
    for packet in damaged:
        assert packet.pos is not None
        content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(content)

    got = times(list(frames(path, rate_hz=None)))

    assert 200 <= len(got) <= 300
    assert got == sorted(set(got))
    assert got[-1] == pytest.approx(299 / 30, abs=0.05)


def test_a_download_that_broke_off_gives_the_part_that_is_there(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "half.mp4", frames=120, options={"movflags": "faststart"}, codec_options={"g": "30"})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])

    got = list(frames(path, rate_hz=None))

    assert 5 <= len(got) < 120
    assert corners(got[0].image) == UPRIGHT


def test_importing_the_room_costs_no_decoder() -> None:
    script = "import sys, fitcli.video; assert 'av' not in sys.modules and 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
