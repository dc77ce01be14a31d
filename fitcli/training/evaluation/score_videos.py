"""A checkpoint on RGB against labelled videos: the logits of every video's middle clip, in the order of the list."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Sequence as Seq
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from fitcli.network.builders import build
from fitcli.network.checkpoint import load_checkpoint
from fitcli.training.rgb.clips import MiddleClips, cache_side
from fitcli.training.rgb.frames import FrameCache
from fitcli.training.rgb.module import Scores
from fitcli.training.rgb.train import prepared
from fitcli.training.rgb.videos import LabelledVideo, VideoFolder


def readable(
    folder: VideoFolder, checkpoint: Path, cache: Path | None, on_progress: Callable[[float], None] | None = None
) -> VideoFolder:
    """The data set without the test videos that cannot be read; the others are decoded as `checkpoint` needs them.

    cache: folder for decoded frames, the user's cache where it is None.
    """
    frames = FrameCache.at(cache, cache_side(load_checkpoint(checkpoint).spec))
    return prepared(folder, ("test",), frames, os.cpu_count() or 1, on_progress)


def score_videos(
    checkpoint: Path,
    videos: Seq[LabelledVideo],
    cache: Path | None,
    *,
    device: str = "auto",
    batch: int = 8,
    on_progress: Callable[[float], None] | None = None,
) -> Scores:
    """The logits of `checkpoint` for every video. device: "auto", "cpu" or "cuda"."""
    loaded = load_checkpoint(checkpoint)
    on = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    network = build(loaded.spec)
    network.load_state_dict(loaded.weights)
    network.eval().to(on)
    clips = MiddleClips(videos, FrameCache.at(cache, cache_side(loaded.spec)), loaded.spec)
    parts: list[list[np.ndarray]] = []
    with torch.inference_mode():
        for done, (clip, *targets, _) in enumerate(DataLoader(clips, batch_size=batch), 1):
            logits = [head.float().cpu().numpy() for head in network(clip.to(on))]
            parts.append([*logits, *(target.numpy() for target in targets)])
            if on_progress:
                on_progress(min(1.0, done * batch / len(videos)))
    return Scores(*(np.concatenate(part) for part in zip(*parts, strict=True)))
