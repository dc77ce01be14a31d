"""What `fitcli.pose` promises: MediaPipe's landmarks without MediaPipe, on one person, through cuts and losses."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from support.cli import ROOT

from fitcli.pose.blazepose import BlazePose, Detection, PoseSample
from fitcli.pose.track import LANDMARKS, MIRRORED
from fitcli.pose.tracker import SEGMENT_FRAMES, PoseTracker, track
from fitcli.video import Frame, Image, frames

SAMPLE = ROOT / "samples" / "squat.mp4"
SHARED = ROOT.parent / "shared"
HIPS = [LANDMARKS.index("left hip"), LANDMARKS.index("right hip")]


class CountingBlazePose(BlazePose):
    """BlazePose that also counts how often each network runs."""

    detections = 0
    landmark_runs = 0

    def detect(self, image: Image) -> list[Detection]:
        self.detections += 1
        return super().detect(image)

    def landmarks(self, image: Image, *rest: object) -> tuple[PoseSample, object]:  # type: ignore[override]
        self.landmark_runs += 1
        return super().landmarks(image, *rest)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> CountingBlazePose:
    return CountingBlazePose()


@pytest.fixture
def tracker(model: CountingBlazePose) -> PoseTracker:
    model.detections = model.landmark_runs = 0
    return PoseTracker(model)


@pytest.fixture(scope="module")
def sample() -> list[Frame]:
    return list(frames(SAMPLE, rate_hz=None))


def pixels(pose: PoseSample, image: Image) -> np.ndarray:
    return pose.landmarks[:, :2] * (image.shape[1], image.shape[0])


def body_height(points: np.ndarray) -> float:
    return float(np.ptp(points, axis=0).max())


def on_canvas(room: Image, people: list[tuple[Image, int]], size: tuple[int, int] = (640, 360)) -> Image:
    """The room of a sample's frame without its person, and people in it: each a picture and its left edge in pixels."""
    canvas = PillowImage.fromarray(room[:, 4:5]).resize(size)  # one column of wall and floor, stretched
    for picture, left in people:
        canvas.paste(PillowImage.fromarray(picture), (left, size[1] - picture.shape[0]))
    return np.asarray(canvas)


