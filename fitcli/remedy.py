"""The one command that mends what is missing, for each platform: facts that errors, the voice and the doctor share."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass


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
CACHE = Remedy(
    debian="df -h ~/.cache, then free some space, or export XDG_CACHE_HOME=/a/folder/of/yours",
    fedora="df -h ~/.cache, then free some space, or export XDG_CACHE_HOME=/a/folder/of/yours",
    macos="df -h ~/Library/Caches, then free some space",
    windows="start ms-settings:storagesense",
)
DISK = Remedy(
    debian="sudo apt clean && df -h",
    fedora="sudo dnf clean all && df -h",
    macos="open 'x-apple.systempreferences:com.apple.settings.Storage'",
    windows="start ms-settings:storagesense",
)
