"""A temporal convolutional network on landmarks: it reads the positions and movements of joints, without heatmaps.

It trains in minutes where the video networks take hours, so it serves as their teacher (`fitcli.training.pose.distill`)
and is a member of the shipped ensemble. After Lea et al., "Temporal Convolutional Networks for Action Segmentation
and Detection", CVPR 2017, and Bai et al., arXiv 1803.01271; the directions of the bones beside the joints after Shi et
al., "Two-Stream Adaptive Graph Convolutional Networks", CVPR 2019. Importing this module imports torch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fitcli.network.pose_clips import JOINTS, VIEWS
from fitcli.network.spec import NetworkSpec
from fitcli.pose.track import LANDMARKS

DILATIONS = (1, 2, 2, 4, 1)
KERNEL = 3
HIDDEN = 0.05
"""Points up to this confidence are ignored."""
GAIN = 4.0
"""Scales coordinates in the unit square, and their changes, to about unit variance."""
SHORT = 0.02
"""Length, in sides of a view, below which the direction of a bone is noise."""

_SIDED_BONES = (
    ("nose", "shoulder"), ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "index"), ("shoulder", "hip"),
    ("hip", "knee"), ("knee", "ankle"), ("ankle", "foot index"),
)  # fmt: skip
_SIDED_ANGLES = (
    ("shoulder", "elbow", "wrist"), ("hip", "shoulder", "elbow"), ("shoulder", "hip", "knee"), ("hip", "knee", "ankle"),
    ("knee", "ankle", "foot index"),
)  # fmt: skip
_SIDED_DISTANCES = (("wrist", "ear"), ("wrist", "hip"), ("wrist", "knee"), ("ankle", "hip"), ("wrist", "ankle"))
_ACROSS = ("shoulder", "hip")
_APART = ("wrist", "ankle", "knee", "elbow")


def _indices(*rows: tuple[str, ...]) -> tuple[list[int], ...]:
    """The indices in `JOINTS` of the named joints, column by column."""
    names = [LANDMARKS[joint] for joint in JOINTS]
    return tuple([names.index(name) for name in column] for column in zip(*rows, strict=True))


def _both_sides(rows: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    def on(side: str, name: str) -> str:
        return name if name == "nose" else f"{side} {name}"

    return [tuple(on(side, name) for name in row) for row in rows for side in ("left", "right")]


BONES = _indices(*_both_sides(_SIDED_BONES), *((f"left {name}", f"right {name}") for name in _ACROSS))
ANGLES = _indices(*_both_sides(_SIDED_ANGLES))
DISTANCES = _indices(*_both_sides(_SIDED_DISTANCES), *((f"left {name}", f"right {name}") for name in _APART))

FEATURES = (
    5 * len(JOINTS) * len(VIEWS) + (4 * len(VIEWS) + 3) * len(BONES[0]) + 2 * (len(ANGLES[0]) + len(DISTANCES[0]))
)
"""Features per frame: see `Movements`."""


class Movements(nn.Module):
    """Points (B, T, P, 3), x and y in 0..1 and confidence, as features (B, T, `FEATURES`).

    For each point of each view: its position, the change since the previous frame, and its confidence. For each bone:
    its direction in each view, the change of that, and its direction in space. Cosines of joint angles and distances
    between joints in space, and their changes. Features of hidden points are 0. Space combines the front and side view.
    """

    def forward(self, points: Tensor) -> Tensor:
        views = points.reshape(*points.shape[:2], len(VIEWS), len(JOINTS), 3)
        confidence = views[..., 2:3]
        seen = confidence > HIDDEN
        places = (views[..., :2] - 0.5) * GAIN * seen
        start, end = BONES
        bones = _direction(views[..., start, :2] - views[..., end, :2]) * (seen[..., start, :] & seen[..., end, :])
        space = torch.cat([views[:, :, 1, :, :2], views[:, :, 2, :, :1]], -1)
        within = seen[:, :, 1] & seen[:, :, 2]
        upright = _direction(space[:, :, start] - space[:, :, end]) * (within[:, :, start] & within[:, :, end])
        one, corner, other = ANGLES
        arms = (_direction(space[:, :, end] - space[:, :, corner]) for end in (one, other))
        cosines = torch.mul(*arms).sum(-1) * (within[:, :, one] & within[:, :, corner] & within[:, :, other])[..., 0]
        near, far = DISTANCES
        apart = (space[:, :, near] - space[:, :, far]).norm(dim=-1) * (within[:, :, near] & within[:, :, far])[..., 0]
        relations = torch.cat([cosines, apart * GAIN], -1)
        return torch.cat(
            [
                torch.cat([places, _change(places), confidence], -1).flatten(2),
                bones.flatten(2),
                _change(bones).flatten(2),
                upright.flatten(2),
                relations,
                _change(relations),
            ],
            -1,
        )


def _direction(vectors: Tensor) -> Tensor:
    length: Tensor = vectors.norm(dim=-1, keepdim=True)
    return vectors / length.clamp(min=SHORT)


def _change(values: Tensor) -> Tensor:
    """The change since the previous frame, (B, T, ...); 0 at the first."""
    return torch.cat([torch.zeros_like(values[:, :1]), (values[:, 1:] - values[:, :-1]) * GAIN], 1)


class TemporalConvolution(nn.Module):
    """Maps (B, T, `FEATURES`) to features (B, W): residual dilated convolutions over time, then mean and maximum."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        width = spec.stem
        self.norm = _Norm(FEATURES)
        self.stem = nn.Sequential(nn.Linear(FEATURES, width), _Norm(width), nn.GELU())
        self.blocks = nn.Sequential(*(_Residual(width, dilation, spec.dropout / 2) for dilation in DILATIONS))
        self.project = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Dropout(spec.dropout))

    def forward(self, movements: Tensor) -> Tensor:
        features = self.blocks(self.stem(self.norm(movements)))
        pooled: Tensor = self.project(torch.cat([features.mean(1), features.amax(1)], 1))
        return pooled


class _Residual(nn.Module):
    """A convolution over time and one across channels, channels last: as matrix products they are twice as fast."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.across_time = nn.Linear(KERNEL * width, width, bias=False)
        self.norm = _Norm(width)
        self.across_channels = nn.Linear(width, width, bias=False)
        self.last_norm = _Norm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        reach = KERNEL // 2 * self.dilation
        padded = F.pad(x, (0, 0, reach, reach))
        taps = [padded[:, i * self.dilation : i * self.dilation + x.shape[1]] for i in range(KERNEL)]
        hidden = F.gelu(self.norm(self.across_time(torch.cat(taps, -1))))
        mixed = self.last_norm(self.across_channels(hidden))
        # Dropout of whole channels over the whole clip: single frames could be inferred from their neighbours.
        kept = self.dropout(torch.ones_like(mixed[:, :1]))
        added: Tensor = x + mixed * kept
        return added


class _Norm(nn.BatchNorm1d):
    """Batch normalisation of the last dimension of (B, T, C)."""

    def forward(self, x: Tensor) -> Tensor:
        flat: Tensor = super().forward(x.reshape(-1, x.shape[-1]))
        shaped: Tensor = flat.reshape(x.shape)
        return shaped
