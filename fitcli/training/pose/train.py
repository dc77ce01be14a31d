"""`train`: from a folder of pose sequences to one checkpoint of the hybrid, resumable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch.utils.data import DataLoader

from fitcli.errors import CheckpointError, MissingInputError
from fitcli.network.checkpoint import Checkpoint, Provenance, load_checkpoint, save_checkpoint, sha256
from fitcli.network.spec import NetworkSpec
from fitcli.training.draws import Draws
from fitcli.training.pose.augment import Augmentation
from fitcli.training.pose.distill import load_teachers
from fitcli.training.pose.folds import fold_of
from fitcli.training.pose.module import HybridModule
from fitcli.training.pose.sequences import Sequence, load_sequences, synthetic_sequences, table_sha256
from fitcli.training.pose.windows import PoseWindows, draw_weights
from fitcli.training.run_folder import describe
from fitcli.training.trainer import Hardware, fit, make_trainer, share_of

AVERAGE_DECAY = 0.998
"""Of the moving average of the weights, which is what a run ends with: it remembers some 500 steps."""


SYNTHETIC_EACH = 150
"""Synthetic sequences of each exercise: many more than a rare exercise has real ones."""


@dataclass(frozen=True)
class PoseOptions:
    """What to train and how.

    epochs: passes of `draws_per_epoch` weighted draws (default: as many as there are filmed sequences).
    batch: clips of a step, of all devices together.
    fold: (k, n) leaves out the k-th (from 0) of n parts, cut by series.
    initialize: a checkpoint of the same architecture whose weights are the start (fine-tuning); heads with
        other classes start from random weights.
    synthetic: sequences of people who were never filmed, for each exercise (see `synthetic_sequences`).
    teachers: checkpoints whose answers are taught beside the labels (see `fitcli.training.pose.distill`).
    recipe_toml: these options as TOML, kept in the run's folder.
    """

    poses: Path
    run: Path
    spec: NetworkSpec
    epochs: int = 30
    batch: int = 32
    learning_rate: float = 2e-3
    draws_per_epoch: int | None = None
    fold: tuple[int, int] | None = None
    initialize: Path | None = None
    synthetic: int = SYNTHETIC_EACH
    teachers: tuple[Path, ...] = ()
    seed: int = 0
    hardware: Hardware = field(default_factory=Hardware)
    progress_bar: bool = True
    recipe_toml: str = ""


def train(options: PoseOptions) -> Path:
    """Train one network and return the path of its checkpoint, `<run>/<architecture>.ckpt`.

    A run that was interrupted goes on from its last epoch when started again with the same options.
    """
    clips = _Clips.of(options)
    teachers, shares = load_teachers(options.teachers, options.spec, clips.everything, clips.taught)
    draws = options.draws_per_epoch or len(clips.filmed)
    L.seed_everything(options.seed, verbose=False)
    trainer = make_trainer(
        options.run,
        options.hardware,
        epochs=options.epochs,
        seed=options.seed,
        callbacks=[WeightAveraging(avg_fn=_moving_average)],
        progress_bar=options.progress_bar,
        steps=options.epochs * draws // options.batch,
    )
    windows = PoseWindows(clips.taught, teachers.spec or options.spec, Augmentation(), options.seed, shares)
    loader = DataLoader(
        windows,
        batch_sampler=Draws(
            len(clips.taught),
            batch=options.batch,
            draws=draws,
            seed=options.seed,
            share=share_of(trainer, options.hardware),
            weights=draw_weights(clips.taught),
        ),
        num_workers=options.hardware.workers,
    )
    module = HybridModule(options.spec, learning_rate=options.learning_rate, teachers=teachers)
    if options.initialize:
        initialize(module, options.initialize)
    provenance = _provenance(options, clips, draws)
    if trainer.is_global_zero:
        describe(options, options.spec, options.poses, provenance.data_sha256)
    fit(trainer, module, loader)
    target = options.run / f"{options.spec.architecture}.ckpt"
    if trainer.is_global_zero:
        save_checkpoint(target, Checkpoint(options.spec, averaged_weights(module), {}, provenance))
    trainer.strategy.barrier()  # the next stage of a recipe reads the file in every process
    return target


@dataclass(frozen=True)
class _Clips:
    """The sequences of a run: everything in the table, what of it is trained on, and that with synthetic people."""

    everything: list[Sequence]
    filmed: list[Sequence]
    taught: list[Sequence]

    @classmethod
    def of(cls, options: PoseOptions) -> _Clips:
        everything = load_sequences(options.poses, "train")
        if not everything:
            raise MissingInputError(f"{options.poses} has no sequence with split 'train'.")
        filmed = fold_of(everything, *options.fold)[0] if options.fold else everything
        return cls(everything, filmed, filmed + synthetic_sequences(options.synthetic, options.seed))


def _provenance(options: PoseOptions, clips: _Clips, draws: int) -> Provenance:
    return Provenance(
        epochs=options.epochs,
        draws=draws,
        batch=options.batch,
        learning_rate=options.learning_rate,
        seed=options.seed,
        clips=len(clips.filmed),
        synthetic=len(clips.taught) - len(clips.filmed),
        teachers=tuple(sha256(path) for path in options.teachers),
        sources=tuple(sorted({sequence.source for sequence in clips.filmed})),
        data_sha256=table_sha256(options.poses),
        fold=options.fold,
    )


def _moving_average(average: torch.Tensor, current: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
    # A young average forgets quicker, or the random weights of the start would stay in it for hundreds of steps.
    decay = min(AVERAGE_DECAY, (1 + float(updates)) / (10 + float(updates)))
    return average * decay + current * (1 - decay)


def initialize(module: HybridModule, path: Path) -> None:
    """Start from a checkpoint's weights; heads with other classes keep random weights."""
    start = load_checkpoint(path)
    if start.spec.trunk != module.spec.trunk:
        raise CheckpointError(f"{path} is another network ({start.spec.architecture}) than the one to train.")
    fresh = module.network.state_dict()
    random_heads = [
        head
        for head, names in (("exercise.", "exercises"), ("muscle.", "muscles"))
        if getattr(start.spec, names) != getattr(module.spec, names)
    ]
    module.network.load_state_dict(
        {name: fresh[name] if name.startswith(tuple(random_heads)) else start.weights[name] for name in fresh}
    )


def averaged_weights(module: HybridModule) -> dict[str, torch.Tensor]:
    """The network's weights as plain CPU tensors (the moving average, once training has ended)."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in module.network.state_dict().items()}
