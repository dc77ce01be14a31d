"""Form cues: each fires on a person built to break it, and says nothing about good form or what cannot be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from fitcli.catalog import catalog
from fitcli.coaching.advice import with_advice
from fitcli.coaching.form import advice, judge
from fitcli.motion import count_repetitions
from fitcli.motion.body import resample
from fitcli.motion.posture import CUE_MEASURES
from fitcli.motion.view import camera_view
from fitcli.pose.track import LANDMARKS, PoseTrack
from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, Status, WindowScore
from fitcli.results.sets import CueFinding, ExerciseSet
from fitcli.training.synthetic import people as synthetic
from fitcli.training.synthetic.movements import MOVEMENTS, Angle
from fitcli.training.synthetic.people import Camera, Noise, synthesize

YAW_DEG = {"front": 0, "three-quarter": 45, "side": 90, "back": 180}

GOOD = {
    "bench press": "barbell", "bicep curl": "standing", "chest fly machine": "standing cable", "deadlift": "romanian",
    "hip thrust": "on a bench", "lat pulldown": "narrow", "lateral raise": "standing", "leg extension": "machine",
    "leg raises": "lying", "push-up": "standard", "russian twist": "feet up, hands together",
    "shoulder press": "standing dumbbells", "squat": "bar on the back", "t bar row": "bent over",
    "tricep pushdown": "bar", "tricep dips": "parallel bars", "lunge": "reverse lunge", "pull-up": "pull-up",
    "row": "bent over, barbell", "plank": "on the forearms", "crunch": "crunch, hands at the head",
    "sit-up": "sit-up, arms crossed", "calf raise": "calf raise", "burpee": "burpee",
    "mountain climber": "mountain climber", "triceps extension": "skull crusher", "jumping jack": "jumping jack",
    "bicycle crunch": "bicycle crunch", "front raise": "dumbbells",
}  # fmt: skip
"""The variant of each exercise that stands for textbook form."""

BETTER: dict[str, dict[str, Angle]] = {"bicycle crunch": {"twist": (-20, 20)}}
"""What textbook form has beyond the synthetic people's."""

FAST = object()
"""Instead of other angles: the same movement, hurried."""
UNEVEN = object()
"""The left arm stops half way."""

