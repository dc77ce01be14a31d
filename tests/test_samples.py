"""The sample videos that ship: small, playable anywhere, and showing what `samples.toml` says of them."""

from __future__ import annotations

import tomllib
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from support.cli import ROOT

from fitcli.catalog import catalog
from fitcli.pose.blazepose import BlazePose
from fitcli.pose.track import LANDMARKS, PoseTrack
from fitcli.pose.tracker import track
from fitcli.video import frames

FOLDER = ROOT / "samples"
SAMPLES: list[dict[str, Any]] = tomllib.loads((FOLDER / "samples.toml").read_text(encoding="utf-8"))["sample"]
AT = {name: i for i, name in enumerate(LANDMARKS)}

BENDING = {
    "squat": ("hip", "knee", "ankle"),
    "push-up": ("shoulder", "elbow", "wrist"),
    "bicep curl": ("shoulder", "elbow", "wrist"),
}
"""The joint whose angle tells the repetitions of each sample."""

PLANTED = {
    "squat": ("left ankle", "right ankle", "left foot index", "right foot index"),
    "push-up": ("left ankle", "right ankle", "left wrist", "right wrist"),
    "bicep curl": ("left ankle", "right ankle", "left foot index", "right foot index"),
}
"""What stands on the floor."""


@pytest.fixture(scope="module")
def tracks() -> dict[str, PoseTrack]:
    model = BlazePose()
    return {sample["file"]: track(frames(FOLDER / sample["file"]), model=model) for sample in SAMPLES}


def bending_deg(pose: PoseTrack, exercise: str) -> npt.NDArray[np.float32]:
    """The mean of both sides' joint angles (N,)."""
    angles = []
    for side in ("left", "right"):
        first, middle, last = (pose.world[:, AT[f"{side} {joint}"]] for joint in BENDING[exercise])
        u, v = first - middle, last - middle
        cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
        angles.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.asarray(np.mean(angles, axis=0))


def test_every_sample_is_listed_once_with_an_exercise_of_the_catalogue() -> None:
    listed = [sample["file"] for sample in SAMPLES]
    assert sorted(listed) == sorted(path.name for path in FOLDER.glob("*.mp4"))
    assert {"squat.mp4"} <= set(listed)
    assert all(sample["exercise"] in catalog().exercise_names and sample["repetitions"] >= 2 for sample in SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["file"]))
def test_samples_are_small_and_play_anywhere(sample: dict[str, Any]) -> None:
    path = FOLDER / sample["file"]
    assert path.stat().st_size < 600_000
    with av.open(path) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 30
        times = [float(frame.time or 0) for frame in container.decode(stream)]
    assert 4 <= len(times) / 30 <= 6.5
    assert np.allclose(np.diff(times), 1 / 30, atol=2e-3)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["file"]))
def test_the_person_is_seen_and_does_the_repetitions_that_are_listed(
    sample: dict[str, Any], tracks: dict[str, PoseTrack]
) -> None:
    pose = tracks[sample["file"]]
    assert pose.found > 0.95
    limbs = [AT[f"{side} {joint}"] for side in ("left", "right") for joint in BENDING[sample["exercise"]]]
    assert np.median(pose.landmarks[:, limbs, 2]) > 0.8
    angle = bending_deg(pose, sample["exercise"])
    low, high = np.percentile(angle, [3, 97])
    assert high - low > 50
    bent = angle < low + 0.35 * (high - low)
    stretched = angle > low + 0.65 * (high - low)
    # A repetition: stretched, bent, stretched; the wide gap between the two keeps jitter from counting.
    state, turns = "stretched", []
    for is_bent, is_stretched in zip(bent, stretched, strict=True):
        if (state == "stretched" and is_bent) or (state == "bent" and is_stretched):
            state = "bent" if is_bent else "stretched"
            turns.append(state)
    assert turns == ["bent", "stretched"] * sample["repetitions"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["file"]))
def test_hands_and_feet_on_the_floor_do_not_slide(sample: dict[str, Any], tracks: dict[str, PoseTrack]) -> None:
    pose = tracks[sample["file"]]
    pixels = pose.landmarks[:, :, :2] * (pose.frame_width, pose.frame_height)
    height = float(np.ptp(pixels.reshape(-1, 2), axis=0).max())
    for name in PLANTED[sample["exercise"]]:
        place = pixels[:, AT[name]]
        assert np.percentile(np.linalg.norm(place - np.median(place, axis=0), axis=1), 95) < 0.06 * height, name


def test_the_licence_of_the_body_is_told() -> None:
    text = (FOLDER / "LICENSE.md").read_text(encoding="utf-8")
    assert "CC0" in text
    assert "MakeHuman" in text
    assert "Apache" in text
