"""The loop of `fitcli record`: film or coach a set, answer, rest, and again."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from fitcli.analysis import Coach
from fitcli.cli.console import note
from fitcli.cli.present import Presentation
from fitcli.cli.set_answers import Answers
from fitcli.cli.set_files import NamedFiles, recording_folder
from fitcli.outputs import Output

if TYPE_CHECKING:  # these load numpy and the audio library, which `fitcli --help` does without
    from fitcli.camera import Recording
    from fitcli.voice import Voice


@dataclass(frozen=True)
class RecordOptions:
    """The options of `fitcli record`.

    mirror: None mirrors the preview of cameras only. duration_s: length of a set, infinity without a limit. rest_s:
    None for a single set. repetitions: ends a live set, None without a limit. coach: answers each set.
    """

    camera: str
    resolution: str | None
    preview: bool
    mirror: bool | None
    duration_s: float
    countdown_s: int
    rest_s: int | None
    live: bool
    repetitions: int | None
    beeps: bool
    files: NamedFiles
    presentation: Presentation
    coach: Coach


class Sets:
    """Records or coaches set after set and answers each, until the options, the camera or the user end it.

    A context manager that holds the camera, the voice and the temporary folder of the videos.
    """

    def __init__(self, options: RecordOptions) -> None:
        self._options = options
        self._presentation = options.presentation
        self._leave = threading.Event()
        self._opened = ExitStack()
        self._camera_opened = ExitStack()

    def __enter__(self) -> Sets:
        from fitcli.camera import Camera, Resolution, display_trouble
        from fitcli.cli.stage import Stage
        from fitcli.live.coach import Recogniser
        from fitcli.live.session import LiveSession, PoseWatcher
        from fitcli.live.sounds import Sounds

        options = self._options
        size = Resolution.parse(options.resolution) if options.resolution else None
        with ExitStack() as opened:
            self._folder = opened.enter_context(recording_folder(self._presentation))
            camera_opened = opened.enter_context(ExitStack())
            voice = _open_voice(options)
            if voice:
                opened.enter_context(voice)
            self._recogniser = camera_opened.enter_context(Recogniser(options.coach.networks)) if options.live else None
            self._camera = camera_opened.enter_context(Camera(options.camera, size))
            watcher = camera_opened.enter_context(PoseWatcher(self._camera))
            self._session = LiveSession(self._camera, watcher)
            trouble = display_trouble() if options.preview else None
            if trouble:
                note(trouble)
            speech = self._presentation.voice is not False
            sounds = Sounds(voice, beeps=options.beeps, speech=speech) if voice else None
            if sounds and options.live:
                sounds.prepare_live()
            self._stage = opened.enter_context(
                Stage(
                    self._session,
                    preview=options.preview and not trouble,
                    mirror=self._camera.live if options.mirror is None else options.mirror,
                    sounds=sounds,
                )
            )
            self._answers = Answers(options.coach, self._presentation, self._stage, self._camera.name, voice)
            self._opened, self._camera_opened = opened.pop_all(), camera_opened
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def run(self) -> list[int]:
        """Do what the options ask for; returns the exit code of every set that was recorded."""
        return self._run_live() if self._options.live else self._run_recorded()

    def _run_recorded(self) -> list[int]:
        rest_s = self._options.rest_s
        codes: list[int] = []
        for number in count(1):
            self._stage.set_number = None if rest_s is None else number
            files = self._options.files.of_set(number)
            recording = self._record(self._folder / f"set-{number}.mp4", files.video)
            if recording is None:
                break
            last = rest_s is None or self._ended or self._camera.ended_s is not None
            if last:  # the camera's light goes out, and the analysis has the processor to itself
                self._camera_opened.close()
            codes.append(self._answers.recorded(recording, files))
            if last or self._ended or not self._rest(rest_s or 0):
                break
        return codes

    def _run_live(self) -> list[int]:
        """Coach live, then answer all sets as one session."""
        options = self._options
        with self._ctrl_c_ends_step():
            if not self._get_ready():
                return []
            live_coach = self._session.new_coach(self._recogniser)
            files = options.files.of_set(1)
            path = files.video.make_room() if files.video else None
            self._stage.play(self._session.live(live_coach, options.duration_s, options.repetitions, path))
            self._stage.end_recording()
        summaries = live_coach.finish()
        self._camera_opened.close()
        return [self._answers.coached(live_coach.track(), summaries, path, files)]

    @property
    def _ended(self) -> bool:
        """Whether the user wants no other set."""
        return self._leave.is_set() or self._answers.interrupted

    def _get_ready(self) -> bool:
        """Wait for the person and count down; returns whether to go on."""
        for states in (self._session.get_into_picture(), self._session.count_down(self._options.countdown_s)):
            self._stage.play(states)
            if self._session.stop.is_set():
                return False
        return True

    def _record(self, path: Path, kept: Output | None) -> Recording | None:
        """Get ready, then record to `kept`, or else to `path`; None if it was stopped before anything was recorded."""
        with self._ctrl_c_ends_step():
            if not self._get_ready():
                return None
            states = self._session.record(kept.make_room() if kept else path, self._options.duration_s)
            self._stage.play(states)
            self._stage.end_recording()
        return self._session.recording

    def _rest(self, seconds: int) -> bool:
        """Wait for the next set; returns whether there is one."""
        with self._ctrl_c_ends_step():
            self._stage.play(self._session.rest(seconds))
        return not self._session.stop.is_set()

    @contextmanager
    def _ctrl_c_ends_step(self) -> Iterator[None]:
        """Let Ctrl-C end the current step and keep another set from starting. The panel is removed afterwards."""
        self._session.stop.clear()

        def stop(number: int, frame: FrameType | None) -> None:
            self._leave.set()
            self._session.stop.set()

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            self._stage.clear()
            signal.signal(signal.SIGINT, before)


def _open_voice(options: RecordOptions) -> Voice | None:
    """The voice for tones and words: None if both are off or, unless asked for, if nobody would hear them."""
    from fitcli.voice import Voice, output_expected  # numpy and the audio library

    wanted = options.presentation.voice
    if not options.beeps and wanted is False:
        return None
    if wanted is None and not (sys.stderr.isatty() and output_expected()):
        return None
    return Voice(lang=options.presentation.lang)
