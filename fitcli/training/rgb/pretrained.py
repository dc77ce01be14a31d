"""Where a network's weights come from before training: Kinetics, another checkpoint's backbone, or another head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli.errors import CheckpointError, Setting
from fitcli.network.checkpoint import load_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from fitcli.network.builders import HybridNetwork

KINETICS_CHANNEL_REDUCTION = 8


def load_published(network: HybridNetwork, path: Path) -> None:
    """Give the backbone the weights of a file of pytorchvideo's model zoo, strictly; its Kinetics head is left out."""
    import torch

    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.") from error
    except Exception as error:  # torch raises whatever the damaged file made it trip over
        raise CheckpointError(f"{path} is damaged or no file of weights: it cannot be loaded as data.") from error
    state = content.get("model_state", content) if isinstance(content, dict) else {}
    _into_backbone(network, path, {k: v for k, v in state.items() if ".proj." not in k or not _is_head(k, network)})


def load_start(network: HybridNetwork, path: Path, *, keep_heads: bool) -> None:
    """Give the network a checkpoint's weights: the backbone strictly, with `keep_heads` the heads that both have."""
    start = load_checkpoint(path)
    wanted, given = network.spec, start.spec
    if wanted.input != given.input or wanted.variant != given.variant:
        raise CheckpointError(
            f"{path} holds {given.variant or given.architecture} on {given.input}, not {wanted.variant}: name another "
            "checkpoint or another architecture.",
            setting=Setting.ARCHITECTURE,
        )
    prefix = "backbone."
    _into_backbone(network, path, {k.removeprefix(prefix): v for k, v in start.weights.items() if k.startswith(prefix)})
    if not keep_heads:
        return
    for head, same in (("exercise", wanted.exercises == given.exercises), ("muscle", wanted.muscles == given.muscles)):
        layer = getattr(network, head)
        if layer is not None and same:
            layer.load_state_dict({name: start.weights[f"{head}.{name}"] for name in ("weight", "bias")})


def _is_head(name: str, network: HybridNetwork) -> bool:
    return name.startswith(f"blocks.{len(list(network.backbone.get_submodule('blocks').children())) - 1}.proj.")


def _into_backbone(network: HybridNetwork, path: Path, weights: dict[str, Tensor]) -> None:
    try:
        network.backbone.load_state_dict(weights, strict=True)
    except (RuntimeError, AttributeError) as error:
        spec = network.spec
        reason = "it has other layers or other widths"
        if spec.architecture == "slowfast" and spec.channel_reduction != KINETICS_CHANNEL_REDUCTION:
            reason = f"the Kinetics weights have channel reduction {KINETICS_CHANNEL_REDUCTION}"
        raise CheckpointError(f"{path} does not fit {spec.variant or spec.architecture}: {reason}.") from error
