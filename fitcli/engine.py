"""OpenVINO on the CPU: networks are compiled once, and loaded from the user's cache from then on."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fitcli.cache import cache_folder, without

if TYPE_CHECKING:
    from openvino import CompiledModel, Core, Model

COMPILED = "openvino"
"""The folder of compiled networks in the user's cache."""

_CONVERTER, _TELEMETRY = "openvino.tools.ovc", "openvino_telemetry"
_importing = threading.Lock()


def compiled(network: Path | Model, *, streams: int | None = None, compute_type: str = "f32") -> CompiledModel:
    """A network, from a model file (OpenVINO IR or .tflite) or in memory, compiled for low latency on the CPU.

    streams: how many inferences run in parallel, each on one core; None is one inference on all cores.
    compute_type: "f32" or "bf16"; newer CPUs would choose bf16 by default, in which BlazePose's metric landmarks are
    off by 10 cm (measured, OpenVINO 2026.4).
    Raises `RuntimeError` for a file that OpenVINO cannot read.
    """
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": compute_type}
    if streams is not None:
        options |= {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams}
    if folder := cache_folder(COMPILED):
        try:
            # OpenVINO finds a compiled network by the path of its file, in a quarter of the time of reading the graph.
            return core().compile_model(network, "CPU", options | {"CACHE_DIR": str(folder)})
        except RuntimeError as error:  # a damaged network fails again below
            without(f"{folder} cannot be used as cache ({str(error).splitlines()[0]})")
    return core().compile_model(network, "CPU", options)


def save(model: Model, path: Path) -> None:
    """Write a network as IR in float32, to `path` and the weights to its `.bin`; raises `OSError`.

    Another fitcli may be reading the pair, so each file is moved into place complete, the weights first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as scratch:
        made = Path(scratch) / path.name
        try:
            openvino().save_model(model, made, compress_to_fp16=False)
        except RuntimeError as error:  # OpenVINO's error for a full disk
            raise OSError(errno.EIO, "the files cannot be written completely", str(path.parent)) from error
        for suffix in (".bin", ".xml"):
            made.with_suffix(suffix).replace(path.with_suffix(suffix))


def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16 natively."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino() -> ModuleType:
    """OpenVINO without its model converter and telemetry, which would double the time to import it."""
    with _importing:
        if "openvino" not in sys.modules:
            sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # makes importing it fail
            imported = importlib.import_module("openvino")
            del sys.modules[_CONVERTER]
            # This creates a table on first use, under two locks; two threads that do so at once would deadlock.
            imported.Type.f32.to_dtype()
    return sys.modules["openvino"]


@contextmanager
def converter() -> Iterator[Callable[..., Any]]:
    """OpenVINO's `convert_model`, prevented from reporting its use over the internet while the block runs.

    CI=true is the converter's own switch, read when it sets up its telemetry. The package that sends is blocked as
    well, and the converter works without it. If a program imported both before, its consent is withdrawn.
    """
    openvino()
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    sender = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # as in `openvino`
    try:
        imported = importlib.import_module(_CONVERTER)
        if sender:
            imported.telemetry.consent = False
        yield imported.convert_model
    finally:
        if sender:
            sys.modules[_TELEMETRY] = sender
        else:
            del sys.modules[_TELEMETRY]
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before


@cache
def core() -> Core:
    """OpenVINO's core."""
    shared: Core = openvino().Core()
    return shared
