"""`fitcli record`: a set in front of the camera, coached live or not, then the same answer as `fitcli analyze`."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

import fitcli
from fitcli.cli import options
from fitcli.cli.console import INTERRUPTED, complain, exit_code
from fitcli.cli.console import note as tell
from fitcli.cli.pictures import NO_PICTURES, Pictures, Report, SaveVideo, Target, plan_pictures
from fitcli.cli.present import Presentation, present, speak
from fitcli.errors import FitcliError, InvalidVideoError, StorageError
from fitcli.history.store import sessions_folder
from fitcli.outputs import HTML, MP4, WAV, FileFormat, Identity, Output, check_distinct, claim, identities

if TYPE_CHECKING:  # these load numpy, the pose room and the audio side, which `fitcli --help` does without
    from fitcli.analysis import Progress
    from fitcli.camera import Recording
    from fitcli.live.coach import SetSummary
    from fitcli.network.ensemble import Ensemble
    from fitcli.pose.track import PoseTrack
    from fitcli.results.analysis import Analysis
    from fitcli.voice import Voice

PREFIX = ".recording-"
"""How the folder begins that holds a video until it is analysed."""

LEFT_AFTER_S = 86_400
"""No recording takes a day: such a folder of yesterday was left behind, and its video is to be private too."""

DURATION_S = 10.0
"""A set lasts as long where nobody says how long, unless it is coached live."""

SHORTEST_S = 1.0
"""Less was stopped by mistake; the answer would be a guess."""

_CAMERA = "Camera"
_SET = "Set"


def record(
    camera: Annotated[
        str,
        typer.Option(
            parser=options.given_name,
            metavar="CAMERA",
            help="Number of a camera, /dev/video0, the address of a stream, or a video file that plays as a camera.",
            rich_help_panel=_CAMERA,
        ),
    ] = "0",
    resolution: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Picture to ask the camera for; 1280x720 otherwise.", rich_help_panel=_CAMERA),
    ] = None,
    preview: Annotated[
        bool, typer.Option(" /--no-preview", help="Show no preview window.", rich_help_panel=_CAMERA)
    ] = True,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Preview as in a mirror; by default for cameras, not for files and streams. The file never is.",
            show_default=False,
            rich_help_panel=_CAMERA,
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Count and coach while you train, set after set, until q or Ctrl-C. Without --keep-video nothing is "
            "filmed.",
            rich_help_panel=_SET,
        ),
    ] = False,
    reps: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, metavar="N", help="With --live: stop after N repetitions.", rich_help_panel=_SET
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=86_400,
            metavar="SECONDS",
            help=f"How long to record; {DURATION_S:.0f} s otherwise, with --live no limit.",
            rich_help_panel=_SET,
        ),
    ] = None,
    countdown: Annotated[
        int, typer.Option(min=0, max=60, metavar="SECONDS", help="Time to get ready.", rich_help_panel=_SET)
    ] = 3,
    loop: Annotated[
        bool, typer.Option("--loop", help="Set after set, one session each, until Ctrl-C.", rich_help_panel=_SET)
    ] = False,
    rest: Annotated[
        int,
        typer.Option(min=0, max=3600, metavar="SECONDS", help="Rest between sets with --loop.", rich_help_panel=_SET),
    ] = 60,
    keep_video: Annotated[
        Path | None,
        typer.Option(
            parser=options.given_output,
            metavar="MP4",
            help="Keep the video in this file, which plays even if recording is cut short; otherwise it is deleted "
            "once it is analysed.",
            rich_help_panel=options.SESSION,
        ),
    ] = None,
    save_video: SaveVideo = None,
    report: Report = None,
    beep: Annotated[bool, typer.Option(" /--no-beep", help="No tones.", rich_help_panel=options.VOICE)] = True,
    voice: options.Spoken = None,
    voice_file: options.VoiceFile = None,
    overwrite: options.Overwrite = False,
    weight: options.Weight = None,
    note: options.Note = "",
    lang: options.Lang = None,
    json: options.Json = False,
    top: options.Top = 3,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    sessions: options.Sessions = None,
    no_save: options.NoSave = False,
    checkpoints: options.Checkpoints = None,
    device: options.OnDevice = options.Device.auto,
    trust_checkpoint: options.TrustCheckpoint = False,
) -> None:
    """Record a set with the camera, say which exercise it is, which muscle groups work and what to change.

    The video is deleted once it is analysed, unless --keep-video names a file for it. With --live, repetitions are
    counted aloud while you train, and no video is made at all.
    """
    if reps and not live:
        raise typer.BadParameter("repetitions are counted while you train: add --live.", param_hint="--reps")
    if live and loop:
        raise typer.BadParameter("--live goes on from set to set by itself: leave --loop out.", param_hint="--loop")
    if live and save_video and not keep_video:
        raise typer.BadParameter("--live makes no video to draw on: add --keep-video FILE.", param_hint="--save-video")
    outputs = _Outputs(keep_video, save_video, report, voice_file, overwrite, identities([Path(camera)]))
    # What is in the way of a file is told before anybody gets ready.
    outputs.check(loop=loop)
    how = Presentation(
        json=json,
        quiet=quiet,
        verbose=verbose,
        top=top,
        save=not no_save,
        sessions=sessions,
        weight_kg=weight,
        note=note,
        voice=voice,
        lang=lang,
    )

    plan = _Plan(
        camera=camera,
        resolution=resolution,
        preview=preview,
        mirror=mirror,
        duration_s=duration or (math.inf if live else DURATION_S),
        countdown_s=countdown,
        rest_s=rest if loop else None,
        live=live,
        repetitions=reps,
        outputs=outputs,
        beeps=beep,
    )
    engine = _Engine(checkpoints, device.value, trust_checkpoint)
    try:
        with _terminated_like_ctrl_c(), _Sets(plan, how, engine) as sets:
            codes = sets.run_live() if live else sets.run()
    except KeyboardInterrupt:
        tell("Stopped.")
        # Its analysis may still run, inside of native code that does not survive the interpreter's own way to end.
        sys.stdout.flush()
        os._exit(INTERRUPTED)
    raise typer.Exit(exit_code(codes) if codes else INTERRUPTED)


@dataclass(frozen=True)
class _Plan:
    """What is recorded and how it is shown; `rest_s` is None for a single set."""

    camera: str
    resolution: str | None
    preview: bool
    mirror: bool | None
    duration_s: float
    countdown_s: int
    rest_s: int | None
    live: bool
    repetitions: int | None
    outputs: _Outputs
    beeps: bool


@dataclass(frozen=True)
class _SetOutputs:
    """The files of one set; None where nobody asked."""

    video: Output | None
    speech: Output | None
    pictures: Pictures


@dataclass(frozen=True)
class _Outputs:
    """What was named for the files of all sets; `inputs` are the video that plays as a camera, if one does."""

    keep_video: Path | None
    save_video: Target | None
    report: Target | None
    voice_file: Path | None
    overwrite: bool
    inputs: frozenset[Identity]

    def check(self, *, loop: bool) -> None:
        """Raise a `FitcliError` or a `typer.BadParameter` where a file may not or cannot be written."""
        if loop:
            for target, format, option in ((self.save_video, MP4, "--save-video"), (self.report, HTML, "--report")):
                if target:
                    target.files([Path("1"), Path("2")], format, option)
        self.of_set(1)
        for named, format in ((self.keep_video, MP4), (self.voice_file, WAV)):
            if loop and named:
                for path in _numbered_later(named):
                    self._claimed(path, format)

    def of_set(self, number: int) -> _SetOutputs:
        """The files of a set from now on; raises what `check` raises."""
        video, speech = (_numbered(path, number) for path in (self.keep_video, self.voice_file))
        kept, spoken = self._claimed(video, MP4), self._claimed(speech, WAV)
        pictures = NO_PICTURES
        if self.save_video or self.report:
            named = video or Path(f"set-{datetime.now():%Y-%m-%dT%H-%M-%S}")
            (pictures,) = plan_pictures(
                [named], self.save_video, self.report, overwrite=self.overwrite, inputs=self.inputs
            )
        check_distinct(kept, pictures.video)
        return _SetOutputs(kept, spoken, pictures)

    def _claimed(self, path: Path | None, format: FileFormat) -> Output | None:
        return claim(path, format, overwrite=self.overwrite, inputs=self.inputs) if path else None


@dataclass(frozen=True)
class _Engine:
    """Who answers: the networks of a folder on a device."""

    checkpoints: Path | None
    device: str
    trust_checkpoint: bool

    def of_video(self, path: Path, progress: Progress) -> Analysis:
        return fitcli.analyze(
            path,
            checkpoints=self.checkpoints,
            device=self.device,
            trust_checkpoint=self.trust_checkpoint,
            progress=progress,
        )

    def of_track(self, track: PoseTrack, name: str) -> Analysis:
        from fitcli.analysis import analyze_track  # the engines
        from fitcli.coaching.advice import coach

        return coach(
            analyze_track(
                track,
                name,
                checkpoints=self.checkpoints,
                device=self.device,
                trust_checkpoint=self.trust_checkpoint,
            )
        )

    def networks(self) -> Ensemble:
        from fitcli.analysis import load_ensemble  # the engines

        return load_ensemble(checkpoints=self.checkpoints, device=self.device, trust_checkpoint=self.trust_checkpoint)


class _Sets:
    """Sets, recorded or coached live, analysed, told and stored, until the plan, the camera or the user ends them.

    A context manager: it holds the camera, the voice and the folder with the video that is deleted.
    """

    def __init__(self, plan: _Plan, how: Presentation, engine: _Engine) -> None:
        self._plan = plan
        self._how = how
        self._engine = engine
        self._leave = threading.Event()
        self._opened = ExitStack()
        self._camera_opened = ExitStack()

    def __enter__(self) -> _Sets:
        from fitcli.camera import Camera, Resolution, display_trouble
        from fitcli.cli.stage import Stage
        from fitcli.live.coach import Recogniser
        from fitcli.live.session import LiveSession, PoseWatcher
        from fitcli.live.sounds import Sounds

        plan, how = self._plan, self._how
        size = Resolution.parse(plan.resolution) if plan.resolution else None
        with ExitStack() as opened:
            self._folder = opened.enter_context(_recording_folder(how))
            camera_opened = opened.enter_context(ExitStack())
            voice = _open_voice(plan, how)
            if voice:
                opened.enter_context(voice)
            self._recogniser = camera_opened.enter_context(Recogniser(self._engine.networks)) if plan.live else None
            self._camera = camera_opened.enter_context(Camera(plan.camera, size))
            watcher = camera_opened.enter_context(PoseWatcher(self._camera))
            self._session = LiveSession(self._camera, watcher)
            trouble = display_trouble() if plan.preview else None
            if trouble:
                tell(trouble)
            sounds = Sounds(voice, beeps=plan.beeps, speech=how.voice is not False) if voice else None
            if sounds and plan.live:
                sounds.prepare_live()
            self._stage = opened.enter_context(
                Stage(
                    self._session,
                    preview=plan.preview and not trouble,
                    mirror=self._camera.live if plan.mirror is None else plan.mirror,
                    sounds=sounds,
                )
            )
            self._voice = voice
            self._opened, self._camera_opened = opened.pop_all(), camera_opened
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def run(self) -> list[int]:
        """Returns the exit code of each set."""
        codes: list[int] = []
        for number in count(1):
            self._stage.set_number = None if self._plan.rest_s is None else number
            outputs = self._plan.outputs.of_set(number)
            recording = self._record(self._folder / f"set-{number}.mp4", outputs.video)
            if recording is None:
                break
            last = self._plan.rest_s is None or self._leave.is_set() or self._camera.ended_s is not None
            if last:  # its light goes out, and the analysis has the processor for itself
                self._camera_opened.close()
            codes.append(self._answer_recorded(recording, outputs))
            if last or self._leave.is_set() or not self._rest(self._plan.rest_s or 0):
                break
        return codes

    def run_live(self) -> list[int]:
        """Coach live, then answer about all of it as one session; returns its exit code, none where it never began."""
        plan = self._plan
        with self._ctrl_c_stops():
            if not self._get_ready():
                return []
            coach = self._session.new_coach(self._recogniser)
            outputs = plan.outputs.of_set(1)
            path = _begun(outputs.video)
            self._stage.play(self._session.live(coach, plan.duration_s, plan.repetitions, path))
            self._stage.end_recording()
        summaries = coach.finish()
        self._camera_opened.close()
        track = coach.track()
        duration_s = float(track.times_s[-1]) if len(track) else 0.0
        if not (self._how.json or self._how.quiet):
            _tell_live(duration_s, len(track), summaries)
        named = str(path) if path else self._camera.name
        return [self._answer(duration_s, named, lambda progress: self._engine.of_track(track, named), path, outputs)]

    def _get_ready(self) -> bool:
        """Into the picture, countdown; returns whether to go on."""
        for states in (self._session.get_into_picture(), self._session.count_down(self._plan.countdown_s)):
            self._stage.play(states)
            if self._session.stop.is_set():
                return False
        return True

    def _record(self, path: Path, kept: Output | None) -> Recording | None:
        """Get ready, record to `kept` or else `path`; None where it was stopped before there was anything to keep."""
        with self._ctrl_c_stops():
            if not self._get_ready():
                return None
            self._stage.play(self._session.record(_begun(kept) or path, self._plan.duration_s))
            self._stage.end_recording()
        return self._session.recording

    def _answer_recorded(self, recording: Recording, outputs: _SetOutputs) -> int:
        """Tell about the recording and what the analysis says of it; returns the exit code."""
        if not (self._how.json or self._how.quiet):
            _tell(recording)
        named = str(recording.path) if outputs.video else self._camera.name

        def analyse(progress: Progress) -> Analysis:
            return self._engine.of_video(recording.path, progress)

        try:
            return self._answer(recording.duration_s, named, analyse, recording.path, outputs)
        finally:
            if not outputs.video:
                recording.path.unlink(missing_ok=True)

    def _answer(
        self,
        duration_s: float,
        named: str,
        analyse: Callable[[Progress], Analysis],
        video: Path | None,
        outputs: _SetOutputs,
    ) -> int:
        """Tell, store and draw (from the video, where there is one) what the analysis says; returns the exit code."""
        try:
            if duration_s < SHORTEST_S:
                raise InvalidVideoError(f"Only {duration_s:.1f} s were recorded: too short to see a movement.")
            analysis = replace(self._analysed(analyse), file=named)
        except FitcliError as error:  # the next set may be a better one
            return complain(error, verbose=self._how.verbose)
        finally:
            self._stage.clear()
        code = present(analysis, self._how, outputs.pictures, source=video)
        return self._speak(analysis, outputs.speech) or code

    def _analysed(self, analyse: Callable[[Progress], Analysis]) -> Analysis:
        """The analysis, made on a thread of its own so that Ctrl-C ends the waiting at once."""
        outcome: list[Analysis | Exception] = []
        share: float | None = None

        def progress(done: float) -> None:
            nonlocal share
            share = done

        def work() -> None:
            try:
                outcome.append(analyse(progress))
            except Exception as error:  # raised again below, on the thread that tells it
                outcome.append(error)

        thread = threading.Thread(target=work, name="analysis", daemon=True)
        thread.start()
        while thread.is_alive():
            if share is not None:
                self._stage.analysing(share)
            thread.join(0.05)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def _speak(self, analysis: Analysis, file: Output | None) -> int:
        from fitcli.voice import trouble_line

        how = self._how
        if self._voice and (trouble := self._voice.trouble):
            tell(trouble_line(trouble))
            how = replace(how, voice=False)
        try:
            return speak([analysis], how, file)
        except KeyboardInterrupt:  # told and stored: only silence is asked for
            self._leave.set()
            return 0

    def _rest(self, seconds: int) -> bool:
        """Wait for the next set; returns whether there shall be one."""
        with self._ctrl_c_stops():
            self._stage.play(self._session.rest(seconds))
        return not self._session.stop.is_set()

    @contextmanager
    def _ctrl_c_stops(self) -> Iterator[None]:
        """Let Ctrl-C end the step that runs, and no set come after it. The panel is gone afterwards."""
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


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """Let a closed terminal or a polite kill clean up too: no video is left behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


