"""What finding and opening files promises: folders stand for their videos, and one clear sentence for each bad file."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import MakeVideo, picture

from fitcli.errors import FitcliError, InvalidVideoError, MissingInputError, UnreadableInputError
from fitcli.video import expand, frames, probe


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
            if packet.size and packet.pos is not None:
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
    """Interrupt after a limit, so that waiting forever fails the test and does not hang the run."""

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
        (text, InvalidVideoError, "is not a video"),
        (noise, InvalidVideoError, "is not a video"),
        (playlist, InvalidVideoError, "is not a video"),
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
    with pytest.raises(InvalidVideoError, match="is not a video"):
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


def test_a_folder_without_videos_and_a_missing_path_say_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(MissingInputError, match="holds no video"):
        expand(tmp_path)
    with pytest.raises(MissingInputError, match="does not exist"):
        expand(tmp_path / "gone.mp4")
