"""`NetworkSpec`: everything that is needed to build a network and feed it, in plain values. Imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from fitcli.catalog import catalog
from fitcli.errors import CheckpointError
from fitcli.pose.clip import POINTS

OTHER = "other"
"""Name of the 17th class of a head that has one: certainly none of the catalogue's exercises."""


@dataclass(frozen=True)
class NetworkSpec:
    """Architecture and input of one network of the hybrid.

    architecture: "x3d" (Feichtenhofer, CVPR 2020) or "slowfast" (Feichtenhofer et al., ICCV 2019).
    input: "pose" (points, drawn as heatmaps of `side` cells with `sigma_cells`) or "rgb".
    frames, window_s: moments of a clip and the seconds that they span.
    stem, width, depth: channels after the stem; X3D's width and depth factor, or SlowFast's ResNet depth (18, 50, 101).
    alpha, channel_reduction: SlowFast's ratio of frame rates, and of channels, between its pathways.
    exercises, muscles: class names of the heads in id order; `exercises` may end with "other".
    """

    architecture: str
    input: str = "pose"
    channels: int = POINTS
    frames: int = 32
    window_s: float = 4.0
    side: int = 16
    sigma_cells: float = 0.8
    stem: int = 24
    width: float = 1.0
    depth: float = 1.1
    features: int = 384
    alpha: int = 4
    channel_reduction: int = 8
    dropout: float = 0.5
    exercises: tuple[str, ...] = (*catalog().exercise_names, OTHER)
    muscles: tuple[str, ...] = catalog().muscles

    def to_plain(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        plain = asdict(self)
        return plain | {"exercises": list(self.exercises), "muscles": list(self.muscles)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> NetworkSpec:
        """The spec of a checkpoint; raises `CheckpointError` for unknown fields, architectures or class lists."""
        unknown = set(plain) - {f.name for f in fields(cls)}
        if unknown or plain.get("architecture") not in ("x3d", "slowfast") or plain.get("input") not in ("pose", "rgb"):
            raise CheckpointError(
                f"describes a network that this version does not know ({', '.join(sorted(unknown)) or plain})"
            )
        spec = cls(**(plain | {"exercises": tuple(plain["exercises"]), "muscles": tuple(plain["muscles"])}))
        names = tuple(name for name in spec.exercises if name != OTHER)
        if names != catalog().exercise_names or spec.muscles != catalog().muscles:
            raise CheckpointError("was trained on another list of exercises or muscles")
        return spec


DEFAULT_SPECS = {
    "slowfast": NetworkSpec("slowfast", stem=32, depth=18, frames=32),
    "x3d": NetworkSpec("x3d", stem=24, depth=1.1, frames=16),
}
"""The shipped networks: small enough to train on two cores."""
