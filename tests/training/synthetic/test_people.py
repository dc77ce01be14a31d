"""Synthetic people: what they do, what is seen of them, and that the counts given with them are true."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from fitcli.catalog import catalog
from fitcli.pose.track import LANDMARKS, MIRRORED
from fitcli.training.synthetic.movements import MOVEMENTS, OTHER_MOVEMENTS
from fitcli.training.synthetic.people import ELSE, STILL, WALKING, Camera, Noise, SyntheticSequence, synthesize

AT = {name: i for i, name in enumerate(LANDMARKS)}
CALF_RAISES = [movement.name for movement in MOVEMENTS["calf raise"]]
HELD = [exercise.name for exercise in catalog().exercises if exercise.counted == "seconds"]
VARIANTS = [
    (exercise, movement.name)
    for exercise, variants in {**MOVEMENTS, ELSE: OTHER_MOVEMENTS}.items()
    for movement in variants
    # As small as a body's sway, and held still: they have tests of their own.
    if exercise not in ("calf raise", *HELD)
]
PERFECT = Noise.none()


def angle_deg(points: npt.NDArray[np.float32], first: str, middle: str, last: str) -> npt.NDArray[np.float32]:
    """The angle (N,) at the middle joint."""
    u, v = points[:, AT[first]] - points[:, AT[middle]], points[:, AT[last]] - points[:, AT[middle]]
    cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def test_every_exercise_of_the_catalogue_has_variants() -> None:
    assert tuple(MOVEMENTS) == catalog().exercise_names
    assert all(len(variants) >= 4 for variants in MOVEMENTS.values())


@pytest.mark.parametrize(("exercise", "variant"), VARIANTS)
def test_each_repetition_leaves_a_pose_and_comes_back_to_it(exercise: str, variant: str) -> None:
    sequence = synthesize(
        exercise,
        np.random.default_rng(7),
        variant=variant,
        repetitions=3,
        noise=PERFECT,
        rate_hz=30,
        surroundings=False,
    )
    assert (sequence.exercise, sequence.variant) == (None if exercise == ELSE else exercise, variant)
    assert sequence.repetitions == 3
    assert len(sequence.repetition_times_s) == 3
    times = sequence.track.times_s
    for start_s, end_s in sequence.repetition_times_s:
        first, last = (int(np.argmin(abs(times - at))) for at in (start_s, end_s))
        world = sequence.track.world[first : last + 1]
        moved = np.linalg.norm(world - world[0], axis=2).max(axis=1)
        assert moved.max() > 0.1, "nothing moves"
        assert moved[-1] < 0.5 * moved.max(), "does not come back"
        assert 0.2 < moved.argmax() / len(moved) < 0.85, "is furthest away at one of its ends"
    ends = np.array(sequence.repetition_times_s).ravel()
    assert (np.diff(ends) >= -1e-9).all()
    assert ends[0] >= 0
    assert ends[-1] <= times[-1] + 1 / 30


def test_the_count_is_what_a_naive_observer_of_the_joint_counts() -> None:
    watched = {"squat": ("hip", "knee", "ankle"), "bicep curl": ("shoulder", "elbow", "wrist")}
    for exercise, joints in watched.items():
        for seed in range(6):
            sequence = synthesize(exercise, np.random.default_rng(seed), noise=PERFECT)
            left, right = (
                angle_deg(sequence.track.world, *(f"{side} {joint}" for joint in joints)) for side in ("left", "right")
            )
            bent = np.minimum(left, right)
            times = sequence.track.times_s
            inside = np.any([(times >= start) & (times <= end) for start, end in sequence.repetition_times_s], axis=0)
            middle = (bent[inside].max() + bent[inside].min()) / 2
            down = (bent < middle) & inside
            assert int((np.diff(down.astype(int)) == 1).sum()) == sequence.repetitions, (exercise, seed)


@pytest.mark.parametrize("exercise", [*MOVEMENTS, ELSE, STILL, WALKING])
def test_tracks_are_well_formed(exercise: str) -> None:
    for seed in range(4):
        track = synthesize(exercise, np.random.default_rng(seed)).track
        n = len(track)
        assert track.landmarks.shape == track.world.shape == (n, 33, 3)
        assert track.landmarks.dtype == track.world.dtype == track.presence.dtype == np.float32
        assert np.isfinite(track.landmarks).all()
        assert np.isfinite(track.world).all()
        assert (np.diff(track.times_s) > 0).all()
        assert track.landmarks[..., 2].min() >= 0
        assert track.landmarks[..., 2].max() <= 1
        nobody = track.presence == 0
        assert (track.landmarks[nobody] == 0).all()
        assert (track.world[nobody] == 0).all()
        hips = track.world[~nobody][:, [AT["left hip"], AT["right hip"]]].mean(axis=1)
        assert np.abs(hips).max() < 1e-5
        assert track.found > 0.5


def test_people_who_do_not_train_have_no_repetitions() -> None:
    for exercise in (STILL, WALKING):
        sequence = synthesize(exercise, np.random.default_rng(0))
        assert (sequence.exercise, sequence.repetitions, sequence.repetition_times_s) == (None, 0, ())
    walker = synthesize(WALKING, np.random.default_rng(1), noise=PERFECT).track.world
    stander = synthesize(STILL, np.random.default_rng(1), noise=PERFECT).track.world
    ankle = AT["left ankle"]
    assert np.ptp(walker[:, ankle], axis=0).max() > 2 * np.ptp(stander[:, ankle], axis=0).max()


def test_a_lunge_bends_both_knees_and_leaves_one_foot_behind() -> None:
    for seed in range(4):
        sequence = synthesize(
            "lunge",
            np.random.default_rng(seed),
            variant="reverse lunge",
            repetitions=1,
            noise=PERFECT,
            surroundings=False,
        )
        world = sequence.track.world
        low = int(world[:, AT["nose"], 1].argmax())
        knees = [angle_deg(world, f"{side} hip", f"{side} knee", f"{side} ankle") for side in ("left", "right")]
        assert all(knee[low] < 120 < 150 < knee[0] for knee in knees)
        feet = world[:, [AT["left ankle"], AT["right ankle"]]]
        apart = np.linalg.norm(feet[:, 0] - feet[:, 1], axis=1)
        assert apart[low] > apart[0] + 0.3


@pytest.mark.parametrize("exercise", HELD)
def test_what_is_held_stays_where_it_is(exercise: str) -> None:
    for movement in MOVEMENTS[exercise]:
        sequence = synthesize(
            exercise, np.random.default_rng(7), variant=movement.name, noise=PERFECT, surroundings=False
        )
        world = sequence.track.world
        moved = np.linalg.norm(world - np.median(world, axis=0), axis=2).max(axis=1)
        assert np.quantile(moved, 0.9) < 0.15, movement.name  # a sway for a moment is no movement
        trunk = world[:, AT["left shoulder"]] - world[:, AT["left hip"]]
        assert abs(trunk[:, 1] / np.linalg.norm(trunk, axis=1)).max() < 0.6, movement.name  # nearer level than upright


@pytest.mark.parametrize("variant", CALF_RAISES)
def test_a_calf_raise_lifts_the_heels_off_the_toes(variant: str) -> None:
    sequence = synthesize(
        "calf raise",
        np.random.default_rng(3),
        variant=variant,
        repetitions=2,
        rate_hz=30,
        noise=PERFECT,
        surroundings=False,
    )
    for side in ("left", "right"):
        world = sequence.track.world
        raised = world[:, AT[f"{side} foot index"], 1] - world[:, AT[f"{side} heel"], 1]  # down is positive
        for start_s, end_s in sequence.repetition_times_s:
            inside = raised[(sequence.track.times_s >= start_s) & (sequence.track.times_s <= end_s)]
            assert inside.max() - max(inside[0], inside[-1]) > 0.04


def test_the_seed_decides_everything() -> None:
    same, again, other = (synthesize("deadlift", np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(same.track.landmarks, again.track.landmarks)
    np.testing.assert_array_equal(same.track.world, again.track.world)
    assert same.repetition_times_s == again.repetition_times_s
    assert other.track.landmarks.shape != same.track.landmarks.shape or (other.track.world != same.track.world).any()


def seen(
    exercise: str, camera: Camera, noise: Noise = PERFECT, seed: int = 5, variant: str | None = None
) -> SyntheticSequence:
    return synthesize(
        exercise,
        np.random.default_rng(seed),
        variant=variant,
        repetitions=3,
        camera=camera,
        noise=noise,
        surroundings=False,
    )


def test_bones_keep_their_length_where_nothing_goes_wrong() -> None:
    world = seen("push-up", Camera(yaw_deg=70)).track.world
    for first, last in (("left shoulder", "left elbow"), ("left hip", "left knee"), ("right knee", "right ankle")):
        length = np.linalg.norm(world[:, AT[first]] - world[:, AT[last]], axis=1)
        assert np.ptp(length) < 1e-3
        assert 0.15 < length.mean() < 0.5


@pytest.mark.parametrize(
    ("exercise", "variant", "still", "moving"),
    [
        ("squat", "bar on the back", ("left ankle", "right ankle"), "nose"),
        ("push-up", "standard", ("left wrist", "right wrist", "left foot index"), "nose"),
        ("tricep dips", "parallel bars", ("left wrist", "right wrist"), "left hip"),
        ("hip thrust", "on a bench", ("left ankle", "right ankle"), "left hip"),
        ("leg raises", "hanging", ("left wrist", "right wrist"), "left ankle"),
    ],
)
def test_what_stands_or_holds_on_stays_where_it_is(
    exercise: str, variant: str, still: tuple[str, ...], moving: str
) -> None:
    image = seen(exercise, Camera(yaw_deg=80, fill=0.8), variant=variant).track.landmarks
    travel = {name: float(np.ptp(image[:, AT[name], :2], axis=0).max()) for name in (*still, moving)}
    assert travel[moving] > 0.08
    assert max(travel[name] for name in still) < 0.3 * travel[moving]


def test_the_camera_sees_the_person_from_its_side() -> None:
    def across(camera: Camera) -> float:
        image = seen("bicep curl", camera).track.landmarks
        return float((image[:, AT["left shoulder"], 0] - image[:, AT["right shoulder"], 0]).mean())

    front, side, back = (across(Camera(yaw_deg=yaw)) for yaw in (0, 90, 180))
    assert front > 0.05  # in a picture, the left shoulder of a person who faces it is on the right
    assert back < -0.05
    assert abs(side) < 0.3 * front
    level, above = (seen("squat", Camera(pitch_deg=pitch)).track.world for pitch in (0, 40))
    depth = [float((w[:, AT["nose"], 2] - w[:, AT["left ankle"], 2]).mean()) for w in (level, above)]
    assert depth[1] < depth[0] - 0.3  # from above, the head is nearer than the feet
    tall = seen("squat", Camera(width=360, height=640)).track
    assert (tall.frame_width, tall.frame_height) == (360, 640)


def test_a_mirrored_camera_changes_left_and_right_over() -> None:
    plain = seen("bicep curl", Camera(yaw_deg=30), variant="one arm").track
    mirror = seen("bicep curl", Camera(yaw_deg=30, mirrored=True), variant="one arm").track
    np.testing.assert_allclose(mirror.landmarks[..., 0], 1 - plain.landmarks[:, MIRRORED, 0], atol=1e-5)
    np.testing.assert_allclose(mirror.world[..., 0], -plain.world[:, MIRRORED, 0], atol=1e-5)
    np.testing.assert_allclose(mirror.world[..., 1:], plain.world[:, MIRRORED, 1:], atol=1e-5)


def test_what_the_body_or_the_frame_hides_is_less_visible() -> None:
    noise = Noise(hidden_limb=0.0, swaps_per_s=0.0, dropouts_per_s=0.0)
    near, far, cut, whole = [], [], [], []
    for seed in range(8):
        side = seen("bicep curl", Camera(yaw_deg=85), noise, seed, "standing").track.landmarks
        near.append(side[:, AT["left elbow"], 2].mean())
        far.append(side[:, AT["right elbow"], 2].mean())
        low = seen("bicep curl", Camera(fill=1.2, shift_y=0.4), noise, seed, "standing").track.landmarks
        cut.append(low[:, AT["left ankle"], 2].mean())
        whole.append(low[:, AT["left elbow"], 2].mean())
    assert np.mean(near) > 0.85 > 0.5 > np.mean(far)
    assert np.mean(whole) > 0.85 > 0.4 > np.mean(cut)


def test_noise_is_of_the_size_that_was_measured() -> None:
    wrong = {"jitter": [], "flat": []}  # type: dict[str, list[float]]
    for seed in range(12):
        camera = Camera(yaw_deg=20)
        true = seen("lateral raise", camera, seed=seed, variant="standing").track.world
        measured = seen("lateral raise", camera, Noise(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0), seed, "standing").track.world
        shaky = seen("lateral raise", camera, Noise(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), seed, "standing").track.world
        jump = np.diff(shaky, 2, axis=0)[:, AT["left wrist"], 1] / np.sqrt(6)
        wrong["jitter"].append(float(np.median(np.abs(jump)) * 1.48))
        arm = [angle_deg(w, "left shoulder", "left elbow", "left wrist").max() for w in (true, measured)]
        wrong["flat"].append(float(arm[0] - arm[1]))
    assert 0.004 < np.median(wrong["jitter"]) < 0.015  # metres from sample to sample
    assert 8 < np.median(wrong["flat"]) < 30  # degrees that a stretched arm lacks


def test_left_and_right_are_taken_for_each_other_and_people_missed_as_often_as_asked() -> None:
    shy = seen("squat", Camera(), Noise(dropouts_per_s=1.0)).track
    assert 0.1 < (shy.presence == 0).mean() < 0.9
    sure = seen("squat", Camera(), Noise(0, 0, 0, 0, 0, 0, 0)).track
    confused = seen("squat", Camera(), Noise(0, 0, 0, 0, 0, swaps_per_s=2.0, dropouts_per_s=0)).track
    knees = [t.world[:, AT["left knee"], 0] - t.world[:, AT["right knee"], 0] for t in (sure, confused)]
    assert (knees[0] > 0).all()
    assert 0.02 < (knees[1] < 0).mean() < 0.9


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError):
        synthesize("handstand", np.random.default_rng(0))
    with pytest.raises(KeyError):
        synthesize("squat", np.random.default_rng(0), variant="on one finger")
    with pytest.raises(ValueError, match="at least one"):
        synthesize("squat", np.random.default_rng(0), repetitions=0)


def test_making_people_needs_numpy_alone() -> None:
    code = (
        "import sys, numpy; from fitcli.training.synthetic.people import synthesize; "
        "synthesize('squat', numpy.random.default_rng(0)); "
        "heavy = {'torch', 'cv2', 'openvino', 'av', 'scipy', 'lightning'} & set(sys.modules); "
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
