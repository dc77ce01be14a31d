"""What the model card promises of the shipped checkpoints, on real people from sources that training never saw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"

pytestmark = pytest.mark.skipif(
    not (SHARED / "poses" / "clips.tsv").exists(), reason="needs the validation sequences in ../shared/poses"
)


def test_the_shipped_networks_are_as_right_as_the_model_card_says() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "fitcli", "evaluate", str(SHARED / "poses"), "--json"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    report = json.loads(done.stdout)
    exercise, muscle = report["ensemble"]["exercise"], report["ensemble"]["muscle"]
    assert exercise["clips"] == 80
    assert exercise["top1"] >= 0.70
    assert exercise["top3"] >= 0.87
    assert exercise["macro_top1"] >= 0.71
    assert exercise["calibration_error"] <= 0.09
    assert muscle["micro_accuracy"] >= 0.925 > muscle["predict_nothing"]
    assert muscle["mean_average_precision"] >= 0.87
