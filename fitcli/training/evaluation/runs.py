"""What a training run is measured on: clips of its data set that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fitcli.errors import MissingInputError
from fitcli.network.checkpoint import Provenance, load_checkpoint
from fitcli.training.evaluation.labelled_clips import LabelledClips
from fitcli.training.pose.sequences import table_sha256
from fitcli.training.rgb.videos import part_folders
from fitcli.training.run_folder import FinishedRun

Announce = Callable[[str], None]
"""Called with one sentence that the reader of the figures has to know."""

TRAINED_ON = "These figures include clips that the network was trained on: they say nothing about others."


@dataclass(frozen=True)
class Choice:
    """What the user chose instead of the default: the data set, its split, or a fold (k, n) of pose sequences."""

    data: Path | None = None
    split: str | None = None
    fold: tuple[int, int] | None = None


def clips_of(run: FinishedRun, choice: Choice, announce: Announce) -> LabelledClips:
    """The clips to measure a run on.

    Pose sequences: what its fold left out, or split "dev". Videos: `test`, or `val` where there is none. Raises
    `MissingInputError` where the data set is unknown, gone, or holds nothing but training clips.
    """
    trained = load_checkpoint(run.checkpoint)
    data = choice.data or (Path(run.recipe["data"]) if "data" in run.recipe else None)
    if data is None:
        raise MissingInputError(f"{run.checkpoint.parent} does not say what it was trained on: name its data set.")
    if not data.is_dir():
        raise MissingInputError(f"{data}, the data set of this run, does not exist: name the folder it is in now.")
    if trained.spec.input == "rgb":
        return _videos(data, choice.split, announce)
    return _sequences(data, choice, trained.provenance, announce)


def _sequences(data: Path, choice: Choice, trained: Provenance | None, announce: Announce) -> LabelledClips:
    if trained and trained.data_sha256 and trained.data_sha256 != table_sha256(data):
        announce(f"The table of {data} has changed since this network was trained.")
    own = trained.fold if trained else None
    fold = choice.fold or (None if choice.split else own)
    if choice.split == "train" or (choice.fold and choice.fold != own):
        announce(TRAINED_ON)
    if fold:
        announce(f"Measured on the series that fold {fold[0]}/{fold[1]} left out.")
        return LabelledClips(data, fold=fold)
    return LabelledClips(data, choice.split or "dev")


def _videos(data: Path, split: str | None, announce: Announce) -> LabelledClips:
    parts = part_folders(data)
    chosen = split or next((name for name in ("test", "val") if name in parts), None)
    if chosen not in parts:
        raise MissingInputError(
            f"{data} has no folder {split}: name one that it has ({', '.join(parts) or 'none'})."
            if split
            else f"{data} has neither test nor val, and training clips say nothing about others: name another data set."
        )
    if chosen == "train":
        announce(TRAINED_ON)
    elif chosen == "val":
        announce("Measured on val, which chose the epoch to keep: expect less of other clips.")
    return LabelledClips(parts[chosen])
