"""What is seen while recording: advice on how to get into the picture, the terminal's panel, and the preview."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support.cli import SAMPLE
from support.screen import Screen, near

from fitcli.camera import CameraFrame, Window, display_trouble, window_opens
from fitcli.coaching.framing import NOBODY, framing_advice
from fitcli.live import screen as live
from fitcli.live.coach import Coaching, SetSummary
from fitcli.live.session import LivePose, LiveState, Step
from fitcli.live.sounds import Sounds
from fitcli.pose.track import LANDMARKS, FloatArray
from fitcli.pose.tracker import PoseTracker
from fitcli.results.analysis import ExerciseScore
from fitcli.results.sets import Repetition
from fitcli.video import Frame, frames
from fitcli.voice.wording import spoken

ORANGE, CYAN = (255, 167, 38), (38, 198, 218)


@pytest.fixture(scope="module")
def first_frame() -> Frame:
    return next(frames(SAMPLE, rate_hz=None, max_side=None))


@pytest.fixture(scope="module")
def pose(first_frame: Frame) -> LivePose:
    sample = PoseTracker().update(first_frame.image)
    assert sample is not None
    return LivePose(CameraFrame(0.0, first_frame.image), sample)


@pytest.fixture
def state(pose: LivePose) -> LiveState:
    return LiveState(Step.RECORDING, 3.2, 10.0, pose.frame, pose, None, 29.7)


def landmarks_of(pose: LivePose) -> FloatArray:
    assert pose.sample is not None
    return pose.sample.landmarks


def moved(landmarks: np.ndarray, x: float = 0.0, y: float = 0.0, scale: float = 1.0) -> np.ndarray:
    there = landmarks.copy()
    there[:, :2] = (there[:, :2] - 0.5) * scale + 0.5 + (x, y)
    return there


def test_a_body_that_is_whole_needs_no_advice(pose: LivePose) -> None:
    assert framing_advice(landmarks_of(pose), 640, 480) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": 0.3}, "your feet are out of the picture"),
        ({"y": -0.3}, "your head is out of the picture"),
        ({"scale": 1.6}, "your head and your feet"),
        ({"scale": 0.2}, "Come closer"),
    ],
)
def test_advice_names_what_is_out_of_the_picture(pose: LivePose, change: dict[str, float], words: str) -> None:
    assert words in (framing_advice(moved(landmarks_of(pose), **change), 640, 480) or "")


@pytest.mark.parametrize(("side", "step_to"), [("left", "right"), ("right", "left")])
def test_advice_sends_a_person_back_from_the_side(pose: LivePose, side: str, step_to: str) -> None:
    # only this side's arm is beyond the edge, whichever edge that is
    for edge in (-0.1, 1.1):
        landmarks = landmarks_of(pose).copy()
        landmarks[LANDMARKS.index(f"{side} wrist"), 0] = edge
        advice = framing_advice(landmarks, 640, 480)
        assert advice == f"Step to your {step_to}: your {side} side is out of the picture."


def test_nobody_is_told_to_step_in(first_frame: Frame) -> None:
    empty = np.full_like(first_frame.image, 200)
    assert PoseTracker().update(empty) is None
    assert framing_advice(None, 640, 480) == NOBODY


def shown(state: LiveState, width: int = 80, **terminal: Any) -> str:
    written = io.StringIO()
    console = Console(file=written, width=width, height=30, force_terminal=True, color_system=None, **terminal)
    console.print(live.panel(state, "camera 0"))
    return re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue())


@pytest.mark.parametrize("width", [live.SMALLEST_TERMINAL[0], 80, 120])
def test_the_panel_shows_time_rate_drops_and_person_at_every_width(state: LiveState, width: int) -> None:
    text = shown(state, width)
    assert all(len(line) == width for line in text.splitlines())
    assert "Recording" in text
    assert "none dropped" in text or width < 60
    assert "Your whole body is in the picture." in text
    assert "█▀█" in shown(replace(state, elapsed_s=8.0))
    assert "7 dropped" in shown(replace(state, dropped=7))
    assert "30 frames/s" in shown(state)


def test_the_panel_shows_advice_countdown_and_repetitions(state: LiveState, pose: LivePose) -> None:
    assert "Step back" in shown(replace(state, step=Step.FRAMING, total_s=float("inf"), advice="Step back: feet."))
    assert "Looking for you" in shown(replace(state, pose=None))
    assert live.number(replace(state, step=Step.COUNTDOWN, elapsed_s=0.5, total_s=3.0)) == "3"
    assert live.number(replace(state, step=Step.COUNTDOWN, elapsed_s=2.5, total_s=3.0)) == "1"
    assert "4 repetitions" in shown(replace(state, pose=replace(pose, coaching=Coaching(repetitions=4))))


COACHING = Coaching(
    repetitions=7,
    total=12,
    set_number=2,
    exercise=ExerciseScore("squat", 0.93),
    latest=Repetition(1.0, 2.2, 3.1, 1.2, 0.9, 104.0),
    cue="Go lower, until your thighs are level with the floor, as far as you can with control.",
    cue_number=1,
)


@pytest.mark.parametrize("width", [live.SMALLEST_TERMINAL[0], 80, 120])
def test_the_live_panel_shows_what_the_coach_knows(state: LiveState, pose: LivePose, width: int) -> None:
    coached = replace(state, step=Step.LIVE, total_s=float("inf"), pose=replace(pose, coaching=COACHING))
    text = shown(coached, width)
    assert all(len(line) == width for line in text.splitlines())
    assert len(text.splitlines()) <= live.SMALLEST_TERMINAL[1]
    for words in ("set 2", "repetitions of squat (93%)", "1.2 s eccentric", "Go lower", "12 in all"):
        assert words in text
    assert "range 104 deg" in text or width < 60
    assert live.number(coached) == "7"
    resting = replace(coached, pose=replace(pose, coaching=replace(COACHING, rest_s=34.0)))
    assert "rest 0:34" in shown(resting, width)
    unnamed = replace(coached, pose=replace(pose, coaching=Coaching(repetitions=1)))
    assert re.search(r"\brepetition\b", shown(unnamed, width))


@pytest.mark.parametrize("width", [live.SMALLEST_TERMINAL[0], 80, 120])
def test_the_live_panel_counts_the_seconds_of_a_hold(state: LiveState, pose: LivePose, width: int) -> None:
    hold = Coaching(exercise=ExerciseScore("plank", 0.97), held_s=34.6)
    coached = replace(state, step=Step.LIVE, total_s=float("inf"), pose=replace(pose, coaching=hold))
    text = shown(coached, width)
    assert live.number(coached) == "34"
    assert "seconds of plank (97%)" in text
    assert "repetition" not in text
    assert "in all" not in text
    quick = replace(coached, pose=replace(pose, coaching=replace(COACHING, cadence_per_min=61.7)))
    assert "62 a minute" in shown(quick, width)
    assert "eccentric" not in shown(quick, width)


def test_sets_are_told_by_what_they_are_counted_in() -> None:
    assert live.set_line(SetSummary(1, "plank", 0, held_s=94.2)) == "Set 1: plank, held for 1 min 34 s."
    assert live.set_line(SetSummary(2, "jumping jack", 30, cadence_per_min=61.7)) == (
        "Set 2: 30 repetitions of jumping jack, 62 a minute."
    )
    assert live.set_line(SetSummary(3, None, 1)) == "Set 3: 1 repetition."
    assert spoken(live.set_line(SetSummary(1, "plank", 0, held_s=61.0))) == (
        "Set 1: plank, held for 1 minute 1 second."
    )


class Heard:
    """Stands for the voice: what it is asked to say, and which words it was told to get ready."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ready: set[str] = set()

    def prepare(self, texts: Iterable[str]) -> None:
        self.ready.update(texts)

    def count(self, number: int, unit: str = "", *, frequency_hz: float = 0.0, speech: bool = True) -> None:
        self.said.append(f"{number} {unit}".strip() if speech else "tone")

    def say(self, text: str) -> None:
        self.said.append(text)

    def beep(self, frequency_hz: float, duration_s: float, *, then: str = "") -> None:
        pass


