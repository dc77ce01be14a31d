"""`fitcli doctor` tells the truth about this machine, and the command that mends what it finds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest
from support.cli import LIMIT_S, SAMPLE, environment, fitcli, in_terminal

from fitcli import remedy

PARTS = (
    "Python", "Platform", "Packages", "Video", "OpenVINO", "CUDA", "Pose models", "Checkpoints", "Sessions",
    "Free disk", "Cache", "Temp files", "Audio output", "Speech", "Display",
)  # fmt: skip
NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="arranges Linux's sound and displays")


def doctor(*arguments: object, cwd: Path, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """The exit code, and the checks by name with "works" beside them."""
    done = fitcli("doctor", "--json", *arguments, cwd=cwd, env=NO_DISPLAY | (env or {}))
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    return done.returncode, {check["name"]: check for check in answer["checks"]} | {"works": answer["works"]}


def without(name: str, folder: Path, error: str = "ImportError") -> dict[str, str]:
    """An environment in which a library does not load."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(f'raise {error}("{name} does not load")\n', encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], Path]:
    """What it says without a display, with the folder that it was given for sessions."""
    folder = tmp_path_factory.mktemp("doctor")
    return *doctor("--sessions", "kept", cwd=folder), folder / "kept"


def test_every_part_is_tried_and_all_that_analyze_needs_works(here: tuple[int, dict[str, Any], Path]) -> None:
    code, found, sessions = here
    assert set(PARTS) <= set(found)
    assert any(name.startswith("Camera") for name in found)
    assert found["works"] is True
    assert code == 0
    assert "CPU" in found["OpenVINO"]["found"]
    for network in ("slowfast.ckpt", "x3d.ckpt"):
        assert found[network]["verdict"] == "ok"
        assert "sha256" in found[network]["found"]
        assert "pose" in found[network]["found"]
    assert list(sessions.iterdir()) == [], "it leaves nothing behind"


@linux_only
@pytest.mark.skipif(not find_library("espeak-ng"), reason="needs espeak-ng: sudo apt install espeak-ng")
def test_a_speech_engine_and_its_voices_are_found(here: tuple[int, dict[str, Any], Path]) -> None:
    assert here[1]["Speech"]["verdict"] == "ok"
    assert "English" in here[1]["Speech"]["found"]


def test_every_bad_row_has_a_command_for_every_platform_and_a_good_row_none(tmp_path: Path) -> None:
    _, found = doctor("--checkpoints", tmp_path, cwd=tmp_path)
    del found["works"]
    for check in found.values():
        if check["verdict"] in ("limited", "broken"):
            assert set(check["remedy"]) == {"debian", "fedora", "macos", "windows"}
            assert all(check["remedy"].values())
        else:
            assert check["remedy"] is None


def test_the_table_shows_the_command_for_this_platform(tmp_path: Path) -> None:
    done = fitcli("doctor", "--checkpoints", ".", cwd=tmp_path, env=NO_DISPLAY)
    assert done.returncode == 1
    assert "broken" in done.stdout
    assert "Try: unset FITCLI_CHECKPOINTS" in done.stdout
    assert "does not work here" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if "  Try: " not in line)


