"""`fitcli history report` and `fitcli history chart --html`: the past as pages for a browser."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fitcli.cli.pictures import PAGE_SUFFIXES, Pictures, Target, check_free, tell_pictures
from fitcli.history import Session
from fitcli.progress import TrainingProgress


def write_report(session: Session, to: Path) -> None:
    """Write a stored session as a page; raises `StorageError` where it cannot be, or is damaged."""
    from fitcli.report.html import Remembered, report_page, write_page  # Jinja2

    path = _free_page(to)
    remembered = Remembered(session.created, session.fitcli, session.id, session.weight_kg, session.note)
    write_page(path, report_page(session.whole(), remembered, poses=session.key_poses()))
    tell_pictures(Pictures(report=path))


def write_progress(summed: TrainingProgress, moment: datetime, to: Path) -> None:
    """Write what the history adds up to as a page; raises `StorageError` where it cannot be."""
    from fitcli.report.html import progress_page, write_page  # Jinja2

    path = _free_page(to)
    write_page(path, progress_page(summed, moment))
    tell_pictures(Pictures(report=path))


def _free_page(to: Path) -> Path:
    path = Target(to, to.is_dir()).file(PAGE_SUFFIXES, "HTML")
    check_free(path)
    return path
