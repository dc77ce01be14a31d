"""Results: plain values that JSON carries without loss."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.cli import LIMIT_S
from support.sessions import SET, analysis

import fitcli
from fitcli.catalog import catalog
from fitcli.results.analysis import MALFORMED, Analysis, MuscleScore, Status, Timings
from fitcli.results.sets import (
    CueFinding,
    CueMeasurement,
    Curve,
    ExerciseSet,
    Repetition,
    ScorePart,
    SetScore,
)

SAMPLES = Path(__file__).parents[2] / "samples"


def written(result: Analysis) -> Any:
    """The JSON of an analysis, as a program reads it."""
    return json.loads(json.dumps(result.to_json()))


def test_results_and_the_history_need_neither_numpy_nor_an_engine() -> None:
    code = """
import sys
import fitcli.results.analysis, fitcli.results.sets, fitcli.history, fitcli.report.past, fitcli.report.html
loaded = {"numpy", "openvino", "torch", "av", "cv2", "PIL"} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=LIMIT_S, encoding="utf-8")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def real() -> list[Analysis]:
    coach = fitcli.load()
    parts = {"squat": None, "push-up": None, "bicep-curl": 3.0}
    return [coach.analyze(SAMPLES / f"{name}.mp4", end_s=end_s) for name, end_s in parts.items()]


def test_real_analyses_read_back_as_they_were_written(real: list[Analysis]) -> None:
    assert all(result.sets and result.windows for result in real)
    for result in real:
        row = written(result)
        again = Analysis.from_json(row)
        assert again.to_json() == row
        assert Analysis.from_json(written(again)) == again
        assert (again.performed, again.status) == (result.performed, result.status)
        # What a person is shown of a set is the same before and after, in spite of its rounded repetitions.
        for before, after in zip(result.sets, again.sets, strict=True):
            assert after.statistics.to_json() == before.statistics.to_json()


def test_threads_share_a_coach_and_get_the_answers_of_one_after_the_other(real: list[Analysis]) -> None:
    coach = fitcli.Coach()  # loads in the first thread that needs it

    def again(result: Analysis) -> Analysis:
        return coach.analyze(result.file, end_s=3.0 if "curl" in result.file else None)

    with ThreadPoolExecutor(2) as side_by_side:
        for one_by_one, at_once in zip(real, side_by_side.map(again, real), strict=True):
            assert replace(at_once, timings=one_by_one.timings) == one_by_one


def random_set(rng: random.Random, exercise: str | None) -> ExerciseSet:
    held_s = rng.choice([None, rng.uniform(2, 90)])

    def maybe(value: float) -> float | None:
        return rng.choice([None, value])

    times_s = sorted(rng.uniform(0, 60) for _ in range(3 * rng.randrange(12)))
    repetitions = [
        Repetition(
            times_s[i],
            times_s[i + 1],
            times_s[i + 2],
            rng.uniform(0.2, 3),
            rng.uniform(0.2, 3),
            maybe(rng.uniform(5, 160)),
            maybe(rng.uniform(5, 160)),
            maybe(rng.uniform(5, 160)),
        )
        for i in range(0, len(times_s) if held_s is None else 0, 3)
    ]
    return ExerciseSet(
        exercise=exercise,
        start_s=rng.uniform(0, 5),
        end_s=rng.uniform(5, 60),
        repetitions=tuple(repetitions),
        partial=rng.randrange(3),
        signal="knee angle",
        method="periodicity",
        side="left",
        view="unknown",
        curve=Curve(tuple(times_s), tuple(rng.uniform(0, 180) for _ in times_s), "deg"),
        cues=tuple(
            CueFinding(
                "depth", rng.random() < 0.5, rng.random(), rng.gauss(0, 50), 100.0, "deg", "Go deeper.", "A book."
            )
            for _ in range(rng.randrange(3))
        ),
        score=rng.choice([None, SetScore(rng.randrange(101), (ScorePart("form", rng.uniform(0, 100), 1 / 3, "why"),))]),
        held_s=held_s,
    )


