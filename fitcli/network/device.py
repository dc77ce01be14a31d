"""Chooses the faster device for a given amount of work: the rule behind the device "auto". Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fitcli import remedy

# What the rule rests on, measured on whole commands. On an H100 with 16 cores, one short clip with the shipped networks
# on pose takes 12.7 s on CUDA and 1.6 s on the CPU beside it; a folder of clips runs at 8.8 times real time there, and
# at 7 times on two cores without a GPU, because people are followed on the CPU whatever the device.
CUDA_START_S = 6.0
"""Seconds before CUDA answers: importing torch, pytorchvideo and torchvision (1.2 to 1.75 s for the latter two), and
CUDA's own start. 4 to 6 s with the files in memory, 11 s on a machine that reads them for the first time."""
POSE_CORE_S = 0.05
"""Seconds that one CPU core works for a second of video in the shipped networks on pose (OpenVINO, float32): .08 to
.1 s for a window in all three, and a window begins every two seconds."""
RGB_CORE_S = 0.5
"""The same for SlowFast-R50 and X3D-M on RGB: .50 s a window in both on two cores in bfloat16 (1.96 s in torch in
float32), and a window lasts two seconds. A CPU without bfloat16 needs about twice as long."""

DRIVER_FILES = (
    Path("/proc/driver/nvidia/version"),  # Linux
    Path("/dev/dxg"),  # the same under Windows' subsystem for Linux
    Path("C:/Windows/System32/nvcuda.dll"),
)


@dataclass(frozen=True)
class Machine:
    """What there is to choose from: whether an NVIDIA driver is loaded, whether PyTorch is installed, CPU cores."""

    driver: bool
    torch: bool
    cores: int

    @property
    def offers_cuda(self) -> bool:
        """Whether CUDA may work here. Only torch, which takes seconds to import, knows for certain."""
        return self.driver and self.torch

    @classmethod
    def here(cls, driver_files: Sequence[Path] = DRIVER_FILES) -> Machine:
        """This machine; any of `driver_files` shows that a driver is loaded. No library is asked."""
        from fitcli.pose.tracker import cores  # numpy, for those who analyse

        return cls(any(file.exists() for file in driver_files), remedy.lacking("torch") is None, cores())


@dataclass(frozen=True)
class Work:
    """What is to be done.

    length_s: seconds of video in all; None for a camera, which wants each answer at once.
    on_pictures: whether any network is on the `rgb` input. converted: whether those all are OpenVINO IR already.
    """

    length_s: float | None = None
    on_pictures: bool = False
    converted: bool = True


@dataclass(frozen=True)
class Choice:
    """A device, "cpu", "cuda" or "torch", and why it was chosen; no reason where there was no choice."""

    device: str
    reason: str = ""


def choose(work: Work, machine: Machine) -> Choice:
    """The quicker device: the CPU's estimated time in the networks against the time that CUDA takes to start.

    On CUDA the networks' own time hardly counts beside its start. The reason follows the device's name in a sentence.
    """
    if not machine.driver:
        return Choice("cpu")
    if not machine.torch:
        return Choice("cpu", "CUDA needs PyTorch, which is not installed")
    if work.on_pictures and not work.converted:
        # Converting takes longer than CUDA's start. Networks on pose are converted all the same: at the next short
        # clip it has paid, and on pictures CUDA stays the better choice for all but the shortest.
        return Choice("cuda", "quicker than converting the networks for the CPU")
    if work.length_s is None:
        return Choice("cpu", "quicker than CUDA for one window at a time")
    on_cpu_s = work.length_s * (RGB_CORE_S if work.on_pictures else POSE_CORE_S) / machine.cores
    device, other = ("cuda", "the CPU") if on_cpu_s > CUDA_START_S else ("cpu", "CUDA")
    kind = "RGB" if work.on_pictures else "pose"
    return Choice(device, f"quicker than {other} for {_length(work.length_s)} of video in networks on {kind}")


def _length(length_s: float) -> str:
    return f"{length_s:.0f} s" if length_s < 120 else f"{length_s / 60:.0f} min"
