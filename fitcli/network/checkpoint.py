"""The `.ckpt` format: architecture, input, class names, metrics and provenance as plain values, weights as tensors.

A file is `torch.save` of one dict: `format` ("fitcli"), `version` (1), `network` (fields of `NetworkSpec`),
`weights` (name -> float16 or float32 tensor), `metrics` (name -> number), `training` (the fields of `Provenance`). It
is data: loading it with `weights_only=True` runs no code. The reference system's Lightning files load as well, see
`fitcli.network.reference`. `x.xml` and `x.bin` beside `x.ckpt` are the same network as OpenVINO IR, marked with the
checkpoint's SHA-256, which exposes a stale pair. Importing this module does not import torch.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli import remedy
from fitcli.errors import CheckpointError, MissingTorchError, Setting
from fitcli.network.reference import is_reference, read_reference
from fitcli.network.spec import NetworkSpec, NetworkSpecError
from fitcli.outputs import Output, make_folder

if TYPE_CHECKING:
    from torch import Tensor

FORMAT, VERSION = "fitcli", 1


@dataclass(frozen=True)
class Provenance:
    """What a checkpoint was trained on and how.

    fold: (k, n) if the k-th (from 0) of n parts of the series was left out. teachers, parts: the SHA-256 of the
    checkpoints that it was distilled from, and of those that it is the mean of. data_sha256: the SHA-256 of the table
    of clips and labels.
    """

    epochs: int
    draws: int
    batch: int
    learning_rate: float
    seed: int
    clips: int
    sources: tuple[str, ...]
    fold: tuple[int, int] | None = None
    synthetic: int = 0
    teachers: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    data_sha256: str = ""

    @property
    def left_out(self) -> str:
        """The part of the data that training left out, in words; empty where it left out nothing."""
        return "" if self.fold is None else f"fold {self.fold[0]} of {self.fold[1]} by series"

    def to_plain(self) -> dict[str, Any]:
        """The fields as they are stored."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, stored: dict[str, Any]) -> Provenance:
        """Read what `to_plain` or an earlier version wrote; raises `TypeError` for anything else."""
        fields: dict[str, Any] = dict(stored)
        in_words = _FOLD_IN_WORDS.fullmatch(fields.pop("left_out", ""))
        if in_words:
            fields["fold"] = [int(number) for number in in_words.groups()]
        for name, value in fields.items():
            fields[name] = tuple(value) if isinstance(value, list) else value
        return cls(**fields)


_FOLD_IN_WORDS = re.compile(r"fold (\d+) of (\d+) by series")
"""How version 0.1 stored a fold, as `left_out`."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a `.ckpt` file; `origin` names its format, "fitcli" or "reference"."""

    spec: NetworkSpec
    weights: dict[str, Tensor]
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: Provenance | None = None
    origin: str = FORMAT

    @property
    def parameters(self) -> int:
        """How many numbers training fitted."""
        return sum(tensor.numel() for name, tensor in self.weights.items() if "num_batches_tracked" not in name)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(checkpoint: Path) -> str:
    """The SHA-256 of a checkpoint, computed once for each state of the file.

    Raises `CheckpointError` where it cannot be read.
    """
    try:
        status = checkpoint.stat()
        return _digest(checkpoint, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise CheckpointError(f"{checkpoint} cannot be read: {error.strerror}.") from error


@lru_cache(maxsize=256)
def _digest(checkpoint: Path, modified_ns: int, size: int) -> str:
    return sha256(checkpoint)  # a tenth of a second for a large file, and needed several times in a run


def require_torch(what: str) -> None:
    """Raise `MissingTorchError` for `what`, the subject of its sentence, if the extra `torch` is not installed."""
    if remedy.lacking("torch"):
        raise MissingTorchError(remedy.not_installed(what, "torch"))


def save_checkpoint(target: Path | Output, checkpoint: Checkpoint, *, half: bool | None = None) -> Path:
    """Write a checkpoint to a file that a user named, or over one of fitcli's own; returns its path.

    half: store the weights in float16, half the size; by default only for networks on pose. Published weights for RGB
    are float32, and the variances of their batch norms exceed the range of float16.
    Raises `StorageError` where the file cannot be written.
    """
    import torch

    if half is None:
        half = checkpoint.spec.input == "pose"

    weights = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in checkpoint.weights.items()
    }
    content = {
        "format": FORMAT,
        "version": VERSION,
        "network": checkpoint.spec.to_plain(),
        "weights": weights,
        "metrics": dict(checkpoint.metrics),
        "training": checkpoint.provenance and checkpoint.provenance.to_plain(),
    }
    output = target if isinstance(target, Output) else Output(target, overwrite=True)
    make_folder(output.path.parent)
    with output.writing() as temporary, temporary.open("wb") as stream:
        torch.save(content, stream)  # given a path, torch.save would store the temporary name
    return output.path


