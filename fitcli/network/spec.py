"""`NetworkSpec`: all that it takes to build a network and prepare its input, in plain values. Imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from fitcli.catalog import OTHER, Classes, catalog
from fitcli.errors import CheckpointError
from fitcli.network.pose_clips import POINTS
from fitcli.network.rgb_clips import RgbClipSpec, spread

ARCHITECTURES = ("x3d", "slowfast", "tcn")

LONGEST_NAME = 60
"""Most characters of a class name."""


class NetworkSpecError(ValueError):
    """Plain values or weights that describe no network of fitcli's.

    `reason` is a clause about "it", the file or value that the description came from. The caller that
    knows the file makes the sentence for the user.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class NetworkSpec:
    """Architecture and input of one network.

    architecture: "x3d" (Feichtenhofer, CVPR 2020), "slowfast" (Feichtenhofer et al., ICCV 2019), or "tcn", a temporal
        convolutional network on bare landmarks (`fitcli.network.tcn`).
    input: "pose" (points, drawn as heatmaps of `side` cells with `sigma_cells`) or "rgb" (crops of `side` pixels after
        scaling the short side to `short_side`, normalised with `mean` and `std`).
    frames, window_s: moments of a clip and the seconds that they span.
    stem, width, depth: channels after the stem; X3D's width and depth factor, or SlowFast's ResNet depth (18, 50, 101).
    alpha, channel_reduction: SlowFast's ratio of frame rates, and of channels, between its pathways.
    fusion_kernel: moments that SlowFast's lateral connections span.
    pool_frames, pool_side: the clip that the head's average pooling is sized for; 0 means `frames`, `side`. The
        published networks are tested on larger pictures than they were trained on, and average over pooling windows.
    variant: the published network's name, a key of `RGB_NETWORKS`, or "".
    exercises, muscles: class names of the heads in id order; `exercises` may end with "other"; empty for no such head.
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
    variant: str = ""
    fusion_kernel: int = 7
    pool_frames: int = 0
    pool_side: int = 0
    short_side: int = 0
    mean: float = 0.45
    std: float = 0.225

    @property
    def clip(self) -> RgbClipSpec:
        """How a window of a video becomes a clip, for a network on the `rgb` input."""
        return RgbClipSpec(self.frames, self.window_s, self.side, self.short_side or self.side, self.mean, self.std)

    @property
    def classes(self) -> Classes:
        """The classes of the network, without "other"."""
        return Classes(tuple(name for name in self.exercises if name != OTHER), self.muscles)

    @property
    def trunk(self) -> NetworkSpec:
        """The same network without heads: specs with the same trunk differ only in their classes."""
        return replace(self, exercises=(), muscles=())

    @property
    def clip_shape(self) -> tuple[int, ...]:
        """Shape of one clip: (T, P, 3) for `pose`, (3, T, S, S) for `rgb`."""
        if self.input == "pose":
            return self.frames, self.channels, 3
        return self.channels, self.frames, self.side, self.side

    @property
    def slow_frames(self) -> tuple[int, ...]:
        """The indices of the frames // alpha frames of a clip that SlowFast's slow pathway reads.

        On RGB they are evenly spaced from the first to the last, as in the published networks; on pose, every alpha-th.
        """
        if self.input == "pose":
            return tuple(range(0, self.frames, self.alpha))
        return tuple(spread(self.frames, self.frames // self.alpha).tolist())

    def to_plain(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        plain = asdict(self)
        return plain | {"exercises": list(self.exercises), "muscles": list(self.muscles)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> NetworkSpec:
        """The spec of a checkpoint; raises `NetworkSpecError` for unknown fields, architectures or class lists."""
        unknown = set(plain) - {f.name for f in fields(cls)}
        if unknown or plain.get("architecture") not in ARCHITECTURES or plain.get("input") not in ("pose", "rgb"):
            raise NetworkSpecError(
                f"it describes a network that this version does not know ({', '.join(sorted(unknown)) or plain})"
            )
        for kind in ("exercises", "muscles"):
            _check_names(plain.get(kind), kind)
        spec = cls(**(plain | {"exercises": tuple(plain["exercises"]), "muscles": tuple(plain["muscles"])}))
        if OTHER in spec.exercises[:-1] or OTHER in spec.muscles:
            raise NetworkSpecError(f'it has the class "{OTHER}" in another place than at the end of its exercises')
        if not spec.classes.exercises and not spec.muscles:
            raise NetworkSpecError("it knows no exercise and no muscle group")
        return spec


def _check_names(names: Any, kind: str) -> None:
    """Raise `NetworkSpecError` for a faulty list of class names."""
    if not isinstance(names, list | tuple) or not all(map(_is_name, names)):
        raise NetworkSpecError(f"its list of {kind} holds something other than names of up to {LONGEST_NAME} letters")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise NetworkSpecError(f"its list of {kind} names {', '.join(twice)} twice")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isprintable() and 0 < len(name.strip()) <= LONGEST_NAME


DEFAULT_SPECS = {
    "slowfast": NetworkSpec("slowfast", stem=32, depth=18, frames=32),
    "x3d": NetworkSpec("x3d", stem=24, depth=1.1, frames=16),
    "tcn": NetworkSpec("tcn", stem=256, frames=32, dropout=0.4),
}
"""The networks on pose, small enough to train on two cores: the two of the hybrid, and their teacher."""


@dataclass(frozen=True)
class _Published:
    """A network of pytorchvideo's model zoo: its shape, its test clip, and the size that its pooling is made for."""

    architecture: str
    depth: float
    frames: int
    stride: int
    side: int
    pool_side: int
    fusion_kernel: int = 7


