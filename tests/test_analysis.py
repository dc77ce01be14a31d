"""The library: a coach that is loaded once, for files and for people who were followed already."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
from support.cli import SAMPLE

import fitcli
from fitcli.errors import CheckpointError, DeviceError, InvalidVideoError, MissingInputError
from fitcli.network.device import Machine
from fitcli.results.analysis import Analysis, Timings


def test_a_person_who_was_followed_gets_the_answer_of_the_video_and_then_the_networks_go() -> None:
    coach = fitcli.load()
    networks = weakref.ref(coach.networks())
    of_video = coach.analyze(SAMPLE)
    assert of_video.track is not None
    of_track = coach.analyze_track(of_video.track, name=of_video.file)

    def without_the_file(answer: Analysis) -> Analysis:
        # A file is longer than the time from its first frame to its last.
        return replace(answer, timings=Timings(), duration_s=0.0, device_reason="")

    assert without_the_file(of_track) == without_the_file(of_video)
    assert of_track.feedback
    with pytest.raises(InvalidVideoError, match=r"camera shows only .* s"):
        coach.analyze_track(of_video.track.between(0.0, 0.5), name="camera")
    # Nothing in the library keeps what a coach has loaded.
    del coach
    gc.collect()
    assert networks() is None


def test_loading_reports_what_is_wrong_before_the_first_video(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        fitcli.load(checkpoints=tmp_path)
    if not Machine.here().driver:
        with pytest.raises(DeviceError):
            fitcli.load(device="cuda")


def test_a_missing_file_is_reported_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        fitcli.analyze(tmp_path / "none.mp4", checkpoints=tmp_path)
