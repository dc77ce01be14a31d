"""`train`: from a folder of pose sequences to one checkpoint of the hybrid, resumable."""

from __future__ import annotations

import warnings
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, RichProgressBar, WeightAveraging
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader, WeightedRandomSampler

from fitcli.errors import CheckpointError, MissingInputError
from fitcli.network.checkpoint import Checkpoint, Provenance, load_checkpoint, save_checkpoint
from fitcli.network.spec import NetworkSpec
from fitcli.training.augment import Augmentation
from fitcli.training.dataset import PoseWindows, draw_weights
from fitcli.training.module import HybridModule
from fitcli.training.sequences import Sequence, load_sequences

RESUME_FILE = "last.ckpt"

AVERAGE_DECAY = 0.998
"""Of the moving average of the weights, which is what a run ends with: it remembers some 500 steps."""

Precision = Literal["bf16-mixed", "16-mixed", "32-true"]


@dataclass(frozen=True)
class TrainOptions:
    """What to train and how.

    epochs: passes of `draws_per_epoch` weighted draws (default: as many as there are sequences).
    fold: (k, n) leaves out the k-th (from 0) of n parts, cut by series.
    initialize: a checkpoint of the same architecture whose weights are the start (fine-tuning).
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
    seed: int = 0
    threads: int | None = None
    precision: Literal["auto"] | Precision = "auto"
    workers: int = 0
    devices: str = "auto"
    progress: bool = True


def fold_of(sequences: Seq[Sequence], k: int, n: int, seed: int = 0) -> tuple[list[Sequence], list[Sequence]]:
    """(kept, left out) for the k-th (from 0) of n folds: no series is on both sides, classes spread evenly."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    labels = [-1 if s.labels.exercise is None else s.labels.exercise for s in sequences]
    parts = list(splitter.split(labels, labels, [s.series for s in sequences]))
    kept, left = parts[k]
    return [sequences[i] for i in kept], [sequences[i] for i in left]


def train(options: TrainOptions) -> Path:
    """Train one network and return the path of its checkpoint, `<run>/<architecture>.ckpt`.

    A run that was interrupted goes on from its last epoch when started again with the same options.
    """
    sequences = load_sequences(options.poses, "train")
    if not sequences:
        raise MissingInputError(f"{options.poses} has no sequence with split 'train'.")
    if options.fold:
        sequences, _ = fold_of(sequences, *options.fold)
    if options.threads:
        torch.set_num_threads(options.threads)
    L.seed_everything(options.seed, verbose=False)
    windows = PoseWindows(sequences, options.spec, Augmentation(), options.seed)
    draws = options.draws_per_epoch or len(sequences)
    loader = DataLoader(
        windows,
        batch_size=options.batch,
        sampler=WeightedRandomSampler(draw_weights(sequences).tolist(), draws),
        num_workers=options.workers,
        drop_last=draws > options.batch,
    )
    module = HybridModule(options.spec, learning_rate=options.learning_rate)
    if options.initialize:
        _initialize(module, options.initialize)
    resume = options.run / RESUME_FILE
    trainer = L.Trainer(
        max_epochs=options.epochs,
        devices=options.devices if options.devices == "auto" else int(options.devices),
        precision=automatic_precision() if options.precision == "auto" else options.precision,
        default_root_dir=options.run,
        logger=[
            TensorBoardLogger(options.run, name="tensorboard", version=""),
            CSVLogger(options.run, name="", version=""),
        ],
        callbacks=[
            WeightAveraging(avg_fn=_moving_average),
            LearningRateMonitor("step"),
            ModelCheckpoint(options.run, filename=Path(RESUME_FILE).stem, save_top_k=1, enable_version_counter=False),
            *([RichProgressBar()] if options.progress else []),
        ],
        enable_progress_bar=options.progress,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        log_every_n_steps=20,
    )
    with warnings.catch_warnings():
        # One process on two cores draws faster than a second one would be fed.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        trainer.fit(module, loader, ckpt_path=resume if resume.exists() else None, weights_only=False)
    return save_checkpoint(
        options.run / f"{options.spec.architecture}.ckpt",
        Checkpoint(
            spec=options.spec,
            weights=averaged_weights(module),
            metrics={},
            provenance=Provenance(
                epochs=options.epochs,
                draws=draws,
                batch=options.batch,
                learning_rate=options.learning_rate,
                seed=options.seed,
                clips=len(sequences),
                sources=tuple(sorted({s.source for s in sequences})),
                left_out="" if options.fold is None else f"fold {options.fold[0]} of {options.fold[1]} by series",
            ),
        ),
    )


def _moving_average(average: torch.Tensor, current: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
    # A young average forgets quicker, or the random weights of the start would stay in it for hundreds of steps.
    decay = min(AVERAGE_DECAY, (1 + float(updates)) / (10 + float(updates)))
    return average * decay + current * (1 - decay)


def _initialize(module: HybridModule, path: Path) -> None:
    start = load_checkpoint(path)
    if start.spec != module.spec:
        raise CheckpointError(f"{path} is another network ({start.spec.architecture}) than the one to train.")
    module.network.load_state_dict(start.weights)


def averaged_weights(module: HybridModule) -> dict[str, torch.Tensor]:
    """The network's weights as plain CPU tensors (the moving average, once training has ended)."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in module.network.state_dict().items()}


def automatic_precision() -> Precision:
    """Lightning's name of the quickest precision that this machine has natively."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    # Without native bfloat16 a CPU emulates it, slower than float32.
    return "bf16-mixed" if "avx512_bf16" in _cpu_flags() or "amx_bf16" in _cpu_flags() else "32-true"


def _cpu_flags() -> str:
    listing = Path("/proc/cpuinfo")
    return listing.read_text() if listing.exists() else ""
