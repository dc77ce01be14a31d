"""Stores, prints, draws and speaks an analysis, for every command that makes one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fitcli.cli.console import complain, note, stdout
from fitcli.cli.pictures import NO_PICTURES, Pictures, draw_pictures, tell_pictures
from fitcli.errors import StorageError
from fitcli.history.store import Session, SessionStore, sessions_folder
from fitcli.outputs import Output
from fitcli.report import terminal
from fitcli.report.amounts import total
from fitcli.results.analysis import Analysis, Status


@dataclass(frozen=True)
class Presentation:
    """How answers are presented: the options that every command with an answer shares."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    top: int = 3
    save: bool = True
    sessions: Path | None = None
    weight_kg: float | None = None
    note: str = ""
    voice: bool | None = None
    lang: str | None = None


def present(
    analysis: Analysis, how: Presentation, pictures: Pictures = NO_PICTURES, *, source: Path | None = None
) -> int:
    """Store, print and draw one analysis; returns the exit code, which is not 0 if something failed.

    The answer is printed in any case. A video without a person is not stored. pictures: see `plan_pictures`. source:
    the video they are drawn from, None if there is none.
    """
    session: Session | None = None
    code = 0
    if how.save and analysis.status is not Status.NO_PERSON:
        try:
            store = SessionStore(sessions_folder(how.sessions))
            session = store.save(analysis, weight_kg=how.weight_kg, note=how.note)
        except StorageError as error:
            code = complain(error, verbose=how.verbose)

    def draw() -> Pictures:
        nonlocal code
        written, failed = draw_pictures(
            analysis,
            pictures,
            source=source,
            session=session,
            weight_kg=how.weight_kg,
            note=how.note,
            shown=not (how.json or how.quiet),
            verbose=how.verbose,
        )
        code = code or failed
        return written

    if how.json:
        print_json(analysis, session, draw())
        return code
    if how.quiet:
        stdout().print(terminal.brief(analysis), soft_wrap=True)
    else:
        saved = terminal.short_path(session.path) if session else "" if how.save else "not stored (--no-save)"
        stdout().print(terminal.result(analysis, top=how.top, saved=saved, verbose=how.verbose))
    written = draw()  # drawing takes long: the answer comes first
    if not how.quiet:
        tell_pictures(written)
    return code


def print_json(analysis: Analysis, session: Session | None, pictures: Pictures = NO_PICTURES) -> None:
    """Print one line of JSON: the analysis and the paths of its files. It is flushed, for programs that read along."""
    files = {
        "session": session and session.path,
        "annotated_video": pictures.video and pictures.video.path,
        "report": pictures.report and pictures.report.path,
    }
    named = {name: str(path) if path else None for name, path in files.items()}
    sys.stdout.write(json.dumps({**analysis.to_json(), **named}) + "\n")
    sys.stdout.flush()


def _summary(analysis: Analysis) -> list[str]:
    """What was done, as a sentence to speak: "Squat, 8 repetitions.", "Plank, held for 34 s."."""
    named = f"{terminal.title(analysis).capitalize()}, {total(analysis)}."
    return [named] if analysis.exercise and analysis.sets else []


def speak(analyses: Iterable[Analysis], how: Presentation, file: Output | None = None) -> int:
    """Read a summary and the advice aloud, or write the speech to the WAV `file`; returns the exit code.

    Missing sound is reported in one dim line and is not an error. A file that cannot be written is one.
    """
    answers = list(analyses)
    text = " ".join(sentence for analysis in answers for sentence in (*_summary(analysis), *analysis.feedback))
    wanted = how.voice
    if how.json:
        wanted = False
    if wanted is None and (how.quiet or len(answers) != 1 or not sys.stdout.isatty()):
        wanted = False
    if file and not text:
        note(f"{file.path} was not written: there is no advice to read.")
    if not text or (wanted is False and not file):
        return 0
    from fitcli import voice  # numpy and the audio library

    if file:
        try:
            voice.write_speech(text, file, lang=how.lang)
        except StorageError as error:
            return complain(error, verbose=how.verbose)
        return 0
    if wanted is None and not voice.output_expected():
        return 0
    if trouble := voice.speak(text, lang=how.lang):
        note(trouble)
    return 0
