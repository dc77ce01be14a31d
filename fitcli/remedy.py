"""The command that fixes each missing dependency on each platform, for error messages, the voice and the doctor.

A Python package is fixed by the installer of the environment that fitcli runs in, with a version in the range that
fitcli is tested with.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from dataclasses import dataclass, fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `fitcli --help` does not import it
    from packaging.requirements import Requirement

_DISTRIBUTION = "fitcli"

_FOR_DEVELOPERS = "dev"
"""The extra of development tools, which fitcli does not run with."""


@dataclass(frozen=True)
class Package:
    """A dependency of fitcli: the versions that fitcli is tested with, and the installed one."""

    name: str
    tested: str
    """The version specifier, such as ">=17.1,<20"."""
    installed: str | None

    @property
    def in_range(self) -> bool:
        """Whether it is installed in a version that fitcli is tested with."""
        from packaging.specifiers import SpecifierSet

        return self.installed is not None and SpecifierSet(self.tested).contains(self.installed, prereleases=True)

    @property
    def command(self) -> str:
        """The command that installs a tested version in this environment."""
        return f"{_installer()} {_quoted(self.name + self.tested)}"


def packages() -> list[Package]:
    """The dependencies of the installed fitcli on this interpreter, in alphabetical order.

    Packages of an extra are listed only if they are installed. Empty if fitcli is not installed but runs from a folder.
    """
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for requirement, optional in _requirements():
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = None
        if installed or not optional:
            found[requirement.name] = Package(requirement.name, str(requirement.specifier), installed)
    return [found[name] for name in sorted(found)]


@cache
def _requirements() -> list[tuple[Requirement, bool]]:
    """The requirements of the installed fitcli on this interpreter, each with whether only an extra requires it."""
    from importlib.metadata import PackageNotFoundError, metadata

    from packaging.requirements import Requirement

    try:
        declared = metadata(_DISTRIBUTION)
    except PackageNotFoundError:
        return []
    extras = {""} | set(declared.get_all("Provides-Extra", ())) - {_FOR_DEVELOPERS}
    required = []
    for requirement in map(Requirement, declared.get_all("Requires-Dist", ())):
        needed = {extra for extra in extras if not requirement.marker or requirement.marker.evaluate({"extra": extra})}
        if needed and requirement.name != _DISTRIBUTION:
            required.append((requirement, "" not in needed))
    return required


def _installer(*options: str) -> str:
    """The command that installs packages in the environment of this interpreter, without the requirements.

    The `pip` on the path may belong to another environment, environments of uv have no pip, and pipx hides its own.
    """
    python, found = _quoted(_shortest(sys.executable)), shutil.which("pip")
    if Path(sys.prefix, "pipx_metadata.json").is_file():
        command = f"pipx runpip {_quoted(Path(sys.prefix).name)} install"
    elif found and Path(found).parent == Path(sys.executable).parent:
        command = "pip install"
    elif find_spec("pip"):
        command = f"{python} -m pip install"
    elif shutil.which("uv"):
        command = f"uv pip install --python {python}"
    else:
        command = f"{python} -m ensurepip && {python} -m pip install"
    if sys.prefix == sys.base_prefix and _managed_by_the_system():
        options = ("--break-system-packages", *options)  # whoever installed fitcli there needed it as well
    return " ".join((command, *options))


EXTRAS = {
    "torch": ("torch", "torchvision", "pytorchvideo"),
    "train": (
        *("torch", "torchvision", "pytorchvideo"),
        *("filelock", "lightning", "matplotlib", "sklearn", "tensorboard", "torchmetrics"),
    ),
}
"""The extras in `pyproject.toml`, and the modules that each installs."""

_PROJECTS = {"torch": "PyTorch", "sklearn": "scikit-learn"}


def lacking(extra: str) -> str | None:
    """The first module of an extra that is not installed, or None. Imports none of them."""
    return next((module for module in EXTRAS[extra] if not _is_installed(module)), None)


def not_installed(what: str, extra: str) -> str:
    """The sentence for `what`, its subject, which needs a missing package of `extra`, with the command for that."""
    module = lacking(extra) or EXTRAS[extra][0]
    return f"{what} needs {_PROJECTS.get(module, module)}, which is not installed: run `{install(extra)}`."


def install(extra: str) -> str:
    """The command that adds an extra to the environment of this interpreter."""
    wanted = f"{_DISTRIBUTION}[{extra}]"
    if Path(sys.prefix, "uv-receipt.toml").is_file():
        # The whole tool: packages added to its environment are removed by the next `uv tool upgrade`.
        return f"uv tool install {_uv_source(wanted)}"
    return f"{_installer()} {_quoted(wanted)}"


def _uv_source(wanted: str) -> str:
    """The arguments of `uv tool install` for fitcli and its extra, from the source that fitcli was installed from."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = json.loads(distribution(_DISTRIBUTION).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    if "url" not in origin:  # from a package index
        return _quoted(wanted)
    source = f"{origin['vcs_info']['vcs']}+{origin['url']}" if "vcs_info" in origin else origin["url"]
    editable = "--editable " if origin.get("dir_info", {}).get("editable") else ""
    return editable + _quoted(f"{wanted} @ {source}")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # for whatever reason, it cannot be imported
        return False


