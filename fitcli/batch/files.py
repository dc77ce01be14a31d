"""The files that the arguments of a command stand for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fitcli.errors import FitcliError


@dataclass(frozen=True)
class BatchFile:
    """One file to analyse. problem: why an argument stands for no file, in which case `path` is the argument."""

    path: Path
    problem: FitcliError | None = None


def batch_files(arguments: Iterable[Path]) -> list[BatchFile]:
    """Every file that the arguments stand for, each once, in order: files as they are, folders as their videos."""
    from fitcli.video import expand  # numpy and PyAV

    files: dict[Path, BatchFile] = {}
    for argument in arguments:
        try:
            files |= {path: BatchFile(path) for path in expand(argument)}
        except FitcliError as problem:
            files[argument] = BatchFile(argument, problem)
    return list(files.values())


def length_s(
    files: Iterable[BatchFile], start_s: float | None = None, end_s: float | None = None, *, reference_scores: bool
) -> float:
    """Seconds of video that networks read in all files, of the part from `start_s` to `end_s`.

    Files that cannot be opened count as nothing: their errors are reported when they are analysed.
    """
    from fitcli.analysis import part_s
    from fitcli.video import probe

    total_s = 0.0
    for file in files:
        with suppress(FitcliError):
            total_s += part_s(probe(file.path).duration_s, start_s, end_s, reference_scores=reference_scores)
    return total_s