BROKEN: dict[tuple[str, str], tuple[str, object]] = {
    ("bench press", "depth"): ("side", {"elbow": (7, 40), "lift": (86, 78)}),
    ("bench press", "lockout"): ("side", {"elbow": (60, 102), "lift": (75, 62)}),
    ("bench press", "elbow flare"): ("three-quarter", {"lift": (86, 120)}),
    ("bench press", "even sides"): ("front", UNEVEN),
    ("bench press", "slow return"): ("side", FAST),
    ("bicep curl", "upper arm still"): ("side", {"lift": (8, 75)}),
    ("bicep curl", "still trunk"): ("side", {"lean": (4, -30)}),
    ("bicep curl", "full stretch"): ("side", {"elbow": (70, 136)}),
    ("bicep curl", "full bend"): ("side", {"elbow": (14, 75)}),
    ("bicep curl", "slow return"): ("side", FAST),
    ("chest fly machine", "open wide"): ("front", {"plane": (45, 0)}),
    ("chest fly machine", "hands together"): ("front", {"plane": (98, 88)}),
    ("chest fly machine", "fixed elbows"): ("front", {"elbow": (10, 110)}),
    ("chest fly machine", "slow return"): ("front", FAST),
    ("deadlift", "lockout"): ("side", {"hip": (45, 110), "lean": (40, 90)}),
    ("deadlift", "straight arms"): ("side", {"elbow": 75}),
    ("deadlift", "hips below shoulders"): ("side", {"lean": (1, 118), "hip": (3, 120)}),
    ("deadlift", "slow return"): ("side", FAST),
    ("hip thrust", "full extension"): ("side", {"hip": (90, 52), "lean": (-38, -62)}),
    ("hip thrust", "feet not too far"): ("side", {"knee": 2, "hip": (40, 10)}),
    ("hip thrust", "feet not too near"): ("side", {"knee": 145, "hip": (98, 14)}),
    ("hip thrust", "slow return"): ("side", FAST),
    ("lat pulldown", "full pull"): ("side", {"elbow": (14, 55), "lift": (146, 70)}),
    ("lat pulldown", "full stretch"): ("side", {"elbow": (75, 118)}),
    ("lat pulldown", "still trunk"): ("side", {"lean": (-4, -48)}),
    ("lat pulldown", "even sides"): ("front", UNEVEN),
    ("lat pulldown", "slow return"): ("side", FAST),
    ("lateral raise", "shoulder height"): ("front", {"lift": (10, 50)}),
    ("lateral raise", "not too high"): ("front", {"lift": (10, 145)}),
    ("lateral raise", "long arms"): ("front", {"elbow": 105}),
    ("lateral raise", "still trunk"): ("side", {"lean": (3, 32)}),
    ("lateral raise", "slow return"): ("front", FAST),
    ("leg extension", "full extension"): ("side", {"knee": (94, 60)}),
    ("leg extension", "full bend"): ("side", {"knee": (48, 5)}),
    ("leg extension", "hips on the seat"): ("side", {"hip": (64, 5)}),
    ("leg extension", "slow return"): ("side", FAST),
    ("leg raises", "legs high enough"): ("side", {"hip": (5, 42)}),
    ("leg raises", "straight knees"): ("side", {"knee": (14, 95)}),
    ("leg raises", "no swing"): ("side", {"hip": (62, 125)}),
    ("leg raises", "slow return"): ("side", FAST),
    ("push-up", "depth"): ("side", {"lean": (70, 74)}),
    ("push-up", "lockout"): ("side", {"lean": (77, 86), "elbow": (62, 100)}),
    ("push-up", "hip sag"): ("side", {"hip": -36}),
    ("push-up", "hips up"): ("side", {"hip": 50}),
    ("push-up", "slow return"): ("side", FAST),
    ("russian twist", "wide turn"): ("front", {"twist": (11, -11)}),
    ("russian twist", "lean back"): ("side", {"hip": 140, "lean": 30}),
    ("russian twist", "still legs"): ("side", {"knee": (40, 110)}),
    ("russian twist", "slow turn"): ("front", FAST),
    ("shoulder press", "lockout"): ("side", {"elbow": (112, 72)}),
    ("shoulder press", "depth"): ("side", {"elbow": (50, 8)}),
    ("shoulder press", "still trunk"): ("side", {"lean": (0, -34)}),
    ("shoulder press", "even sides"): ("front", UNEVEN),
    ("shoulder press", "slow return"): ("side", FAST),
    ("squat", "depth"): ("side", {"knee": (5, 58), "hip": (5, 58), "lean": (5, 24)}),
    ("squat", "knees inward"): ("front", {"spread": 12, "splay": -25}),
    ("squat", "trunk lean"): ("side", {"lean": (5, 80), "hip": (5, 150)}),
    ("squat", "stand up"): ("side", {"knee": (52, 120), "hip": (45, 116)}),
    ("squat", "slow return"): ("side", FAST),
    ("t bar row", "full pull"): ("side", {"elbow": (8, 40)}),
    ("t bar row", "full stretch"): ("side", {"elbow": (72, 115)}),
    ("t bar row", "still trunk"): ("side", {"lean": (50, 15), "hip": (84, 45)}),
    ("t bar row", "slow return"): ("side", FAST),
    ("tricep pushdown", "full extension"): ("side", {"elbow": (104, 58)}),
    ("tricep pushdown", "full bend"): ("side", {"elbow": (48, 5)}),
    ("tricep pushdown", "upper arm still"): ("side", {"lift": (75, 10)}),
    ("tricep pushdown", "still trunk"): ("side", {"lean": (5, 35)}),
    ("tricep pushdown", "slow return"): ("side", FAST),
    ("tricep dips", "depth"): ("side", {"elbow": (8, 48)}),
    ("tricep dips", "lockout"): ("side", {"elbow": (62, 110)}),
    ("tricep dips", "not too deep"): ("side", {"elbow": (8, 145)}),
    ("tricep dips", "slow return"): ("side", FAST),
    ("lunge", "depth"): ("side", {"knee": (6, 50), "hip": (3, 45), "trailing": {"hip": (3, -16), "knee": (6, 50)}}),
    ("lunge", "upright trunk"): ("side", {"lean": (2, 60), "hip": (3, 140)}),
    ("lunge", "stand up"): (
        "side",
        {"knee": (60, 95), "hip": (45, 84), "trailing": {"hip": (3, -16), "knee": (60, 100)}},
    ),
    ("lunge", "slow return"): ("side", FAST),
    ("pull-up", "full pull"): ("front", {"elbow": (8, 42), "lift": (166, 120)}),
    ("pull-up", "full hang"): ("front", {"elbow": (75, 120)}),
    ("pull-up", "no swing"): ("side", {"lean": (-2, -50)}),
    ("pull-up", "even sides"): ("front", UNEVEN),
    ("pull-up", "slow return"): ("front", FAST),
    ("row", "full pull"): ("side", {"elbow": (8, 40)}),
    ("row", "full stretch"): ("side", {"elbow": (70, 112)}),
    ("row", "still trunk"): ("side", {"lean": (58, 20), "hip": (84, 45)}),
    ("row", "slow return"): ("side", FAST),
    ("plank", "hip sag"): ("side", {"hip": -32}),
    ("plank", "hips up"): ("side", {"hip": 42}),
    ("plank", "elbows under shoulders"): ("side", {"lift": 122}),
    ("crunch", "lift enough"): ("side", {"curve": (0, 18)}),
    ("crunch", "lower back down"): ("side", {"lean": (-90, -15)}),
    ("crunch", "still legs"): ("side", {"knee": (100, 40)}),
    ("crunch", "slow return"): ("side", FAST),
    ("sit-up", "all the way up"): ("side", {"lean": (-90, -60), "curve": (2, 4)}),
    ("sit-up", "all the way down"): ("side", {"hip": 90, "lean": (-40, 5)}),
    ("sit-up", "bent knees"): ("side", {"knee": 10}),
    ("sit-up", "slow return"): ("side", FAST),
    ("calf raise", "rise high"): ("side", {"ankle": (0, 20)}),
    ("calf raise", "full stretch"): ("side", {"ankle": (42, 66)}),
    ("calf raise", "still knees"): ("side", {"knee": (6, 75)}),
    ("calf raise", "slow return"): ("side", FAST),
    ("burpee", "stand up"): ("side", {"hip": (60, 6)}),
    ("burpee", "down to the floor"): ("side", {"lean": (2, 38)}),
    ("burpee", "hip sag"): ("side", {"hip": (4, -45)}),
    ("mountain climber", "knee forward"): ("side", {"hip": (6, 42)}),
    ("mountain climber", "hips level"): ("side", {"lift": 145}),
    ("mountain climber", "straight arms"): ("side", {"elbow": 95}),
    ("triceps extension", "full extension"): ("side", {"elbow": (70, 125)}),
    ("triceps extension", "full bend"): ("side", {"elbow": (8, 50)}),
    ("triceps extension", "upper arm still"): ("side", {"lift": (20, 110)}),
    ("triceps extension", "slow return"): ("side", FAST),
    ("jumping jack", "arms up"): ("front", {"lift": (10, 80)}),
    ("jumping jack", "arms down"): ("front", {"lift": (75, 160)}),
    ("jumping jack", "even sides"): ("front", UNEVEN),
    ("bicycle crunch", "knee in"): ("side", {"hip": (4, 40)}),
    ("bicycle crunch", "long leg"): ("side", {"knee": (96, 108)}),
    ("bicycle crunch", "turn the ribs"): ("side", {"twist": 0}),
    ("front raise", "shoulder height"): ("side", {"lift": (10, 50)}),
    ("front raise", "not too high"): ("side", {"lift": (10, 160)}),
    ("front raise", "long arms"): ("side", {"elbow": 100}),
    ("front raise", "still trunk"): ("side", {"lean": (3, -28)}),
    ("front raise", "slow return"): ("side", FAST),
}
"""What breaks each cue, and from where it is filmed."""


