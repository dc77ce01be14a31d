"""Files that a user names are written whole, under the right ending, and never over another file unasked."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.cli import COMMAND, LIMIT_S, ROOT, SAMPLE, environment, fitcli, started
from support.films import MakeVideo
from typer.testing import CliRunner

from fitcli.cli import app
from fitcli.cli.console import explain
from fitcli.errors import FitcliError, OutputNameError, StorageError
from fitcli.history.store import SessionStore
from fitcli.outputs import HTML, JSON_LINES, MP4, WAV, Output, check_distinct, claim, identities
from fitcli.results.analysis import Analysis, ExerciseScore, Status
from fitcli.training.rgb.split import Assignment, Clip, write
from fitcli.video import VideoWriter, frames

SHIPPED = ROOT / "checkpoints"
PRECIOUS = b"precious"
RECORD = ("record", "--camera", SAMPLE, "--countdown", "0", "--no-preview", "--no-beep", "--no-voice", "--no-save")


def run(*arguments: object) -> tuple[int, str]:
    """The exit code of a command in this process, in the current folder, and the sentence that it fails with."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if isinstance(result.exception, FitcliError):
        return result.exception.exit_code, explain(result.exception)
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a video under three names and a history of one session."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FITCLI_SESSIONS", "kept")
    shutil.copy(SAMPLE, "clip.mp4")
    os.link("clip.mp4", "linked.mp4")
    (tmp_path / "pointing.mp4").symlink_to("clip.mp4")
    squat = ExerciseScore("squat", 0.9)
    SessionStore(tmp_path / "kept").save(Analysis("squat.mp4", Status.OK, "A squat.", exercise=squat, end_s=5.0))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("advice.wav", ("analyze", "clip.mp4", "--voice-file")),
        ("drawn.mp4", ("analyze", "clip.mp4", "--save-video")),
        ("page.html", ("analyze", "clip.mp4", "--report")),
        ("set.mp4", (*RECORD, "--keep-video")),
        ("advice.wav", (*RECORD, "--voice-file")),
        ("all.jsonl", ("history", "export")),
        ("page.html", ("history", "report", "{session}")),
        ("page.html", ("history", "chart", "--html")),
        ("matrix.png", ("evaluate", ".", "--confusion")),
        ("mean.ckpt", ("checkpoints", "average", SHIPPED / "x3d.ckpt", SHIPPED / "tcn.ckpt", "--to")),
    ],
)
def test_an_existing_file_is_refused_before_any_work_and_named_by_what_replaces_it(
    name: str, command: tuple[object, ...], here: Path
) -> None:
    (session,) = SessionStore(here / "kept").sessions()
    given = [session.id if part == "{session}" else part for part in command]
    (here / name).write_bytes(PRECIOUS)
    before = contents(here)
    code, sentence = run(*given, name)
    assert (code, sentence) == (8, f"{name} already exists: choose another name, or overwrite it (--overwrite).")
    assert contents(here) == before


@pytest.mark.parametrize("command", ["assemble", "convert"])
@pytest.mark.parametrize("name", ["x3d.ckpt", "x3d.xml"])
def test_networks_of_another_folder_are_not_replaced(command: str, name: str, here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / name).write_bytes(PRECIOUS)
    before = contents(here)
    code, sentence = run("checkpoints", command, SHIPPED / "x3d.ckpt", "--to", "mine")
    assert code == 8
    assert f"{name} already exists" in sentence
    assert contents(here) == before
    both = (SHIPPED / "x3d.ckpt", shutil.copy(SHIPPED / "x3d.ckpt", here))
    code, sentence = run("checkpoints", command, *both, "--to", "new")
    assert code == 2
    assert "two outputs" in sentence
    assert contents(here / "new") == {}


