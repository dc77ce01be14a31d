"""Errors that a user can act on, each with the exit code that the command line ends with."""

from __future__ import annotations

from enum import StrEnum


class Setting(StrEnum):
    """What a user can change to mend an error.

    Rooms below the command line name no option: they give the error a setting, and `fitcli.cli.console` names the
    option that changes it.
    """

    ARCHITECTURE = "architecture"
    BATCH_SIZE = "batch size"
    CACHE = "cache folder"
    CAMERA = "camera"
    CHANNEL_REDUCTION = "channel reduction"
    CHECKPOINTS = "checkpoints"
    COPY = "copying instead of linking"
    DEVICE = "device"
    DEVICES = "number of devices"
    FOLD = "fold"
    LIVE = "live coaching"
    OUTPUT_FOLDER = "output folder"
    OVERWRITE = "overwriting"
    PRETRAINED = "pretrained weights"
    RESOLUTION = "camera resolution"
    RUN_FOLDER = "run folder"
    SESSIONS = "sessions folder"
    TRUST = "trust in a checkpoint"


class FitcliError(Exception):
    """A failure described in one sentence that ends with what to do about it.

    Everything below the command line raises this and nothing prints or exits. `fitcli.cli` turns it into one line on
    stderr and `exit_code`. Codes 1 (unexpected, or a batch with different failures) and 2 (usage) belong to the shell.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, setting: Setting | None = None) -> None:
        """`setting` is what the sentence advises the user to change; None if no option changes it."""
        super().__init__(message)
        self.setting = setting


class OutputNameError(FitcliError):
    """The name of an output file is invalid: a folder, the suffix of another format, or a name given twice."""

    exit_code = 2


class BatchError(FitcliError):
    """A training batch cannot be divided evenly among the processes that share it."""

    exit_code = 2


class MissingInputError(FitcliError):
    """The file or folder does not exist, or the folder holds no video."""

    exit_code = 3


class UnreadableInputError(FitcliError):
    """The file exists but cannot be opened: no permission, a FIFO, a device."""

    exit_code = 4


class InvalidVideoError(FitcliError):
    """The file is not a video that can be decoded: text, audio only, truncated, without frames, too short."""

    exit_code = 5


class CheckpointError(FitcliError):
    """A checkpoint is missing, damaged, foreign, of another class list, or needs to be trusted explicitly."""

    exit_code = 6


class MissingTorchError(CheckpointError):
    """A checkpoint cannot be used until the extra `torch`, which reads and converts it, is installed."""


class DeviceError(FitcliError):
    """The requested device is not available."""

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
