"""What works on this machine: every part that fitcli depends on is tried, one check each."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli import remedy
from fitcli.cache import cache_path, temporary_folder, try_writing
from fitcli.errors import CameraError, FitcliError, MissingTorchError
from fitcli.history.store import sessions_folder
from fitcli.remedy import Remedy

if TYPE_CHECKING:
    from fitcli.network.device import Machine

ENOUGH_DISK_BYTES = 500 * 1024**2
"""Free space under which a recording may fail: a minute of 720p takes about 20 MB, a session about 20 kB."""

CAMERA_TRIAL_S = 1.5
"""Time for which the frames of a camera are counted."""


class Verdict(StrEnum):
    OK = "ok"
    ABSENT = "absent"
    """Missing, and not needed."""
    LIMITED = "limited"
    """`fitcli analyze` works without it, another command does not."""
    BROKEN = "broken"
    """`fitcli analyze` does not work."""


@dataclass(frozen=True)
class Check:
    """One part of the machine: what was found, and the command that would mend it."""

    name: str
    verdict: Verdict
    found: str
    cure: Remedy | None = None

    @property
    def remedy(self) -> Remedy | None:
        """The command that mends the part; None if it works or is not needed."""
        return self.cure if self.verdict in (Verdict.LIMITED, Verdict.BROKEN) else None

    def to_json(self) -> dict[str, Any]:
        """The JSON object of `fitcli doctor --json`."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "found": self.found,
            "remedy": self.remedy.to_json() if self.remedy else None,
        }


@dataclass(frozen=True)
class _Part:
    name: str
    examine: Callable[[], Iterator[Check]]
    if_it_fails: Verdict
    cure: Remedy


def examine(*, checkpoints: Path | None = None, sessions: Path | None = None) -> Iterator[Check]:
    """Try every part in turn; one that fails in an unforeseen way does not stop the others."""
    parts = (
        _Part("Python", _python, Verdict.BROKEN, remedy.PYTHON),
        _Part("Platform", _platform, Verdict.LIMITED, remedy.PYTHON),
        _Part("Packages", _packages, Verdict.LIMITED, remedy.REINSTALL),
        _Part("Video", _video, Verdict.BROKEN, remedy.PYAV),
        _Part("OpenVINO", _openvino, Verdict.BROKEN, remedy.OPENVINO),
        _Part("CUDA", _cuda, Verdict.LIMITED, remedy.CUDA),
        _Part("Pose models", _pose, Verdict.BROKEN, remedy.REINSTALL),
        _Part("Checkpoints", lambda: _checkpoints(checkpoints), Verdict.BROKEN, _checkpoints_cure(checkpoints)),
        _Part("Sessions", lambda: _sessions(sessions_folder(sessions)), Verdict.BROKEN, remedy.SESSIONS),
        _Part("Cache", _cache, Verdict.LIMITED, remedy.CACHE),
        _Part("Temp files", _temporary, Verdict.LIMITED, remedy.DISK),
        _Part("Cameras", _cameras, Verdict.LIMITED, remedy.OPENCV),
        _Part("Display", _display, Verdict.LIMITED, remedy.OPENCV),
        _Part("Audio output", _audio, Verdict.LIMITED, remedy.PORTAUDIO),
        _Part("Speech", _speech, Verdict.LIMITED, remedy.SPEECH_ENGINE),
    )
    for part in parts:
        try:
            yield from part.examine()
        except Exception as error:  # a broken library may raise anything, and the user needs to see it
            found = str(error) if isinstance(error, FitcliError) else f"{type(error).__name__}: {error}"
            yield Check(part.name, part.if_it_fails, found, part.cure)


def works(checks: list[Check]) -> bool:
    """Whether `fitcli analyze` works."""
    return all(check.verdict is not Verdict.BROKEN for check in checks)


def _python() -> Iterator[Check]:
    new_enough = sys.version_info >= (3, 11)
    found = f"{platform.python_version()} in {sys.prefix}"
    yield Check("Python", Verdict.OK if new_enough else Verdict.BROKEN, found, remedy.PYTHON)


def _platform() -> Iterator[Check]:
    yield Check("Platform", Verdict.OK, f"{platform.platform(terse=True)}, {platform.machine()}, {os.cpu_count()} CPUs")


def _packages() -> Iterator[Check]:
    """Compare every package with the versions that fitcli is tested with; one check for each that differs."""
    found = remedy.packages()
    wrong = [package for package in found if not package.in_range]
    for package in wrong:
        here = f"{package.installed} is installed" if package.installed else "is not installed"
        trouble = f"{here}; fitcli is tested with {package.tested}"
        yield Check(package.name, Verdict.LIMITED, trouble, remedy.everywhere(package.command))
    if not found:
        yield Check("Packages", Verdict.ABSENT, "fitcli runs from a folder, so versions are not compared")
    elif not wrong:
        yield Check("Packages", Verdict.OK, f"{len(found)} installed, all in versions that fitcli is tested with")


