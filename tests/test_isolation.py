"""Beside the user's files, none of their Python files runs, and nothing connects to the internet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cli import LIMIT_S, ROOT, SAMPLE, environment
from support.films import MakeVideo

from fitcli import isolation

FITCLI = str(Path(sys.executable).with_name("fitcli"))

NAMES = """
typing json sitecustomize usercustomize numpy av torch lightning openvino cv2 pyttsx3 sounddevice PIL fitcli
platformdirs typer rich re types struct socket random runpy multiprocessing pickle queue signal wave dataclasses
subprocess tempfile threading matplotlib yaml
""".split()  # noqa: SIM905 - forty quoted names are harder to read

CANARY = """
with open({file!r}, "a") as canary:
    canary.write(f"{{__file__}} in {{__import__('sys').orig_argv}}\\n")
"""

WATCH = """
import os, socket, sys, traceback

def watch(event, details):
    if event == "socket.__new__":
        seen = details[1] in (socket.AF_INET, socket.AF_INET6)
    else:
        seen = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
    if seen:
        with open({file!r}, "a") as log:
            log.write(f"{{event}} {{details[1:]}} in {{sys.orig_argv}}\\n" + "".join(traceback.format_stack(limit=6)))

sys.addaudithook(watch)
"""


@dataclass(frozen=True)
class Place:
    """A folder of files named like modules, and a log that shows if one of them ran or a socket was opened."""

    folder: Path
    canary: Path
    sockets: Path
    hook: Path

    def run(self, *command: object, **changes: str) -> subprocess.CompletedProcess[str]:
        self.sockets.unlink(missing_ok=True)
        settings = environment(XDG_CACHE_HOME=str(self.hook / "cache"), OMP_NUM_THREADS="1", **changes)
        settings["PYTHONPATH"] = str(self.hook)
        return subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
        )

    def nothing_ran(self) -> None:
        assert not self.canary.exists(), self.canary.read_text(encoding="utf-8")

    def nothing_connected(self) -> None:
        assert not self.sockets.exists(), self.sockets.read_text(encoding="utf-8")[:3000]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("place")
    made = Place(root / "videos", root / "canary", root / "sockets", root / "hook")
    made.folder.mkdir()
    made.hook.mkdir()
    (made.hook / "sitecustomize.py").write_text(WATCH.format(file=str(made.sockets)), encoding="utf-8")
    for name in NAMES:
        (made.folder / f"{name}.py").write_text(CANARY.format(file=str(made.canary)), encoding="utf-8")
    return made


def test_the_watch_sees_what_it_is_meant_to_see(place: Place) -> None:
    place.run(sys.executable, "-P", "-c", "import socket; socket.socket()")
    assert "socket.__new__" in place.sockets.read_text(encoding="utf-8")
    place.run(sys.executable, "-c", "import wave")
    assert "wave.py" in place.canary.read_text(encoding="utf-8")
    place.canary.unlink()


def test_commands_run_no_file_of_the_folder_and_open_no_socket(place: Place, poses: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "checkpoints" / "tcn.ckpt", tmp_path)
    train = ["train", "pose", poses, "-a", "tcn", "--synthetic", 0, "--epochs", 1, "--draws", 8, "--batch", 4, "-q"]
    train += ["--device", "cpu", "--devices", 1, "--workers", 1, "--run", tmp_path / "run"]
    commands: list[list[object]] = [
        ["history"],
        ["checkpoints", "convert", tmp_path / "tcn.ckpt", "--to", tmp_path / "converted"],
        ["checkpoints", "verify", tmp_path / "converted" / "tcn.ckpt"],
        ["analyze", SAMPLE, "--no-save", "--voice-file", tmp_path / "speech.wav"],
        ["record", "--camera", SAMPLE, "--duration", 1, "--countdown", 0, "--no-save", "--voice"],
        ["doctor"],
        train,
    ]
    for command in commands:
        done = place.run(FITCLI, *command, DISPLAY=":77", HOME=str(tmp_path))
        assert done.returncode == 0, done.stderr
        place.nothing_ran()
        place.nothing_connected()


def test_processes_that_train_together_and_runs_of_an_ablation_are_isolated_too(
    place: Place, poses: Path, make_video: MakeVideo, tmp_path: Path
) -> None:
    """Ranks are started by Lightning, decoders by multiprocessing, an ablation's runs by fitcli."""
    train = ["train", "pose", poses, "-a", "tcn", "--synthetic", 0, "--epochs", 1, "--draws", 8, "--batch", 4, "-q"]
    train += ["--device", "cpu", "--devices", 2, "--run", tmp_path / "run"]
    done = place.run(sys.executable, "-P", "-m", "fitcli", *train)
    assert done.returncode == 0, done.stderr
    place.nothing_ran()
    for split in ("train", "test"):
        for exercise in ("squat", "push-up"):
            (tmp_path / "data" / split / exercise).mkdir(parents=True)
            make_video(tmp_path / "data" / split / exercise / "a.mp4", frames=25, rate_hz=10)
    weights = tmp_path / "weights.pyth"
    weights.write_text("no weights: the run ends once the videos are decoded", encoding="utf-8")
    ablate = ["ablate", tmp_path / "data", "--to", tmp_path / "ablation", "--table", "x3d", "--x3d", "x3d_xs"]
    done = place.run(FITCLI, *ablate, "--pretrained", weights)
    assert "no file of weights" in done.stderr
    place.nothing_ran()
    place.nothing_connected()


def test_a_program_that_loaded_the_converter_itself_converts_in_silence(place: Place, tmp_path: Path) -> None:
    shutil.copy(ROOT / "checkpoints" / "tcn.ckpt", tmp_path)
    program = f"""
import os, pathlib
os.environ["CI"] = "true"
import openvino
del os.environ["CI"]
from fitcli.network.convert import convert
convert(pathlib.Path({str(tmp_path)!r}, "tcn.ckpt"), pathlib.Path({str(tmp_path)!r}, "tcn.xml"))
assert "CI" not in os.environ and __import__("openvino_telemetry")
"""
    done = place.run(sys.executable, "-P", "-c", program, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tcn.xml").exists()
    assert not (tmp_path / "intel").exists()
    place.nothing_connected()


def test_a_child_keeps_the_users_own_search_path_but_not_its_empty_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/opt/tools", "", "lib", ""]))
    assert isolation.environment()["PYTHONPATH"] == os.pathsep.join(["/opt/tools", "lib"])
    assert "PYTHONSAFEPATH" not in os.environ
