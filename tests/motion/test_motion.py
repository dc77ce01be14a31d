"""What a user may rely on when their repetitions are counted, on synthetic people whose counts are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fitcli.catalog import catalog
from fitcli.motion import LiveCounter, WindowLabel, count_repetitions, find_sets
from fitcli.motion.live import MEMORY_S
from fitcli.pose.track import LANDMARKS, MIRRORED, PoseTrack
from fitcli.results.sets import Curve, ExerciseSet, Repetition
from fitcli.training.synthetic.movements import MOVEMENTS
from fitcli.training.synthetic.people import STILL, WALKING, Camera, Noise, SyntheticSequence, synthesize

EXERCISES = [exercise.name for exercise in catalog().exercises if exercise.signal]
THREE_QUARTER = Camera(yaw_deg=40)


def person(
    exercise: str, seed: int = 1, *, repetitions: int | None = 5, camera: Camera = THREE_QUARTER, **options: object
) -> SyntheticSequence:
    rng = np.random.default_rng(seed)
    if exercise in (STILL, WALKING):
        return synthesize(exercise, rng)
    usual = {"surroundings": False, "repetition_s": 2.0, "noise": Noise.none(), "variant": MOVEMENTS[exercise][0].name}
    options = usual | options
    return synthesize(exercise, rng, repetitions=repetitions, camera=camera, **options)  # type: ignore[arg-type]


def counted(track: PoseTrack, exercise: str | None) -> int:
    found = count_repetitions(track, exercise)
    return len(found.repetitions) if found else 0


def joined(*tracks: PoseTrack, pause_s: float = 0.1) -> PoseTrack:
    """One track after the other; in a pause of more than a moment the person stays as they were."""
    times, start_s = [], 0.0
    parts = []
    for i, track in enumerate(tracks):
        shifted = track.times_s - track.times_s[0] + start_s
        times.append(shifted)
        parts.append(track)
        start_s = float(shifted[-1]) + 0.067
        if i + 1 < len(tracks) and pause_s > 0.2:
            still = np.arange(start_s, start_s + pause_s, 1 / 15)
            last = np.full(len(still), len(track) - 1)
            times.append(still)
            parts.append(replace(track, landmarks=track.landmarks[last], world=track.world[last],
                                 presence=track.presence[last]))  # fmt: skip
            start_s = float(still[-1]) + 0.067
    return PoseTrack(
        np.concatenate(times),
        np.concatenate([p.landmarks for p in parts]),
        np.concatenate([p.world for p in parts]),
        np.concatenate([p.presence for p in parts]),
        tracks[0].frame_width,
        tracks[0].frame_height,
    )


def labels(track: PoseTrack, names: Callable[[float], str | None], probability: float = 0.8) -> list[WindowLabel]:
    starts = np.arange(track.times_s[0], max(track.times_s[-1] - 1.9, track.times_s[0] + 0.1), 2.0)
    return [WindowLabel(float(s), float(s) + 4.0, names(float(s) + 2.0), probability) for s in starts]


def mirrored(track: PoseTrack) -> PoseTrack:
    landmarks, world = track.landmarks[:, MIRRORED].copy(), track.world[:, MIRRORED].copy()
    landmarks[:, :, 0] = 1 - landmarks[:, :, 0]
    world[:, :, 0] *= -1
    return replace(track, landmarks=landmarks, world=world)


def rolled(track: PoseTrack) -> PoseTrack:
    """The phone turned by 90 degrees, and nobody told."""
    landmarks, world = track.landmarks.copy(), track.world.copy()
    landmarks[:, :, 0], landmarks[:, :, 1] = 1 - track.landmarks[:, :, 1], track.landmarks[:, :, 0]
    world[:, :, 0], world[:, :, 1] = -track.world[:, :, 1], track.world[:, :, 0]
    return replace(
        track, landmarks=landmarks, world=world, frame_width=track.frame_height, frame_height=track.frame_width
    )


def far_away(track: PoseTrack) -> PoseTrack:
    landmarks = track.landmarks.copy()
    landmarks[:, :, :2] = 0.6 + 0.3 * (landmarks[:, :, :2] - 0.5)
    return replace(track, landmarks=landmarks)


def every_third(track: PoseTrack) -> PoseTrack:
    return PoseTrack(
        track.times_s[::3], track.landmarks[::3], track.world[::3], track.presence[::3], track.frame_width,
        track.frame_height,
    )  # fmt: skip


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_exercise_is_counted(exercise: str) -> None:
    sequence = person(exercise, repetitions=6)
    assert counted(sequence.track, exercise) == 6


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_shaky_camera_and_hidden_limbs_cost_at_most_one_repetition(exercise: str) -> None:
    sequence = person(exercise, seed=3, repetitions=6, noise=Noise())
    assert abs(counted(sequence.track, exercise) - 6) <= 1


@pytest.mark.parametrize("change", [mirrored, rolled, far_away, every_third])
@pytest.mark.parametrize("exercise", ["squat", "bicep curl", "push-up", "lateral raise", "deadlift"])
def test_side_roll_distance_and_frame_rate_change_nothing(
    exercise: str, change: Callable[[PoseTrack], PoseTrack]
) -> None:
    track = person(exercise, rate_hz=30.0, noise=Noise(swaps_per_s=0, dropouts_per_s=0, hidden_limb=0)).track
    here, there = count_repetitions(track, exercise), count_repetitions(change(track), exercise)
    assert here is not None
    assert there is not None
    assert len(there.repetitions) == len(here.repetitions) == 5
    for a, b in zip(here.repetitions, there.repetitions, strict=True):
        assert b.start_s == pytest.approx(a.start_s, abs=0.25)
        assert b.end_s == pytest.approx(a.end_s, abs=0.25)
    assert there.range_of_motion_deg == pytest.approx(here.range_of_motion_deg, abs=8)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("name", [STILL, WALKING])
def test_people_who_stand_about_or_walk_have_done_nothing(name: str, seed: int) -> None:
    track = person(name, seed=400 + seed).track
    assert counted(track, None) == 0
    assert find_sets(track, []) == ()


def test_walking_in_is_no_repetition() -> None:
    walk = person(WALKING, seed=2).track
    squats = person("squat", noise=Noise()).track
    track = joined(walk, squats)
    entered_s = walk.times_s[-1] - walk.times_s[0]
    sets = find_sets(track, labels(track, lambda t: None if t < entered_s else "squat"))
    assert [len(s.repetitions) for s in sets] == [5]
    assert sets[0].start_s > entered_s - 1.0


def test_half_repetitions_at_the_edges_are_partial() -> None:
    sequence = person("squat", repetitions=4)
    (first_s, first_end_s), *_, (last_s, last_end_s) = sequence.repetition_times_s
    bottom_of_the_first, bottom_of_the_last = (first_s + first_end_s) / 2, (last_s + last_end_s) / 2
    opens_at_the_bottom = count_repetitions(sequence.track.between(bottom_of_the_first, 99), "squat")
    ends_at_the_bottom = count_repetitions(sequence.track.between(0, bottom_of_the_last), "squat")
    for found in (opens_at_the_bottom, ends_at_the_bottom):
        assert found is not None
        assert (len(found.repetitions), found.partial) == (3, 1)


def test_a_lift_that_begins_on_the_floor_is_whole() -> None:
    sequence = person("deadlift", repetitions=1, variant="conventional", camera=Camera(yaw_deg=90))
    found = count_repetitions(sequence.track, "deadlift")
    assert found is not None
    assert (len(found.repetitions), found.partial) == (1, 0)


def test_a_rest_ends_the_set() -> None:
    one, two = person("squat", 1, repetitions=3).track, person("squat", 2, repetitions=4).track
    track = joined(one, two, pause_s=8.0)
    sets = find_sets(track, labels(track, lambda t: "squat"))
    assert [len(s.repetitions) for s in sets] == [3, 4]
    assert sets[1].start_s - sets[0].end_s == pytest.approx(8.0, abs=1.5)


def test_a_breath_does_not_end_the_set() -> None:
    one, two = person("squat", 1, repetitions=3).track, person("squat", 1, repetitions=3).track
    track = joined(one, two, pause_s=2.0)
    assert [len(s.repetitions) for s in find_sets(track, labels(track, lambda t: "squat"))] == [6]


def test_two_exercises_are_two_sets() -> None:
    squats, curls = person("squat", 1, repetitions=4).track, person("bicep curl", 1, repetitions=5).track
    track = joined(squats, curls)
    change_s = float(squats.times_s[-1] - squats.times_s[0])
    sets = find_sets(track, labels(track, lambda t: "squat" if t < change_s else "bicep curl"))
    assert [(s.exercise, len(s.repetitions)) for s in sets] == [("squat", 4), ("bicep curl", 5)]
    assert sets[0].end_s <= sets[1].start_s + 0.5


def test_one_odd_window_does_not_change_the_exercise() -> None:
    track = person("squat", repetitions=8).track
    windows = labels(track, lambda t: "squat")
    windows[3] = replace(windows[3], exercise="deadlift", probability=0.6)
    sets = find_sets(track, windows)
    assert [(s.exercise, len(s.repetitions)) for s in sets] == [("squat", 8)]


@pytest.mark.parametrize(
    ("truth", "mistaken_for"),
    [
        ("tricep pushdown", "bicep curl"),
        ("squat", "bicep curl"),
        ("push-up", "squat"),
        ("lat pulldown", "shoulder press"),
    ],
)
def test_a_wrong_name_still_counts_right(truth: str, mistaken_for: str) -> None:
    sequence = person(truth, repetitions=6)
    assert abs(counted(sequence.track, mistaken_for) - 6) <= 1


def test_a_movement_without_a_name_is_counted_and_says_how() -> None:
    found = count_repetitions(person("squat", repetitions=6).track, None)
    assert found is not None
    assert len(found.repetitions) == 6
    assert found.exercise is None
    assert found.method == "periodicity"


def test_the_exercises_own_joint_is_followed_and_named() -> None:
    found = count_repetitions(person("squat", camera=Camera(yaw_deg=90)).track, "squat")
    assert found is not None
    assert (found.method, found.signal, found.view) == ("joint angle", "knee angle", "side")
    assert found.curve.unit == "deg"


def test_each_arm_of_an_alternating_curl_counts() -> None:
    sequence = person("bicep curl", variant="alternating", repetitions=6, camera=Camera(yaw_deg=0))
    assert counted(sequence.track, "bicep curl") == 6


def test_a_hidden_side_is_left_to_the_visible_one() -> None:
    track = person("bicep curl", camera=Camera(yaw_deg=90)).track
    far = [i for i, name in enumerate(LANDMARKS) if name.startswith("right")]
    landmarks, world = track.landmarks.copy(), track.world.copy()
    rng = np.random.default_rng(0)
    landmarks[:, far, :2] += rng.normal(0, 0.05, (len(track), len(far), 2))
    landmarks[:, far, 2] = 0.1
    world[:, far] += rng.normal(0, 0.2, (len(track), len(far), 3))
    found = count_repetitions(replace(track, landmarks=landmarks, world=world.astype(np.float32)), "bicep curl")
    assert found is not None
    assert (len(found.repetitions), found.side) == (5, "left")
    assert all(r.right_deg is None and r.left_deg is not None for r in found.repetitions)


def test_moments_out_of_sight_are_bridged() -> None:
    track = person("squat", repetitions=6).track
    landmarks, world, presence = track.landmarks.copy(), track.world.copy(), track.presence.copy()
    for start_s in (2.3, 5.1, 8.0):
        gone = (track.times_s >= start_s) & (track.times_s < start_s + 0.3)
        landmarks[gone], world[gone], presence[gone] = 0, 0, 0
    assert counted(replace(track, landmarks=landmarks, world=world, presence=presence), "squat") == 6


def true_angle(track: PoseTrack, joints: tuple[str, str, str]) -> np.ndarray:
    a, vertex, b = (track.world[:, LANDMARKS.index(name)] for name in joints)
    u, v = a - vertex, b - vertex
    return np.asarray(np.degrees(np.arccos((u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1))))


@pytest.mark.parametrize(
    ("exercise", "joint", "yaw_deg"),
    [("squat", ("hip", "knee", "ankle"), 90), ("bicep curl", ("shoulder", "elbow", "wrist"), 90),
     ("lateral raise", ("elbow", "shoulder", "hip"), 0)],
)  # fmt: skip
def test_the_range_of_motion_is_the_joints_own(exercise: str, joint: tuple[str, str, str], yaw_deg: float) -> None:
    track = person(
        exercise, camera=Camera(yaw_deg=yaw_deg), variant=None if exercise != "lateral raise" else "standing"
    ).track
    found = count_repetitions(track, exercise)
    assert found is not None
    truth = true_angle(track, tuple(f"left {name}" for name in joint))  # type: ignore[arg-type]
    assert found.range_of_motion_deg == pytest.approx(np.ptp(np.percentile(truth, (2, 98))), abs=12)


def test_a_slower_way_down_shows_in_the_tempo_and_nowhere_else() -> None:
    sequence = person("squat", camera=Camera(yaw_deg=90))
    found = count_repetitions(sequence.track, "squat")
    assert found is not None
    # time stretched threefold on every way down, as if the same people had filmed it in slow motion there
    down = np.zeros(len(sequence.track), bool)
    for r in found.repetitions:
        down |= (sequence.track.times_s >= r.start_s) & (sequence.track.times_s < r.turn_s)
    steps = np.diff(sequence.track.times_s, prepend=0) * np.where(down, 3.0, 1.0)
    slow = count_repetitions(replace(sequence.track, times_s=np.cumsum(steps)), "squat")
    assert slow is not None
    assert slow.eccentric_s == pytest.approx(3 * found.eccentric_s, rel=0.25)
    assert slow.concentric_s == pytest.approx(found.concentric_s, rel=0.25)


def test_one_arm_shows_as_a_difference_between_left_and_right() -> None:
    together = count_repetitions(
        person("shoulder press", variant="standing dumbbells", camera=Camera(yaw_deg=0)).track, "shoulder press"
    )
    alone = count_repetitions(
        person("shoulder press", variant="one arm", camera=Camera(yaw_deg=0)).track, "shoulder press"
    )
    assert together is not None
    assert alone is not None
    assert together.difference_deg is not None
    assert alone.difference_deg is not None
    assert abs(together.difference_deg) < 15
    assert abs(alone.difference_deg) > 50


def tiring(ranges_deg: list[float], durations_s: list[float]) -> ExerciseSet:
    repetitions = tuple(
        Repetition(3.0 * i, 3.0 * i + d / 2, 3.0 * i + d, d / 2, d / 2, r)
        for i, (r, d) in enumerate(zip(ranges_deg, durations_s, strict=True))
    )
    curve = Curve((0.0, 1.0), (0.0, 1.0), "deg")
    return ExerciseSet("squat", 0.0, 30.0, repetitions, 0, "knee angle", "joint angle", "both", "side", curve)


def test_fatigue_is_the_change_from_the_first_to_the_last() -> None:
    tired = tiring([100, 100, 90, 85, 80, 80], [2, 2, 2, 2.2, 2.6, 3.0])
    assert tired.range_drift == pytest.approx(-0.2)
    assert tired.duration_drift == pytest.approx(0.4)
    assert tiring([100, 90], [2, 3]).range_drift is None


def test_a_set_can_be_stored_and_redrawn() -> None:
    found = count_repetitions(person("squat").track, "squat")
    assert found is not None
    stored = json.loads(json.dumps(found.to_json()))
    assert stored["repetitions"] == 5
    assert stored["tempo"]["eccentric_s"] > 0
    times = stored["curve"]["times_s"]
    assert times[0] <= stored["start_s"]
    assert times[-1] >= stored["end_s"] - 0.1
    turns = [r["turn_s"] for r in stored["repetition_list"]]
    lows = np.interp(turns, times, stored["curve"]["values"])
    assert np.all(lows < np.median(stored["curve"]["values"]))


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_an_empty_or_tiny_video_has_no_sets(frames: int) -> None:
    whole = person("squat").track
    track = whole.between(0, whole.times_s[frames] if frames else -1)
    assert len(track) == frames
    assert count_repetitions(track, "squat") is None
    assert find_sets(track, [WindowLabel(0, 2, "squat", 0.9)]) == ()
    nobody = replace(whole, presence=np.zeros_like(whole.presence))
    assert find_sets(nobody, []) == ()


@pytest.mark.parametrize("exercise", ["squat", "bicep curl", "push-up", "shoulder press"])
def test_live_counting_agrees_and_is_prompt(exercise: str) -> None:
    sequence = person(exercise, repetitions=6, noise=Noise(), rate_hz=20.0)
    track = sequence.track
    counter = LiveCounter(track.frame_width, track.frame_height, exercise)
    announced = []
    for i in range(len(track)):
        state = counter.update(float(track.times_s[i]), track.landmarks[i], track.world[i], float(track.presence[i]))
        if state.completed:
            announced.append(float(track.times_s[i]))
    assert abs(state.total - 6) <= 1
    ends = np.array([end for _, end in sequence.repetition_times_s])
    late = [float(t - ends[np.abs(ends - t).argmin()]) for t in announced]
    assert np.median(np.abs(late)) <= 0.5


def test_live_a_new_set_begins_after_a_rest() -> None:
    one = person("squat", 1, repetitions=3).track
    track = joined(one, one, pause_s=10.0)
    counter = LiveCounter(track.frame_width, track.frame_height, "squat")
    seen = [
        counter.update(float(track.times_s[i]), track.landmarks[i], track.world[i], float(track.presence[i]))
        for i in range(len(track))
    ]
    assert (seen[-1].total, seen[-1].set_number, seen[-1].repetitions) == (6, 2, 3)


def moved_on(track: PoseTrack, *others: PoseTrack) -> PoseTrack:
    """One track after the other, at once."""
    return joined(track, *others, pause_s=0.1)


def held(track: PoseTrack) -> list[float | None]:
    return [one.held_s for one in find_sets(track, labels(track, lambda t: "plank"))]


PLANKS = [movement.name for movement in MOVEMENTS["plank"]]


@pytest.mark.parametrize("variant", PLANKS)
def test_a_plank_is_counted_in_seconds(variant: str) -> None:
    track = person("plank", variant=variant, repetitions=5, repetition_s=4.0, noise=Noise()).track
    lasts_s = float(track.times_s[-1] - track.times_s[0])
    (one,) = find_sets(track, labels(track, lambda t: "plank"))
    assert one.held_s == pytest.approx(lasts_s, abs=1.5)
    assert one.repetitions == ()
    stored = json.loads(json.dumps(one.to_json()))
    assert stored["held_s"] == pytest.approx(one.held_s, abs=0.06)
    assert (stored["repetitions"], stored["cadence_per_min"]) == (0, None)


def test_leaving_the_position_ends_the_hold_and_a_wobble_does_not() -> None:
    plank = person("plank", repetitions=2, repetition_s=5.0, camera=Camera(yaw_deg=90)).track
    lasts_s = float(plank.times_s[-1])
    standing = person("squat", repetitions=1, repetition_s=4.0, camera=Camera(yaw_deg=90)).track
    parted = held(moved_on(plank, standing, plank))
    assert parted == [pytest.approx(lasts_s, abs=1.0)] * 2
    dipped = plank.landmarks.copy(), plank.world.copy()
    away = (plank.times_s > 4.0) & (plank.times_s < 4.5)
    for points, whole in zip(dipped, (standing.landmarks, standing.world), strict=True):
        points[away] = whole[: away.sum()]
    wobbly = replace(plank, landmarks=dipped[0], world=dipped[1])
    assert held(wobbly) == [pytest.approx(lasts_s, abs=1.0)]
    unseen = replace(plank, presence=np.where((plank.times_s > 3) & (plank.times_s < 6), 0, plank.presence))
    assert len(held(unseen)) == 2


@pytest.mark.parametrize("exercise", ["push-up", "mountain climber", "burpee", "squat"])
def test_what_only_passes_through_a_plank_is_not_held(exercise: str) -> None:
    for seed in range(3):
        assert count_repetitions(person(exercise, seed=seed).track, "plank") is None


@pytest.mark.parametrize(
    ("exercise", "repetition_s"), [("jumping jack", 0.8), ("mountain climber", 0.5), ("burpee", 2.5)]
)
def test_quick_exercises_have_a_cadence(exercise: str, repetition_s: float) -> None:
    sequence = person(exercise, repetitions=12, repetition_s=repetition_s, rate_hz=30.0, camera=Camera(yaw_deg=60))
    found = count_repetitions(sequence.track, exercise)
    assert found is not None
    assert abs(len(found.repetitions) - 12) <= 1
    (begin_s, _), *_, (_, end_s) = sequence.repetition_times_s
    assert found.cadence_per_min == pytest.approx(60 * 12 / (end_s - begin_s), rel=0.12)
    assert found.to_json()["cadence_per_min"] == pytest.approx(found.cadence_per_min, abs=0.06)
    squats = count_repetitions(person("squat").track, "squat")
    assert squats is not None
    assert squats.cadence_per_min is None


def test_jumping_jacks_and_lunges_are_no_steps() -> None:
    jacks = person("jumping jack", repetitions=8, repetition_s=0.9, rate_hz=30.0, camera=Camera()).track
    assert abs(counted(jacks, "jumping jack") - 8) <= 1
    lunges = person("lunge", variant="reverse lunge", repetitions=6, camera=Camera(yaw_deg=90)).track
    assert counted(lunges, "lunge") == 6
    for seed in range(6):
        walk = person(WALKING, seed=600 + seed).track
        assert [counted(walk, name) for name in ("lunge", "jumping jack")] == [0, 0]


def test_live_a_hold_runs_on_longer_than_is_remembered_and_ends_when_it_is_left() -> None:
    plank = person("plank", repetitions=5, repetition_s=5.0, camera=Camera(yaw_deg=90)).track
    lasts_s = float(plank.times_s[-1])
    assert lasts_s > MEMORY_S + 4
    squats = person("squat", repetitions=3, camera=Camera(yaw_deg=90)).track
    track = moved_on(plank, squats)
    counter = LiveCounter(track.frame_width, track.frame_height, "plank")
    seen = []
    for i in range(len(track)):
        if track.times_s[i] > lasts_s + 2:
            counter.exercise = "squat"
        seen.append(
            counter.update(float(track.times_s[i]), track.landmarks[i], track.world[i], float(track.presence[i]))
        )
    half = seen[int(np.searchsorted(track.times_s, lasts_s / 2))]
    assert half.held_s == pytest.approx(lasts_s / 2, abs=1.0)
    assert half.rest_s is None
    longest = max((state.held_s for state in seen if state.held_s is not None), default=0.0)
    assert longest == pytest.approx(lasts_s, abs=1.0)
    left = seen[int(np.searchsorted(track.times_s, lasts_s + 1.9))]
    assert left.rest_s is not None
    assert (seen[-1].set_number, seen[-1].held_s) == (2, None)
    assert seen[-1].repetitions >= 2
