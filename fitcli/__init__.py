"""A coach in the terminal and a library.

`fitcli.analyze("squat.mp4")` returns an `Analysis`. For several videos, `coach = fitcli.load()` loads the networks once
and `coach.analyze(path)` uses them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fitcli.version import __version__

if TYPE_CHECKING:
    from fitcli.analysis import Coach
    from fitcli.catalog import Catalog, Exercise, catalog
    from fitcli.errors import FitcliError
    from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, NetworkUse, Status, Timings, WindowScore


__all__ = [
    "Analysis",
    "Catalog",
    "Coach",
    "Exercise",
    "ExerciseScore",
    "FitcliError",
    "MuscleScore",
    "NetworkUse",
    "Status",
    "Timings",
    "WindowScore",
    "__version__",
    "analyze",
    "catalog",
    "load",
]

_HOMES = {
    **dict.fromkeys(
        ("Analysis", "ExerciseScore", "MuscleScore", "NetworkUse", "Status", "Timings", "WindowScore"),
        "fitcli.results.analysis",
    ),
    **dict.fromkeys(("Catalog", "Exercise", "catalog"), "fitcli.catalog"),
    "Coach": "fitcli.analysis",
    "FitcliError": "fitcli.errors",
}


def __getattr__(name: str) -> Any:
    # Names are imported when first used (PEP 562), so that `import fitcli` and `fitcli --help` stay instant.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def load(
    *,
    checkpoints: str | os.PathLike[str] | None = None,
    device: str = "auto",
    trust_checkpoint: bool = False,
    announce: Callable[[str], None] | None = None,
) -> Coach:
    """Load the networks and the pose model once, for any number of videos and threads.

    checkpoints: another folder of networks than the shipped one. device: "auto", "cpu" or "cuda". trust_checkpoint:
    lets a checkpoint run code of its own. announce: called with a sentence before a long wait, such as converting a
    network for the first time.
    Raises a `FitcliError` whose one sentence says what is wrong with the checkpoints or the device.
    """
    from fitcli.analysis import Coach

    coach = Coach(checkpoints=checkpoints, device=device, trust_checkpoint=trust_checkpoint, announce=announce)
    coach.load()
    return coach


def analyze(
    path: str | os.PathLike[str],
    *,
    checkpoints: str | os.PathLike[str] | None = None,
    device: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
    trust_checkpoint: bool = False,
    reference_scores: bool = False,
    batch_s: float | None = None,
    progress: Callable[[float], None] | None = None,
    announce: Callable[[str], None] | None = None,
) -> Analysis:
    """Watch one video file and say which exercise it shows, which muscle groups work and what to change.

    The same as `load` with the keywords that it has and `Coach.analyze` with the others, but the file is checked before
    anything is loaded. For several files, `load` once.

    start_s, end_s: the part to analyse, in seconds. reference_scores: read networks on RGB as the reference system
    does: the first two seconds, and muscles as shares of one whole (softmax). batch_s: seconds of video in all the
    files that are analysed one after the other, by which "auto" chooses the device; by default this part's.
    progress: called with the share of the work that is done, 0..1. Nothing is stored or spoken.
    Raises a `FitcliError` whose one sentence says what is wrong with the file, the checkpoints or the device.
    """
    from fitcli.analysis import Coach

    coach = Coach(checkpoints=checkpoints, device=device, trust_checkpoint=trust_checkpoint, announce=announce)
    return coach.analyze(
        path, start_s=start_s, end_s=end_s, reference_scores=reference_scores, batch_s=batch_s, progress=progress
    )
