"""The one command that mends what is missing, for each platform: facts that errors, the voice and the doctor share."""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Remedy:
    """The command (or the place in the system's settings) that mends one thing, for each family of platforms."""

    debian: str
    fedora: str
    macos: str
    windows: str

    @property
    def here(self) -> str:
        """The command for the platform that this runs on."""
        command: str = getattr(self, family())
        return command


def family() -> str:
    """Which of Debian/Ubuntu, Fedora, macOS and Windows this machine is nearest to: a field name of `Remedy`."""
    if sys.platform == "darwin":
        return "macos"
    if sys.platform == "win32":
        return "windows"
    try:
        release = platform.freedesktop_os_release()
    except OSError:  # not a file that every Linux has
        return "debian"
    kin = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return "fedora" if kin & {"fedora", "rhel", "centos", "suse"} else "debian"


def everywhere(command: str) -> Remedy:
    """The same command on every platform."""
    return Remedy(command, command, command, command)


EXTRAS = {
    "torch": ("torch", "torchvision", "pytorchvideo"),
    "train": (
        *("torch", "torchvision", "pytorchvideo"),
        *("filelock", "lightning", "matplotlib", "sklearn", "tensorboard", "torchmetrics"),
    ),
}
"""The optional parts of fitcli, as `pyproject.toml` has them: the modules that each installs."""

_PROJECTS = {"torch": "PyTorch", "sklearn": "scikit-learn"}


def lacking(extra: str) -> str | None:
    """The first module of an extra that is not installed, or None; nothing is imported to find out."""
    return next((module for module in EXTRAS[extra] if not _is_installed(module)), None)


def not_installed(what: str, extra: str) -> str:
    """The sentence for `what`, which cannot be done because a package of `extra` is missing, with the command."""
    module = lacking(extra) or EXTRAS[extra][0]
    return f"{what} needs {_PROJECTS.get(module, module)}, which is not installed: run `{install(extra)}`."


def install(extra: str) -> str:
    """The shell command that adds an extra to the environment that this process runs in.

    pipx and uv's tools keep fitcli in an environment of their own that `pip` on the path does not reach, an environment
    made by uv has no pip, and a virtual environment that is not activated has another one.
    """
    wanted, prefix = f"fitcli[{extra}]", Path(sys.prefix)
    if (prefix / "uv-receipt.toml").is_file():
        # By its source: installed into the environment only, the extra would be gone with the next `uv tool upgrade`.
        return f"uv tool install {_uv_source(wanted)}"
    if (prefix / "pipx_metadata.json").is_file():
        return f"pipx runpip {_quoted(prefix.name)} install {_quoted(wanted)}"
    if not _is_installed("pip") and shutil.which("uv"):
        return f"uv pip install --python {_quoted(_shortest(prefix))} {_quoted(wanted)}"
    found = shutil.which("pip")
    if found and Path(found).parent == Path(sys.executable).parent:
        return f"pip install {_quoted(wanted)}"
    return f"{_quoted(_shortest(Path(sys.executable)))} -m pip install {_quoted(wanted)}"


def _uv_source(wanted: str) -> str:
    """What names fitcli and its extra for `uv tool install`, from the source that PEP 610 records."""
    import json
    from importlib import metadata

    try:
        origin = json.loads(metadata.distribution("fitcli").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        origin = {}
    if "url" not in origin:  # from a package index
        return _quoted(wanted)
    source = f"{origin['vcs_info']['vcs']}+{origin['url']}" if "vcs_info" in origin else origin["url"]
    editable = "--editable " if origin.get("dir_info", {}).get("editable") else ""
    return editable + _quoted(f"{wanted} @ {source}")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # whatever hides it, it cannot be imported
        return False


def _shortest(path: Path) -> str:
    """A path as it is typed in the current folder."""
    try:
        return os.fspath(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return os.fspath(path)


def _quoted(argument: str) -> str:
    """An argument for the shell; Windows' own takes double quotes only."""
    if sys.platform == "win32":
        return f'"{argument}"' if set(argument) & set(" []") else argument
    return shlex.quote(argument)


REINSTALL = everywhere("pip install --force-reinstall fitcli-*.whl")
PYAV = everywhere("pip install --force-reinstall av")
OPENVINO = everywhere("pip install --force-reinstall openvino")
CUDA = everywhere("pip install --force-reinstall torch")
PORTAUDIO = Remedy(
    debian="sudo apt install libportaudio2",
    fedora="sudo dnf install portaudio",
    # The wheels for these two bring PortAudio with them.
    macos="pip install --force-reinstall sounddevice",
    windows="pip install --force-reinstall sounddevice",
)
AUDIO_OUTPUT = Remedy(
    debian="sudo apt install alsa-utils && aplay -l",
    fedora="sudo dnf install alsa-utils && aplay -l",
    macos="open 'x-apple.systempreferences:com.apple.Sound-Settings.extension'",
    windows="start ms-settings:sound",
)
SPEECH_ENGINE = Remedy(
    debian="sudo apt install espeak-ng",
    fedora="sudo dnf install espeak-ng",
    macos="pip install --force-reinstall pyttsx3",
    windows="pip install --force-reinstall pyttsx3",
)
SPEECH_VOICES = Remedy(
    debian="sudo apt install --reinstall espeak-ng-data",
    fedora="sudo dnf reinstall espeak-ng",
    macos="open 'x-apple.systempreferences:com.apple.Accessibility-Settings.extension?SpokenContent'",
    windows="start ms-settings:speech",
)
CAMERA_ACCESS = Remedy(
    debian="sudo usermod -aG video $USER, then log in again",
    fedora="sudo usermod -aG video $USER, then log in again",
    macos="allow the terminal in System Settings > Privacy & Security > Camera, then start it again",
    windows="allow desktop apps in Settings > Privacy & security > Camera",
)
CAMERA_LIST = Remedy(
    debian="sudo apt install v4l-utils && v4l2-ctl --list-devices",
    fedora="sudo dnf install v4l-utils && v4l2-ctl --list-devices",
    macos="system_profiler SPCameraDataType",
    windows="start ms-settings:camera",
)
OPENCV = Remedy(
    debian="sudo apt install libgl1 libglib2.0-0",
    fedora="sudo dnf install mesa-libGL glib2",
    macos="pip install --force-reinstall opencv-python",
    windows="pip install --force-reinstall opencv-python",
)
DISPLAY = Remedy(
    debian="ssh -X, or sudo apt install xvfb && xvfb-run fitcli record",
    fedora="ssh -X, or sudo dnf install xorg-x11-server-Xvfb && xvfb-run fitcli record",
    macos="open Terminal on the Mac itself",
    windows="run it in a desktop session",
)
PYTHON = Remedy(
    debian="sudo apt install python3.11 python3.11-venv",
    fedora="sudo dnf install python3.11",
    macos="brew install python@3.11",
    windows="winget install Python.Python.3.11",
)
SESSIONS = Remedy(
    debian="export FITCLI_SESSIONS=~/fitcli-sessions",
    fedora="export FITCLI_SESSIONS=~/fitcli-sessions",
    macos="export FITCLI_SESSIONS=~/fitcli-sessions",
    windows="setx FITCLI_SESSIONS %USERPROFILE%\\fitcli-sessions",
)
DISK = Remedy(
    debian="sudo apt clean && df -h",
    fedora="sudo dnf clean all && df -h",
    macos="open 'x-apple.systempreferences:com.apple.settings.Storage'",
    windows="start ms-settings:storagesense",
)
