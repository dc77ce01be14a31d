"""A session with every field filled."""

from __future__ import annotations

from fitcli.catalog import catalog
from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, NetworkUse, Status, Timings, WindowScore
from fitcli.results.sets import CueFinding, Curve, ExerciseSet, Repetition, ScorePart, SetScore

SET = ExerciseSet(
    exercise="squat",
    start_s=0.5,
    end_s=4.5,
    repetitions=(
        Repetition(0.5, 1.5, 2.5, 1.0, 0.75, range_of_motion_deg=85.5, left_deg=86.0, right_deg=85.0),
        Repetition(2.5, 3.5, 4.5, 1.0, 0.75),
    ),
    partial=1,
    signal="knee angle",
    method="joint angle",
    side="both",
    view="side",
    curve=Curve((0.5, 1.5, 2.5), (170.0, 85.0, 170.0), "deg"),
    cues=(CueFinding("depth", True, 0.5, 95.0, 100.0, "deg", "Go deeper.", "A textbook."),),
    score=SetScore(80, (ScorePart("range", 70.0, 0.5, "a little short"), ScorePart("tempo", 90.0, 0.5, "steady"))),
)


def analysis(name: str = "squat", status: Status = Status.OK) -> Analysis:
    """An analysis with every field filled."""
    names = [name, *(other for other in catalog().exercise_names if other != name)]
    exercises = tuple(ExerciseScore(each, round(0.9 if each == name else 0.1 / 15, 4)) for each in names)
    ideal = catalog().exercise(name).muscles
    return Analysis(
        file=f"videos/{name}.mp4",
        status=status,
        message="A message.",
        duration_s=5.0,
        start_s=0.5,
        end_s=4.5,
        exercise=exercises[0] if status is Status.OK else None,
        exercises=exercises,
        muscles=tuple(MuscleScore(each, 0.8 if each in ideal else 0.1, each in ideal) for each in catalog().muscles),
        repetitions=None,
        sets=(SET,),
        feedback=("Deeper.", "Slower."),
        networks=(NetworkUse("slowfast", "pose", "checkpoints/slowfast.ckpt", "ab" * 32, 0.25, 0.75),),
        device="CPU",
        timings=Timings(0.1, 0.2, 0.3, 0.6),
        windows=(WindowScore(0.5, 2.5, tuple(e.probability for e in exercises), 0.1, (0.5,) * 11, 1.0),),
    )