def test_a_network_that_lies_where_a_run_begins_is_not_trained_over(here: Path, poses: Path) -> None:
    (here / "run").mkdir()
    (here / "run" / "x3d.ckpt").write_bytes(PRECIOUS)
    code, sentence = run("train", poses, "-a", "x3d", "--run", "run")
    assert (code, sentence.partition(":")[0]) == (8, "run/x3d.ckpt already exists")
    assert contents(here / "run") == {"x3d.ckpt": PRECIOUS}


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", "clip.mp4", "--voice-file", "advice.mp3"),
        ("analyze", "clip.mp4", "--voice-file", "advice"),
        ("analyze", "clip.mp4", "--report", "page.pdf"),
        (*RECORD, "--keep-video", "set.avi"),
        ("evaluate", ".", "--confusion", "matrix.html"),
        ("history", "export", "all.mp4"),
        ("history", "export", "all.jsonl.gz"),
        ("checkpoints", "average", SHIPPED / "x3d.ckpt", SHIPPED / "tcn.ckpt", "--to", "mean.xml"),
        ("history", "export", "kept"),
        ("history", "export", "new/"),
        (*RECORD, "--keep-video", "kept"),
        (*RECORD, "--keep-video", "set.mp4", "--save-video", "./set.mp4"),
        (*RECORD, "--keep-video", "kept/set.mp4", "--save-video", "kept/"),
    ],
)
def test_a_name_that_cannot_be_right_is_a_usage_error(arguments: tuple[object, ...], here: Path) -> None:
    before = contents(here)
    code, sentence = run(*arguments)
    assert code == 2
    assert any(words in sentence for words in ("must end in", "is a folder", "two outputs"))
    assert contents(here) == before


@pytest.mark.parametrize("name", ["all", "all.2026", "all.bak", "all.txt", "all.json", "all.jsonl"])
def test_a_text_may_have_any_ending_that_names_no_other_format(name: str, here: Path) -> None:
    code, sentence = run("history", "export", name)
    assert code == 0, sentence
    assert json.loads((here / name).read_text(encoding="utf-8"))["schema"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", "clip.mp4", "--save-video", "linked.mp4"),
        ("analyze", "clip.mp4", "--save-video", "pointing.mp4"),
        ("analyze", "pointing.mp4", "--save-video", "kept/../clip.mp4"),
        ("record", "--camera", "clip.mp4", "--keep-video", "linked.mp4"),
        ("history", "export", "session.jsonl"),
        ("checkpoints", "average", "a.ckpt", SHIPPED / "x3d.ckpt", "--to", "a.ckpt"),
    ],
)
def test_what_is_read_is_never_overwritten(arguments: tuple[object, ...], here: Path) -> None:
    (session,) = (here / "kept").iterdir()
    (here / "session.jsonl").symlink_to(session)
    shutil.copy(SHIPPED / "x3d.ckpt", here / "a.ckpt")
    before = contents(here)
    code, sentence = run(*arguments, "--overwrite")
    assert code == 8
    assert "is an input of this command" in sentence
    assert contents(here) == before


def test_overwriting_is_asked_for(here: Path) -> None:
    (here / "page.html").write_bytes(PRECIOUS)
    (here / "page.html").chmod(0o640)
    (here / "link.html").symlink_to("page.html")
    assert run("history", "chart", "--html", "link.html", "--overwrite")[0] == 0
    assert (here / "link.html").is_symlink()
    assert "<svg" in (here / "page.html").read_text(encoding="utf-8")
    assert stat.S_IMODE((here / "page.html").stat().st_mode) == 0o640
    (here / "all.jsonl").write_bytes(PRECIOUS)
    assert run("history", "export", "all.jsonl", "--overwrite")[0] == 0
    assert json.loads((here / "all.jsonl").read_text(encoding="utf-8"))["schema"]
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


def test_a_recording_replaces_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    old = tmp_path / "old.mp4"
    old.write_bytes(PRECIOUS)
    (tmp_path / "link.mp4").symlink_to("old.mp4")
    recording = claim(tmp_path / "link.mp4", MP4, overwrite=True)
    assert old.read_bytes() == PRECIOUS  # until it begins
    with VideoWriter(recording.make_room(), 64, 64, lasting=True) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    assert [frame.time_s for frame in frames(tmp_path / "link.mp4", rate_hz=None)] == [0]
    assert (tmp_path / "link.mp4").is_symlink()
    assert old.read_bytes() != PRECIOUS


def test_the_sets_of_a_loop_have_files_of_their_own(here: Path) -> None:
    for name in ("set-2.mp4", "advice-12.wav"):
        (here / name).write_bytes(PRECIOUS)
        option = {"set-2.mp4": ("--keep-video", "set.mp4"), "advice-12.wav": ("--voice-file", "advice.wav")}[name]
        code, sentence = run(*RECORD, "--loop", *option)
        assert (code, sentence.partition(":")[0]) == (8, f"{name} already exists")
        assert (here / name).read_bytes() == PRECIOUS


