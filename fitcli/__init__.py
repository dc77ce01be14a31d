"""A coach in the terminal, and the same as a library: `fitcli.analyze("squat.mp4")` returns an `Analysis`."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli.version import __version__

if TYPE_CHECKING:
    from fitcli.catalog import Catalog, Exercise, catalog
    from fitcli.errors import FitcliError
    from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, NetworkUse, Status, Timings, WindowScore


__all__ = [
    "Analysis",
    "Catalog",
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
]

_HOMES = {
    **dict.fromkeys(
        ("Analysis", "ExerciseScore", "MuscleScore", "NetworkUse", "Status", "Timings", "WindowScore"),
        "fitcli.results.analysis",
    ),
    **dict.fromkeys(("Catalog", "Exercise", "catalog"), "fitcli.catalog"),
    "FitcliError": "fitcli.errors",
}


def __getattr__(name: str) -> Any:
    # Names are fetched when first used (PEP 562), so that `import fitcli` and `fitcli --help` stay instant.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


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

    `device` is "auto", "cpu" or "cuda"; `start_s`..`end_s` cuts out a part, in seconds; `checkpoints` names another
    folder of networks and `trust_checkpoint` lets one run code of its own; `reference_scores` reads networks on RGB as
    the reference system does; `batch_s` is the seconds of video in all, where you analyse several files: "auto" chooses
    the device by it; `progress` hears the share done, 0..1, `announce` a sentence before a long wait. Nothing is
    stored or spoken. Raises a `FitcliError` that says in one sentence what is wrong with the file, the checkpoints or
    the device.
    """
    # Both rooms load the engines, which takes a good part of a second.
    from fitcli.analysis import analyze_video
    from fitcli.coaching.advice import coach

    return coach(
        analyze_video(
            Path(path),
            checkpoints=None if checkpoints is None else Path(checkpoints),
            device=device,
            start_s=start_s,
            end_s=end_s,
            trust_checkpoint=trust_checkpoint,
            reference_scores=reference_scores,
            batch_s=batch_s,
            progress=progress,
            announce=announce,
        )
    )
