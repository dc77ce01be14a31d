"""The Lightning trainer that both inputs share: devices and machines, logs, and going on after an interruption."""

from __future__ import annotations

import csv
import logging
import os
import time
import warnings
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader

from fitcli.errors import DeviceError, Setting
from fitcli.training.draws import Share
from fitcli.training.resume import PlainCheckpointIO, check_network, resume_file
from fitcli.training.run_folder import RESUME_FILE, log

CURVE_FILE = "metrics.csv"

LOGGED_EVERY, LEAST_LOGGED = 20, 50
"""Steps between two points of the loss curve, and how many points a run has at least where it has as many steps."""

ComputeType = Literal["bf16-mixed", "16-mixed", "32-true"]
"""Lightning's names of the number formats that a network is trained in."""


@dataclass(frozen=True)
class Hardware:
    """Where training runs.

    device: "auto", "cpu" or "cuda". devices: how many of it on each machine, or "auto": every GPU, or one process.
    nodes: machines. precision: "auto" is the quickest that the machine has natively. accumulate: parts that a batch is
    computed in, to need less memory. workers: processes that make clips, for each device. threads: of the CPU.
    """

    device: str = "auto"
    devices: str = "auto"
    nodes: int = 1
    precision: Literal["auto"] | ComputeType = "auto"
    accumulate: int = 1
    workers: int = 0
    threads: int | None = None


