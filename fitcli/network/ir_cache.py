"""The IR of each checkpoint: the file beside it, or a file in the user's cache, converted once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from fitcli import engine
from fitcli.cache import cache_folder, cache_path, without
from fitcli.network.checkpoint import digest, require_torch
from fitcli.network.ir import ir_beside, ir_of, marked_spec
from fitcli.network.spec import NetworkSpec

if TYPE_CHECKING:
    from openvino import Model

Announce = Callable[[str], None]
"""Called with one sentence before a step that takes long, such as converting a network for the first time."""

_NETWORKS = "networks"  # folder in the user's cache

_converting = Lock()  # one conversion at a time: each takes all cores and much memory


def ready_ir(
    checkpoint: Path, *, trust: bool = False, announce: Announce | None = None
) -> tuple[Path | Model, NetworkSpec]:
    """The IR of a checkpoint and its network; a checkpoint without IR is converted now.

    The IR is a file, or a model in memory where the cache cannot keep it. Raises `CheckpointError` for a checkpoint
    that cannot be loaded.
    """
    for path in _homes(checkpoint):
        if spec := ir_of(path, digest(checkpoint)):
            return path, spec
    require_converter(checkpoint)
    from fitcli.network.convert import converted  # imports torch

    with _converting:
        if announce:
            announce(f"Converting {checkpoint.name} for OpenVINO, which happens once ...")
        model = converted(checkpoint, trust=trust)
    if folder := cache_folder(_NETWORKS):
        kept = folder / _name(checkpoint)
        try:
            engine.save(model, kept)
        except OSError as error:
            without(f"{folder} cannot be used as cache ({error.strerror})")
        else:
            if spec := ir_of(kept, digest(checkpoint)):
                return kept, spec
    return model, marked_spec(model)


def converted_spec(checkpoint: Path) -> NetworkSpec | None:
    """The network of a checkpoint that was converted before, read without torch; None for any other.

    Raises `CheckpointError` where the checkpoint cannot be read.
    """
    return next(filter(None, (ir_of(path, digest(checkpoint)) for path in _homes(checkpoint))), None)


def require_converter(checkpoint: Path) -> None:
    """Raises `MissingTorchError` where the packages that convert a checkpoint are not installed."""
    require_torch(f"{checkpoint} has not been converted for OpenVINO yet, and converting it")


def _homes(checkpoint: Path) -> tuple[Path, ...]:
    """The paths where the IR of a checkpoint may be: beside it, and in the user's cache if they have one."""
    try:
        return ir_beside(checkpoint), cache_path(_NETWORKS) / _name(checkpoint)
    except OSError:
        return (ir_beside(checkpoint),)


def _name(checkpoint: Path) -> str:
    return f"{digest(checkpoint)[:16]}.xml"
