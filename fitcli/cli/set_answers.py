"""What follows a set: its analysis, on a thread, and the answer that is stored, printed, drawn and spoken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fitcli.analysis import Coach, Progress
from fitcli.cli.console import complain, note
from fitcli.cli.present import Presentation, present, speak
from fitcli.cli.set_files import SetFiles
from fitcli.errors import FitcliError, InvalidVideoError
from fitcli.outputs import Output

if TYPE_CHECKING:  # these load numpy and the audio library, which `fitcli --help` does without
    from fitcli.camera import Recording
    from fitcli.cli.stage import Stage
    from fitcli.live.coach import SetSummary
    from fitcli.pose.track import PoseTrack
    from fitcli.results.analysis import Analysis
    from fitcli.voice import Voice

SHORTEST_S = 1.0
"""Shorter recordings were stopped by mistake and are not analysed."""


class Answers:
    """Analyses the sets of one camera and presents the answers.

    voice: the voice that played the sounds of the set, None for silence. `interrupted` is whether Ctrl-C ended the
    speech of an answer.
    """

    def __init__(
        self, coach: Coach, presentation: Presentation, stage: Stage, camera: str, voice: Voice | None
    ) -> None:
        self.interrupted = False
        self._coach = coach
        self._presentation = presentation
        self._stage = stage
        self._camera = camera
        self._voice = voice

    def recorded(self, recording: Recording, files: SetFiles) -> int:
        """Answer a recording, which is deleted unless it is kept; returns the exit code."""
        if self._detailed:
            _report_recording(recording)
        name = str(recording.path) if files.video else self._camera

        def analyse(progress: Progress) -> Analysis:
            return self._coach.analyze(recording.path, progress=progress)

        try:
            return self._answer(recording.duration_s, name, analyse, recording.path, files)
        finally:
            if not files.video:
                recording.path.unlink(missing_ok=True)

    def coached(self, track: PoseTrack, summaries: tuple[SetSummary, ...], video: Path | None, files: SetFiles) -> int:
        """Answer the track of live sets; returns the exit code. video: None if nothing was filmed."""
        duration_s = float(track.times_s[-1]) if len(track) else 0.0
        if self._detailed:
            _report_live(duration_s, len(track), summaries)
        name = str(video) if video else self._camera
        return self._answer(
            duration_s, name, lambda progress: self._coach.analyze_track(track, name=name), video, files
        )

    @property
    def _detailed(self) -> bool:
        return not (self._presentation.json or self._presentation.quiet)

    def _answer(
        self,
        duration_s: float,
        name: str,
        analyse: Callable[[Progress], Analysis],
        video: Path | None,
        files: SetFiles,
    ) -> int:
        """Analyse, then store, print, draw and speak; returns the exit code. video: None if nothing was filmed."""
        try:
            if duration_s < SHORTEST_S:
                raise InvalidVideoError(f"Only {duration_s:.1f} s were recorded: too short to see a movement.")
            analysis = replace(_on_thread(analyse, self._stage.analysing), file=name)
        except FitcliError as error:  # the next set may be a better one
            return complain(error, verbose=self._presentation.verbose)
        finally:
            self._stage.clear()
        code = present(analysis, self._presentation, files.pictures, source=video)
        return self._speak(analysis, files.speech) or code

    def _speak(self, analysis: Analysis, file: Output | None) -> int:
        from fitcli.voice import trouble_line

        presentation = self._presentation
        if self._voice and (trouble := self._voice.trouble):
            note(trouble_line(trouble))
            presentation = replace(presentation, voice=False)
        try:
            return speak([analysis], presentation, file)
        except KeyboardInterrupt:  # the answer is printed and stored: Ctrl-C only ends the speech
            self.interrupted = True
            return 0


def _on_thread(analyse: Callable[[Progress], Analysis], on_progress: Callable[[float], None]) -> Analysis:
    """Analyse on another thread, so that Ctrl-C ends the wait at once. `on_progress` is called on this thread."""
    outcome: list[Analysis | Exception] = []
    share: float | None = None

    def progress(done: float) -> None:
        nonlocal share
        share = done

    def work() -> None:
        try:
            outcome.append(analyse(progress))
        except Exception as error:  # raised again below, on the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=work, name="analysis", daemon=True)
    thread.start()
    while thread.is_alive():
        if share is not None:
            on_progress(share)
        thread.join(0.05)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _report_recording(recording: Recording) -> None:
    lost = f"{recording.dropped} lost because this machine could not store them fast enough; try --resolution 640x480"
    note(
        f"Recorded {recording.duration_s:.1f} s: {recording.frames} frames, {recording.rate_hz:.1f} a second, "
        + (lost if recording.dropped else "none lost")
        + ".",
        style="yellow" if recording.dropped else "bright_black",
    )


def _report_live(duration_s: float, poses: int, summaries: tuple[SetSummary, ...]) -> None:
    from fitcli.live.screen import set_line

    rate_hz = poses / duration_s if duration_s else 0.0
    counted = " ".join(map(set_line, summaries)) or "Nothing was counted."
    note(f"Followed you for {duration_s:.1f} s, {rate_hz:.1f} poses a second. {counted}")