def person(image: Image, height: int) -> Image:
    """The middle of a sample's frame, `height` pixels high: its person and little else."""
    middle = PillowImage.fromarray(image[:, image.shape[1] // 4 : image.shape[1] * 3 // 4])
    return np.asarray(middle.resize((middle.width * height // middle.height, height)))


def test_landmarks_are_mediapipes_within_two_percent_of_body_height(tracker: PoseTracker, sample: list[Frame]) -> None:
    measured = json.loads((Path(__file__).parent / "data" / "mediapipe_landmarks.json").read_text(encoding="utf-8"))[
        "frames"
    ]
    assert len(measured) >= 10
    for row in measured:
        image = sample[row["frame"]].image
        theirs = np.array(row["landmarks"])
        points = theirs[:, :2] * (image.shape[1], image.shape[0])
        visible = theirs[:, 2] > 0.5

        tracker.reset()
        ours = tracker.update(image)

        assert ours is not None
        off = np.linalg.norm(pixels(ours, image) - points, axis=1)[visible] / body_height(points)
        assert off.max() < 0.02, row["frame"]
        assert off.mean() < 0.005, row["frame"]
        assert np.abs(ours.landmarks[:, 2] - theirs[:, 2]).max() < 0.05
        assert np.linalg.norm(ours.world - row["world"], axis=1).mean() < 0.02  # metres


@pytest.mark.skipif(not (SHARED / "poses").is_dir(), reason="the pose sequences of ../shared are not here")
def test_landmarks_are_those_that_the_shipped_networks_learned_from(model: CountingBlazePose) -> None:
    landmarks, times_s = (np.load(SHARED / "poses" / f"{n}.npy", mmap_mode="r") for n in ("landmarks", "times"))
    with (SHARED / "poses" / "clips.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["split"] == "dev"]
    off = []
    for row in rows[::12]:
        clip = slice(int(row["first"]), int(row["first"]) + int(row["frames"]))
        ours = track(frames(SHARED / "clips" / "dev" / f"{row['id']}.mp4", end_s=2.0), model=model)
        for time_s, pose in zip(ours.times_s, ours.landmarks, strict=True):
            nearest = int(np.abs(times_s[clip] - time_s).argmin())
            theirs = landmarks[clip][nearest].astype(np.float32)
            if theirs.any() and pose.any():
                size = (ours.frame_width, ours.frame_height)
                distances = np.linalg.norm((pose - theirs)[:, :2] * size, axis=1)
                off.append(np.median(distances) / body_height(theirs[:, :2] * size))
    assert len(off) > 100
    assert np.median(off) < 0.03


def test_a_track_has_a_row_for_every_frame_and_the_person_in_each(
    model: CountingBlazePose, sample: list[Frame]
) -> None:
    seen = []
    poses = track(frames(SAMPLE), model=model, on_sample=lambda frame, pose: seen.append((frame.time_s, pose)))
    assert len(poses) == len(seen) == -(-len(sample) // 2)
    assert poses.landmarks.shape == poses.world.shape == (len(poses), 33, 3)
    assert {poses.landmarks.dtype, poses.world.dtype, poses.presence.dtype} == {np.dtype(np.float32)}
    assert poses.times_s.tolist() == [time_s for time_s, _ in seen]
    assert (poses.frame_width, poses.frame_height) == sample[0].image.shape[1::-1]
    assert poses.found == 1.0
    assert poses.presence.min() > 0.9
    knees = poses.landmarks[:, LANDMARKS.index("left knee"), 1]
    hips = poses.landmarks[:, HIPS[0], 1]
    assert (knees - hips).min() < 0.5 * (knees - hips).max()  # it squats
    assert np.abs(poses.world[:, HIPS].mean(axis=1)).max() < 0.03  # metres: the hips are the origin


def test_nobody_in_the_picture_is_zeros_and_not_an_error(model: CountingBlazePose) -> None:
    blank = [Frame(i / 15, np.full((360, 640, 3), 127, np.uint8)) for i in range(5)]
    poses = track(blank, model=model)
    assert len(poses) == 5
    assert poses.found == 0.0
    assert not poses.landmarks.any()
    assert not poses.world.any()


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3), (2160, 3840)])
def test_any_size_of_picture_is_looked_at(shape: tuple[int, int], tracker: PoseTracker) -> None:
    assert tracker.update(np.zeros((*shape, 3), np.uint8)) is None


def test_the_detector_runs_once_while_the_person_is_followed(
    tracker: PoseTracker, model: CountingBlazePose, sample: list[Frame]
) -> None:
    for frame in sample[::2]:
        tracker.update(frame.image)
    assert model.detections == 1
    assert model.landmark_runs == len(sample[::2])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_body_lying_or_upside_down_is_the_same_body_turned(
    turns: int, tracker: PoseTracker, sample: list[Frame]
) -> None:
    image = sample[0].image
    upright = tracker.update(image)
    tracker.reset()
    turned = np.ascontiguousarray(np.rot90(image, turns))
    lying = tracker.update(turned)
    assert upright is not None
    assert lying is not None

    x, y = pixels(upright, image).T
    for _ in range(turns):  # one counter-clockwise quarter turn of the picture each
        x, y, image = y, image.shape[1] - x, np.rot90(image)
    points = np.stack([x, y], axis=1)
    assert np.linalg.norm(pixels(lying, turned) - points, axis=1).mean() < 0.03 * body_height(points)

    world = upright.world.copy()
    for _ in range(turns):
        world = np.stack([world[:, 1], -world[:, 0], world[:, 2]], axis=1)
    assert np.linalg.norm((lying.world - world)[:, :2], axis=1).mean() < 0.06  # metres


def test_a_mirrored_picture_swaps_left_and_right(tracker: PoseTracker, sample: list[Frame]) -> None:
    image = sample[0].image
    plain = tracker.update(image)
    tracker.reset()
    mirrored = tracker.update(np.ascontiguousarray(image[:, ::-1]))
    assert plain is not None
    assert mirrored is not None
    points = mirrored.landmarks[list(MIRRORED), :2] * (-1, 1) + (1, 0)
    assert np.abs(points - plain.landmarks[:, :2]).mean() < 0.02


def test_a_person_half_out_of_the_picture_is_followed(tracker: PoseTracker, sample: list[Frame]) -> None:
    image, pose = sample[0].image, None
    for cut in range(0, 130, 10):  # the camera sinks until the feet are gone
        pose = tracker.update(np.ascontiguousarray(image[: image.shape[0] - cut]))
        assert pose is not None
    assert pose is not None
    feet = [i for i, name in enumerate(LANDMARKS) if "ankle" in name or "foot" in name or "heel" in name]
    assert pose.landmarks[feet, 1].min() > 0.95  # under the lower edge, or at it
    assert pose.landmarks[feet, 2].mean() < pose.landmarks[HIPS, 2].mean() - 0.3  # and it says that it cannot see them


def test_after_a_hard_cut_the_person_is_looked_for_anew(
    tracker: PoseTracker, model: CountingBlazePose, sample: list[Frame]
) -> None:
    image = sample[0].image
    left = on_canvas(image, [(person(image, 300), 0)])
    right = on_canvas(image // 3, [(person(image, 200) // 3, 430)])  # another place and another light
    for _ in range(3):
        tracker.update(left)
    assert model.detections == 1
    pose = tracker.update(right)
    assert model.detections == 2
    assert pose is not None
    assert pose.landmarks[HIPS, 0].mean() * 640 > 430


def test_the_larger_person_is_followed_and_not_given_up_for_another(tracker: PoseTracker, sample: list[Frame]) -> None:
    image = sample[0].image
    large, small, larger = (person(image, height) for height in (330, 150, 350))
    first = tracker.update(on_canvas(image, [(large, 20), (small, 480)]))
    assert first is not None
    assert first.landmarks[HIPS, 0].mean() < 0.4
    for _ in range(5):  # somebody larger and more central walks in
        later = tracker.update(on_canvas(image, [(larger, 300), (large, 20)]))
        assert later is not None
        assert later.landmarks[HIPS, 0].mean() < 0.4


def test_a_person_who_was_lost_for_a_moment_is_found_again_among_others(
    tracker: PoseTracker, sample: list[Frame]
) -> None:
    image = sample[0].image
    small, large = person(image, 220), person(image, 330)
    assert tracker.update(on_canvas(image, [(small, 30)])) is not None
    assert tracker.update(on_canvas(image, [])) is None
    both = on_canvas(image, [(small, 30), (large, 350)])
    found = tracker.update(both)
    assert found is not None
    assert found.landmarks[HIPS, 0].mean() < 0.4

    tracker.reset()  # and without that memory it would be the larger one
    found = tracker.update(both)
    assert found is not None
    assert found.landmarks[HIPS, 0].mean() > 0.4


def test_stretches_followed_side_by_side_give_the_track_of_one_core(sample: list[Frame]) -> None:
    one, several = (track(sample[:110], model=BlazePose(streams=streams)) for streams in (1, 3))
    assert len(one) > 3 * SEGMENT_FRAMES
    assert np.array_equal(one.times_s, several.times_s)
    assert np.allclose(one.landmarks, several.landmarks, atol=1e-5)
    assert np.allclose(one.world, several.world, atol=1e-5)


def test_who_is_followed_does_not_change_where_a_stretch_begins(model: CountingBlazePose, sample: list[Frame]) -> None:
    """A detection in the second segment alone would choose the larger person, who appears later."""
    image = sample[0].image
    small, large = person(image, 220), person(image, 330)
    alone, joined = on_canvas(image, [(small, 30)]), on_canvas(image, [(small, 30), (large, 350)])
    shown = [alone] * 5 + [joined] * (2 * SEGMENT_FRAMES)
    poses = track([Frame(i / 15, picture) for i, picture in enumerate(shown)], model=model)
    assert poses.found == 1.0
    hips = poses.landmarks[:, HIPS, 0].mean(axis=1)
    assert np.abs(hips - hips[0]).max() < 0.02  # frame widths
    assert (track([Frame(0.0, joined)], model=model).landmarks[:, HIPS, 0].mean() - hips[0]) > 0.1


def test_who_was_lost_is_found_again_in_a_later_stretch(model: CountingBlazePose, sample: list[Frame]) -> None:
    image = sample[0].image
    small, large = person(image, 220), person(image, 330)
    shown = (
        [on_canvas(image, [(small, 30)])] * 5
        + [on_canvas(image, [])] * (2 * SEGMENT_FRAMES)
        + [on_canvas(image, [(small, 30), (large, 350)])] * 5
    )
    poses = track([Frame(i / 15, picture) for i, picture in enumerate(shown)], model=model)
    hips = poses.landmarks[:, HIPS, 0].mean(axis=1)
    assert poses.presence[0] > 0.5
    assert poses.presence[-1] > 0.5
    assert abs(hips[-1] - hips[0]) < 0.02


def test_frames_of_one_person_in_one_place_give_one_pose(tracker: PoseTracker, sample: list[Frame]) -> None:
    still = [tracker.update(sample[0].image) for _ in range(20)]
    points = np.array([pixels(pose, sample[0].image) for pose in still if pose])
    assert len(points) == 20
    drift = np.linalg.norm(points[-1] - points[0], axis=1).mean()
    assert drift < 0.02 * body_height(points[0])


BUILD = (
    "from fitcli.pose.blazepose import BlazePose; import numpy; BlazePose().detect(numpy.zeros((64, 64, 3), 'uint8'))"
)


@pytest.mark.parametrize("state", ["missing", "a file in the way", "damaged", "cut off"])
def test_the_networks_load_whatever_the_cache_folder_is_like(state: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    if state == "a file in the way":
        cache.touch()
    elif state != "missing":
        subprocess.run([sys.executable, "-c", BUILD], env=environment, check=True, timeout=120)
        blobs = [path for path in cache.rglob("*") if path.is_file()]
        assert blobs
        for blob in blobs:
            blob.chmod(0o600)
            blob.write_bytes(bytes(1000) if state == "damaged" else blob.read_bytes()[: blob.stat().st_size // 2])
    subprocess.run([sys.executable, "-c", BUILD], env=environment, check=True, timeout=120)


def test_importing_the_room_costs_no_inference_engine_and_no_opencv() -> None:
    script = (
        "import sys, fitcli.pose.tracker, fitcli.pose.blazepose\n"
        "assert not {'openvino', 'av', 'cv2', 'torch', 'mediapipe'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
