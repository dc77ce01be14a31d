"""What `fitcli.video` promises: true times, upright pictures, and one clear sentence for what is no video."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import MakeVideo, picture

from fitcli.errors import FitcliError, InvalidVideoError, MissingInputError, StorageError, UnreadableInputError
from fitcli.video import VIDEO_SUFFIXES, Frame, VideoWriter, expand, frames, probe, video_files

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


def times(sampled: list[Frame]) -> list[float]:
    return [frame.time_s for frame in sampled]


def numbers(sampled: list[Frame]) -> list[int]:
    """The frame numbers that the pictures themselves show (see `make_video`)."""
    return [round(float(np.median(f.image[-f.image.shape[0] // 4 :, -f.image.shape[1] // 4 :])) / 8) for f in sampled]


def corners(image: np.ndarray) -> list[str]:
    """Colour names of the four quarters: upper left, upper right, lower left, lower right."""
    height, width = image.shape[:2]
    quarters = [image[y, x] for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return ["grey" if np.ptp(q.astype(int)) < 60 else ("red", "green", "blue")[int(q.argmax())] for q in quarters]


UPRIGHT = ["red", "green", "blue", "grey"]


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
        # not ru_maxrss, in which a child inherits the peak of the process that started it
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


# --- no video: one sentence each


def empty(path: Path, _: MakeVideo) -> None:
    path.touch()


def text(path: Path, _: MakeVideo) -> None:
    path.write_text("Monday: squats, 3 x 12.\n" * 100, encoding="utf-8")


def noise(path: Path, _: MakeVideo) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(100_000))


def audio(path: Path, _: MakeVideo) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16_000))


def cut_off(path: Path, make_video: MakeVideo) -> None:
    make_video(path)
    path.write_bytes(path.read_bytes()[:-600])  # the index comes last


def no_frames(path: Path, make_video: MakeVideo) -> None:
    make_video(path)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                assert packet.pos is not None
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(content)


def playlist(path: Path, make_video: MakeVideo) -> None:
    make_video(path.parent / "other.mp4")
    path.write_text("ffconcat version 1.0\nfile other.mp4\n", encoding="utf-8")


def folder(path: Path, _: MakeVideo) -> None:
    path.mkdir()


def fifo(path: Path, _: MakeVideo) -> None:
    os.mkfifo(path)


def unix_socket(path: Path, _: MakeVideo) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def device(path: Path, _: MakeVideo) -> None:
    path.symlink_to("/dev/zero")


def nothing(path: Path, _: MakeVideo) -> None:
    pass


def broken_link(path: Path, _: MakeVideo) -> None:
    path.symlink_to("gone.mp4")


@contextmanager
def seconds(limit: int) -> Iterator[None]:
    """Interrupt what hangs, so that a wait for ever is a failure and not a hung test run."""

    def interrupt(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(limit)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("prepare", "kind", "says"),
    [
        (nothing, MissingInputError, "does not exist"),
        (broken_link, MissingInputError, "does not exist"),
        (folder, UnreadableInputError, "is a folder"),
        (fifo, UnreadableInputError, "pipe, socket or device"),
        (unix_socket, UnreadableInputError, "pipe, socket or device"),
        (device, UnreadableInputError, "pipe, socket or device"),
        (empty, InvalidVideoError, "is empty"),
        (text, InvalidVideoError, "is no video"),
        (noise, InvalidVideoError, "is no video"),
        (playlist, InvalidVideoError, "is no video"),
        (audio, InvalidVideoError, "sound and no picture"),
        (cut_off, InvalidVideoError, "is cut off"),
        (no_frames, InvalidVideoError, "no frame that can be decoded"),
    ],
)
def test_what_is_no_video_says_what_it_is_and_what_to_do(
    prepare: object, kind: type[FitcliError], says: str, make_video: MakeVideo, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    prepare(path, make_video)  # type: ignore[operator]
    for read in (probe, lambda p: next(frames(p))):
        with seconds(60), pytest.raises(kind, match=says) as raised:
            read(path)
        sentence = str(raised.value)
        assert "clip.mp4" in sentence
        assert "\n" not in sentence
        assert sentence.endswith(".")


def test_a_song_with_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44_100)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture(64, 64, 0))))
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, i * 1024
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
        container.mux(cover.encode())
    with pytest.raises(InvalidVideoError, match="sound and no picture"):
        probe(path)


def test_a_text_file_under_its_own_name_is_not_drawn_as_a_film(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Monday: squats, 3 x 12.\n" * 100, encoding="utf-8")
    with pytest.raises(InvalidVideoError, match="is no video"):
        probe(path)


def test_a_file_that_may_not_be_read_says_so(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "private.mp4")
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read everything, so become nobody for a moment
    try:
        with pytest.raises(UnreadableInputError, match="permissions"):
            probe(path)
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    "name", ["50 % %03d é 深蹲.mp4", "http:squat.mp4", "-i.mp4", "a\nb.mp4", "x|y;'z\".mp4", b"\xff\xfe.mp4"]
)
def test_odd_characters_in_a_name_do_not_matter(name: str | bytes, make_video: MakeVideo, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    shutil.move(make_video(tmp_path / "plain.mp4", frames=6), path)
    assert probe(path).width == 160
    assert len(list(frames(path))) == 3


def test_a_part_beyond_the_end_says_how_long_the_file_is(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4")
    with pytest.raises(InvalidVideoError, match=r"lasts 1\.0 s"):
        list(frames(path, start_s=20))
    with pytest.raises(InvalidVideoError, match="the end must come later"):
        list(frames(path, start_s=0.5, end_s=0.5))


# --- folders


def test_a_folder_stands_for_its_videos_in_order_and_hidden_ones_stay_hidden(tmp_path: Path) -> None:
    for name in ("b.MP4", "a.mov", "sub/deep/c.webm", "notes.txt", ".hidden.mp4", ".trash/d.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = [tmp_path / name for name in ("a.mov", "b.MP4", "sub/deep/c.webm")]
    assert expand(tmp_path) == expected
    assert video_files([tmp_path / "b.MP4", tmp_path]) == [expected[1], expected[0], expected[2]]


def test_a_folder_without_videos_and_a_missing_path_say_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(MissingInputError, match="holds no video"):
        expand(tmp_path)
    with pytest.raises(MissingInputError, match="does not exist"):
        expand(tmp_path / "gone.mp4")


# --- writing


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
    with pytest.raises(StorageError, match="is there already"):
        VideoWriter(path, 64, 64, lasting=True)
    assert path.read_text(encoding="utf-8") == "precious"


def test_importing_the_room_costs_no_decoder() -> None:
    script = "import sys, fitcli.video; assert 'av' not in sys.modules and 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
