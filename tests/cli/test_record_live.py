"""`fitcli record --live`: counting and coaching while somebody trains, with the samples for a camera."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cli import ROOT, SAMPLE, fitcli
from support.terminal import NO_DISPLAY, Terminal, stored

from fitcli.analysis import Coach
from fitcli.live.coach import CUE_EVERY_S, NAMED_EVERY_S, Coaching, LiveCoach, Recogniser
from fitcli.pose.blazepose import PoseSample
from fitcli.pose.track import PoseTrack
from fitcli.pose.tracker import track
from fitcli.results.analysis import ExerciseScore
from fitcli.training.synthetic.people import WALKING, Camera, Noise, synthesize
from fitcli.video import frames, probe

pytestmark = [
    pytest.mark.clock,
    pytest.mark.skipif(sys.platform == "win32", reason="drives POSIX terminals"),
]

LIVE = ("record", "--live", "--camera", SAMPLE, "--countdown", "0", "--no-preview")
SAMPLES: list[dict[str, Any]] = tomllib.loads((ROOT / "samples" / "samples.toml").read_text(encoding="utf-8"))["sample"]


def coached(coach: LiveCoach, person: PoseTrack, from_s: float = 0.0) -> Iterator[tuple[float, Coaching]]:
    """What the coach says after every pose of a track, as fast as it can: (time, coaching)."""
    for i, time_s in enumerate(person.times_s):
        pose = PoseSample(person.landmarks[i], person.world[i], float(person.presence[i]))
        yield from_s + float(time_s), coach.see(from_s + float(time_s), pose if pose.presence > 0 else None)


def named(exercise: str | None, probability: float = 0.95) -> Recogniser:
    """A recogniser that was told the answer, and looks at nothing."""
    recogniser = Recogniser.__new__(Recogniser)
    recogniser.exercise = ExerciseScore(exercise, probability) if exercise else None
    recogniser.failure = None
    recogniser.follow = lambda latest: None  # type: ignore[method-assign]
    return recogniser


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["file"])
def test_each_repetition_is_announced_within_half_a_second_of_its_end(sample: dict[str, Any]) -> None:
    person = track(frames(ROOT / "samples" / sample["file"], rate_hz=20))
    for recogniser in (None, named(sample["exercise"])):
        coach = LiveCoach(person.frame_width, person.frame_height, recogniser)
        announced, before = [], 0
        for time_s, coaching in coached(coach, person):
            announced += [time_s] * (coaching.total - before)
            before = coaching.total
        (summary,) = coach.finish()
        assert summary.repetitions == sample["repetitions"]
        ends_s = sample["ends_s"][: len(announced)]
        assert len(announced) >= sample["repetitions"] - 1  # the file may end before the last is surely over
        assert np.abs(np.array(announced) - ends_s).max() <= 0.5


def test_the_exercise_is_recognised_while_it_is_done() -> None:
    person = track(frames(SAMPLE))
    with Recogniser(Coach().networks) as recogniser:
        coach = LiveCoach(person.frame_width, person.frame_height, recogniser)
        states = [coaching for _, coaching in coached(coach, person)]
        deadline_s = time.monotonic() + 60
        while recogniser.exercise is None and not recogniser.failure and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert recogniser.failure is None
        assert recogniser.exercise is not None
        assert recogniser.exercise.name == "squat"
        after = coach.see(person.times_s[-1] + 0.1, None)
    assert states[-1].total == 2
    assert after.exercise is not None
    assert after.exercise.name == "squat"


def test_a_rest_ends_the_set_and_the_next_one_counts_from_one() -> None:
    person = synthesize("squat", np.random.default_rng(1), repetitions=3, noise=Noise.none(), camera=Camera(yaw_deg=40),
                        surroundings=False, repetition_s=2.0).track  # fmt: skip
    coach = LiveCoach(person.frame_width, person.frame_height, named("squat"))
    first = [coaching for _, coaching in coached(coach, person)]
    assert (first[-1].repetitions, first[-1].rest_s, first[-1].finished) == (3, None, ())
    end_s = float(person.times_s[-1])
    still = PoseSample(person.landmarks[-1], person.world[-1], 1.0)
    rest = [coach.see(end_s + i / 15, still) for i in range(1, 150)]
    assert rest[-1].rest_s == pytest.approx(10, abs=1.5)
    assert [(s.number, s.exercise, s.repetitions) for s in rest[-1].finished] == [(1, "squat", 3)]
    second = [coaching for _, coaching in coached(coach, person, end_s + 10)]
    assert (second[-1].repetitions, second[-1].total, second[-1].set_number) == (3, 6, 2)
    assert [(s.number, s.repetitions) for s in coach.finish()] == [(1, 3), (2, 3)]


def test_a_plank_is_coached_by_the_second_and_a_quick_exercise_by_its_pace() -> None:
    how: dict[str, Any] = {"noise": Noise.none(), "camera": Camera(yaw_deg=90), "surroundings": False}
    person = synthesize("plank", np.random.default_rng(1), repetitions=3, repetition_s=5.0, **how).track
    standing = synthesize("squat", np.random.default_rng(1), repetitions=1, **how).track
    coach = LiveCoach(person.frame_width, person.frame_height, named("plank"))
    held = [coaching.held_s for _, coaching in coached(coach, person) if coaching.held_s is not None]
    lasts_s = float(person.times_s[-1])
    assert held == sorted(held)
    assert held[-1] == pytest.approx(lasts_s, abs=1.0)
    upright = PoseSample(standing.landmarks[0], standing.world[0], 1.0)
    rest = [coach.see(lasts_s + i / 15, upright) for i in range(1, 60)]
    assert rest[-1].rest_s == pytest.approx(4, abs=1.0)
    (summary,) = coach.finish()
    assert (summary.exercise, summary.repetitions) == ("plank", 0)
    assert summary.held_s == pytest.approx(lasts_s, abs=1.0)
    jacks = synthesize("jumping jack", np.random.default_rng(1), variant="jumping jack", repetitions=10,
                       repetition_s=0.9, rate_hz=30.0, noise=Noise.none(), camera=Camera(),
                       surroundings=False).track  # fmt: skip
    coach = LiveCoach(jacks.frame_width, jacks.frame_height, named("jumping jack"))
    *_, (_, last) = coached(coach, jacks)
    assert last.cadence_per_min == pytest.approx(60 / 0.9, rel=0.15)
    (summary,) = coach.finish()
    assert summary.repetitions == pytest.approx(10, abs=1)
    assert summary.cadence_per_min == pytest.approx(60 / 0.9, rel=0.15)


def test_walking_up_to_the_bar_is_not_counted() -> None:
    for seed in range(4):
        person = synthesize(WALKING, np.random.default_rng(seed)).track
        coach = LiveCoach(person.frame_width, person.frame_height)
        assert [coaching for _, coaching in coached(coach, person)][-1].total == 0


def test_bad_form_is_said_while_it_happens_and_not_too_often() -> None:
    person = synthesize("squat", np.random.default_rng(3), repetitions=9, variant="bar on the back", noise=Noise.none(),
                        camera=Camera(yaw_deg=90), surroundings=False, repetition_s=0.72).track  # fmt: skip
    coach = LiveCoach(person.frame_width, person.frame_height, named("squat"))
    given, before = [], 0
    for time_s, coaching in coached(coach, person):
        if coaching.cue_number > before:
            before = coaching.cue_number
            given.append((time_s, coaching.cue, coaching.total))
    assert given[0][1] == "Go down more slowly: the muscle works there too."
    assert given[0][2] >= 2, "one repetition alone may be a stumble"
    assert np.diff([time_s for time_s, *_ in given]).min(initial=CUE_EVERY_S) >= CUE_EVERY_S


def test_no_form_cue_is_given_for_an_exercise_that_is_only_guessed() -> None:
    person = synthesize("squat", np.random.default_rng(3), repetitions=6, noise=Noise.none(),
                        camera=Camera(yaw_deg=90), surroundings=False, repetition_s=0.72).track  # fmt: skip
    coach = LiveCoach(person.frame_width, person.frame_height, named("squat", 0.5))
    assert [coaching for _, coaching in coached(coach, person)][-1].cue is None


def test_a_live_session_counts_and_ends_with_the_usual_answer(tmp_path: Path) -> None:
    done = fitcli(*LIVE, "--sessions", "kept", cwd=tmp_path, env=NO_DISPLAY)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    counted = [int(line.split()[0]) for line in lines if re.match(r"\d+ repetitions?\b", line)]
    assert counted
    assert counted == list(range(1, counted[-1] + 1))
    assert lines.index("Live: until q or Ctrl-C") < next(i for i, line in enumerate(lines) if line.startswith("1 rep"))
    assert re.search(r"Followed you for 5\.\d s, [\d.]+ poses a second\. Set 1: \d repetition", done.stderr)
    assert "quads" in done.stdout
    (analysis,) = stored(tmp_path / "kept")  # one session, and no video beside it
    assert analysis["file"] == str(SAMPLE)
    assert analysis["exercise"]["name"] == "squat"
    assert sum(one["repetitions"] for one in analysis["sets"]) == analysis["repetitions"] >= 1


def test_reps_ends_the_session(tmp_path: Path) -> None:
    done = fitcli(*LIVE, "--reps", "1", "--json", "--sessions", "kept", cwd=tmp_path, env=NO_DISPLAY)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["analysed_s"][1] < 5.0
    assert len(stored(tmp_path / "kept")) == 1


def test_q_ends_a_live_session_and_the_kept_video_shows_it(tmp_path: Path) -> None:
    terminal = Terminal(*LIVE, "--sessions", "kept", "--keep-video", "set.mp4", cwd=tmp_path)
    terminal.wait_for("Live")
    terminal.wait_for("in all")
    time.sleep(2.5)
    terminal.press("q")
    assert terminal.end() == 0, terminal.sent
    assert "repetition" in terminal.sent
    (analysis,) = stored(tmp_path / "kept")
    assert analysis["file"] == "set.mp4"
    assert probe(tmp_path / "set.mp4").duration_s == pytest.approx(analysis["duration_s"], abs=1.0)


def test_ctrl_c_ends_a_live_session_and_stores_it(tmp_path: Path) -> None:
    terminal = Terminal(*LIVE, "--sessions", "kept", cwd=tmp_path, columns=40, lines=10)
    terminal.wait_for("1 repetition")
    terminal.press("\x03")
    assert terminal.end() == 0, terminal.sent
    assert "Followed you" in terminal.sent
    assert len(stored(tmp_path / "kept")) == 1


def test_a_closed_terminal_ends_a_live_session(tmp_path: Path) -> None:
    terminal = Terminal(*LIVE, "--sessions", "kept", cwd=tmp_path)
    terminal.wait_for("Live")
    os.kill(terminal.pid, signal.SIGHUP)
    assert terminal.end() == 130
    assert stored(tmp_path / "kept") == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("record", "--reps", "5"), 2, "--live"),
        (("record", "--live", "--loop"), 2, "--loop"),
        (("record", "--live", "--save-video", "drawn.mp4"), 2, "--keep-video"),
        ((*LIVE, "--checkpoints", "nothing"), 6, "nothing"),
        ((*LIVE[:2], "--camera", "nothing.mp4"), 9, "There is no camera or video file 'nothing.mp4'"),
    ],
)
def test_what_cannot_be_coached_costs_one_sentence(
    tmp_path: Path, arguments: tuple[object, ...], code: int, words: str
) -> None:
    done = fitcli(*arguments, cwd=tmp_path, env=NO_DISPLAY)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nothing_is_named_before_it_was_seen_for_a_while() -> None:
    asked: list[float] = []

    def load() -> Any:
        return Coach().networks()

    with Recogniser(load) as recogniser:
        recogniser.follow(lambda last_s: asked.append(last_s) or _nobody())  # type: ignore[func-returns-value]
        while not asked and not recogniser.failure:
            time.sleep(0.02)
        time.sleep(0.3)
        assert recogniser.failure is None
        assert recogniser.exercise is None
    assert NAMED_EVERY_S <= 2.0


def _nobody() -> PoseTrack:
    empty = np.zeros((60, 33, 3), np.float32)
    return PoseTrack(np.arange(60) / 15, empty, empty, np.zeros(60, np.float32), 640, 480)
