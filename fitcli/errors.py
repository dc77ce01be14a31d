"""Errors that a user can act on, each with the exit code that the command line ends with."""

from __future__ import annotations


class FitcliError(Exception):
    """A failure told in one sentence that says what to do about it.

    Everything below the command line raises this and nothing prints or exits; `fitcli.cli` turns it into one line on
    stderr and `exit_code`. Codes 1 (unexpected, or a batch with different failures) and 2 (usage) belong to the shell.
    """

    exit_code = 1


class OutputNameError(FitcliError):
    """The name of a file to write cannot be right: a folder, the ending of another format, a name given twice."""

    exit_code = 2


class BatchError(FitcliError):
    """A training batch cannot be dealt out evenly to the processes that share it."""

    exit_code = 2


class MissingInputError(FitcliError):
    """The file or folder is not there, or the folder holds no video."""

    exit_code = 3


class UnreadableInputError(FitcliError):
    """The file is there but may not or cannot be opened: permissions, a FIFO, a device."""

    exit_code = 4


class InvalidVideoError(FitcliError):
    """The file opens but is no video that can be decoded: text, audio only, truncated, no frame, too short."""

    exit_code = 5


class CheckpointError(FitcliError):
    """A checkpoint is missing, damaged, foreign, of another class list, or needs `--trust-checkpoint`."""

    exit_code = 6


class MissingTorchError(CheckpointError):
    """A checkpoint cannot be used before the extra `torch`, which reads and converts it, is installed."""


class DeviceError(FitcliError):
    """The device that was asked for is not here."""

    exit_code = 7


class StorageError(FitcliError):
    """A session, report or video cannot be written: disk full, read-only folder."""

    exit_code = 8


class CameraError(FitcliError):
    """No camera, camera in use, permission denied, no frames."""

    exit_code = 9


class MissingTrainingError(FitcliError):
    """A package of the extra `train` is not installed."""

    exit_code = 10


class DownloadError(FitcliError):
    """A file cannot be fetched, or its contents are not what the server announced."""

    exit_code = 11


LEAKS_CODE = 12
"""`fitcli dataset check` found clips that leak from one part into another. The check itself did not fail."""