def perform(
    monkeypatch: pytest.MonkeyPatch,
    exercise: str,
    view: str,
    changes: Mapping[str, Angle] = MappingProxyType({}),
    repetition_s: float = 3.0,
) -> PoseTrack:
    """Four repetitions of the textbook variant with other angles, seen without error."""
    usual = next(m for m in MOVEMENTS[exercise] if m.name == GOOD[exercise])
    angles: dict[str, Any] = {**usual.angles, **BETTER.get(exercise, {}), **changes}
    trailing = angles.pop("trailing", usual.trailing)
    monkeypatch.setattr(synthetic, "MOVEMENTS", {exercise: (replace(usual, angles=angles, trailing=trailing),)})
    rng = np.random.default_rng(11)
    camera = Camera(yaw_deg=YAW_DEG[view])
    return synthesize(
        exercise, rng, repetitions=4, repetition_s=repetition_s, camera=camera, noise=Noise.none(), surroundings=False
    ).track


def left_arm_half_way(track: PoseTrack) -> PoseTrack:
    """The left forearm follows the right one only half as far: it is blended with where it rests."""
    landmarks, world = track.landmarks.copy(), track.world.copy()
    for name in ("elbow", "wrist", "pinky", "index", "thumb"):
        i = LANDMARKS.index(f"left {name}")
        shoulder = LANDMARKS.index("left shoulder")
        for points, size in ((landmarks, 2), (world, 3)):
            offset = points[:, i, :size] - points[:, shoulder, :size]
            points[:, i, :size] = points[:, shoulder, :size] + (offset[:1] * 0.45 + offset * 0.55)
    return replace(track, landmarks=landmarks, world=world)