def random_analysis(rng: random.Random) -> Analysis:
    names = (None, "jumping jack", "squat", "plank", "no exercise of the catalogue")
    whole = analysis(status=rng.choice(list(Status)))
    return replace(
        whole,
        duration_s=rng.uniform(0, 4000),
        sets=tuple(random_set(rng, rng.choice(names)) for _ in range(rng.randrange(4))),
        exercises=tuple(replace(each, probability=rng.random()) for each in whole.exercises),
        muscles=tuple(replace(each, activation=rng.random()) for each in whole.muscles),
        windows=tuple(replace(each, other=rng.random(), weight=rng.random()) for each in whole.windows),
        timings=Timings(rng.random(), rng.random(), rng.random(), rng.random()),
        repetitions=rng.choice([None, 0, 12]),
        consistent_with=rng.choice([(), ("squat", "leg extension")]),
        muscle_scores=rng.choice(["sigmoid", "softmax"]),
        picture_stretch=rng.choice([1.0, rng.uniform(0.2, 5)]),
        broken_off_s=rng.choice([None, rng.uniform(0, 9)]),
        device_reason=rng.choice(["", "quicker"]),
        classes=rng.choice([catalog().paper, catalog().classes]),
    )


def test_any_analysis_reads_back_as_it_was_written() -> None:
    for seed in range(200):
        row = written(random_analysis(random.Random(seed)))
        assert Analysis.from_json(row).to_json() == row, seed


def test_files_of_earlier_versions_have_defaults_for_what_they_lack() -> None:
    row = written(analysis())
    for name in ("windows", "consistent_with", "muscle_scores", "picture_stretch", "broken_off_s", "classes"):
        del row[name]
    del row["device_reason"], row["sets"][0]["cadence_per_min"], row["sets"][0]["held_s"]
    again = Analysis.from_json(row | {"field of a later version": 1})
    assert (again.windows, again.consistent_with, again.muscle_scores) == ((), (), "sigmoid")
    assert (again.picture_stretch, again.broken_off_s, again.device_reason) == (1.0, None, "")
    assert again.classes == catalog().paper
    # Statistics that the file lacks follow from its repetitions.
    assert (again.sets[0].held_s, again.sets[0].eccentric_s, again.sets[0].range_of_motion_deg) == (None, 1.0, 85.5)


@pytest.mark.parametrize("broken", [{}, {"status": "splendid"}, {"sets": [{}]}, {"muscles": 3}, {"analysed_s": [1]}])
def test_json_of_anything_else_is_malformed(broken: dict[str, Any]) -> None:
    with pytest.raises(MALFORMED):
        Analysis.from_json(written(analysis()) | broken if broken else {})


def test_a_muscle_works_from_half_on() -> None:
    assert [MuscleScore("quads", activation, ideal=True).works for activation in (0.49, 0.5, 0.9)] == [
        False,
        True,
        True,
    ]


def test_a_set_without_some_repetitions_keeps_the_others_and_their_measurements() -> None:
    third = Repetition(4.5, 5.5, 6.5, 3.0, 2.0)
    three = replace(
        SET, repetitions=(*SET.repetitions, third), measurements=(CueMeasurement("depth", (90.0, None, 80.0)),)
    )
    left = three.only([1, 2])
    assert left.repetitions == (SET.repetitions[1], third)
    assert left.measurements[0].values == (None, 80.0)
    assert (left.start_s, left.end_s, left.partial, left.eccentric_s) == (2.5, 6.5, 0, 2.0)
    assert three.only(range(3)) is three
    # Statistics that came from JSON are those of all its repetitions.
    read = ExerciseSet.from_json(three.to_json())
    assert (read.eccentric_s, read.only([2]).eccentric_s) == (1.0, 3.0)


def test_a_curve_is_interpolated_between_its_samples() -> None:
    curve = Curve((1.0, 2.0, 4.0), (10.0, 20.0, 0.0), "deg")
    assert [curve.at(time_s) for time_s in (0.0, 1.0, 1.5, 3.0, 4.0, 9.0)] == [10, 10, 15, 10, 0, 0]
