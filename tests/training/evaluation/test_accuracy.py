"""What the model card promises of the shipped checkpoints, on real people from sources that training never saw."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from support.cli import SHARED

needs_poses = pytest.mark.skipif(
    not (SHARED / "poses" / "clips.tsv").exists(), reason="needs the validation sequences in ../shared/poses"
)
needs_clips = pytest.mark.skipif(
    not (SHARED / "clips" / "dev.tsv").exists(), reason="needs the validation videos in ../shared/clips"
)


def evaluated(*what: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What `fitcli evaluate` measures of the ensemble on the exercise, on the muscles and on "none of these"."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "fitcli", "evaluate", *what, "--json"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    ensemble = json.loads(done.stdout)["ensemble"]
    return ensemble["exercise"], ensemble["muscle"], ensemble["other"]


@needs_poses
def test_the_shipped_networks_are_as_right_as_the_model_card_says() -> None:
    exercise, muscle, _ = evaluated(str(SHARED / "poses"))

    assert exercise["clips"] == 80
    assert exercise["top1"] >= 0.70
    assert exercise["top3"] >= 0.85
    assert exercise["macro_top1"] >= 0.71
    assert exercise["calibration_error"] <= 0.11
    assert muscle["micro_accuracy"] >= 0.93 > muscle["predict_nothing"]
    assert muscle["mean_average_precision"] >= 0.87


@needs_clips
def test_the_whole_program_is_as_right_as_the_readme_says() -> None:
    exercise, muscle, other = evaluated(str(SHARED / "clips" / "dev"), "--labels", str(SHARED / "clips" / "dev.tsv"))

    assert exercise["clips"] == 82
    assert exercise["top1"] >= 0.80
    assert exercise["top3"] >= 0.91
    assert exercise["macro_top1"] >= 0.80
    assert exercise["calibration_error"] <= 0.11
    assert muscle["micro_accuracy"] >= 0.94 > muscle["predict_nothing"]
    assert muscle["mean_average_precision"] >= 0.89
    assert other["refused"] <= 0.1


@needs_clips
def test_most_videos_of_other_exercises_are_not_given_a_name() -> None:
    _, _, other = evaluated(str(SHARED / "clips" / "dev_other"), "--labels", str(SHARED / "clips" / "dev_other.tsv"))

    assert other["clips"] == 45
    assert other["recognised"] >= 0.65