def test_an_export_goes_through_pipes_and_comes_back_with_a_byte_order_mark(here: Path) -> None:
    sent = fitcli("history", "export", "-", "--sessions", "kept", cwd=here)
    assert sent.returncode == 0, sent.stderr
    received = subprocess.run(
        [*COMMAND, "history", "import", "-", "--sessions", "new"],
        input="\N{BOM}" + sent.stdout,
        cwd=here,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
    )
    assert (received.returncode, received.stdout) == (0, "1 session added, 0 already stored.\n"), received.stderr
    assert contents(here / "new") == contents(here / "kept")
    assert run("history", "export", "./-")[0] == 0
    assert (here / "-").read_text(encoding="utf-8") == sent.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_behind_stdout_is_told(here: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*COMMAND, "history", "export", "-", "--sessions", "kept"],
            cwd=here,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=LIMIT_S,
        )
    assert done.returncode == 8
    assert "cannot be written to stdout" in done.stderr


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_links(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    for number, link in enumerate((os.link, without_links)):  # FAT has no hard links
        monkeypatch.setattr(os, "link", link)
        free, taken = (claim(tmp_path / f"{name}-{number}.html", HTML) for name in ("free", "taken"))
        free.write_text("whole")
        assert free.path.read_text(encoding="utf-8") == "whole"
        with pytest.raises(StorageError, match="already exists"), taken.writing() as temporary:
            temporary.write_text("mine")
            taken.path.write_bytes(PRECIOUS)
        assert taken.path.read_bytes() == PRECIOUS
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_half_way_leaves_what_was_there(failure: BaseException, tmp_path: Path) -> None:
    (tmp_path / "old.html").write_bytes(PRECIOUS)
    for output in (Output(tmp_path / "new.html"), Output(tmp_path / "old.html", overwrite=True)):
        with pytest.raises((StorageError, KeyboardInterrupt)) as raised, output.writing() as temporary:
            temporary.write_text("half")
            raise failure
        if isinstance(raised.value, StorageError):
            assert f"{output.path} cannot be written (no space left on device)" in str(raised.value)
    assert contents(tmp_path) == {"old.html": PRECIOUS}


def test_only_regular_files_are_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "nowhere").symlink_to("missing")
    (tmp_path / "folder.wav").mkdir()
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(os.path.relpath(tmp_path / "socket"))
        for path in (tmp_path / "fifo", tmp_path / "socket", Path("/dev/null")):
            for overwrite in (False, True):
                with pytest.raises(StorageError, match="not a regular file"):
                    claim(path, JSON_LINES, overwrite=overwrite)
    with pytest.raises(StorageError, match="already exists"):
        claim(tmp_path / "nowhere", JSON_LINES)
    with pytest.raises(OutputNameError, match="is a folder"):
        claim(tmp_path / "folder.wav", WAV, overwrite=True)
    for folder in ("missing", "fifo"):
        with pytest.raises(StorageError, match="there is no folder"):
            claim(tmp_path / folder / "all.jsonl", JSON_LINES)
    with pytest.raises(StorageError, match="cannot be written"):
        claim(tmp_path / ("x" * 300), JSON_LINES)
    if Path("/proc/self").exists():  # a folder that not even root may write to
        with pytest.raises(StorageError, match="cannot be written"):
            claim(Path("/proc/self/all.jsonl"), JSON_LINES)
    with pytest.raises(OutputNameError, match="two outputs"):
        check_distinct(Output(tmp_path / "a.mp4"), None, Output(tmp_path / "folder.wav" / ".." / "a.mp4"))
    assert len(identities([tmp_path / "missing", tmp_path, tmp_path / "folder.wav" / ".."])) == 1


def test_a_split_that_fails_leaves_no_half_of_it(tmp_path: Path) -> None:
    clips = [Clip(SAMPLE, "squat", "first", "00"), Clip(tmp_path / "gone.mp4", "squat", "second", "11")]
    placed = [Assignment(clip, "train", "") for clip in clips]
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new", tmp_path / "empty"):
        with pytest.raises(StorageError):
            write(placed, folder, "copy")
    assert contents(tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_kept_video_plays_even_if_the_recording_is_killed(tmp_path: Path, make_video: MakeVideo) -> None:
    video = tmp_path / "set.mp4"
    film = make_video(tmp_path / "film.mp4", frames=900)
    process = started(*RECORD, "--camera", film, "--duration", "60", "--keep-video", video, cwd=tmp_path)
    deadline_s = time.monotonic() + LIMIT_S
    while not video.exists() or video.read_bytes().count(b"moof") < 2:  # two seconds are complete
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT_S)
    times_s = [frame.time_s for frame in frames(video, rate_hz=None)]
    assert times_s[0] == 0
    assert times_s[-1] > 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "set.mp4"]