def judged(track: PoseTrack, exercise: str) -> ExerciseSet:
    found = count_repetitions(track, exercise)
    assert found is not None
    return judge(found)


def finding(exercise_set: ExerciseSet, cue: str) -> CueFinding | None:
    return next((f for f in exercise_set.cues if f.cue == cue), None)


def filmed(monkeypatch: pytest.MonkeyPatch, exercise: str, view: str, how: object) -> PoseTrack:
    if how is FAST:
        return perform(monkeypatch, exercise, view, repetition_s=0.72)
    if how is UNEVEN:
        return left_arm_half_way(perform(monkeypatch, exercise, view))
    assert isinstance(how, dict)
    return perform(monkeypatch, exercise, view, how)


ALL_CUES = [(exercise.name, cue.name) for exercise in catalog().exercises for cue in exercise.cues]


def test_every_exercise_has_at_least_three_cues_with_a_sentence_and_a_source() -> None:
    for exercise in catalog().exercises:
        assert len(exercise.cues) >= 3
        for cue in exercise.cues:
            assert cue.measure in CUE_MEASURES
            assert (cue.at_least is None) != (cue.at_most is None)
            assert cue.at in ("rest", "turn", "minimum", "maximum", "range")
            assert set(cue.views) <= {"any", "front", "back", "side", "three-quarter"}
            assert cue.sentence.endswith(".")
            assert any(character.isdigit() for character in cue.source)


@pytest.mark.parametrize(("exercise", "cue"), ALL_CUES)
def test_a_cue_fires_when_it_is_broken(monkeypatch: pytest.MonkeyPatch, exercise: str, cue: str) -> None:
    view, how = BROKEN[exercise, cue]
    found = finding(judged(filmed(monkeypatch, exercise, view, how), exercise), cue)
    assert found is not None, "not judged"
    assert found.fired, f"{found.value:.0f} {found.unit} against {found.threshold:.0f}"
    assert found.share > 0.5