def test_quick_repetitions_are_said_so_that_none_is_cut_off(state: LiveState, pose: LivePose) -> None:
    def heard(lasts_s: float) -> list[str]:
        voice = Heard()
        sounds = Sounds(voice, beeps=True, speech=True)  # type: ignore[arg-type]
        for number in range(1, 11):
            coaching = Coaching(repetitions=number, total=number, latest=Repetition(0, lasts_s / 2, lasts_s, 1, 1))
            sounds.hear(replace(state, step=Step.LIVE, pose=replace(pose, coaching=coaching)), None)
            sounds.hear(replace(state, step=Step.LIVE, pose=replace(pose, coaching=coaching)), None)
        return voice.said

    assert heard(2.0)[-10:] == [str(number) for number in range(1, 11)]
    assert [each for each in heard(0.7) if each != "tone"] == ["2", "4", "6", "8", "10"]
    assert [each for each in heard(0.3) if each != "tone"] == ["5", "10"]


def test_a_holds_seconds_are_said_now_and_then(state: LiveState, pose: LivePose) -> None:
    voice = Heard()
    sounds = Sounds(voice, beeps=True, speech=True)  # type: ignore[arg-type]
    for tenth in range(20, 345):
        coaching = Coaching(exercise=ExerciseScore("plank", 0.9), held_s=tenth / 10)
        sounds.hear(replace(state, step=Step.LIVE, pose=replace(pose, coaching=coaching)), None)
    over = (SetSummary(1, "plank", 0, held_s=34.4),)
    coaching = Coaching(exercise=ExerciseScore("plank", 0.9), held_s=34.4, rest_s=2.0, finished=over)
    sounds.hear(replace(state, step=Step.LIVE, pose=replace(pose, coaching=coaching)), None)
    assert voice.said == ["10 seconds", "20 seconds", "30 seconds", "Set 1: plank, held for 34 s."]
    assert {"10 seconds", "20 seconds", "30 seconds"} <= voice.ready


