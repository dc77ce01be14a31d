"""`fitcli record` as a user runs it, with a video file for a camera."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest
from support.cli import COMMAND, LIMIT_S, SAMPLE, environment, fitcli
from support.screen import Screen, near
from support.terminal import NO_DISPLAY, Terminal, stored

from fitcli.video import VideoWriter, frames, probe

resource = pytest.importorskip("resource", reason="limits what a POSIX process may do")
pytestmark = [
    pytest.mark.clock,
    pytest.mark.skipif(sys.platform == "win32", reason="drives POSIX terminals"),
]

QUICK = ("record", "--camera", SAMPLE, "--countdown", "1", "--no-preview")


def test_a_set_is_recorded_told_and_stored_and_its_video_is_gone(tmp_path: Path) -> None:
    done = fitcli(*QUICK[:-1], "--duration", "5", "--sessions", "kept", cwd=tmp_path, env=NO_DISPLAY)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "no display" in done.stderr
    steps = ["Get into the picture", "1", "Recording: 5 s", "Recorded 5.0 s"]
    assert [step for line in done.stderr.splitlines() for step in steps if line.startswith(step)] == steps
    assert "none lost" in done.stderr
    assert "quads" in done.stdout
    assert "squat" in done.stdout
    (analysis,) = stored(tmp_path / "kept")
    assert analysis["file"] == str(SAMPLE)
    assert analysis["duration_s"] == pytest.approx(5, abs=0.1)


def test_q_ends_the_set_early_and_the_kept_video_is_what_was_analysed(tmp_path: Path) -> None:
    terminal = Terminal(
        *QUICK, "--duration", "5", "--sessions", "kept", "--keep-video", "set.mp4", "--top", "2", cwd=tmp_path
    )
    terminal.wait_for("Recording")
    time.sleep(2)
    terminal.press("q")
    assert terminal.end() == 0, terminal.sent
    assert "Get ready" in terminal.sent
    (analysis,) = stored(tmp_path / "kept")
    assert 1 < analysis["duration_s"] < 4.5
    assert analysis["file"] == "set.mp4"
    video = probe(tmp_path / "set.mp4")
    assert (video.codec, video.width, video.height) == ("h264", 640, 480)
    assert video.duration_s == pytest.approx(analysis["duration_s"], abs=0.1)


def test_ctrl_c_ends_the_recording_and_keeps_it(tmp_path: Path) -> None:
    terminal = Terminal(*QUICK, "--duration", "5", "--sessions", "kept", cwd=tmp_path)
    terminal.wait_for("Recording")
    time.sleep(2)
    terminal.press("\x03")
    assert terminal.end() == 0, terminal.sent
    (analysis,) = stored(tmp_path / "kept")
    assert 1 < analysis["duration_s"] < 4.5


def test_ctrl_c_while_analysing_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    terminal = Terminal(*QUICK, "--duration", "5", "--sessions", "kept", cwd=tmp_path)
    terminal.wait_for("Analysing")
    terminal.press("\x03")
    assert terminal.end() == 130, terminal.sent
    assert "Stopped" in terminal.sent
    assert "Traceback" not in terminal.sent
    assert stored(tmp_path / "kept") == []


def test_ctrl_c_before_the_recording_leaves_nothing(tmp_path: Path) -> None:
    terminal = Terminal(*QUICK[:3], "--countdown", "60", "--no-preview", "--sessions", "kept", cwd=tmp_path)
    terminal.wait_for("Get ready")
    terminal.press("\x03")
    assert terminal.end() == 130
    assert stored(tmp_path / "kept") == []


def test_a_closed_terminal_leaves_no_video(tmp_path: Path) -> None:
    terminal = Terminal(*QUICK, "--duration", "5", "--sessions", "kept", cwd=tmp_path)
    terminal.wait_for("Recording")
    os.kill(terminal.pid, signal.SIGHUP)
    assert terminal.end() == 130
    assert stored(tmp_path / "kept") == []


def test_loop_records_set_after_set_until_the_camera_ends(tmp_path: Path) -> None:
    terminal = Terminal(
        *QUICK[:3], "--countdown", "0", "--no-preview", "--duration", "3.5", "--loop", "--rest", "1",
        "--sessions", "kept", "--keep-video", "set.mp4", cwd=tmp_path,
    )  # fmt: skip
    terminal.wait_for("Rest")
    assert terminal.end() == 0, terminal.sent
    assert "set 2" in terminal.sent
    analyses = stored(tmp_path / "kept")
    assert [analysis["file"] for analysis in analyses] == ["set.mp4", "set-2.mp4"]
    assert probe(tmp_path / "set-2.mp4").duration_s == pytest.approx(1.8, abs=0.2)


def test_ctrl_c_in_the_rest_ends_the_loop_with_what_was_stored(tmp_path: Path) -> None:
    terminal = Terminal(
        *QUICK[:3], "--countdown", "0", "--no-preview", "--duration", "2.2", "--loop", "--rest", "600",
        "--sessions", "kept", cwd=tmp_path,
    )  # fmt: skip
    terminal.wait_for("Rest")
    terminal.press("\x03")
    assert terminal.end() == 0
    assert len(stored(tmp_path / "kept")) == 1


def test_a_terminal_that_is_too_small_gets_plain_lines(tmp_path: Path) -> None:
    terminal = Terminal(*QUICK, "--duration", "1", "--no-save", cwd=tmp_path, columns=40, lines=10)
    assert terminal.end() == 0, terminal.sent
    assert "Recording: 1 s" in terminal.sent
    assert "╭─ Recording" not in terminal.sent
    assert "\x1b[1A" not in terminal.sent  # the cursor never goes back up
    assert "\x1b[2K" not in terminal.sent


def test_a_video_that_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "set.mp4").write_text("precious", encoding="utf-8")
    done = fitcli(*QUICK, "--keep-video", "set.mp4", cwd=tmp_path)
    assert done.returncode == 8
    assert "set.mp4 already exists" in done.stderr
    assert (tmp_path / "set.mp4").read_text(encoding="utf-8") == "precious"


def test_a_recorded_set_is_drawn_although_its_own_video_is_gone(tmp_path: Path) -> None:
    done = fitcli(
        *QUICK, "--duration", "3", "--save-video", "drawn/", "--report", "set.html", "--sessions", "kept", "--no-voice",
        cwd=tmp_path, env=NO_DISPLAY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (drawn,) = (tmp_path / "drawn").iterdir()
    assert probe(drawn).duration_s == pytest.approx(3, abs=0.5)
    assert "<svg" in (tmp_path / "set.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn", "kept", "set.html"]


def test_a_video_that_a_crash_left_behind_is_removed(tmp_path: Path) -> None:
    left, fresh = tmp_path / "kept" / ".recording-old", tmp_path / "kept" / ".recording-new"
    for folder in (left, fresh):
        folder.mkdir(parents=True)
        (folder / "set-1.mp4").write_text("private", encoding="utf-8")
    os.utime(left, (time.time() - 90_000,) * 2)
    fitcli("record", "--camera", "nothing.mp4", "--sessions", "kept", cwd=tmp_path)
    assert not left.exists()
    assert fresh.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--camera", "nothing.mp4"), 9, "There is no camera or video file 'nothing.mp4'"),
        (("--camera", "99"), 9, "camera"),
        (("--resolution", "big"), 9, "1280x720"),
        (("--countdown", "61"), 2, "60"),
        (("--loop", "--report", "one.html"), 2, "--report"),
        (("--camera", SAMPLE, "--sessions", "file/below"), 8, "No video can be recorded in file/below"),
    ],
)
def test_what_cannot_be_recorded_costs_one_sentence(
    tmp_path: Path, arguments: tuple[object, ...], code: int, words: str
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = fitcli("record", *arguments, cwd=tmp_path, env=NO_DISPLAY)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of a file")
def test_a_full_disk_while_recording_is_told_and_leaves_no_video(tmp_path: Path) -> None:
    noise = tmp_path / "noise.mp4"
    random = np.random.default_rng(0)
    with VideoWriter(noise, 320, 240) as writer:
        for number in range(90):
            writer.write(random.integers(0, 255, (240, 320, 3), dtype=np.uint8), number / 30)
    done = subprocess.run(
        [*COMMAND, "record", "--camera", str(noise), "--countdown", "0", "--no-preview", "--sessions", "kept"],
        cwd=tmp_path,
        env=environment(**NO_DISPLAY),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 8, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert stored(tmp_path / "kept") == []


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not find_library("espeak-ng"),
    reason="needs espeak-ng: sudo apt install espeak-ng",
)
def test_the_advice_is_spoken_to_a_file(tmp_path: Path) -> None:
    done = fitcli(*QUICK, "--duration", "5", "--no-save", "--voice-file", "advice.wav", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "advice.wav").stat().st_size > 100_000


def test_sound_that_is_missing_costs_one_line_and_no_exit_code(tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    (libraries / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n', encoding="utf-8")
    (libraries / "pyttsx3.py").write_text('raise RuntimeError("eSpeak is not installed")\n', encoding="utf-8")
    done = fitcli(*QUICK, "--duration", "1", "--no-save", "--voice", cwd=tmp_path, env={"PYTHONPATH": str(libraries)})
    assert done.returncode == 0, done.stderr
    assert sum("No sound" in line for line in done.stderr.splitlines()) == 1


def test_the_preview_is_shown_on_a_display(tmp_path: Path, screen: Screen) -> None:
    camera = tmp_path / "camera.mp4"
    pictures = list(frames(SAMPLE))
    with VideoWriter(camera, pictures[0].image.shape[1], pictures[0].image.shape[0]) as writer:
        for start_s in range(0, 60, 6):  # as long as a slow machine needs to open a window
            for picture in pictures:
                writer.write(picture.image, start_s + picture.time_s)
    terminal = Terminal(
        *("record", "--camera", camera, "--countdown", "1", "--duration", "60", "--no-save"),
        cwd=tmp_path,
        env={"DISPLAY": screen.display},
    )
    terminal.wait_for("Recording")
    orange = 0
    deadline_s = time.monotonic() + LIMIT_S
    while orange < 50 and "Analysing" not in terminal.sent and time.monotonic() < deadline_s:
        orange = max(orange, int(near(screen.pixels(), (255, 167, 38)).sum()))
        time.sleep(0.05)
    time.sleep(2)  # long enough for a movement to be looked for
    terminal.press("q")
    assert terminal.end() == 0, terminal.sent
    assert "No preview" not in terminal.sent
    assert orange >= 50, f"no skeleton was seen on the screen: {terminal.sent}"
