"""The extra `train`, without which the commands of this folder cannot work."""

from __future__ import annotations

import logging

from fitcli import remedy
from fitcli.cache import provide_temporary_folder
from fitcli.errors import MissingTrainingError


def needs_training_extra() -> None:
    """Raise `MissingTrainingError`, which names the remedy, unless every package of the extra `train` is installed.

    Called before any work, because most of these packages are imported late.
    """
    # torchmetrics imports it, and it logs its search for fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if remedy.lacking("train"):
        raise MissingTrainingError(remedy.not_installed("This command", "train"))
    provide_temporary_folder()  # matplotlib needs one where it cannot write to its own cache
