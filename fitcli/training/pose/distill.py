"""Teaching one network with the answers of others: soft labels for every augmented clip (Hinton et al., 1503.02531).

A teacher that was trained with `--fold K/N` teaches the series that it never saw, so that its answers are honest about
them; what every teacher or none of them left out is taught by all, on average.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from fitcli.errors import CheckpointError
from fitcli.network.builders import HybridNetwork, restore
from fitcli.network.checkpoint import load_checkpoint
from fitcli.network.spec import NetworkSpec
from fitcli.training.pose import folds
from fitcli.training.pose.sequences import Sequence


class Teachers(nn.Module):
    """The mean answer of several networks, each counted as `shares` says. `spec` is their clips', None without any."""

    def __init__(self, networks: Seq[HybridNetwork]) -> None:
        super().__init__()
        self.spec = max((network.spec for network in networks), key=lambda spec: spec.frames, default=None)
        self.networks = nn.ModuleList(networks).requires_grad_(False)

    def forward(self, clips: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Exercise probabilities (B, E) and muscle activations (B, 11) of points (B, T, P, 3); shares: (B, K)."""
        self.eval()  # whatever the network that they teach is doing
        networks = cast(list[HybridNetwork], list(self.networks))
        answers = [network(clips[:, :: clips.shape[1] // network.spec.frames]) for network in networks]
        exercise = torch.stack([exercise.softmax(-1) for exercise, _ in answers], 1)
        muscle = torch.stack([muscle.sigmoid() for _, muscle in answers], 1)
        return (exercise * shares[..., None]).sum(1), (muscle * shares[..., None]).sum(1)


def load_teachers(
    paths: Seq[Path], pupil: NetworkSpec, everything: Seq[Sequence], taught: Seq[Sequence]
) -> tuple[Teachers, Tensor]:
    """The networks of `paths`, and how much each says about every taught sequence, (N, K) with rows that add up to 1.

    everything: all training sequences, from which the teachers' folds were cut. Raises `CheckpointError` for a network
    that answers other questions or reads other clips than the pupil.
    """
    networks, unseen = [], []
    for path in paths:
        checkpoint = load_checkpoint(path)
        spec = checkpoint.spec
        if _question(spec) != _question(pupil) or spec.frames % pupil.frames:
            raise CheckpointError(f"{path} reads other clips or has other heads than the network that it would teach.")
        networks.append(restore(checkpoint, path))
        fold = checkpoint.provenance and checkpoint.provenance.fold
        identities = {sequence.id for sequence in folds.left_out(everything, *fold)} if fold else set()
        unseen.append([float(sequence.id in identities) for sequence in taught])
    shares = torch.tensor(unseen).reshape(len(paths), len(taught)).T.contiguous()
    shares[shares.sum(1) == 0] = 1.0
    return Teachers(networks), shares / shares.sum(1, keepdim=True).clamp(min=1)


def _question(spec: NetworkSpec) -> tuple[object, ...]:
    return spec.input, spec.channels, spec.window_s, spec.exercises, spec.muscles
