"""OpenVINO on the CPU: compile a network once, and find it compiled in the user's cache ever after."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from openvino import CompiledModel, Core


_CONVERTER, _TELEMETRY = "openvino.tools.ovc", "openvino_telemetry"
_importing = threading.Lock()


def compiled(path: Path, *, streams: int | None = None, precision: str = "f32") -> CompiledModel:
    """The network of a model file (OpenVINO IR or .tflite), ready for single quick answers on the CPU.

    streams: how many inferences go on side by side, each on one core; None is one inference on all of them.
    precision: "f32" or "bf16"; newer CPUs would choose bf16 by themselves, in which BlazePose's metric landmarks are
    off by 10 cm (measured, OpenVINO 2026.4).
    Raises `RuntimeError` for a file that OpenVINO cannot read.
    """
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    if streams is not None:
        options |= {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams}
    # By its path: what was compiled before is found by the file alone, a quarter of the time of reading the graph.
    return core().compile_model(path, "CPU", options)


def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16 natively."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino() -> ModuleType:
    """OpenVINO without its model converter, which would take half of the time to import, and telemetry with it."""
    with _importing:
        if "openvino" not in sys.modules:
            sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # Python's way to say that it is not to be had
            imported = importlib.import_module("openvino")
            del sys.modules[_CONVERTER]
            # A table that is made at first use, under two locks: two threads whose first question comes at the same
            # moment would wait for each other for ever.
            imported.Type.f32.to_dtype()
    return sys.modules["openvino"]


@contextmanager
def converter() -> Iterator[Callable[..., Any]]:
    """OpenVINO's `convert_model`, kept from reporting its use over the internet for as long as the block runs.

    CI=true is the converter's own switch, read whenever it sets up its telemetry. The package that sends is blocked
    besides: the converter does without it where it is not installed. Where it was imported before, consent is withdrawn.
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
    """OpenVINO's core, with the user's cache for compiled networks where one can be written."""
    shared: Core = openvino().Core()
    if folder := cache_folder():
        shared.set_property({"CACHE_DIR": str(folder)})
    return shared


@cache
def cache_folder() -> Path | None:
    """Where networks may be kept for the next run: the user's cache folder, or None where nothing can be written."""
    import platformdirs

    folder = platformdirs.user_cache_path("fitcli") / "openvino"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None
