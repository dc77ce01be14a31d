"""One set in front of the camera, step by step: framing, countdown, recording or live coaching, rest.

Each step is an iterator of about 25 `LiveState`s a second. It runs on the caller's thread and ends early when
`LiveSession.stop` is set.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from fitcli.camera import Camera, CameraFrame, Newest, Recorder, Recording
from fitcli.coaching.framing import framing_advice
from fitcli.errors import CameraError
from fitcli.live.coach import Coaching, LiveCoach, Recogniser
from fitcli.pose.blazepose import PoseSample

TICK_S = 0.04
"""Longest time between two states."""

FRAMED_FOR_S = 0.5
"""How long the whole body must be in the picture before the countdown begins."""

FRAMING_LIMIT_S = 8.0
"""The countdown begins after this time in any case: on a bench or a machine, the whole body may never be visible."""

FRAMING_LIMIT_FILE_S = 1.5
"""The same for a video file, where nobody can follow the advice: enough time to read it."""

LAST_LOOK_S = 1.0
"""How long live coaching waits for the pose in a camera's last frame, which may complete a repetition."""


class Step(StrEnum):
    FRAMING = "framing"
    COUNTDOWN = "countdown"
    RECORDING = "recording"
    LIVE = "live"
    REST = "rest"


@dataclass(frozen=True)
class LivePose:
    """A frame and the pose in it, None if nobody was found. coaching: None while no coach is set."""

    frame: CameraFrame
    sample: PoseSample | None
    coaching: Coaching | None = None


Coach = Callable[[float, PoseSample | None], Coaching]
"""Called with the arrival time in seconds and the pose of every frame of a set, in order."""


@dataclass(frozen=True)
class LiveState:
    """What to show now.

    elapsed_s, total_s: of the step. rate_hz: frames a second that the camera delivers, measured.
    pose: None until the pose network is ready. advice: how to get into the picture, None if the framing is good.
    """

    step: Step
    elapsed_s: float
    total_s: float
    frame: CameraFrame
    pose: LivePose | None
    advice: str | None
    rate_hz: float
    dropped: int = 0

    @property
    def remaining_s(self) -> float:
        return max(self.total_s - self.elapsed_s, 0.0)

    @property
    def coaching(self) -> Coaching:
        """What the coach knows; the defaults without a coach."""
        return self.pose.coaching if self.pose and self.pose.coaching else Coaching()


