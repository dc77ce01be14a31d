"""The files of a recorded set: where it is filmed, and the video, the speech and the pictures that are kept."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fitcli.cli.pictures import NO_PICTURES, Pictures, Target, plan_pictures
from fitcli.cli.present import Presentation
from fitcli.errors import Setting, StorageError
from fitcli.history.store import sessions_folder
from fitcli.outputs import HTML, MP4, WAV, FileFormat, Identity, Output, check_distinct, claim

PREFIX = ".recording-"
"""How the name of the folder begins that holds a video until it is analysed."""

STALE_AFTER_S = 86_400
"""Age of a recording folder that no running command can still be using: no recording takes a day."""


@dataclass(frozen=True)
class SetFiles:
    """The files that one set is written to; None for those that were not requested."""

    video: Output | None
    speech: Output | None
    pictures: Pictures


@dataclass(frozen=True)
class NamedFiles:
    """The names given for the files of all sets. inputs: the video file that stands in for a camera, if any."""

    keep_video: Path | None
    save_video: Target | None
    report: Target | None
    voice_file: Path | None
    overwrite: bool
    inputs: frozenset[Identity]

    def check(self, *, loop: bool) -> None:
        """Raise a `FitcliError` or a `typer.BadParameter` for a file that may not or cannot be written."""
        if loop:
            for target, format, option in ((self.save_video, MP4, "--save-video"), (self.report, HTML, "--report")):
                if target:
                    target.files([Path("1"), Path("2")], format, option)
        self.of_set(1)
        for named, format in ((self.keep_video, MP4), (self.voice_file, WAV)):
            if loop and named:
                for path in _existing_numbered(named):
                    self._claim(path, format)

    def of_set(self, number: int) -> SetFiles:
        """The files of set `number`, which can be written; raises what `check` raises."""
        video, speech = (_numbered(path, number) for path in (self.keep_video, self.voice_file))
        kept, spoken = self._claim(video, MP4), self._claim(speech, WAV)
        pictures = NO_PICTURES
        if self.save_video or self.report:
            named = video or Path(f"set-{datetime.now():%Y-%m-%dT%H-%M-%S}")
            (pictures,) = plan_pictures(
                [named], self.save_video, self.report, overwrite=self.overwrite, inputs=self.inputs
            )
        check_distinct(kept, pictures.video)
        return SetFiles(kept, spoken, pictures)

    def _claim(self, path: Path | None, format: FileFormat) -> Output | None:
        return claim(path, format, overwrite=self.overwrite, inputs=self.inputs) if path else None


@contextmanager
def recording_folder(presentation: Presentation) -> Iterator[Path]:
    """A temporary folder for the video until it is analysed, on the disk that the user chose for sessions.

    Recordings that a crash or a power cut left behind are deleted. Raises `StorageError`.
    """
    parent = sessions_folder(presentation.sessions) if presentation.save else Path(tempfile.gettempdir())
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for stale in parent.glob(f"{PREFIX}*"):
            if time.time() - stale.stat().st_mtime > STALE_AFTER_S:
                shutil.rmtree(stale, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"No video can be recorded in {parent} ({error.strerror}): permit writing there, or choose another folder.",
            setting=Setting.SESSIONS,
        ) from error
    with folder as path:
        yield Path(path)


def _numbered(path: Path | None, number: int) -> Path | None:
    """A set's own file: squat.mp4, squat-2.mp4, ..."""
    return path if path is None or number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _existing_numbered(path: Path) -> list[Path]:
    """Existing files with the names that later sets will need."""
    numbers = re.compile(rf"{re.escape(path.stem)}-([2-9]|[1-9]\d+){re.escape(path.suffix)}")
    return sorted(other for other in path.parent.iterdir() if numbers.fullmatch(other.name))
