"""One `Runtime` interface for two engines: OpenVINO on a CPU, torch on CUDA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from fitcli import interrupt, remedy
from fitcli.errors import CheckpointError, DeviceError, Setting
from fitcli.network.checkpoint import digest, load_checkpoint, require_torch
from fitcli.network.device import Choice, Machine, Work, choose
from fitcli.network.ir_cache import Announce, converted_spec, ready_ir, require_converter
from fitcli.network.scores import Logits
from fitcli.network.spec import NetworkSpec
from fitcli.pose.track import FloatArray

if TYPE_CHECKING:
    from openvino import CompiledModel

BATCH = 8
"""Windows of points per call, which bounds memory for long videos. Windows of pictures are read one by one."""

GRAPH_AFTER = 4
"""Windows of pictures after which CUDA records the network as a graph: recording takes as long as a few windows."""

ComputeType = Literal["auto", "float32", "half"]
"""The number format that a network computes in.

auto: half precision where it is faster, which is on CUDA, and for networks on pictures on a CPU with native bfloat16.
half: bfloat16 on a CPU, float16 on CUDA.
"""


Pending = Callable[[], Logits]
"""Waits for a network that was started, and returns its logits."""


class Runtime(Protocol):
    """A network that is ready to run. `device` is in words for the user."""

    spec: NetworkSpec
    device: str
    checkpoint_sha256: str

    def __call__(self, clips: FloatArray) -> Logits:
        """The logits of clips (N, T, P, 3) or (N, 3, T, H, W), as the spec's input says."""
        ...

    def start(self, clip: FloatArray) -> Pending:
        """Start on one clip without waiting, so that other networks and decoding run in parallel."""
        ...


def load_runtime(
    checkpoint: Path,
    device: str = "auto",
    *,
    trust: bool = False,
    compute_type: ComputeType = "auto",
    announce: Announce | None = None,
) -> Runtime:
    """The engine for `device` ("auto", "cpu", "cuda"): OpenVINO on a CPU, torch on CUDA; "torch" is torch on a CPU.

    auto: see `decide`. trust: see `load_checkpoint`. announce: called before a checkpoint is converted.
    Raises `DeviceError` for a device that is not available, `CheckpointError` for a bad checkpoint.
    """
    if device == "torch":
        return TorchRuntime(checkpoint, "cpu", trust=trust, compute_type=compute_type)
    if device == "auto":
        device = decide([checkpoint], trust=trust).device
    if device == "cuda":
        if remedy.lacking("torch"):
            raise DeviceError(remedy.not_installed("CUDA", "torch"))
        if not _cuda_works():
            raise DeviceError("PyTorch finds no CUDA device here: choose the device cpu.", setting=Setting.DEVICE)
        return TorchRuntime(checkpoint, "cuda", trust=trust, compute_type=compute_type)
    return OpenVinoRuntime(checkpoint, trust=trust, compute_type=compute_type, announce=announce)


def load_runtimes(
    checkpoints: Sequence[Path],
    device: str = "auto",
    *,
    trust: bool = False,
    compute_type: ComputeType = "auto",
    announce: Announce | None = None,
) -> tuple[Runtime, ...]:
    """The engines for several checkpoints, loaded in parallel; see `load_runtime`."""
    if device == "auto":
        device = decide(checkpoints, trust=trust).device
    load = partial(load_runtime, device=device, trust=trust, compute_type=compute_type, announce=announce)
    if device == "cpu":
        unconverted = [path for path in checkpoints if not converted_spec(path)]
        for path in unconverted if len(checkpoints) > 1 else ():
            require_converter(path)
            load_checkpoint(path, trust=trust)  # finds a bad one before a good one is converted, which takes long
    with ThreadPoolExecutor(2) as side_by_side:  # reading and compiling release the GIL
        return tuple(interrupt.result(loaded) for loaded in [side_by_side.submit(load, path) for path in checkpoints])


