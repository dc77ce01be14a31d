"""`fitcli history report` and `fitcli history chart --html`: the past as pages for a browser."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fitcli.cli.pictures import Pictures, tell_pictures
from fitcli.history.progress import TrainingProgress
from fitcli.history.store import Session, SessionStore
from fitcli.outputs import HTML, Output, claim, identities


def claim_page(to: Path, store: SessionStore, *, overwrite: bool) -> Output:
    """The page to write; raises `StorageError` where it may not be, as where it is a file of the history."""
    return claim(to, HTML, overwrite=overwrite, inputs=identities(store.files()))


def write_report(session: Session, page: Output) -> None:
    """Write a stored session as a page; raises `StorageError` where it cannot be, or is damaged."""
    from fitcli.report.html import Remembered, report_page  # Jinja2

    remembered = Remembered(session.created, session.fitcli, session.id, session.weight_kg, session.note)
    page.write_text(report_page(session.whole(), remembered, poses=session.key_poses()))
    tell_pictures(Pictures(report=page))


def write_progress(summed: TrainingProgress, moment: datetime, page: Output) -> None:
    """Write what the history adds up to as a page; raises `StorageError` where it cannot be."""
    from fitcli.report.html import progress_page  # Jinja2

    page.write_text(progress_page(summed, moment))
    tell_pictures(Pictures(report=page))