def test_the_live_preview_shows_the_count_and_the_cue(state: LiveState, pose: LivePose) -> None:
    def picture(coaching: Coaching) -> np.ndarray:
        step = replace(state, step=Step.LIVE, total_s=float("inf"), pose=replace(pose, coaching=coaching))
        return live.preview(step, mirror=False)

    without = picture(replace(COACHING, cue=None))
    assert (picture(replace(COACHING, cue=None, repetitions=8))[60:200] != without[60:200]).any()
    assert near(picture(COACHING)[-60:], (255, 213, 79)).sum() > near(without[-60:], (255, 213, 79)).sum() + 200


def test_the_preview_lays_the_skeleton_on_the_body(state: LiveState, pose: LivePose) -> None:
    picture = live.preview(state, mirror=False)
    height, width = picture.shape[:2]
    for side, colour in (("left", ORANGE), ("right", CYAN)):
        knee, ankle = (landmarks_of(pose)[LANDMARKS.index(f"{side} {part}"), :2] for part in ("knee", "ankle"))
        x, y = ((knee + ankle) / 2 * (width, height)).round().astype(int)
        assert near(picture[y - 3 : y + 4, x - 3 : x + 4], colour).any()
    assert not near(live.preview(replace(state, pose=None), mirror=False), ORANGE).any()


def test_the_preview_is_a_mirror_but_its_words_are_not(state: LiveState) -> None:
    plain, mirrored = (live.preview(state, mirror=mirror).astype(int) for mirror in (False, True))
    strip = 60  # pixels that the caption takes
    assert np.abs(plain[strip:] - mirrored[strip:, ::-1]).mean() < 2
    assert np.abs(plain[strip:] - mirrored[strip:]).mean() > 4
    white = (255, 255, 255)
    words, words_mirrored = near(plain[:40, :220], white), near(mirrored[:40, :220], white)
    assert words.sum() > 300
    assert (words == words_mirrored).mean() > 0.99


def test_the_preview_shows_time_advice_and_countdown(state: LiveState) -> None:
    later = live.preview(replace(state, elapsed_s=9.9), mirror=False)
    assert (live.preview(state, mirror=False)[:60] != later[:60]).any()
    advised = live.preview(replace(state, advice="Step back: your feet are out of the picture."), mirror=False)
    assert near(advised[-60:], (255, 213, 79)).sum() > 200
    counting = live.preview(replace(state, step=Step.COUNTDOWN, elapsed_s=0.0, total_s=3.0), mirror=False)
    middle = (slice(180, 300), slice(260, 380))
    assert near(counting[middle], (255, 255, 255)).sum() > near(later[middle], (255, 255, 255)).sum() + 1000


@pytest.mark.clock
def test_the_preview_window_shows_the_skeleton_on_a_real_display(
    screen: Screen, state: LiveState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", screen.display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert display_trouble() is None
    window = Window()
    try:
        window.show(live.preview(state, mirror=False))
        assert window.wait()
        deadline_s = time.monotonic() + 60
        while True:
            window.show(live.preview(state, mirror=False))
            on_screen = screen.pixels()
            seen = {name: int(near(on_screen, colour).sum()) for name, colour in (("left", ORANGE), ("right", CYAN))}
            if min(seen.values()) > 100 or time.monotonic() > deadline_s:  # it may be half painted
                break
            time.sleep(0.1)
        assert min(seen.values()) > 100, (seen, int(on_screen.max()))
    finally:
        window.close()


def test_a_display_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("X11 and Wayland displays can be taken away")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "no display" in (display_trouble() or "")
    monkeypatch.setenv("DISPLAY", ":987")
    assert not window_opens()
