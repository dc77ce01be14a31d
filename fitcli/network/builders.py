"""X3D and SlowFast from pytorchvideo's builders, with the two heads and, for the `pose` input, the heatmap layer.

No other module imports pytorchvideo, and this one imports only its `models`: its transforms fail to import with current
versions of torchvision. Importing this module imports torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from fitcli.errors import CheckpointError
from fitcli.network.checkpoint import Checkpoint
from fitcli.network.depthwise import quicken_depthwise
from fitcli.network.spec import NetworkSpec
from fitcli.network.tcn import Movements, TemporalConvolution


class Heatmaps(nn.Module):
    """Draws points as Gaussian heatmaps (PoseConv3D, Duan et al., CVPR 2022).

    Input (B, T, P, 3): x and y in units of the grid's side, confidence. Output (B, P, T, S, S) with a peak of
    `confidence`. From a `sigma` of .7 cells on, the sampled Gaussian encodes the point's position to less than a cell,
    so a coarse grid loses nothing.
    """

    centres: Tensor

    def __init__(self, side: int, sigma_cells: float) -> None:
        super().__init__()
        self.register_buffer("centres", (torch.arange(side, dtype=torch.float32) + 0.5) / side, persistent=False)
        self.precision = 0.5 * (side / sigma_cells) ** 2

    def forward(self, points: Tensor) -> Tensor:
        x, y, confidence = points[..., 0:1], points[..., 1:2], points[..., 2:3]
        across = torch.exp(-self.precision * (x - self.centres) ** 2)
        down = torch.exp(-self.precision * (y - self.centres) ** 2) * confidence
        return (down.unsqueeze(-1) * across.unsqueeze(-2)).transpose(1, 2)


class HybridNetwork(nn.Module):
    """One network of the hybrid: (heatmaps,) backbone, and a linear layer for each head.

    Input: points (B, T, P, 3) for `pose`, a clip (B, 3, T, H, W) for `rgb`. Output: exercise logits (B, E) and muscle
    logits (B, 11); (B, 0) where the spec has no such head. `backbone` has pytorchvideo's layout (`blocks.*`), so that
    published weights without the head's `proj` load into it strictly.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.heatmaps = _front(spec)
        self.backbone, features = _BACKBONES[spec.architecture](spec)
        self.exercise = nn.Linear(features, len(spec.exercises)) if spec.exercises else None
        self.muscle = nn.Linear(features, len(spec.muscles)) if spec.muscles else None

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        return self.from_volume(self.heatmaps(clip))

    def from_volume(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of a volume (B, C, T, H, W), which is the output of the heatmap layer."""
        if self.spec.architecture == "slowfast":
            # Slice by slice: a list of indices would be copied to the device again for every clip.
            slow = torch.stack([volume[:, :, i] for i in self.spec.slow_frames], 2)
            features = self.backbone([slow, volume])
        else:
            features = self.backbone(volume)
        none = features.new_zeros(len(features), 0)
        return (
            none if self.exercise is None else self.exercise(features),
            none if self.muscle is None else self.muscle(features),
        )


class Exported(nn.Module):
    """A network that gives only the heads that it has: an engine's output cannot be empty."""

    def __init__(self, network: HybridNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, clip: Tensor) -> tuple[Tensor, ...]:
        spec = self.network.spec
        heads = zip(self.network(clip), (spec.exercises, spec.muscles), strict=True)
        return tuple(logits for logits, names in heads if names)


def build(spec: NetworkSpec) -> HybridNetwork:
    """The network that `spec` describes, with random weights; its depthwise convolutions train at speed on a CPU."""
    network = HybridNetwork(spec)
    quicken_depthwise(network)
    return network


def restore(checkpoint: Checkpoint, path: Path) -> HybridNetwork:
    """The network of a checkpoint with its weights, strictly loaded, ready to answer.

    Raises `CheckpointError` that names `path` where tensors are missing, left over or of another shape.
    """
    network = build(checkpoint.spec)
    wanted, given = network.state_dict(), checkpoint.weights
    missing, extra = wanted.keys() - given.keys(), given.keys() - wanted.keys()
    misshapen = [n for n in wanted.keys() & given.keys() if wanted[n].shape != given[n].shape]
    for names, problem in ((missing, "lacks"), (extra, "has too many"), (misshapen, "has another shape of")):
        if names:
            counted = f"{len(names)} tensors, such as" if len(names) > 1 else "the tensor"
            raise CheckpointError(f"{path} {problem} {counted} {min(names)}: it is damaged or another network.")
    network.load_state_dict(given)
    return network.eval()


def _x3d(spec: NetworkSpec) -> tuple[nn.Module, int]:
    from pytorchvideo.models.x3d import create_x3d

    backbone = _quietly(
        create_x3d,
        input_channel=spec.channels,
        input_clip_length=spec.pool_frames or spec.frames,
        input_crop_size=spec.pool_side or spec.side,
        model_num_class=1,
        dropout_rate=spec.dropout,
        width_factor=spec.width,
        depth_factor=spec.depth,
        stem_dim_in=spec.stem,
        stem_conv_kernel_size=(5, 3, 3),
        stem_conv_stride=(1, 2, 2),
        # Pictures are halved five times; heatmaps are far smaller and are halved twice.
        stage_spatial_stride=(2, 2, 2, 2) if spec.input == "rgb" else (1, 1, 2, 1),
        bottleneck_factor=2.25,
        head_dim_out=spec.features,
        head_activation=None,
    )
    backbone.blocks[-1].proj = nn.Identity()
    return backbone, spec.features


def _slowfast(spec: NetworkSpec) -> tuple[nn.Module, int]:
    from pytorchvideo.models.slowfast import create_slowfast

    beta, frames, side = spec.channel_reduction, spec.pool_frames or spec.frames, spec.pool_side or spec.side
    if spec.input == "rgb":
        stem: dict[str, Any] = {}  # the published one: 7 x 7, halved twice
        last = -(-side // 32)
    else:
        stem = {
            "stem_conv_kernel_sizes": ((1, 3, 3), (5, 3, 3)),
            "stem_conv_strides": ((1, 1, 1), (1, 1, 1)),
            "stem_pool": (None, None),
        }
        last = side // 8
    backbone = _quietly(
        create_slowfast,
        slowfast_channel_reduction_ratio=(beta,),
        fusion_builder=partial(_fusion, spec),
        input_channels=(spec.channels, spec.channels),
        model_depth=int(spec.depth),
        model_num_class=1,
        dropout_rate=spec.dropout,
        stem_dim_outs=(spec.stem, spec.stem // beta),
        head_pool_kernel_sizes=((frames // spec.alpha, last, last), (frames, last, last)),
        **stem,
    )
    features = backbone.blocks[-1].proj.in_features
    backbone.blocks[-1].proj = nn.Identity()
    return backbone, features


def _fusion(spec: NetworkSpec, fusion_dim_in: int, stage_idx: int) -> nn.Module:
    """The lateral connection after a stage: pytorchvideo's, but with as many channels as the next stage reads.

    pytorchvideo's builder rounds the channels of the fast pathway before it doubles them, and its stages double before
    they round. The two agree only for reductions that divide every width: 2, 4, 8, 16.
    """
    from pytorchvideo.models.slowfast import FuseFastToSlow

    if stage_idx > _LAST_FUSION:
        return nn.Identity()
    channels = fusion_dim_in * 2 // spec.channel_reduction
    convolution = nn.Conv3d(
        fusion_dim_in // spec.channel_reduction,
        channels,
        (spec.fusion_kernel, 1, 1),
        stride=(spec.alpha, 1, 1),
        padding=(spec.fusion_kernel // 2, 0, 0),
        bias=False,
    )
    return cast(nn.Module, FuseFastToSlow(convolution, nn.BatchNorm3d(channels), nn.ReLU()))


def _front(spec: NetworkSpec) -> nn.Module:
    """The layer that turns a clip into the input of the backbone."""
    if spec.input == "rgb":
        return nn.Identity()
    return Movements() if spec.architecture == "tcn" else Heatmaps(spec.side, spec.sigma_cells)


def _tcn(spec: NetworkSpec) -> tuple[nn.Module, int]:
    return TemporalConvolution(spec), spec.stem


_LAST_FUSION = 3  # the pathways fuse after the stem and the first three stages; the head fuses them after the fourth

_BACKBONES: dict[str, Callable[[NetworkSpec], tuple[nn.Module, int]]] = {
    "x3d": _x3d,
    "slowfast": _slowfast,
    "tcn": _tcn,
}


def _quietly(builder: Callable[..., nn.Module], **arguments: Any) -> Any:
    with warnings.catch_warnings():  # pytorchvideo's layers use torch.jit.script, which is deprecated in current torch
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return cast(Any, builder(**arguments))