KINETICS_RATE_HZ = 30.0
"""Frame rate of the videos that the published networks were trained on, and the unit of their strides."""

RGB_NETWORKS = {
    "x3d_xs": _Published("x3d", 2.2, frames=4, stride=12, side=182, pool_side=160),
    "x3d_s": _Published("x3d", 2.2, frames=13, stride=6, side=182, pool_side=160),
    "x3d_m": _Published("x3d", 2.2, frames=16, stride=5, side=256, pool_side=224),
    "x3d_l": _Published("x3d", 5.0, frames=16, stride=5, side=356, pool_side=312),
    "slowfast_r18": _Published("slowfast", 18, frames=32, stride=2, side=256, pool_side=224),
    "slowfast_r50": _Published("slowfast", 50, frames=32, stride=2, side=256, pool_side=224),
    "slowfast_r101": _Published("slowfast", 101, frames=32, stride=2, side=256, pool_side=224, fusion_kernel=5),
}
"""The networks on RGB by name (X3D: Feichtenhofer, CVPR 2020, table 3; SlowFast 8x8: pytorchvideo's model zoo).

SlowFast-R18 has no published weights.
"""


def rgb_spec(
    name: str,
    *,
    channel_reduction: int = 8,
    exercises: tuple[str, ...] = catalog().paper.exercises,
    muscles: tuple[str, ...] = catalog().paper.muscles,
    frames: int | None = None,
    side: int | None = None,
    window_s: float | None = None,
) -> NetworkSpec:
    """The spec of a network on RGB, a key of `RGB_NETWORKS`, by default with its published clip.

    channel_reduction: SlowFast's ratio of channels between its pathways, 2..16; 8 for the published weights.
    exercises, muscles: an empty tuple leaves that head out.
    frames, side, window_s: another clip: frames, pixels of the crop (and of the scaled short side), seconds.
    Raises `CheckpointError` for an unknown name.
    """
    if name not in RGB_NETWORKS:
        raise CheckpointError(f"There is no network {name}: choose one of {', '.join(RGB_NETWORKS)}.")
    published = RGB_NETWORKS[name]
    frames, side = frames or published.frames, side or published.side
    on_x3d = published.architecture == "x3d"
    return NetworkSpec(
        published.architecture,
        "rgb",
        channels=3,
        frames=frames,
        window_s=window_s or published.frames * published.stride / KINETICS_RATE_HZ,
        side=side,
        stem=12 if on_x3d else 64,
        width=2.0 if on_x3d else 1.0,
        depth=published.depth,
        features=2048 if on_x3d else 2048 + 2048 // channel_reduction,
        channel_reduction=channel_reduction,
        exercises=exercises,
        muscles=muscles,
        variant=name,
        fusion_kernel=published.fusion_kernel,
        pool_frames=min(frames, published.frames),
        pool_side=min(side, published.pool_side),
        short_side=side,
    )