def load_checkpoint(path: Path, *, trust: bool = False) -> Checkpoint:
    """Read a `.ckpt` file as data: a fitcli checkpoint, or one of the reference system (Lightning).

    trust: let a file that holds more than data run code of its own, as Python's pickles do; only for files from people
    whose programs you would run. Raises `CheckpointError` for any other file.
    """
    require_torch(f"Reading {path}")
    content = _read(path, trust)
    if isinstance(content, dict) and content.get("format") != FORMAT and is_reference(content):
        try:
            spec, weights = read_reference(content)
        except NetworkSpecError as error:
            raise CheckpointError(f"{path} cannot be used: {error.reason}.") from error
        return Checkpoint(spec, {name: _single(tensor) for name, tensor in weights.items()}, origin="reference")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of fitcli or of the reference system.")
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has format version {content.get('version')}, but this fitcli reads {VERSION}: update fitcli."
        )
    try:
        spec = NetworkSpec.from_plain(content["network"])
        weights = {name: _single(tensor) for name, tensor in content["weights"].items()}
        training: dict[str, Any] | None = content["training"]
        provenance = None if training is None else Provenance.from_plain(training)
    except NetworkSpecError as error:
        raise CheckpointError(f"{path} cannot be used: {error.reason}.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: a field is missing or has the wrong type ({error}).") from error
    return Checkpoint(spec, weights, content["metrics"], provenance)


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _read(path: Path, trust: bool) -> Any:
    """The content of `path`, loaded as data, or with `trust` as a pickle if it holds more than data."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the pickle protocol of files from old versions
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint {path}.") from error
    except Exception as error:  # a damaged file makes torch raise errors of any type
        classes = _foreign_classes(path)
        if not classes:
            raise CheckpointError(
                f"{path} is damaged or not a checkpoint, and cannot be loaded as data: copy it again."
            ) from error
        if not trust:
            raise CheckpointError(
                f"{path} holds more than numbers ({_listed(classes)}), and loading it can run code of its own: "
                "trust it only if you trust where it comes from.",
                setting=Setting.TRUST,
            ) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_lenient_pickle())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{path} cannot be loaded, even as trusted ({reason}).") from error


def _foreign_classes(path: Path) -> list[str]:
    """The classes and functions other than torch's that a file refers to; none if it is not a checkpoint."""
    import torch

    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # not a zip file, or a pickle that does not parse
        return []


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _lenient_pickle() -> Any:
    """`pickle`, with an empty class in place of each class that is not installed.

    Training scripts pickle classes of their own beside the weights, and fitcli needs only the weights.
    """
    import pickle
    import types

    class Unknown:
        """Stands in for an object whose class is not installed."""

        def __new__(cls, *_: Any, **__: Any) -> Any:
            return super().__new__(cls)

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def __call__(self, *_: Any, **__: Any) -> Any:
            return self

        def __setstate__(self, state: Any) -> None: ...

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            try:
                return super().find_class(module, name)
            except (ImportError, AttributeError):
                return Unknown

    lenient = types.ModuleType("lenient_pickle")
    lenient.Unpickler, lenient.load, lenient.loads = Unpickler, pickle.load, pickle.loads  # type: ignore[attr-defined]
    return lenient
