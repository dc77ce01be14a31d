"""When fitcli names an exercise, and when it says that it is not sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fitcli.analysis import REPETITION_S, UNREPEATED_CERTAIN, Status, repeats, verdict
from fitcli.catalog import catalog
from fitcli.network.ensemble import EnsembleConfig, Member, Windows, WindowScores, window_weights
from fitcli.network.runtime import Logits
from fitcli.pose.clip import ClipSpec, track_clips
from fitcli.pose.track import PoseTrack
from fitcli.training.evaluate import ScoredClip, measure
from fitcli.training.sequences import Labels
from fitcli.training.synthetic import synthesize

CONFIG = EnsembleConfig((), certain_from=0.3, other_from=0.2)


def answered(track: PoseTrack, exercise: str) -> Windows:
    """Windows that all say `exercise` with 60 %."""
    starts, _ = track_clips(track, ClipSpec(32, 4.0))
    names = catalog().exercise_names
    sure = np.full((len(starts), len(names)), 0.4 / (len(names) - 1), np.float32)
    sure[:, names.index(exercise)] = 0.6
    none = np.zeros(len(starts), np.float32)
    return Windows(starts, 4.0, WindowScores(sure, none, np.zeros((len(starts), len(catalog().muscles)), np.float32)))


def somebody_repeats(track: PoseTrack, exercise: str) -> bool:
    read = answered(track, exercise)
    return repeats(track, read, window_weights(track, read.starts_s, 4.0), exercise, CONFIG)


@pytest.mark.parametrize(
    ("best", "other", "repeated", "status"),
    [
        (0.31, 0.1, True, Status.OK),
        (0.29, 0.1, True, Status.UNCERTAIN),
        (0.79, 0.2, True, Status.UNCERTAIN),
        (UNREPEATED_CERTAIN - 0.01, 0.1, False, Status.UNCERTAIN),
        (UNREPEATED_CERTAIN, 0.1, False, Status.OK),
    ],
)
def test_an_exercise_is_named_when_it_is_likely_and_somebody_does_it(
    best: float, other: float, repeated: bool, status: Status
) -> None:
    assert verdict(best, other, repeated, CONFIG) is status


def test_who_squats_repeats_it_and_who_stands_does_not() -> None:
    for seed in range(3):
        squatting = synthesize("squat", np.random.default_rng(seed), repetitions=4).track
        standing = synthesize("still", np.random.default_rng(seed)).track
        assert somebody_repeats(squatting, "squat")
        if standing.times_s[-1] > REPETITION_S:
            assert not somebody_repeats(standing, "squat")
            # Too short for a repetition to end: nothing follows from there being none.
            assert somebody_repeats(standing.between(0, REPETITION_S - 0.5), "squat")


def test_evaluation_counts_as_unsure_what_the_program_says_it_is_not_sure_of() -> None:
    config = replace(CONFIG, members=(Member("one.ckpt", 1.0, 0.0),))
    tracks = [synthesize(what, np.random.default_rng(0), repetitions=4).track for what in ("squat", "still")]
    squat = catalog().exercise("squat").id
    clips = []
    for track in tracks:
        read = answered(track, "squat")
        # As logits: 60 % for the squat, none of these far below.
        logits = np.full((len(read.starts_s), len(catalog().exercises) + 1), np.log(0.4 / 15), np.float32)
        logits[:, squat], logits[:, -1] = np.log(0.6), -9
        heads = (Logits(logits, np.zeros((len(logits), 0), np.float32)),)
        labels = Labels(squat, (float("nan"),) * len(catalog().muscles))
        weights = window_weights(track, read.starts_s, 4.0)
        clips.append(ScoredClip("", "", labels, heads, weights, track, read.starts_s, 4.0))
    assert [measure("", [clip], config).other.uncertain for clip in clips] == [0.0, 1.0]
    assert measure("", clips, config).other.uncertain == 0.5


def test_nobody_repeats_nothing() -> None:
    track = synthesize("squat", np.random.default_rng(0), repetitions=4).track
    unseen = PoseTrack(
        track.times_s,
        np.zeros_like(track.landmarks),
        np.zeros_like(track.world),
        np.zeros_like(track.presence),
        track.frame_width,
        track.frame_height,
    )
    assert not somebody_repeats(unseen, "squat")
