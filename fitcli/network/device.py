"""Chooses the faster device for a given amount of work: the rule behind the device "auto". Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fitcli import remedy

# The constants were measured on whole commands. On a machine with an H100 and 16 cores, one short clip in the shipped
# networks on pose takes 12.7 s on CUDA and 1.6 s on the CPU. A folder of clips runs at 8.8 times real time there and at
# 7 times on two cores without a GPU: pose estimation runs on the CPU whatever the device.
CUDA_START_S = 6.0
"""Seconds until CUDA is ready: importing torch, pytorchvideo and torchvision (1.2 to 1.75 s for the latter two) and
starting CUDA. 4 to 6 s with the files in memory, 11 s on a machine that reads them for the first time."""
POSE_CORE_S = 0.05
"""CPU core seconds per second of video in the shipped networks on pose (OpenVINO, float32): .08 to .1 s per window in
all three, and a window begins every two seconds."""
RGB_CORE_S = 0.5
"""CPU core seconds per second of video in SlowFast-R50 and X3D-M on RGB: .50 s per window in both on two cores in
bfloat16 (1.96 s in torch in float32), and a window lasts two seconds. A CPU without bfloat16 takes about twice as
long."""

DRIVER_FILES = (
    Path("/proc/driver/nvidia/version"),  # Linux
    Path("/dev/dxg"),  # Windows Subsystem for Linux
    Path("C:/Windows/System32/nvcuda.dll"),
)


@dataclass(frozen=True)
class Machine:
    """The hardware to choose from: whether an NVIDIA driver is loaded, whether PyTorch is installed, CPU cores."""

    driver: bool
    torch: bool
    cores: int

    @property
    def offers_cuda(self) -> bool:
        """Whether CUDA may work here. Only torch can tell for certain, and takes seconds to import."""
        return self.driver and self.torch

    @classmethod
    def here(cls, driver_files: Sequence[Path] = DRIVER_FILES) -> Machine:
        """This machine. A driver is loaded if any of `driver_files` exists; no library is imported to find out."""
        from fitcli.pose.tracker import cores  # imports numpy

        return cls(any(file.exists() for file in driver_files), remedy.lacking("torch") is None, cores())


@dataclass(frozen=True)
class Work:
    """The work to choose a device for.

    length_s: total seconds of video; None for a camera, which needs each answer at once.
    on_pictures: whether any network is on the `rgb` input. converted: whether all of those exist as OpenVINO IR.
    """

    length_s: float | None = None
    on_pictures: bool = False
    converted: bool = True


@dataclass(frozen=True)
class Choice:
    """A device, "cpu", "cuda" or "torch", and the reason for it; "" where there was no choice."""

    device: str
    reason: str = ""


def choose(work: Work, machine: Machine) -> Choice:
    """The faster device: the estimated time of the networks on the CPU against the time that CUDA takes to start.

    The time of the networks on CUDA is negligible beside its start.
    """
    if not machine.driver:
        return Choice("cpu")
    if not machine.torch:
        return Choice("cpu", "CUDA needs PyTorch, which is not installed")
    if work.on_pictures and not work.converted:
        # Converting takes longer than CUDA's start. For networks on pose it pays off at the next short clip, so they
        # are converted; for RGB, CUDA remains the better choice for all but the shortest videos.
        return Choice("cuda", "quicker than converting the networks for the CPU")
    if work.length_s is None:
        return Choice("cpu", "quicker than CUDA for one window at a time")
    on_cpu_s = work.length_s * (RGB_CORE_S if work.on_pictures else POSE_CORE_S) / machine.cores
    device, other = ("cuda", "the CPU") if on_cpu_s > CUDA_START_S else ("cpu", "CUDA")
    kind = "RGB" if work.on_pictures else "pose"
    return Choice(device, f"quicker than {other} for {_length(work.length_s)} of video in networks on {kind}")


def _length(length_s: float) -> str:
    return f"{length_s:.0f} s" if length_s < 120 else f"{length_s / 60:.0f} min"
