"""With a cache that is full, read-only or absent, fitcli is slower and gives the same answer."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cli import COMMAND, LIMIT_S, ROOT, SAMPLE, environment
from support.films import MakeVideo

from fitcli import cache
from fitcli.errors import StorageError
from fitcli.network.checkpoint import sha256
from fitcli.training.rgb import kinetics
from fitcli.training.rgb.frames import FrameCache


def full_disk() -> None:
    """For a child process: files can be created, but not a byte can be written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def run(
    folder: Path, *arguments: object, full: bool = False, **changes: str | None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env={key: value for key, value in (environment() | changes).items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        preexec_fn=full_disk if full else None,
    )
    assert "in a way it does not know" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_full_disk_costs_no_answer_even_where_a_network_is_to_be_converted(tmp_path: Path) -> None:
    checkpoints, temporary = tmp_path / "checkpoints", tmp_path / "temporary"
    for folder in (checkpoints, temporary):
        folder.mkdir()
    shutil.copy(ROOT / "checkpoints" / "tcn.ckpt", checkpoints)
    settings = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(temporary)}
    done = run(
        tmp_path, "analyze", SAMPLE, "--checkpoints", checkpoints, "--no-save", "-v", "-q", full=True, **settings
    )
    assert done.returncode == 0, done.stderr
    assert "squat" in done.stdout
    # One line for each cache: compiled networks, and converted ones.
    assert done.stderr.count("cannot be used as cache") == 2
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != checkpoints]
    assert left == []

    done = run(tmp_path, "doctor", "--json", full=True, **settings)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    for part in ("Cache", "Temp files"):
        assert checks[part]["verdict"] == "limited"
        assert checks[part]["remedy"]
    assert str(tmp_path / "cache") in checks["Cache"]["found"]
    assert checks["Pose models"]["verdict"] == "ok"


def test_a_cache_that_cannot_be_made_or_has_no_home_costs_no_answer(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    done = run(tmp_path, "analyze", SAMPLE, "--no-save", "--json", XDG_CACHE_HOME=str(blocked))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # only -v tells
    answer = json.loads(done.stdout)

    # A user with neither $HOME nor an entry in the list of users, as in a container with an arbitrary user number.
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text("import pwd\npwd.getpwuid = {}.__getitem__\n", encoding="utf-8")
    without_home: dict[str, Any] = {
        "HOME": None,
        "XDG_CACHE_HOME": None,
        "XDG_DATA_HOME": None,
        "PYTHONPATH": str(hook),
    }
    done = run(tmp_path, "analyze", SAMPLE, "--json", "-v", **without_home)
    assert done.returncode == 8, done.stderr
    assert json.loads(done.stdout)["exercises"] == answer["exercises"]
    assert "no home folder" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"file", "hook"}


def test_frames_are_decoded_anew_where_they_cannot_be_cached(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_video(tmp_path / "a.mp4")
    stored = FrameCache.at(tmp_path / "frames", 64).open(video)
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot be stored"):  # the user named it
        FrameCache.at(blocked, 64).open(video)
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    cache.cache_folder.cache_clear()
    for frames in (FrameCache.at(None, 64), FrameCache(blocked, 64, optional=True)):
        assert frames.prepare([video, tmp_path / "a.mp4"]) == []
        decoded = frames.open(video)
        assert decoded.times_s.tolist() == stored.times_s.tolist()
        assert np.array_equal(decoded.read([3])[0], stored.read([3])[0])
    cache.cache_folder.cache_clear()


def test_weights_in_a_cache_that_cannot_be_written_are_used_and_new_ones_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = tmp_path / "fitcli" / "kinetics" / kinetics.FILES["x3d_xs"]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weights")
    kept.with_suffix(".sha256").write_text(sha256(kept), encoding="utf-8")
    monkeypatch.setattr(kinetics, "cache_folder", lambda name: None)  # what a read-only folder gives; root writes any
    assert kinetics.fetch("x3d_xs") == kept
    elsewhere = kinetics.weights_folder()
    assert elsewhere.is_dir()
    assert not elsewhere.is_relative_to(tmp_path)
