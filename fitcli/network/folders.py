"""Finds the folder of checkpoints: the one that the user named, `./checkpoints`, or the shipped one."""

from __future__ import annotations

import os
from pathlib import Path

from fitcli.errors import CheckpointError, Setting

ENVIRONMENT = "FITCLI_CHECKPOINTS"


def checkpoint_folder(explicit: Path | None = None) -> Path:
    """The first of these folders of checkpoints: `explicit`, $FITCLI_CHECKPOINTS, ./checkpoints, the shipped one.

    Raises `CheckpointError` if one of the first two is given and holds no checkpoint.
    """
    asked = explicit or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    if asked:
        if not holds_checkpoints(asked):
            raise CheckpointError(f"There is no checkpoint (*.ckpt) in {asked}: name a folder that holds some.")
        return asked
    for folder in (Path("checkpoints"), *shipped_folders()):
        if holds_checkpoints(folder):
            return folder
    raise CheckpointError(
        "The shipped checkpoints are missing: install fitcli again, or name another folder.",
        setting=Setting.CHECKPOINTS,
    )


def shipped_folders() -> tuple[Path, Path]:
    """The folders of the default checkpoints: in the installed package, or beside it in a source checkout."""
    package = Path(__file__).parent.parent
    return package / "checkpoints", package.parent / "checkpoints"


def holds_checkpoints(folder: Path) -> bool:
    """Whether `folder` contains any `*.ckpt`."""
    return folder.is_dir() and any(folder.glob("*.ckpt"))