@contextmanager
def _recording_folder(how: Presentation) -> Iterator[Path]:
    """Where the video lives until it is analysed: with the sessions, so that the disk the user chose holds it."""
    parent = sessions_folder(how.sessions) if how.save else Path(tempfile.gettempdir())
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{PREFIX}*"):  # by a crash or a power cut
            if time.time() - left.stat().st_mtime > LEFT_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"No video can be recorded in {parent} ({error.strerror}): permit writing there, or choose another folder "
            "with --sessions."
        ) from error
    with folder as path:
        yield Path(path)


def _numbered(path: Path | None, number: int) -> Path | None:
    """A set's own file: squat.mp4, squat-2.mp4, ..."""
    return path if path is None or number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _numbered_later(path: Path) -> list[Path]:
    """The existing files whose names later sets will need."""
    numbers = re.compile(rf"{re.escape(path.stem)}-([2-9]|[1-9]\d+){re.escape(path.suffix)}")
    return sorted(other for other in path.parent.iterdir() if numbers.fullmatch(other.name))


def _begun(video: Output | None) -> Path | None:
    """Where to record, now: a file that was to be overwritten is gone, and the new one is created by the recorder."""
    return video.make_room() if video else None


def _open_voice(plan: _Plan, how: Presentation) -> Voice | None:
    """The voice for tones and countdown: unless both are turned off; by default only in a terminal with sound."""
    from fitcli.voice import Voice, output_expected  # numpy and the audio side

    if not plan.beeps and how.voice is False:
        return None
    if how.voice is None and not (sys.stderr.isatty() and output_expected()):
        return None
    return Voice(lang=how.lang)


def _tell(recording: Recording) -> None:
    lost = f"{recording.dropped} lost because this machine could not store them in time; try --resolution 640x480"
    tell(
        f"Recorded {recording.duration_s:.1f} s: {recording.frames} frames, {recording.rate_hz:.1f} a second, "
        + (lost if recording.dropped else "none lost")
        + ".",
        style="yellow" if recording.dropped else "bright_black",
    )


def _tell_live(duration_s: float, poses: int, summaries: tuple[SetSummary, ...]) -> None:
    from fitcli.live.screen import set_line

    rate_hz = poses / duration_s if duration_s else 0.0
    counted = " ".join(map(set_line, summaries)) or "Nothing was counted."
    tell(f"Followed you for {duration_s:.1f} s, {rate_hz:.1f} poses a second. {counted}")