def _managed_by_the_system() -> bool:
    """Whether the system's package manager owns this interpreter's packages (PEP 668)."""
    import sysconfig

    return Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()


def _shortest(path: str) -> str:
    """A path relative to the current folder, if possible."""
    try:
        return os.fspath(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path


def _quoted(argument: str) -> str:
    """An argument quoted for the shell; that of Windows accepts only double quotes."""
    if sys.platform == "win32":
        return f'"{argument}"' if set(argument) & set(" []<>,") else argument
    return shlex.quote(argument)


def _reinstall(name: str) -> str:
    """The command that reinstalls a package, whatever its version, without changing other packages."""
    again = _installer("--force-reinstall", "--no-deps")
    if name == _DISTRIBUTION:
        return _reinstall_fitcli(again)
    ranges = {requirement.name: str(requirement.specifier) for requirement, _ in _requirements()}
    return f"{again} {_quoted(name + ranges.get(name, ''))}"


def _reinstall_fitcli(again: str) -> str:
    """The command that restores fitcli's own files from the source that they were installed from."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    try:
        fitcli = distribution(_DISTRIBUTION)
    except PackageNotFoundError:
        return f"{again} {_DISTRIBUTION}"
    origin = json.loads(fitcli.read_text("direct_url.json") or "{}")
    url = origin.get("url", "")
    source = url2pathname(urlparse(url).path) if url.startswith("file:") else url
    if origin.get("dir_info", {}).get("editable"):
        # The files are those of the checkout. git restores only those that nobody edits.
        return f"git -C {_quoted(source)} checkout -- checkpoints fitcli/pose/models"
    return f"{again} {_quoted(source) if source else f'{_DISTRIBUTION}=={fitcli.version}'}"


@dataclass(frozen=True)
class Reinstall:
    """A Python package to reinstall; as text, the command that does it in this environment."""

    package: str

    def __str__(self) -> str:
        return _reinstall(self.package)


@dataclass(frozen=True)
class Remedy:
    """The command (or the page in the system's settings) that fixes one problem, for each family of platforms."""

    debian: str | Reinstall
    fedora: str | Reinstall
    macos: str | Reinstall
    windows: str | Reinstall

    @property
    def here(self) -> str:
        """The command for this platform."""
        return str(getattr(self, family()))

    def to_json(self) -> dict[str, str]:
        """The command for each family of platforms."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}


def family() -> str:
    """The family of this machine, Debian/Ubuntu, Fedora, macOS or Windows, as a field name of `Remedy`."""
    if sys.platform == "darwin":
        return "macos"
    if sys.platform == "win32":
        return "windows"
    try:
        release = platform.freedesktop_os_release()
    except OSError:  # not every Linux has this file
        return "debian"
    kin = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return "fedora" if kin & {"fedora", "rhel", "centos", "suse"} else "debian"


def everywhere(command: str | Reinstall) -> Remedy:
    """The same command on every platform."""
    return Remedy(command, command, command, command)


REINSTALL = everywhere(Reinstall("fitcli"))
PYAV = everywhere(Reinstall("av"))
OPENVINO = everywhere(Reinstall("openvino"))
CUDA = everywhere(Reinstall("torch"))
PORTAUDIO = Remedy(
    debian="sudo apt install libportaudio2",
    fedora="sudo dnf install portaudio",
    # The wheels for these two contain PortAudio.
    macos=Reinstall("sounddevice"),
    windows=Reinstall("sounddevice"),
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
    macos=Reinstall("pyttsx3"),
    windows=Reinstall("pyttsx3"),
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
    macos=Reinstall("opencv-python"),
    windows=Reinstall("opencv-python"),
)
OPENCV_PACKAGE = everywhere(Reinstall("opencv-python"))
OTHER_CHECKPOINTS = everywhere(
    "unset FITCLI_CHECKPOINTS and name no folder of checkpoints: fitcli has networks of its own"
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