def decide(
    checkpoints: Sequence[Path],
    device: str = "auto",
    *,
    length_s: float | None = None,
    trust: bool = False,
    machine: Machine | None = None,
) -> Choice:
    """The device for these networks on `length_s` seconds of video: `device` itself, or the faster one for "auto".

    length_s: None for a camera. machine: the hardware to choose from, by default this machine's. torch is imported only
    to confirm CUDA, and to read the input of a checkpoint that was never converted.
    Raises `CheckpointError` for a checkpoint that cannot be read.
    """
    if device != "auto":
        return Choice(device)
    here = machine or Machine.here()
    work = _work(checkpoints, length_s, trust) if here.offers_cuda else Work(length_s)
    choice = choose(work, here)
    if choice.device == "cuda" and not _cuda_works():
        return Choice("cpu", "PyTorch sees no CUDA device")
    return choice


def _work(checkpoints: Sequence[Path], length_s: float | None, trust: bool) -> Work:
    converted = [converted_spec(path) for path in checkpoints]
    specs = [
        known or load_checkpoint(path, trust=trust).spec for path, known in zip(checkpoints, converted, strict=True)
    ]
    on_pictures = [spec.input == "rgb" for spec in specs]
    ready = all(known for known, rgb in zip(converted, on_pictures, strict=True) if rgb)
    return Work(length_s, any(on_pictures), ready)


def _cuda_works() -> bool:
    """Whether torch finds a CUDA device. Importing torch takes two seconds."""
    try:
        import torch

        return torch.cuda.is_available()
    except Exception:  # a broken installation raises errors of any type, and the CPU does not need it
        return False


class OpenVinoRuntime:
    """Runs a checkpoint's IR, the file beside it or in the user's cache, on the CPU.

    The IR is compiled in the background: a damaged one raises `CheckpointError` when it is first run.
    """

    def __init__(
        self,
        checkpoint: Path,
        *,
        trust: bool = False,
        compute_type: ComputeType = "auto",
        announce: Announce | None = None,
    ) -> None:
        from fitcli import engine

        self.checkpoint_sha256 = digest(checkpoint)
        network, self.spec = ready_ir(checkpoint, trust=trust, announce=announce)
        half = compute_type == "half" or (compute_type == "auto" and self.spec.input == "rgb" and engine.has_bf16())
        self.device = "cpu (OpenVINO, bf16)" if half else "cpu (OpenVINO)"
        self._damaged = (
            f"{network} cannot be run: delete it, and it is made again from {checkpoint.name}."
            if isinstance(network, Path)
            else f"{checkpoint} cannot be run by OpenVINO."
        )
        # Compiling releases the GIL, so that a video is decoded meanwhile.
        beside = ThreadPoolExecutor(1, thread_name_prefix="compile")
        self._compiling = beside.submit(engine.compiled, network, compute_type="bf16" if half else "f32")
        beside.shutdown(wait=False)
        self._batch = BATCH if self.spec.input == "pose" else 1

    @property
    def _compiled(self) -> CompiledModel:
        try:
            return interrupt.result(self._compiling)
        except RuntimeError as error:
            raise CheckpointError(self._damaged) from error

    def __call__(self, clips: FloatArray) -> Logits:
        outputs = [self._answer(clips[i : i + self._batch])() for i in range(0, len(clips), self._batch)]
        return self._logits([np.concatenate(head) for head in zip(*outputs, strict=True)], len(clips))

    def start(self, clip: FloatArray) -> Pending:
        answer = self._answer(clip[None])
        return lambda: self._logits(answer(), 1)

    def _answer(self, clips: FloatArray) -> Callable[[], list[FloatArray]]:
        """Start a batch. The returned function waits for it, unless Ctrl-C is pressed, and returns the outputs."""
        request = self._compiled.create_infer_request()
        request.start_async(clips)

        def wait() -> list[FloatArray]:
            while not request.wait_for(round(1000 * interrupt.LOOK_EVERY_S)):
                if interrupt.pressed():
                    request.cancel()
                interrupt.heed()
            return [tensor.data.copy() for tensor in request.output_tensors]

        return wait

    def _logits(self, heads: list[FloatArray], count: int) -> Logits:
        """The logits from the IR's outputs, which are the existing heads in order."""
        remaining = iter(heads)
        exercise, muscle = (
            next(remaining) if names else np.zeros((count, 0), np.float32)
            for names in (self.spec.exercises, self.spec.muscles)
        )
        return Logits(exercise, muscle)


