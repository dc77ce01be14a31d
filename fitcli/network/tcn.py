"""A temporal convolutional network on bare landmarks: no pictures of joints, only where they are and how they move.

It trains in minutes where the video networks take hours, so it is what teaches them (`fitcli.training.distill`); it can
also be a member of an ensemble. After Lea et al., "Temporal Convolutional Networks for Action Segmentation and
Detection", CVPR 2017, and Bai et al., arXiv 1803.01271. Importing this module imports torch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fitcli.network.spec import NetworkSpec

FEATURES = 5
"""Numbers a point and moment: x, y, their change since the moment before, and how surely it is seen."""

DILATIONS = (1, 1, 2, 4, 1)
KERNEL = 5
GROUPS = 4
HIDDEN = 0.05
"""Confidence up to which a point's place is no evidence."""
GAIN = 4.0
"""Brings coordinates within the unit square, and their changes, to about unit variance."""


class Movements(nn.Module):
    """Points (B, T, P, 3), x and y in 0..1 and confidence, as (B, 5 P, T): see `FEATURES`."""

    def forward(self, points: Tensor) -> Tensor:
        confidence = points[..., 2:3]
        places = (points[..., :2] - 0.5) * GAIN * (confidence > HIDDEN)
        changes = torch.cat([torch.zeros_like(places[:, :1]), (places[:, 1:] - places[:, :-1]) * GAIN], 1)
        return torch.cat([places, changes, confidence], -1).flatten(2).transpose(1, 2)


class TemporalConvolution(nn.Module):
    """(B, 5 P, T) to features (B, W): residual dilated convolutions over time, then their mean and maximum."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        width, channels = spec.stem, FEATURES * spec.channels
        self.stem = nn.Sequential(
            nn.BatchNorm1d(channels), nn.Conv1d(channels, width, 1), nn.BatchNorm1d(width), nn.GELU()
        )
        self.blocks = nn.Sequential(*(_Residual(width, dilation, spec.dropout / 2) for dilation in DILATIONS))
        self.project = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Dropout(spec.dropout))

    def forward(self, movements: Tensor) -> Tensor:
        features = self.blocks(self.stem(movements))
        pooled: Tensor = self.project(torch.cat([features.mean(-1), features.amax(-1)], 1))
        return pooled


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        padding = KERNEL // 2 * dilation
        self.across_time = nn.Conv1d(width, width, KERNEL, padding=padding, dilation=dilation, groups=GROUPS)
        self.norm = nn.BatchNorm1d(width)
        self.across_channels = nn.Conv1d(width, width, 1)
        self.last_norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(self.norm(self.across_time(x)))
        mixed: Tensor = self.dropout(self.last_norm(self.across_channels(hidden)))
        return x + mixed
