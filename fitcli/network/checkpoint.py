"""The `.ckpt` format: architecture, input, class names, metrics and provenance as plain values, weights as tensors.

A file is `torch.save` of one dict: `format` ("fitcli"), `version` (1), `network` (fields of `NetworkSpec`),
`weights` (name -> float16 or float32 tensor), `metrics` (name -> number), `training` (the fields of `Provenance`). It
is data: loading it with `weights_only=True` runs no code. The reference system's Lightning files are read too, see
`fitcli.network.reference`. `x.xml` and `x.bin` beside `x.ckpt` are the same network as
OpenVINO IR, marked with the checkpoint's SHA-256 so that a stale pair is noticed. Importing this module imports no
torch.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli import remedy
from fitcli.errors import CheckpointError, MissingTorchError
from fitcli.network.reference import is_reference, read_reference
from fitcli.network.spec import NetworkSpec
from fitcli.outputs import Output, make_folder

if TYPE_CHECKING:
    from torch import Tensor

FORMAT, VERSION = "fitcli", 1


@dataclass(frozen=True)
class Provenance:
    """What a checkpoint was trained on and how.

    fold: (k, n) if the k-th (from 0) of n parts of the series was left out. teachers, parts: the SHA-256 of the
    checkpoints that taught it, and of those whose mean it is. data_sha256: of the table of clips, with the labels.
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
    """The content of a `.ckpt` file; `origin` is whose format it is in, "fitcli" or "reference"."""

    spec: NetworkSpec
    weights: dict[str, Tensor]
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: Provenance | None = None
    origin: str = FORMAT

    @property
    def parameters(self) -> int:
        """Numbers that training chose."""
        return sum(tensor.numel() for name, tensor in self.weights.items() if "num_batches_tracked" not in name)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_torch(what: str) -> None:
    """Raises `MissingTorchError` where the extra `torch`, which `what` needs, is not installed."""
    if remedy.lacking("torch"):
        raise MissingTorchError(remedy.not_installed(what, "torch"))


def save_checkpoint(target: Path | Output, checkpoint: Checkpoint, *, half: bool | None = None) -> Path:
    """Write a checkpoint to a file that a user named, or over one of fitcli's own; returns its path.

    Raises `StorageError` where that is not possible.

    half: store the weights in float16, half the size; by default those of networks on pose. Published weights on
    pictures are float32, and their batch norm's variances leave float16's range.
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
        torch.save(content, stream)  # given a name instead of a stream, it would store the temporary one
    return output.path


def load_checkpoint(path: Path, *, trust: bool = False) -> Checkpoint:
    """Read a `.ckpt` file as data: one of fitcli's, or of the reference system's (Lightning).

    trust: let a file that holds more than data run code of its own, as Python's pickles do; only for files from people
    you would take a program from. Raises `CheckpointError` for anything else.
    """
    require_torch(f"Reading {path}")
    content = _read(path, trust)
    if isinstance(content, dict) and content.get("format") != FORMAT and is_reference(content):
        try:
            spec, weights = read_reference(content)
        except CheckpointError as error:
            raise CheckpointError(f"{path} {error}.") from error
        return Checkpoint(spec, {name: _single(tensor) for name, tensor in weights.items()}, origin="reference")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of fitcli or of the reference system.")
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has format version {content.get('version')}, this fitcli reads {VERSION}: update."
        )
    try:
        spec = NetworkSpec.from_plain(content["network"])
        weights = {name: _single(tensor) for name, tensor in content["weights"].items()}
        training: dict[str, Any] | None = content["training"]
        provenance = None if training is None else Provenance.from_plain(training)
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: a field is missing or has the wrong type ({error}).") from error
    return Checkpoint(spec, weights, content["metrics"], provenance)


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _read(path: Path, trust: bool) -> Any:
    """What was saved in `path`, loaded as data; with `trust` as a pickle, where data alone does not do."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the pickle protocol that old versions wrote
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint {path}.") from error
    except Exception as error:  # torch raises whatever the damaged file made it trip over
        classes = _foreign_classes(path)
        if not classes:
            raise CheckpointError(
                f"{path} is damaged or no checkpoint: it cannot be loaded as data. Copy it again."
            ) from error
        if not trust:
            raise CheckpointError(
                f"{path} holds more than numbers ({_listed(classes)}), and loading that can run code of its own: add "
                "--trust-checkpoint if you trust where it comes from."
            ) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_lenient_pickle())
    except Exception as error:
        raise CheckpointError(f"{path} cannot be loaded, even trusted ({type(error).__name__}: {error}).") from error


def _foreign_classes(path: Path) -> list[str]:
    """The classes and functions that a file names beside torch's own; none for a file that is no checkpoint."""
    import torch

    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # no zip file, or a pickle that does not parse
        return []


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _lenient_pickle() -> Any:
    """`pickle`, except that a class that is not installed here becomes an empty one.

    A training script pickles its own classes beside the weights, and only the weights are wanted.
    """
    import pickle
    import types

    class Unknown:
        """Stands for an object of a class that is not here."""

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
