"""The state that an interrupted run resumes from, as plain data: numbers, strings, lists, dictionaries and tensors.

Such a file is read without running code, whoever put it into the run's folder, and it names no module of fitcli, so
that it outlives a change of the package's layout.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from fitcli.errors import CheckpointError
from fitcli.training.run_folder import RESUME_FILE

_PARTS = ("state_dict", "loops", "callbacks", "optimizer_states", "lr_schedulers")


class PlainCheckpointIO(TorchCheckpointIO):
    """How Lightning writes and reads the files of a run."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        super().save_checkpoint(plain(checkpoint), path, storage_options)

    def load_checkpoint(self, path: str | Path, *_: Any, **__: Any) -> dict[str, Any]:
        """As `read_state`, onto the CPU, whatever Lightning asks for."""
        return read_state(Path(path))


def resume_file(run: Path) -> Path | None:
    """The state that an interrupted run in this folder resumes from, or None without one.

    Raises `CheckpointError` for a file that is not the state of a run.
    """
    path = run / RESUME_FILE
    if not path.exists():
        return None
    state = read_state(path, mapped=True)
    if not all(part in state for part in _PARTS):
        raise _unreadable(path)
    return path


def check_network(path: Path, module: torch.nn.Module) -> None:
    """Raise `CheckpointError` if the state in `path` is of another network than `module`."""
    stored, wanted = read_state(path, mapped=True)["state_dict"], module.state_dict()
    if not isinstance(stored, dict) or _shapes(stored) != _shapes(wanted):
        raise CheckpointError(
            f"{path} is from a run that trained another network: choose another folder for this run, or move that file "
            "away to start afresh."
        )


def read_state(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """The content of a file that a run wrote, read as data; raises `CheckpointError` where that fails.

    mapped: leave the tensors in the file, for a look at the rest.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises whatever the file made it trip over
        raise _unreadable(path) from error
    if not isinstance(content, dict):
        raise _unreadable(path)
    return content


def plain(value: Any) -> Any:
    """The same value made of what `torch.load(weights_only=True)` reads; raises `TypeError` for anything else."""
    if isinstance(value, np.generic):  # before float, of which NumPy's float64 is a subclass
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, list | set | frozenset):
        return [plain(item) for item in value]
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    raise TypeError(f"a run's state holds a {type(value).__name__}, which is not plain data")


def _shapes(state: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(tensor, "shape", None) for name, tensor in state.items()}


def _unreadable(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read as data, so training cannot resume from it: move that file away to start from the "
        "beginning, or choose another folder for the run."
    )