def test_a_command_is_one_line_in_a_narrow_terminal_so_that_it_can_be_copied(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    _, screen = in_terminal("doctor", "--sessions", "file/below", cwd=tmp_path, columns=44, env=NO_DISPLAY)
    assert f"  Try: {remedy.SESSIONS.here}" in [
        re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in screen.split("\r\n")
    ]


def test_it_says_no_where_analyze_fails(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x3d.ckpt").write_bytes(b"no checkpoint")
    code, found = doctor("--checkpoints", "broken", cwd=tmp_path)
    analysed = fitcli("analyze", SAMPLE, "--checkpoints", "broken", "--no-save", cwd=tmp_path)
    assert code == 1
    assert analysed.returncode != 0
    assert found["x3d.ckpt"]["verdict"] == "broken"
    assert found["x3d.ckpt"]["found"] in analysed.stderr


def test_a_session_folder_that_cannot_be_written_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, found = doctor("--sessions", "file/below", cwd=tmp_path)
    assert code == 1
    assert found["Sessions"]["verdict"] == "broken"


@pytest.mark.parametrize(("library", "part"), [("openvino", "OpenVINO"), ("av", "Video")])
def test_a_library_that_analyze_needs_and_that_does_not_load_is_broken(tmp_path: Path, library: str, part: str) -> None:
    code, found = doctor(cwd=tmp_path, env=without(library, tmp_path / "libraries"))
    assert code == 1
    assert found[part]["verdict"] == "broken"
    assert f"{library} does not load" in found[part]["found"]
    (tested,) = (package.tested for package in remedy.packages() if package.name == library)
    assert found[part]["remedy"]["debian"].endswith(f" --force-reinstall --no-deps '{library}{tested}'")
    assert found["Sessions"]["verdict"] == "ok", "the other parts are tried all the same"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with what is installed here, but an old Pillow, an old Rich and a damaged PyAV."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=LIMIT_S)
    python = folder / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "here.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", encoding="utf-8"
    )
    old: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--no-deps", "pillow==10.3.0", "rich==13.6.0"]
    done = subprocess.run(old, capture_output=True, encoding="utf-8", timeout=LIMIT_S, check=False)
    if done.returncode:
        pytest.skip(f"needs a package index: {done.stderr[-200:]}")
    (packages / "av").mkdir()
    (packages / "av" / "__init__.py").write_text("from av.nothing import here\n", encoding="utf-8")
    return python


@linux_only
def test_the_command_that_doctor_prints_mends_what_it_found(broken: Path, tmp_path: Path) -> None:
    def found() -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [broken, "-m", "fitcli", "doctor", "--json", "--sessions", "kept"],
            cwd=tmp_path,
            env=environment(**NO_DISPLAY),
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )
        return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}

    code, before = found()
    assert code == 1
    assert "Packages" not in before
    assert before["pillow"]["found"].startswith("10.3.0 is installed; fitcli is tested with >=10.4")
    assert before["rich"]["found"].startswith("13.6.0 is installed; fitcli is tested with >=13.7")
    assert {before["pillow"]["verdict"], before["rich"]["verdict"]} == {"limited"}
    assert before["Video"]["verdict"] == "broken"
    for part in ("pillow", "rich", "Video"):
        subprocess.run(before[part]["remedy"]["debian"], shell=True, cwd=tmp_path, check=True, timeout=LIMIT_S)
    code, after = found()
    assert code == 0, after
    assert after["Packages"]["verdict"] == after["Video"]["verdict"] == "ok"


@linux_only
@pytest.mark.parametrize(
    ("fails", "remedy"),
    [
        ("ImportError('libGL.so.1: cannot open shared object file')", "sudo apt install libgl1 libglib2.0-0"),
        ("ImportError('numpy.core.multiarray failed to import')", "pip install --force-reinstall --no-deps 'opencv"),
        ("ModuleNotFoundError('No module named cv2')", "pip install --force-reinstall --no-deps 'opencv"),
    ],
)
def test_an_opencv_that_does_not_load_is_named_with_what_mends_it(tmp_path: Path, fails: str, remedy: str) -> None:
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    (libraries / "cv2.py").write_text(f"raise {fails}\n", encoding="utf-8")
    code, found = doctor(cwd=tmp_path, env={"PYTHONPATH": str(libraries)})
    assert code == 0
    assert found["OpenCV"]["verdict"] == "limited"
    assert remedy in found["OpenCV"]["remedy"]["debian"]


@linux_only
def test_what_only_recording_needs_does_not_change_the_exit_code(tmp_path: Path) -> None:
    code, found = doctor("--sessions", "kept", cwd=tmp_path, env=without("pyttsx3", tmp_path / "libraries"))
    assert code == 0
    assert found["Speech"]["verdict"] == "limited"
    assert "espeak-ng" in found["Speech"]["remedy"]["debian"]
    assert found["Display"]["verdict"] == "limited"


@linux_only
@pytest.mark.skipif(not find_library("portaudio"), reason="needs PortAudio: sudo apt install libportaudio2")
def test_an_audio_output_is_found(tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    config.write_text("pcm.!default { type null }\nctl.!default { type null }\n", encoding="utf-8")
    _, found = doctor(cwd=tmp_path, env={"ALSA_CONFIG_PATH": str(config)})
    assert found["Audio output"]["verdict"] == "ok"
    assert "default" in found["Audio output"]["found"]


@linux_only
@pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs a display without a monitor: sudo apt install xvfb")
def test_a_display_is_tried_not_believed(tmp_path: Path) -> None:
    server = subprocess.Popen(["Xvfb", "-displayfd", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout
        number = server.stdout.readline().decode().strip()
        _, found = doctor(cwd=tmp_path, env={"DISPLAY": f":{number}"})
        assert found["Display"]["verdict"] == "ok"
    finally:
        server.terminate()
        server.wait(10)
    _, found = doctor(cwd=tmp_path, env={"DISPLAY": f":{number}"})
    assert found["Display"]["verdict"] == "limited"