def _video() -> Iterator[Check]:
    """Write a short video to a temporary folder and read it back."""
    import av
    import numpy as np

    from fitcli.video import VideoWriter, frames

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder("fitcli-doctor-"))
            try_writing(folder)
        except OSError:
            found = f"PyAV {av.__version__}; not tried, because no temporary file can be written"
            yield Check("Video", Verdict.LIMITED, found, remedy.DISK)
            return
        path = folder / "trial.mp4"
        with VideoWriter(path, 64, 64) as writer:
            for number in range(15):
                writer.write(np.full((64, 64, 3), number * 16, np.uint8), number / 30)
        count = sum(1 for _ in frames(path, rate_hz=None))
    found = f"PyAV {av.__version__}, H.264 written and read"
    yield Check("Video", Verdict.OK if count == 15 else Verdict.BROKEN, found, remedy.PYAV)


def _openvino() -> Iterator[Check]:
    from fitcli import engine

    openvino = engine.openvino()
    devices = openvino.Core().available_devices
    found = f"{openvino.__version__.split('-')[0]} on {', '.join(devices) or 'no device'}"
    yield Check("OpenVINO", Verdict.OK if "CPU" in devices else Verdict.BROKEN, found, remedy.OPENVINO)


def _cuda(machine: Machine | None = None) -> Iterator[Check]:
    from fitcli.network.device import Machine

    machine = Machine.here() if machine is None else machine
    if not machine.driver:
        yield Check("CUDA", Verdict.ABSENT, "no NVIDIA GPU here; the CPU does the work")
        return
    if not machine.torch:
        found = (
            "an NVIDIA GPU, but no PyTorch: the CPU does the work; with PyTorch, full-size networks on RGB and "
            "long videos run on the GPU"
        )
        yield Check("CUDA", Verdict.LIMITED, found, remedy.everywhere(remedy.install("torch")))
        return
    import torch  # takes 2 s, so only if there is a GPU

    if torch.cuda.is_available():
        yield Check("CUDA", Verdict.OK, f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    else:
        found = f"PyTorch {torch.__version__} does not see the GPU; the CPU does the work"
        yield Check("CUDA", Verdict.LIMITED, found, remedy.CUDA)


def _pose() -> Iterator[Check]:
    import numpy as np

    from fitcli.pose.blazepose import BlazePose

    model = BlazePose()
    began_s = time.perf_counter()
    model.detect(np.zeros((480, 640, 3), np.uint8))
    found = f"BlazePose full and detector load; one detection takes {1000 * (time.perf_counter() - began_s):.0f} ms"
    yield Check("Pose models", Verdict.OK, found)


def _checkpoints(folder: Path | None) -> Iterator[Check]:
    """Load every network as `fitcli analyze` does; the metrics are shown if PyTorch, which reads them, is installed."""
    from fitcli.network.ensemble_config import EnsembleConfig
    from fitcli.network.folders import checkpoint_folder
    from fitcli.network.runtime import load_runtime

    used = checkpoint_folder(folder)
    members = EnsembleConfig.load(used).members
    yield Check("Checkpoints", Verdict.OK, f"{len(members)} in {used}")
    for member in members:
        path = used / member.checkpoint
        try:
            runtime = load_runtime(path)
        except FitcliError as error:
            unconverted = isinstance(error, MissingTorchError)
            cure = remedy.everywhere(remedy.install("torch")) if unconverted else _checkpoints_cure(folder)
            yield Check(member.checkpoint, Verdict.BROKEN, str(error), cure)
            continue
        spec = runtime.spec
        facts = [f"{spec.architecture} on {spec.input}", f"sha256 {runtime.checkpoint_sha256[:12]}", runtime.device]
        yield Check(member.checkpoint, Verdict.OK, ", ".join(facts + _metrics(path)))


def _checkpoints_cure(folder: Path | None) -> Remedy:
    """What mends bad checkpoints: a new installation brings the shipped ones back, but not those of a named folder."""
    named = folder or os.environ.get("FITCLI_CHECKPOINTS")
    return remedy.OTHER_CHECKPOINTS if named else remedy.REINSTALL


def _metrics(checkpoint: Path) -> list[str]:
    """The accuracy that was measured in training, as the checkpoint states it."""
    from fitcli.network.checkpoint import load_checkpoint

    try:
        metrics = load_checkpoint(checkpoint).metrics
    except (ImportError, FitcliError):  # no PyTorch, or a file of another program
        return []
    return [f"{name} {value:.2f}" for name, value in metrics.items()]


def _sessions(folder: Path) -> Iterator[Check]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except OSError as error:
        found = f"{folder} cannot be written to ({error.strerror})"
        yield Check("Sessions", Verdict.BROKEN, found, remedy.SESSIONS)
        return
    yield Check("Sessions", Verdict.OK, f"{folder} can be written to")
    free = shutil.disk_usage(folder).free
    verdict = Verdict.OK if free >= ENOUGH_DISK_BYTES else Verdict.LIMITED
    yield Check("Free disk", verdict, f"{free / 1024**3:.1f} GiB where sessions are stored", remedy.DISK)


def _cache() -> Iterator[Check]:
    """Write to the user's cache: without it everything works, but every run starts slowly."""
    try:
        folder = cache_path("")
        try_writing(folder)
    except OSError as error:
        found = (
            f"{error.filename} cannot be written to ({error.strerror}); fitcli works without it and starts more slowly"
        )
        yield Check("Cache", Verdict.LIMITED, found, remedy.CACHE)
        return
    yield Check("Cache", Verdict.OK, f"{folder} can be written to")


def _temporary() -> Iterator[Check]:
    try:
        with temporary_folder("fitcli-doctor-") as folder:
            try_writing(folder)
            found = f"{folder.parent} can be written to"
    except OSError as error:
        found = f"none can be written ({error.strerror}): no speech, no recording"
        yield Check("Temp files", Verdict.LIMITED, found, remedy.DISK)
        return
    yield Check("Temp files", Verdict.OK, found)


def _cameras() -> Iterator[Check]:
    """Load OpenCV, open every listed camera and count its frames."""
    from fitcli.camera import Camera, cameras
    from fitcli.camera.source import opencv, opencv_remedy

    try:
        opencv()
    except CameraError as error:
        yield Check("OpenCV", Verdict.LIMITED, str(error), opencv_remedy(error.__cause__))
    working, failing = [], []
    for name in cameras():
        try:
            with Camera(name) as camera:
                time.sleep(CAMERA_TRIAL_S)
                height, width = camera.picture.image.shape[:2]
                found = f"{width}x{height}, {camera.rate_hz:.0f} frames a second"
                working.append(Check(f"Camera {name}", Verdict.OK, found))
        except FitcliError as error:
            failing.append(Check(f"Camera {name}", Verdict.LIMITED, str(error), remedy.CAMERA_LIST))
    yield from working
    if working:
        # A webcam is often two devices: one delivers pictures, the other only metadata.
        yield from (replace(check, verdict=Verdict.ABSENT) for check in failing)
    elif failing and sys.platform == "linux":
        yield from failing
    else:
        found = "none here; `fitcli record` reads video files and streams too"
        yield Check("Cameras", Verdict.LIMITED, found, remedy.CAMERA_LIST)


def _display() -> Iterator[Check]:
    from fitcli.camera import display_trouble, window_opens

    if display_trouble():
        found = "no display here; fitcli record leaves the preview out"
        yield Check("Display", Verdict.LIMITED, found, remedy.DISPLAY)
    elif window_opens():
        yield Check(
            "Display", Verdict.OK, os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or "available"
        )
    else:
        yield Check("Display", Verdict.LIMITED, "no window opens on this display", remedy.DISPLAY)


def _audio() -> Iterator[Check]:
    from fitcli.voice import TROUBLES, find_output

    output = find_output()
    if output.trouble:
        trouble = TROUBLES[output.trouble]
        yield Check("Audio output", Verdict.LIMITED, trouble.what, trouble.remedy)
    else:
        yield Check("Audio output", Verdict.OK, output.names[0])


def _speech() -> Iterator[Check]:
    """List the voices and write speech to a file: an engine may list voices and still be silent."""
    from fitcli.voice import TROUBLES, find_voices, speak

    voices = find_voices()
    if voices.trouble:
        missing = TROUBLES[voices.trouble]
        yield Check("Speech", Verdict.LIMITED, missing.what, missing.remedy)
        return
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder("fitcli-doctor-"))
        except OSError:
            missing = TROUBLES["no_room"]
            yield Check("Speech", Verdict.LIMITED, missing.what, missing.remedy)
            return
        trouble = speak("Ready.", file=folder / "ready.wav")
    english = [name for name in voices.names if name.startswith("en")]
    found = f"{len(voices.names)} voices, {len(english)} of them English"
    if trouble:
        yield Check("Speech", Verdict.LIMITED, f"{found}; {trouble}", remedy.SPEECH_ENGINE)
    else:
        yield Check("Speech", Verdict.OK, found)
