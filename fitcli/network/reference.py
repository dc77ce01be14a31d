"""Reads the reference system's checkpoints (arXiv 2406.06703) into fitcli's `NetworkSpec` and layer names.

They are PyTorch Lightning files with the weights under `state_dict`: as `model.blocks.*`, after fine-tuning as
`model.model.blocks.*`, beside other objects that the training script pickled. Nothing in such a file describes the
network, so its architecture is inferred from the tensors. pytorchvideo's own files (`model_state`) and plain state
dictionaries are read the same way. Importing this module does not import torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fitcli.catalog import catalog
from fitcli.network.spec import NetworkSpec, NetworkSpecError, rgb_spec

if TYPE_CHECKING:
    from torch import Tensor

FRAMES, WINDOW_S, SIDE = 32, 2.0, 256
"""The reference's clip: both networks, X3D included, read 32 frames of two seconds and a crop of 256 pixels."""

_WEIGHTS = ("state_dict", "model_state")
_NAME = re.compile(r"(?:(?P<prefix>.*?)\.)?(?P<name>blocks\.(?P<block>\d+)\..+)")
_SLOWFAST_DEPTHS = {1: 18, 6: 50, 23: 101}
_X3D_NAMES = {3: "x3d_m", 5: "x3d_l"}  # XS, S and M differ in their clips, not in their weights


def is_reference(content: Mapping[str, Any]) -> bool:
    """Whether a loaded file holds weights with pytorchvideo's names."""
    return any(_NAME.fullmatch(str(name)) for name in _state(content))


def read_reference(content: Mapping[str, Any]) -> tuple[NetworkSpec, dict[str, Tensor]]:
    """The network of a loaded file, and its weights by fitcli's names.

    Raises `NetworkSpecError` if it is not a complete network of the reference system.
    """
    weights = _stripped(_state(content))
    head = f"blocks.{max(int(name.split('.')[1]) for name in weights)}.proj."
    for part in ("weight", "bias"):
        if f"{head}{part}" not in weights:
            raise NetworkSpecError(
                f"it lacks the tensor {head}{part}, so it is cut off or holds only part of a network"
            )
    spec = _spec(weights, *weights[f"{head}weight"].shape)
    own = "exercise." if spec.exercises else "muscle."
    return spec, {
        own + name.removeprefix(head) if name.startswith(head) else f"backbone.{name}": tensor
        for name, tensor in weights.items()
    }


def _state(content: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in _WEIGHTS:
        if isinstance(inner := content.get(key), Mapping):
            return inner
    return content


def _stripped(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The network's tensors by pytorchvideo's names, without those of losses and metrics."""
    found = [(match, state[match.string]) for name in state if (match := _NAME.fullmatch(str(name)))]
    prefixes = sorted({match["prefix"] or "" for match, _ in found})
    if len(prefixes) > 1:
        raise NetworkSpecError(
            f"it holds more than one network ({', '.join(prefixes)}), save each in a file of its own"
        )
    return {match["name"]: tensor for match, tensor in found}


def _spec(weights: Mapping[str, Tensor], classes: int, features: int) -> NetworkSpec:
    exercises, muscles = catalog().paper.exercises, catalog().paper.muscles
    if classes not in (len(exercises), len(muscles)):
        raise NetworkSpecError(
            f"it has a head of {classes} classes, where the reference system knows {len(muscles)} muscle groups and "
            f"{len(exercises)} exercises"
        )
    published = partial(
        rgb_spec,
        exercises=exercises if classes == len(exercises) else (),
        muscles=muscles if classes == len(muscles) else (),
        frames=FRAMES,
        side=SIDE,
        window_s=WINDOW_S,
    )
    if any("multipathway_blocks" in name for name in weights):
        depth = _SLOWFAST_DEPTHS.get(_count(weights, "blocks.3.multipathway_blocks.0.res_blocks."))
        fusion = weights.get("blocks.0.multipathway_fusion.conv_fast_to_slow.weight")
        # The head joins 2048 channels of the slow pathway and 2048 // reduction of the fast one.
        reduction = next((n for n in range(2, 65) if 2048 + 2048 // n == features), None)
        if depth is None or fusion is None or reduction is None:
            raise NetworkSpecError("it holds a SlowFast network of another shape than R18, R50 and R101")
        spec = published(f"slowfast_r{depth}", channel_reduction=reduction)
        return replace(spec, fusion_kernel=int(fusion.shape[2]))
    name = _X3D_NAMES.get(_count(weights, "blocks.1.res_blocks."))
    if name is None:
        raise NetworkSpecError("it holds a network that is neither X3D nor SlowFast as pytorchvideo builds them")
    return published(name)


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered layers follow `prefix`."""
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})