@pytest.mark.parametrize("view", ["front", "side", "three-quarter", "back"])
@pytest.mark.parametrize("exercise", GOOD)
def test_good_form_breaks_nothing(monkeypatch: pytest.MonkeyPatch, exercise: str, view: str) -> None:
    result = judged(perform(monkeypatch, exercise, view), exercise)
    assert [f.cue for f in result.cues if f.fired] == []
    assert result.score is not None
    assert result.score.total >= 85


@pytest.mark.parametrize(
    ("exercise", "cue"),
    [(exercise.name, cue.name) for exercise in catalog().exercises for cue in exercise.cues if cue.views != ("any",)],
)
def test_a_cue_is_not_guessed_where_the_view_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, exercise: str, cue: str
) -> None:
    views = next(c.views for c in catalog().exercise(exercise).cues if c.name == cue)
    blind = next(view for view in ("front", "side") if view not in views)
    _, how = BROKEN[exercise, cue]
    found = count_repetitions(filmed(monkeypatch, exercise, blind, how), exercise)
    assert found is None or finding(judge(found), cue) is None


def test_a_cue_is_not_guessed_from_joints_that_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    track = perform(monkeypatch, "squat", "front", {"spread": 12, "splay": -25})
    ankles = [LANDMARKS.index(f"{side} ankle") for side in ("left", "right")]
    landmarks = track.landmarks.copy()
    landmarks[:, ankles, 2] = 0.1
    hidden = judged(replace(track, landmarks=landmarks), "squat")
    assert finding(hidden, "knees inward") is None
    assert finding(judged(track, "squat"), "knees inward") is not None


