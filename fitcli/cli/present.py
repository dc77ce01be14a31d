"""What becomes of an analysis, however it came about: it is stored, printed and spoken."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fitcli.analysis import Analysis, Status
from fitcli.cli.console import complain, note, stdout
from fitcli.errors import StorageError
from fitcli.history import Session, SessionStore, sessions_folder
from fitcli.report import terminal


@dataclass(frozen=True)
class Presentation:
    """How answers are given: the options that every command with an answer shares."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    top: int = 3
    save: bool = True
    sessions: Path | None = None
    weight_kg: float | None = None
    note: str = ""
    voice: bool | None = None
    voice_file: Path | None = None
    lang: str | None = None


def present(analysis: Analysis, how: Presentation) -> int:
    """Store and print one analysis; returns the exit code that this leaves, not 0 where it could not be stored.

    The answer is printed even then. A video without a person is no session.
    """
    session: Session | None = None
    code = 0
    if how.save and analysis.status is not Status.NO_PERSON:
        try:
            store = SessionStore(sessions_folder(how.sessions))
            session = store.save(analysis, weight_kg=how.weight_kg, note=how.note)
        except StorageError as error:
            code = complain(error, verbose=how.verbose)
    if how.json:
        print_json(analysis, session)
    elif how.quiet:
        stdout().print(terminal.brief(analysis), soft_wrap=True)
    else:
        saved = terminal.short_path(session.path) if session else "" if how.save else "not stored (--no-save)"
        stdout().print(terminal.result(analysis, top=how.top, saved=saved, verbose=how.verbose))
    return code


def print_json(analysis: Analysis, session: Session | None) -> None:
    """One line of JSON on stdout: the analysis and the file it was stored in. Written at once, for who reads along."""
    sys.stdout.write(json.dumps({**analysis.to_json(), "session": str(session.path) if session else None}) + "\n")
    sys.stdout.flush()


def speak(analyses: Iterable[Analysis], how: Presentation) -> None:
    """Read the advice aloud or write it to a WAV file, if that is wanted; sound that is missing costs one dim line."""
    answers = list(analyses)
    text = " ".join(sentence for analysis in answers for sentence in analysis.feedback)
    wanted = how.voice
    if how.json:
        wanted = False
    if wanted is None and (how.quiet or len(answers) != 1 or not sys.stdout.isatty()):
        wanted = False
    if not text or (wanted is False and not how.voice_file):
        return
    from fitcli import voice  # numpy and the audio side, for those who listen

    if wanted is None and not how.voice_file and not voice.output_expected():
        return
    if trouble := voice.speak(text, lang=how.lang, file=how.voice_file):
        note(trouble)