def default_workers(device: str) -> int:
    """Processes that make clips for each device: none for a CPU, which is the slower of the two, some for a GPU."""
    if device == "cpu" or not torch.cuda.is_available():
        return 0
    return max(1, min(8, (os.cpu_count() or 1) // torch.cuda.device_count()))


def quieten() -> None:
    """Silence what Lightning logs for developers: the available devices, and hints at options."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def is_first_process() -> bool:
    """Whether this is the process that reports and writes; every other trains alongside."""
    return process_number() == 0


def process_number() -> int:
    """Which of the processes that train together this is, from 0, before and after the trainer starts them."""
    return int(getattr(rank_zero_only, "rank", 0) or 0)


def make_trainer(
    run: Path,
    hardware: Hardware,
    *,
    epochs: int,
    seed: int,
    callbacks: Seq[Callback] = (),
    progress_bar: bool = True,
    steps: int = 1000,
) -> L.Trainer:
    """A trainer that logs to `run` (TensorBoard and CSV) and saves its state there after every epoch.

    steps: of the whole run; they set how often it logs. Raises `DeviceError` for a device that is not available.
    """
    log_every = max(1, min(LOGGED_EVERY, steps // LEAST_LOGGED))
    if hardware.threads:
        torch.set_num_threads(hardware.threads)
    cuda = torch.cuda.is_available()
    if hardware.device == "cuda" and not cuda:
        raise DeviceError("No CUDA device is available to torch here: train on the CPU.", setting=Setting.DEVICE)
    devices: str | int = hardware.devices if hardware.devices == "auto" else int(hardware.devices)
    if cuda and hardware.device != "cpu" and isinstance(devices, int) and devices > torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise DeviceError(f"There are {count} CUDA devices here, not {devices}: use fewer.", setting=Setting.DEVICES)
    together = devices != 1 or hardware.nodes > 1
    return L.Trainer(
        accelerator=hardware.device,
        devices=devices,
        num_nodes=hardware.nodes,
        # Batch norm needs the whole batch where a GPU's share of it is a clip or two; torch has that for CUDA only.
        sync_batchnorm=cuda and hardware.device != "cpu" and together,
        use_distributed_sampler=False,  # `Draws` deals the batches out itself
        accumulate_grad_batches=hardware.accumulate,
        max_epochs=epochs,
        precision=automatic_precision(hardware.device) if hardware.precision == "auto" else hardware.precision,
        default_root_dir=run,
        plugins=[PlainCheckpointIO()],
        logger=[TensorBoardLogger(run, name="tensorboard", version=""), _Curve(run)],
        callbacks=[
            LearningRateMonitor("step"),
            _Reseed(seed),
            _EpochLog(),
            ModelCheckpoint(
                run,
                filename=Path(RESUME_FILE).stem,
                save_top_k=1,
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            ),
            *callbacks,
            *([RichProgressBar()] if progress_bar else []),
        ],
        enable_progress_bar=progress_bar,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        log_every_n_steps=log_every,
        num_sanity_val_steps=0,
    )


def share_of(trainer: L.Trainer, hardware: Hardware) -> Share:
    """This process's part of the work."""
    return Share(trainer.global_rank, trainer.world_size, hardware.accumulate)


def fit(
    trainer: L.Trainer,
    module: L.LightningModule,
    loader: DataLoader[Any],
    validation: DataLoader[Any] | None = None,
) -> None:
    """Train, from where the run was interrupted if it was.

    Raises `CheckpointError` where the folder holds the state of another run, or none that can be read.
    """
    resume = resume_file(Path(trainer.default_root_dir))
    if resume:
        check_network(resume, module)
    with warnings.catch_warnings():
        # One process on two cores draws faster than a second one would be fed.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        trainer.fit(module, loader, validation, ckpt_path=resume)


def automatic_precision(device: str = "auto") -> ComputeType:
    """The quickest compute type that this machine has natively."""
    if device != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    # Without native bfloat16 a CPU emulates it, slower than float32.
    return "bf16-mixed" if "avx512_bf16" in _cpu_flags() or "amx_bf16" in _cpu_flags() else "32-true"


def _cpu_flags() -> str:
    listing = Path("/proc/cpuinfo")
    return listing.read_text(encoding="utf-8") if listing.exists() else ""


class LoaderWatch(Callback):
    """Logs clips a second, and the share of the time that the network waited for clips."""

    def __init__(self) -> None:
        self.waited_s, self.worked_s, self.clips = 0.0, 0.0, 0
        self._since: float | None = None

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._since = None  # the start of an epoch (workers, validation before it) does not count as waiting

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if self._since is not None:
            self.waited_s += now - self._since
        self._since = now

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self.worked_s += now - (self._since or now)
        self.clips += len(batch[0]) * trainer.world_size
        self._since = now
        pl_module.log_dict({"clips_per_s": self.clips_per_s, "waited": self.waited}, prog_bar=True)

    @property
    def clips_per_s(self) -> float:
        return self.clips / max(self.waited_s + self.worked_s, 1e-9)

    @property
    def waited(self) -> float:
        """Share of the time, 0..1."""
        return self.waited_s / max(self.waited_s + self.worked_s, 1e-9)


class _Reseed(Callback):
    """Gives every piece of every step its own randomness (dropout, mixing), whichever process computes it and whether
    the run was interrupted before or not."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        parts = trainer.accumulate_grad_batches
        step, part = divmod(batch_idx, parts)
        piece = Share(trainer.global_rank, trainer.world_size, parts).chunk(part)
        epoch = self.seed * 1_000_003 + trainer.current_epoch
        torch.manual_seed((epoch * 1_000_003 + step) * 10_007 + piece)


class _EpochLog(Callback):
    """Logs one line an epoch."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        figures = {name: value for name, value in sorted(trainer.callback_metrics.items()) if "lr-" not in name}
        listed = ", ".join(f"{name} {float(value):.4g}" for name, value in figures.items())
        log.info("epoch %d of %s: %s", trainer.current_epoch + 1, trainer.max_epochs, listed)


class _Curve(CSVLogger):
    """`metrics.csv`, appended to at every log; Lightning's own logger starts a new file when a run is resumed."""

    def __init__(self, run: Path) -> None:
        super().__init__(run, name="", version="", flush_logs_every_n_steps=1)
        self._earlier = _rows(run)
        self._restored = False

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        if not self._restored:
            self._restored = True
            for row in self._earlier:
                # What was logged after the checkpoint that the run goes on from is logged again.
                if step is None or row["step"] < step:
                    self.experiment.log_metrics({k: v for k, v in row.items() if k != "step"}, int(row["step"]))
        super().log_metrics(metrics, step)


def _rows(run: Path) -> list[dict[str, float]]:
    curve = run / CURVE_FILE
    if not (run / RESUME_FILE).exists() or not curve.exists():
        return []
    with curve.open(newline="", encoding="utf-8") as lines:
        return [
            {name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines) if row["step"]
        ]
