"""One `Runtime` interface over two engines: OpenVINO on a CPU, torch on CUDA."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fitcli.errors import CheckpointError, DeviceError, StorageError
from fitcli.network.checkpoint import sha256
from fitcli.network.spec import NetworkSpec
from fitcli.pose.track import FloatArray

IR_NETWORK, IR_CHECKPOINT = ["fitcli", "network"], ["fitcli", "checkpoint_sha256"]
"""Where an IR file keeps its `NetworkSpec` (JSON) and the SHA-256 of the checkpoint that it was made from."""

BATCH = 8
"""Windows that one call reads: bounds memory for long videos."""


@dataclass(frozen=True)
class Logits:
    """Raw scores of N clips. exercise: (N, E); muscle: (N, 11)."""

    exercise: FloatArray
    muscle: FloatArray


class Runtime(Protocol):
    """A network that is ready to run. `device` is told to the user."""

    spec: NetworkSpec
    device: str
    checkpoint_sha256: str

    def __call__(self, clips: FloatArray) -> Logits:
        """The logits of clips (N, T, P, 3) or (N, 3, T, H, W), as the spec's input says."""
        ...


def load_runtime(checkpoint: Path, device: str = "auto", *, trust: bool = False) -> Runtime:
    """The engine for `device` ("auto", "cpu", "cuda"): OpenVINO on a CPU, torch on CUDA.

    Raises `DeviceError` for a device that is not here, `CheckpointError` for a bad checkpoint.
    """
    if device == "cuda" or (device == "auto" and _nvidia_driver()):
        import torch  # two seconds of import: only where a GPU is asked for or likely

        if torch.cuda.is_available():
            return TorchRuntime(checkpoint, "cuda", trust=trust)
        if device == "cuda":
            raise DeviceError("No CUDA device is available to torch here: use --device cpu.")
    return OpenVinoRuntime(checkpoint, trust=trust)


def _nvidia_driver() -> bool:
    """Whether an NVIDIA driver is loaded; asks no library, so a laptop without one never imports torch."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/dxg").exists()


class OpenVinoRuntime:
    """Runs the IR beside the checkpoint (or in the user's cache, made once) on the CPU."""

    device = "cpu (OpenVINO)"

    def __init__(self, checkpoint: Path, *, trust: bool = False) -> None:
        import openvino as ov  # a third of a second, and not for every command

        self.checkpoint_sha256 = _digest(checkpoint)
        core = ov.Core()
        path = _ready_ir(core, checkpoint, self.checkpoint_sha256, trust)
        try:
            model = core.read_model(path)
            self.spec = _ir_spec(model)
            hints: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
            self._compiled = core.compile_model(model, "CPU", hints)
        except RuntimeError as error:
            raise CheckpointError(
                f"{path} cannot be run: delete it and it is made anew from {checkpoint.name}."
            ) from error

    def __call__(self, clips: FloatArray) -> Logits:
        parts = [self._compiled(clips[i : i + BATCH]) for i in range(0, len(clips), BATCH)]
        exercise, muscle = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        return Logits(exercise, muscle)


class TorchRuntime:
    """Runs the checkpoint itself in torch, with autocast on CUDA."""

    def __init__(self, checkpoint: Path, device: str, *, trust: bool = False) -> None:
        import torch

        from fitcli.network.builders import build
        from fitcli.network.checkpoint import load_checkpoint

        self.checkpoint_sha256 = _digest(checkpoint)
        loaded = load_checkpoint(checkpoint)
        self.spec = loaded.spec
        self._device = torch.device(device)
        self.device = f"cuda ({torch.cuda.get_device_name()})" if device == "cuda" else f"{device} (torch)"
        self._network = build(loaded.spec)
        self._network.load_state_dict(loaded.weights)
        self._network.eval().to(self._device).to(memory_format=torch.channels_last_3d)

    def __call__(self, clips: FloatArray) -> Logits:
        import torch

        exercise, muscle = [], []
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._device.type == "cuda"):
            for i in range(0, len(clips), BATCH):
                scores = self._network(torch.from_numpy(clips[i : i + BATCH]).to(self._device))
                exercise.append(scores[0].float().cpu().numpy())
                muscle.append(scores[1].float().cpu().numpy())
        return Logits(np.concatenate(exercise), np.concatenate(muscle))


def ir_beside(checkpoint: Path) -> Path:
    """Where the IR of a checkpoint lies: `x.xml` (and `x.bin`) beside `x.ckpt`."""
    return checkpoint.with_suffix(".xml")


def _ready_ir(core: Any, checkpoint: Path, digest: str, trust: bool) -> Path:
    from platformdirs import user_cache_path

    cached = user_cache_path("fitcli") / "networks" / f"{digest[:16]}.xml"
    for path in (ir_beside(checkpoint), cached):
        if path.exists() and path.with_suffix(".bin").exists():
            try:
                if _ir_text(core.read_model(path), IR_CHECKPOINT) == digest:
                    return path
            except RuntimeError:
                continue  # half written or damaged: made anew below
    from fitcli.network.convert import convert  # torch: only for a checkpoint that was never converted

    try:
        return convert(checkpoint, cached, trust=trust)
    except StorageError:  # no cache here: convert for this run alone
        return convert(checkpoint, Path(tempfile.mkdtemp(prefix="fitcli-")) / cached.name, trust=trust)


def _ir_text(model: Any, key: list[str]) -> str | None:
    return str(model.get_rt_info(key).value) if model.has_rt_info(key) else None


def _ir_spec(model: Any) -> NetworkSpec:
    text = _ir_text(model, IR_NETWORK)
    if text is None:
        raise RuntimeError("no network in the IR")
    return NetworkSpec.from_plain(json.loads(text))


def _digest(checkpoint: Path) -> str:
    try:
        return sha256(checkpoint)
    except OSError as error:
        raise CheckpointError(f"{checkpoint} cannot be read: {error.strerror}.") from error
