"""Analyses many files, one after the other: a file that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fitcli.batch.files import BatchFile
from fitcli.interrupt import heed
from fitcli.results.analysis import Analysis


@dataclass(frozen=True)
class Outcome:
    """The result of one file: its analysis, or the error that prevented it."""

    path: Path
    result: Analysis | Exception


class Batch:
    """The files of one command. `outcomes` holds the files that are finished, in order."""

    def __init__(self, files: Sequence[BatchFile]) -> None:
        self.files = files
        self.outcomes: list[Outcome] = []

    def run(self, analyse: Callable[[int, Path], Analysis]) -> Iterator[Outcome]:
        """Call `analyse` with the number, from 1, and the path of every file; gives each outcome at once.

        Raises `KeyboardInterrupt` between two files if Ctrl-C was pressed inside `interruptible`.
        """
        for number, file in enumerate(self.files, 1):
            try:
                if file.problem:
                    raise file.problem
                outcome = Outcome(file.path, analyse(number, file.path))
            except Exception as problem:  # whatever it is, the other files are analysed
                outcome = Outcome(file.path, problem)
            self.outcomes.append(outcome)
            yield outcome
            heed()

    @property
    def analyses(self) -> list[Analysis]:
        """The analyses so far."""
        return [outcome.result for outcome in self.outcomes if isinstance(outcome.result, Analysis)]
