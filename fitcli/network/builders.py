"""X3D and SlowFast from pytorchvideo's builders, with the two heads and, for the `pose` input, the heatmap layer.

The only module that imports pytorchvideo, and nothing of it but `models`: its transforms do not import with current
torchvision. Importing this module imports torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from fitcli.network.depthwise import quicken_depthwise
from fitcli.network.spec import NetworkSpec


class Heatmaps(nn.Module):
    """Draws points as Gaussian heatmaps (PoseConv3D, Duan et al., CVPR 2022).

    Input (B, T, P, 3): x and y in units of the grid's side, confidence. Output (B, P, T, S, S) with a peak of
    `confidence`. With `sigma` of .7 cells and more the sampled Gaussian keeps the point's place finer than a cell, so
    a coarse grid loses nothing.
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
    logits (B, 11).
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.heatmaps = Heatmaps(spec.side, spec.sigma_cells) if spec.input == "pose" else nn.Identity()
        self.backbone, features = _BACKBONES[spec.architecture](spec)
        self.exercise = nn.Linear(features, len(spec.exercises))
        self.muscle = nn.Linear(features, len(spec.muscles))

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        return self.from_volume(self.heatmaps(clip))

    def from_volume(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of (B, C, T, H, W): what follows the heatmap layer."""
        if self.spec.architecture == "slowfast":
            features = self.backbone([volume[:, :, :: self.spec.alpha], volume])
        else:
            features = self.backbone(volume)
        return self.exercise(features), self.muscle(features)


def build(spec: NetworkSpec) -> HybridNetwork:
    """The network that `spec` describes, with random weights; its depthwise convolutions train at speed on a CPU."""
    network = HybridNetwork(spec)
    quicken_depthwise(network)
    return network


def _x3d(spec: NetworkSpec) -> tuple[nn.Module, int]:
    from pytorchvideo.models.x3d import create_x3d

    backbone = _quietly(
        create_x3d,
        input_channel=spec.channels,
        input_clip_length=spec.frames,
        input_crop_size=spec.side,
        model_num_class=1,
        dropout_rate=spec.dropout,
        width_factor=spec.width,
        depth_factor=spec.depth,
        stem_dim_in=spec.stem,
        stem_conv_kernel_size=(5, 3, 3),
        stem_conv_stride=(1, 2, 2),
        stage_spatial_stride=(1, 1, 2, 1),
        bottleneck_factor=2.25,
        head_dim_out=spec.features,
        head_activation=None,
    )
    backbone.blocks[-1].proj = nn.Identity()
    return backbone, spec.features


def _slowfast(spec: NetworkSpec) -> tuple[nn.Module, int]:
    from pytorchvideo.models.slowfast import create_slowfast

    beta, last = spec.channel_reduction, spec.side // 8
    backbone = _quietly(
        create_slowfast,
        slowfast_channel_reduction_ratio=(beta,),
        slowfast_fusion_conv_stride=(spec.alpha, 1, 1),
        input_channels=(spec.channels, spec.channels),
        model_depth=int(spec.depth),
        model_num_class=1,
        dropout_rate=spec.dropout,
        stem_dim_outs=(spec.stem, spec.stem // beta),
        stem_conv_kernel_sizes=((1, 3, 3), (5, 3, 3)),
        stem_conv_strides=((1, 1, 1), (1, 1, 1)),
        stem_pool=(None, None),
        head_pool_kernel_sizes=((spec.frames // spec.alpha, last, last), (spec.frames, last, last)),
    )
    features = backbone.blocks[-1].proj.in_features
    backbone.blocks[-1].proj = nn.Identity()
    return backbone, features


_BACKBONES: dict[str, Callable[[NetworkSpec], tuple[nn.Module, int]]] = {"x3d": _x3d, "slowfast": _slowfast}


def _quietly(builder: Callable[..., nn.Module], **arguments: Any) -> Any:
    with warnings.catch_warnings():  # pytorchvideo's layers use torch.jit.script, which current torch calls deprecated
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return cast(Any, builder(**arguments))
