"""Bad input costs one sentence and its own exit code, never a traceback, and never the rest of the batch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.cli import COMMAND, LIMIT_S, SAMPLE, environment, fitcli
from support.films import MakeVideo

MISSING, UNREADABLE, INVALID, CHECKPOINT, DEVICE, STORAGE = 3, 4, 5, 6, 7, 8


def nothing(path: Path, make_video: MakeVideo) -> None:
    pass


def folder_without_videos(path: Path, make_video: MakeVideo) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("legs on Monday", encoding="utf-8")


def empty_file(path: Path, make_video: MakeVideo) -> None:
    path.touch()


def text(path: Path, make_video: MakeVideo) -> None:
    path.write_text("This is no video.\n" * 100, encoding="utf-8")


def noise(path: Path, make_video: MakeVideo) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(50_000))


def audio_only(path: Path, make_video: MakeVideo) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))


def truncated(path: Path, make_video: MakeVideo) -> None:
    make_video(path, frames=60)
    path.write_bytes(path.read_bytes()[:-500])  # its index, which comes last, is cut


def single_frame(path: Path, make_video: MakeVideo) -> None:
    make_video(path, frames=1)


def quarter_second(path: Path, make_video: MakeVideo) -> None:
    make_video(path, frames=7)


def fifo(path: Path, make_video: MakeVideo) -> None:
    os.mkfifo(path)


def unreadable(path: Path, make_video: MakeVideo) -> None:
    shutil.copy(SAMPLE, path)
    path.chmod(0)


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX file system")
not_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")

CASES = [
    pytest.param(nothing, MISSING, id="missing"),
    pytest.param(folder_without_videos, MISSING, id="folder without videos"),
    pytest.param(fifo, UNREADABLE, id="FIFO", marks=posix_only),
    pytest.param(unreadable, UNREADABLE, id="permissions", marks=[posix_only, not_root]),
    pytest.param(empty_file, INVALID, id="empty file"),
    pytest.param(text, INVALID, id="text"),
    pytest.param(noise, INVALID, id="noise"),
    pytest.param(audio_only, INVALID, id="audio only"),
    pytest.param(truncated, INVALID, id="truncated"),
    pytest.param(single_frame, INVALID, id="single frame"),
    pytest.param(quarter_second, INVALID, id="a quarter of a second"),
]


@pytest.mark.parametrize(("make", "code"), CASES)
def test_a_bad_file_has_one_sentence_and_its_code(
    make: Callable[[Path, MakeVideo], None], code: int, make_video: MakeVideo, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    make(bad, make_video)
    done = fitcli("analyze", bad, "--json", "--sessions", "kept", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert "bad.mp4" in sentence
    assert sentence.endswith(".")
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["message"]) == ("error", sentence)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(("width", "height"), [(2, 2), (7680, 4320)])
def test_odd_sizes_are_read(width: int, height: int, make_video: MakeVideo, tmp_path: Path) -> None:
    make_video(tmp_path / "odd.mp4", frames=20, size=(width, height))
    done = fitcli("analyze", "odd.mp4", "--json", "--no-save", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "no_person"


def test_a_part_behind_the_end_of_the_video_is_told(tmp_path: Path) -> None:
    done = fitcli("analyze", SAMPLE, "--start", "3600", "--no-save", cwd=tmp_path)
    assert done.returncode == INVALID
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "contents",
    [pytest.param(None, id="none"), pytest.param(b"", id="empty"), pytest.param(b"\x80\x04K\x01.", id="foreign")],
)
def test_bad_checkpoints_are_told(contents: bytes | None, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    if contents is not None:
        for name in ("slowfast.ckpt", "x3d.ckpt"):
            (other / name).write_bytes(contents)
    done = fitcli("analyze", SAMPLE, "--checkpoints", other, "--no-save", cwd=tmp_path)
    assert done.returncode == CHECKPOINT
    assert len(done.stderr.splitlines()) == 1
    assert "other" in done.stderr


def test_a_device_that_is_not_here_is_told(tmp_path: Path) -> None:
    # hidden from CUDA, so that it holds on machines that have one
    done = fitcli("analyze", SAMPLE, "--device", "cuda", cwd=tmp_path, env={"CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == DEVICE
    assert len(done.stderr.splitlines()) == 1


def test_a_session_that_cannot_be_stored_still_gives_the_answer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = fitcli("analyze", SAMPLE, "--sessions", "file/sessions", cwd=tmp_path)
    assert done.returncode == STORAGE
    assert len(done.stderr.splitlines()) == 1
    assert "Squat" in done.stdout


@posix_only
def test_a_full_disk_while_saving_still_gives_the_answer(tmp_path: Path) -> None:
    # a limit on file sizes fails as a full disk does, in the middle of the write
    limited = (
        "import resource; from fitcli.cli import main;resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "analyze", str(SAMPLE), "--sessions", "kept"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == STORAGE, done.stderr
    assert "Squat" in done.stdout
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_reader_that_goes_away_ends_it_without_a_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "exercises", "--json"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(LIMIT_S)
    assert "Traceback" not in errors