@pytest.mark.parametrize("view", YAW_DEG)
def test_the_cameras_view_is_recognised(monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    for exercise in ("squat", "bicep curl", "push-up"):
        assert camera_view(resample(perform(monkeypatch, exercise, view))) == view


def test_the_score_falls_with_the_range_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    full = judged(perform(monkeypatch, "squat", "side"), "squat")
    half = judged(perform(monkeypatch, "squat", "side", {"knee": (5, 50), "hip": (5, 50), "lean": (5, 20)}), "squat")
    assert full.score is not None
    assert half.score is not None
    assert half.score.total < full.score.total - 10
    part = next(p for p in half.score.parts if p.name == "range of motion")
    assert part.points < 70
    assert "degrees of knee angle" in part.reason


def test_the_scores_parts_add_up_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    score = judged(perform(monkeypatch, "shoulder press", "front"), "shoulder press").score
    assert score is not None
    assert {p.name for p in score.parts} == {"range of motion", "form", "tempo", "consistency", "symmetry"}
    assert sum(p.weight for p in score.parts) == pytest.approx(1)
    assert round(sum(p.points * p.weight for p in score.parts)) == score.total
    assert 0 <= score.total <= 100


def test_what_a_view_cannot_show_is_left_out_of_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    score = judged(perform(monkeypatch, "shoulder press", "side"), "shoulder press").score
    assert score is not None
    assert "symmetry" not in {p.name for p in score.parts}
    assert sum(p.weight for p in score.parts) == pytest.approx(1)


def test_uneven_arms_cost_symmetry(monkeypatch: pytest.MonkeyPatch) -> None:
    track = perform(monkeypatch, "shoulder press", "front")
    even, uneven = judged(track, "shoulder press"), judged(left_arm_half_way(track), "shoulder press")
    points = [next(p.points for p in s.score.parts if p.name == "symmetry") for s in (even, uneven) if s.score]
    assert points[1] < points[0] - 30


def test_advice_is_short_and_says_each_thing_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shallow = judged(
        perform(monkeypatch, "squat", "side", {"knee": (40, 68), "hip": (20, 68), "lean": (5, 24)}, 0.8), "squat"
    )
    assert len([c for c in shallow.cues if c.fired]) >= 2
    sentences = advice([shallow, shallow])
    assert len(sentences) == len(set(sentences)) == 2
    good = judged(perform(monkeypatch, "squat", "side"), "squat")
    assert advice([good]) == []


def test_advice_is_only_as_sure_as_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    shallow = judged(perform(monkeypatch, "squat", "side", {"knee": (5, 58), "hip": (5, 58), "lean": (5, 24)}), "squat")
    (depth,) = (c for c in shallow.cues if c.fired)
    clear, close = replace(depth, value=130.0, share=1.0), replace(depth, value=112.0, share=1.0)
    now_and_then = replace(depth, value=130.0, share=0.5)
    assert advice([replace(shallow, cues=(clear,))]) == [depth.sentence]
    for doubtful in (close, now_and_then):
        (sentence,) = advice([replace(shallow, cues=(doubtful,))])
        assert sentence.startswith("Perhaps go lower")
    assert advice([replace(shallow, cues=(close,)), replace(shallow, cues=(clear,))]) == [depth.sentence]


@pytest.mark.parametrize(("probability", "begins"), [(0.95, "Go lower"), (0.6, "If this is the squat: "), (0.3, "")])
def test_form_is_judged_only_where_the_exercise_is_known(
    monkeypatch: pytest.MonkeyPatch, probability: float, begins: str
) -> None:
    shallow = judged(perform(monkeypatch, "squat", "side", {"knee": (5, 50), "hip": (5, 50), "lean": (5, 20)}), "squat")
    scores = tuple(probability if e.name == "squat" else 0.0 for e in catalog().exercises)
    window = WindowScore(0.0, 60.0, scores, 1 - probability, (0.0,) * 11, 1.0)
    muscles = tuple(MuscleScore(name, 0.9, name in ("quads", "glutes", "hamstrings")) for name in catalog().muscles[:4])
    told = with_advice(
        Analysis(
            "squat.mp4",
            Status.OK,
            "",
            exercise=ExerciseScore("squat", probability),
            muscles=muscles,
            sets=(shallow,),
            windows=(window,),
        )
    )
    assert bool(told.sets[0].cues) == bool(told.sets[0].score) == (probability > 0.5)
    form = [s for s in told.feedback if "lower" in s.lower()]
    assert [s[: len(begins)] for s in form] == ([begins] if begins else [])


@pytest.mark.parametrize(("status", "probability"), [(Status.UNCERTAIN, None), (Status.OK, 0.6), (Status.OK, 0.95)])
def test_a_doubtful_answer_says_what_is_out_of_the_picture(status: Status, probability: float | None) -> None:
    whole = synthesize("squat", np.random.default_rng(1), surroundings=False, noise=Noise.none()).track
    places = whole.landmarks[..., :2]
    low, high = places.min((0, 1)), places.max((0, 1))
    inside, outside = whole.landmarks.copy(), whole.landmarks.copy()
    inside[..., :2] = (places - low) / (high - low) * 0.8 + 0.1
    outside[..., :2] = (places - low) / (high - low) * (0.8, 1.1) + 0.1  # the feet are below the lower edge
    exercise = ExerciseScore("squat", probability) if probability else None
    muscles = tuple(MuscleScore(name, 0.9, ideal=bool(probability)) for name in ("quads", "glutes", "hamstrings"))
    told = {}
    for name, landmarks in (("whole", inside), ("cut", outside)):
        track = replace(whole, landmarks=landmarks, presence=np.ones_like(whole.presence))
        analysis = Analysis("squat.mp4", status, "", exercise=exercise, muscles=muscles, track=track)
        told[name] = with_advice(analysis).feedback
    advice = "Step back: your feet are out of the picture."
    assert (advice in told["cut"]) == (probability != 0.95)
    assert [sentence for sentence in told["cut"] if sentence != advice] == list(told["whole"])


def test_an_unnamed_set_has_no_cues_and_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    unnamed = count_repetitions(perform(monkeypatch, "squat", "side"), None)
    assert unnamed is not None
    assert judge(unnamed).cues == ()
    assert judge(unnamed).score is None