class PoseWatcher:
    """Finds the person in the newest frame, on its own thread; frames that arrive meanwhile are skipped."""

    def __init__(self, camera: Camera) -> None:
        self.newest: Newest[LivePose] = Newest()
        self.coach: Coach | None = None
        self.failure: Exception | None = None
        self._camera = camera
        self._awake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._watch, name="pose", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Start with the newest frame."""
        self._awake.set()

    def rest(self) -> None:
        """Pause, so that others can use the processor."""
        self._awake.clear()

    def _watch(self) -> None:
        try:
            # They load the engine; the camera need not wait for it.
            from fitcli.pose.blazepose import BlazePose
            from fitcli.pose.tracker import PoseTracker

            tracker = PoseTracker(BlazePose(streams=1))  # leaves the other core to the video encoder
            frame: CameraFrame | None = None
            while not self._closing:
                self._awake.wait()
                if newer := self._camera.newest.wait_for_other_than(frame, TICK_S):
                    frame = newer
                    sample = tracker.update(frame.image)
                    coach = self.coach
                    self.newest.put(LivePose(frame, sample, coach(frame.arrival_s, sample) if coach else None))
        except Exception as failure:  # raised again by the thread that shows the states
            self.failure = failure

    def __enter__(self) -> PoseWatcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._awake.set()
        # Waits even while the network loads: native code must not outlive the interpreter.
        self._thread.join()


class LiveSession:
    """Leads one camera through any number of sets; `stop` ends the current step."""

    def __init__(self, camera: Camera, watcher: PoseWatcher) -> None:
        self.camera = camera
        self.watcher = watcher
        self.stop = threading.Event()
        self.recording: Recording | None = None
        self._recorder: Recorder | None = None

    def get_into_picture(self) -> Iterator[LiveState]:
        """Wait until the whole body is in the picture, or for a limited time after the pose network is ready."""
        limit_s = FRAMING_LIMIT_FILE_S if self.camera.is_file else FRAMING_LIMIT_S
        framed_since_s: float | None = None
        ready_s: float | None = None
        for state in self._states(Step.FRAMING, float("inf")):
            now_s = time.monotonic()
            if state.pose:
                ready_s = ready_s or now_s
                framed_since_s = None if state.advice else framed_since_s or now_s
            yield state
            if framed_since_s and now_s - framed_since_s >= FRAMED_FOR_S:
                return
            if ready_s and now_s - ready_s >= limit_s:
                return

    def count_down(self, seconds: float) -> Iterator[LiveState]:
        """Count down `seconds`."""
        return self._states(Step.COUNTDOWN, seconds)

    def rest(self, seconds: float) -> Iterator[LiveState]:
        """Wait `seconds` between two sets."""
        return self._states(Step.REST, seconds)

    def record(self, path: Path, duration_s: float) -> Iterator[LiveState]:
        """Record to `path`; `recording` holds the result afterwards, None if nothing was recorded.

        Ends early when the camera's picture ends. Raises `StorageError` if the file cannot be written.
        """
        self.recording = None
        self._recorder = recorder = Recorder(path, duration_s)
        self.camera.begin(recorder)
        self.watcher.coach = self.new_coach().see
        try:
            for state in self._states(Step.RECORDING, duration_s):
                yield state
                if recorder.done or self.camera.ended_s is not None:
                    break
        finally:
            ended_s = self.camera.ended_s
            self.camera.pause()
            self.watcher.rest()
            self.watcher.coach = None
            self._recorder = None
            self.recording = recorder.finish(ended_s)

    def new_coach(self, recogniser: Recogniser | None = None) -> LiveCoach:
        """A coach for this camera; without a recogniser it only counts."""
        height, width = self.camera.picture.image.shape[:2]
        return LiveCoach(width, height, recogniser)

    def live(
        self, coach: LiveCoach, duration_s: float, repetitions: int | None = None, path: Path | None = None
    ) -> Iterator[LiveState]:
        """Coach until `repetitions` are done, for `duration_s`, or until the camera's picture ends.

        path: records the video too; `recording` holds the result afterwards. Raises the coach's errors.
        """
        self.recording = None
        recorder = Recorder(path, duration_s) if path else None
        self.camera.begin(recorder)
        self.watcher.coach = coach.see
        ended_s: float | None = None
        try:
            for state in self._states(Step.LIVE, duration_s):
                yield state
                ended_s = self.camera.ended_s
                saw_last_frame = state.pose is not None and state.pose.frame is self.camera.picture
                if ended_s is not None and (saw_last_frame or time.monotonic() > ended_s + LAST_LOOK_S):
                    break
                if (repetitions and state.coaching.total >= repetitions) or (recorder and recorder.done):
                    break
        finally:
            self.camera.pause()
            self.watcher.rest()
            self.watcher.coach = None
            if recorder:
                self.recording = recorder.finish(ended_s)

    def _states(self, step: Step, total_s: float) -> Iterator[LiveState]:
        self.watcher.wake()
        began_s = time.monotonic()
        pose = self.watcher.newest.get()
        if pose and began_s - pose.frame.arrival_s > 1:  # older than the last rest
            pose = None
        while not self.stop.is_set():
            pose = self.watcher.newest.wait_for_other_than(pose, TICK_S) or pose
            if self.watcher.failure:
                raise self.watcher.failure
            recorder = self._recorder
            elapsed_s = recorder.elapsed_s if recorder else time.monotonic() - began_s
            if not recorder:
                if elapsed_s >= total_s:
                    return
                if self.camera.ended_s is not None and step is not Step.LIVE:
                    raise CameraError(f"{self.camera.name} stopped delivering pictures: check its cable and try again.")
            yield self._state(step, elapsed_s, total_s, pose, recorder.dropped if recorder else 0)

    def _state(self, step: Step, elapsed_s: float, total_s: float, pose: LivePose | None, dropped: int) -> LiveState:
        frame = self.camera.picture
        height, width = frame.image.shape[:2]
        advice = framing_advice(pose.sample.landmarks if pose.sample else None, width, height) if pose else None
        return LiveState(step, elapsed_s, total_s, frame, pose, advice, self.camera.rate_hz, dropped)