class TorchRuntime:
    """Runs the checkpoint itself in torch, channels last; on CUDA in half precision, on a stream of its own.

    After some clips, a network on pictures is recorded as a CUDA graph: at one clip at a time, launching the kernels
    takes longer than running them.
    """

    def __init__(
        self, checkpoint: Path, device: str, *, trust: bool = False, compute_type: ComputeType = "auto"
    ) -> None:
        require_torch(f"Running {checkpoint} in torch")
        import torch

        from fitcli.network.builders import restore

        self.checkpoint_sha256 = digest(checkpoint)
        loaded = load_checkpoint(checkpoint, trust=trust)
        self.spec = loaded.spec
        self._device = torch.device(device)
        on_cuda = self._device.type == "cuda"
        self.device = f"cuda ({torch.cuda.get_device_name()})" if on_cuda else f"{device} (torch)"
        self._half = compute_type == "half" or (on_cuda and compute_type == "auto")
        self._batch = BATCH if self.spec.input == "pose" else 1
        self._network = restore(loaded, checkpoint).to(self._device).to(memory_format=torch.channels_last_3d)
        self._stream = torch.cuda.Stream() if on_cuda else None  # type: ignore[no-untyped-call]
        self._graph: Any = None
        self._graph_input: Any = None
        self._graph_output: Any = None
        self._started = 0

    def __call__(self, clips: FloatArray) -> Logits:
        parts = []
        for i in range(0, len(clips), self._batch):
            interrupt.heed()
            parts.append(self._begin(clips[i : i + self._batch])())
        return Logits(*(np.concatenate([getattr(part, head) for part in parts]) for head in ("exercise", "muscle")))

    def start(self, clip: FloatArray) -> Pending:
        return self._begin(clip[None])

    def _begin(self, clips: FloatArray) -> Pending:
        import torch

        given = torch.from_numpy(np.ascontiguousarray(clips))
        if self._stream is None:
            with torch.inference_mode(), self._autocast():
                heads = self._network(given)
            return lambda: Logits(*(head.float().numpy() for head in heads))
        with torch.inference_mode(), torch.cuda.stream(self._stream), self._autocast():
            heads = self._on_cuda(given.pin_memory().to(self._device, non_blocking=True))
            # The graph overwrites its output the next time, so this takes a copy, on the same stream.
            heads = [head.float().clone() for head in heads]
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(self._stream)

        def wait() -> Logits:
            done.synchronize()
            return Logits(*(head.cpu().numpy() for head in heads))

        return wait

    def _autocast(self, *, cached: bool = True) -> Any:
        import torch

        return torch.autocast(self._device.type, enabled=self._half, cache_enabled=cached)

    def _on_cuda(self, given: Any) -> Any:
        import torch

        if self.spec.input == "pose":
            return self._network(given)
        self._started += 1
        if self._graph is None and self._started > GRAPH_AFTER:
            self._graph_input = given.clone()
            self._graph = torch.cuda.CUDAGraph()
            # Without autocast's cache, which would keep cast weights in the graph's private memory.
            with torch.cuda.graph(self._graph, stream=self._stream), self._autocast(cached=False):
                self._graph_output = self._network(self._graph_input)
        if self._graph is None:
            return self._network(given)
        self._graph_input.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._graph_output
