"""The folder of a training run: what is trained and how, its log, the error that ended it, the finished checkpoint.

`recipe.toml` trains the same network again, `run.json` adds the network and the hash of the data table, `train.log` has
a line for each epoch and everything that was logged.
"""

from __future__ import annotations

import json
import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitcli.errors import CheckpointError, FitcliError
from fitcli.outputs import make_folder, replace_text
from fitcli.version import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from fitcli.network.spec import NetworkSpec

RECIPE_FILE, RUN_FILE, LOG_FILE, ERROR_FILE = "recipe.toml", "run.json", "train.log", "error.json"
RESUME_FILE, BEST_FILE = "last.ckpt", "best.ckpt"
"""The state that an interrupted run goes on from, and the weights of the lowest validation loss."""

_NOT_ABOUT_TRAINING = ("spec", "progress_bar", "recipe_toml")

log = logging.getLogger("fitcli.training")


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended: its checkpoint, and its recipe, which is empty for a run of version 0.1."""

    checkpoint: Path
    recipe: Mapping[str, Any]


def describe(options: DataclassInstance, network: NetworkSpec, data: Path, data_sha256: str) -> None:
    """Write the recipe of a run and everything that is known before it starts; raises `StorageError`.

    options: those of a run, with its folder as `run` and as `recipe_toml` the recipe, empty for one without.
    """
    facts = asdict(options)
    folder, recipe = facts["run"], facts["recipe_toml"]
    make_folder(folder)
    if recipe:
        replace_text(folder / RECIPE_FILE, recipe)
    facts = {name: value for name, value in facts.items() if name not in _NOT_ABOUT_TRAINING}
    facts |= {"network": network.to_plain(), "data": data.absolute(), "data_sha256": data_sha256}
    replace_text(folder / RUN_FILE, json.dumps(facts, indent=2, default=str) + "\n")
    name = network.variant or network.architecture
    log.info("fitcli %s trains %s on %s, table %s", __version__, name, data, data_sha256)


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Keep what the run in `folder` logs, and the `FitcliError` that ends it, once the folder exists.

    Among processes that train together, only the first one writes.
    """
    if not is_first_process():
        yield
        return
    handler = _Handler(folder)
    loggers = [log, logging.getLogger("lightning.pytorch")]
    for logger in loggers:
        logger.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    except FitcliError as error:
        log.error("%s", error)
        if folder.is_dir():
            with suppress(OSError, FitcliError):
                kept = {"message": str(error), "exit_code": error.exit_code}
                replace_text(folder / ERROR_FILE, json.dumps(kept, indent=2) + "\n")
        raise
    else:
        (folder / ERROR_FILE).unlink(missing_ok=True)
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


def is_first_process() -> bool:
    """Whether this is the process that reports and writes, as its launcher (torchrun, SLURM, Lightning) numbers it."""
    return all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def error_of(folder: Path) -> str:
    """The sentence that ended the run in `folder`; empty where none did, or where it ended otherwise."""
    with suppress(OSError, ValueError, KeyError):
        return str(json.loads((folder / ERROR_FILE).read_text(encoding="utf-8"))["message"])
    return ""


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a training run, finished or not; one of pose sequences is none."""
    if not folder.is_dir() or (folder / "clips.tsv").exists():
        return False
    return any((folder / name).is_file() for name in (RECIPE_FILE, RUN_FILE, RESUME_FILE)) or bool(_checkpoints(folder))


def finished_run(folder: Path) -> FinishedRun:
    """The run in `folder`; raises `CheckpointError` for one without a finished checkpoint, or with several."""
    checkpoints = _checkpoints(folder)
    if not checkpoints:
        error = error_of(folder)
        because = f" (it ended with: {error.rstrip('.')})" if error else ""
        raise CheckpointError(
            f"{folder} holds no finished checkpoint{because}: start the command that trains it again, and it goes on."
        )
    if len(checkpoints) > 1:
        names = ", ".join(path.name for path in checkpoints)
        raise CheckpointError(
            f"{folder} holds several networks ({names}), so it is not the folder of one run: name clips to measure on."
        )
    return FinishedRun(checkpoints[0], _recipe(folder))


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.ckpt") if path.name not in (RESUME_FILE, BEST_FILE))


def _recipe(folder: Path) -> dict[str, Any]:
    path = folder / RECIPE_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}): delete it, or train again.") from error


class _Handler(logging.FileHandler):
    """Appends to the run's log once the run has a folder: a command that fails at once leaves none behind."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LOG_FILE, delay=True, encoding="utf-8")
        self._folder = folder
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        if self._folder.is_dir():
            super().emit(record)
