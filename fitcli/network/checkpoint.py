"""The `.ckpt` format: architecture, input, class names, metrics and provenance as plain values, weights as tensors.

A file is `torch.save` of one dict: `format` ("fitcli"), `version` (1), `network` (fields of `NetworkSpec`),
`weights` (name -> float16 or float32 tensor), `metrics` (name -> number), `training` (the fields of `Provenance`). It
is data: loading it with `weights_only=True` runs no code. `x.xml` and `x.bin` beside `x.ckpt` are the same network as
OpenVINO IR, marked with the checkpoint's SHA-256 so that a stale pair is noticed. Importing this module imports no
torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli.errors import CheckpointError
from fitcli.network.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import Tensor

FORMAT, VERSION = "fitcli", 1


@dataclass(frozen=True)
class Provenance:
    """What a checkpoint was trained on and how."""

    epochs: int
    draws: int
    batch: int
    learning_rate: float
    seed: int
    clips: int
    sources: tuple[str, ...]
    left_out: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a `.ckpt` file."""

    spec: NetworkSpec
    weights: dict[str, Tensor]
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: Provenance | None = None

    @property
    def parameters(self) -> int:
        """Numbers that training chose."""
        return sum(tensor.numel() for name, tensor in self.weights.items() if "num_batches_tracked" not in name)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, half: bool = True) -> Path:
    """Write `path` through a temporary file; `half` stores the weights in float16, half the size."""
    import torch

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
        "training": None
        if checkpoint.provenance is None
        else asdict(checkpoint.provenance) | {"sources": list(checkpoint.provenance.sources)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)
    return path


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a `.ckpt` file as data; raises `CheckpointError` for anything that is not one of ours."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint {path}.") from error
    except Exception as error:  # torch raises whatever the damaged file made it trip over
        raise CheckpointError(f"{path} is damaged or no checkpoint of fitcli: it cannot be loaded as data.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of fitcli.")
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has format version {content.get('version')}, this fitcli reads {VERSION}: update."
        )
    try:
        spec = NetworkSpec.from_plain(content["network"])
        weights = {name: t.float() if t.is_floating_point() else t for name, t in content["weights"].items()}
        training: dict[str, Any] | None = content["training"]
        provenance = None if training is None else Provenance(**training | {"sources": tuple(training["sources"])})
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: a field is missing or has the wrong type ({error}).") from error
    return Checkpoint(spec, weights, content["metrics"], provenance)
