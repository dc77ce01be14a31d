"""Many files at once: which they are, and that one bad file costs the others nothing."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from rich.console import Console
from support.cli import SAMPLE
from support.sessions import analysis

from fitcli.batch.files import BatchFile, batch_files, length_s
from fitcli.batch.jobs import Batch, Outcome
from fitcli.batch.table import summary
from fitcli.errors import InvalidVideoError, MissingInputError
from fitcli.interrupt import interruptible
from fitcli.results.analysis import Analysis


def test_arguments_stand_for_files_each_once_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("b.mp4", "a.mp4", "notes.txt"):
        (folder / name).write_bytes(b"")
    gone = tmp_path / "gone.mp4"
    found = batch_files([folder / "b.mp4", gone, folder, folder / "notes.txt"])
    assert [file.path for file in found] == [folder / "b.mp4", gone, folder / "a.mp4", folder / "notes.txt"]
    assert [type(file.problem) for file in found] == [type(None), MissingInputError, type(None), type(None)]


def test_the_length_of_a_batch_skips_what_cannot_be_opened(tmp_path: Path) -> None:
    video, text = tmp_path / "squat.mp4", tmp_path / "text.mp4"
    shutil.copy(SAMPLE, video)
    text.write_text("no video", encoding="utf-8")
    files = [BatchFile(video), BatchFile(text), BatchFile(video)]
    whole_s = length_s(files[:1], reference_scores=False)
    assert whole_s == pytest.approx(5.3, abs=0.1)
    assert length_s(files, reference_scores=False) == pytest.approx(2 * whole_s)
    assert length_s(files, 1.0, 3.0, reference_scores=False) == pytest.approx(4.0)


def test_a_file_that_fails_does_not_stop_the_others() -> None:
    files = [
        BatchFile(Path("gone.mp4"), MissingInputError("gone")),
        BatchFile(Path("bad.mp4")),
        BatchFile(Path("good")),
    ]

    def analyse(number: int, path: Path) -> Analysis:
        if path.name == "bad.mp4":
            raise ZeroDivisionError
        return analysis()

    batch = Batch(files)
    given = [(outcome.path.name, type(outcome.result).__name__) for outcome in batch.run(analyse)]
    assert given == [("gone.mp4", "MissingInputError"), ("bad.mp4", "ZeroDivisionError"), ("good", "Analysis")]
    assert batch.analyses == [analysis()]


def test_ctrl_c_ends_a_batch_after_the_current_file() -> None:
    batch = Batch([BatchFile(Path(name)) for name in ("first", "second", "third")])

    def analyse(number: int, path: Path) -> Analysis:
        if number == 2:
            signal.raise_signal(signal.SIGINT)
        return analysis()

    with pytest.raises(KeyboardInterrupt), interruptible():
        for _ in batch.run(analyse):
            pass
    assert [outcome.path.name for outcome in batch.outcomes] == ["first", "second"]
    assert len(batch.analyses) == 2


def test_the_table_has_a_row_for_every_outcome() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(
            summary([Outcome(Path("a.mp4"), analysis("squat")), Outcome(Path("b.mp4"), InvalidVideoError("no video"))])
        )
    rows = captured.get().splitlines()
    assert any("a.mp4" in row and "squat" in row and "90 %" in row for row in rows)
    assert any("b.mp4" in row and "not analysed" in row for row in rows)
