"""`train_rgb`: from folders of videos to one checkpoint on RGB, by the paper's recipe, resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from fitcli.catalog import OTHER, catalog
from fitcli.errors import CheckpointError, Setting
from fitcli.network.checkpoint import Checkpoint, Provenance, save_checkpoint
from fitcli.network.spec import NetworkSpec, rgb_spec
from fitcli.outputs import replace_text
from fitcli.training.draws import SeededDraws, Share
from fitcli.training.labels import UNKNOWN, targets
from fitcli.training.resume import read_state, resume_file
from fitcli.training.rgb import kinetics
from fitcli.training.rgb.clips import PAPER_WINDOW_S, MiddleClips, RandomClips, cache_side
from fitcli.training.rgb.frames import FrameCache
from fitcli.training.rgb.module import RgbModule, RgbRecipe
from fitcli.training.rgb.pretrained import KINETICS_CHANNEL_REDUCTION, load_published, load_start
from fitcli.training.rgb.videos import LabelledVideo, LeftOut, VideoFolder, list_videos
from fitcli.training.run_folder import BEST_FILE, describe
from fitcli.training.trainer import (
    Hardware,
    LoaderWatch,
    fit,
    is_first_process,
    make_trainer,
    process_number,
    share_of,
)

FILES_TABLE = "files.tsv"

KINETICS, NOTHING = "kinetics", "none"

OnStage = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, 0..1."""


@dataclass(frozen=True)
class RgbOptions:
    """What to train on RGB and how; `recipe` and `hardware` hold the rest.

    videos: `train|val|test/<class>/*`. heads: "exercise", "muscle" or "both". pretrained: "kinetics", "none" or a file
    of published weights. initialize: a checkpoint whose backbone (and, without `new_heads`, heads) are the start.
    draws_per_epoch: clips an epoch (default: one of every video). batch: clips of a step, of all devices together.
    patience: epochs without a lower validation loss after which training ends; None trains all epochs.
    frames, side, window_s: another clip than the published one. cache: folder for decoded frames.
    recipe_toml: these options as TOML, kept in the run's folder.
    """

    videos: Path
    run: Path
    architecture: str
    heads: str = "both"
    channel_reduction: int = 8
    pretrained: str = KINETICS
    initialize: Path | None = None
    new_heads: bool = False
    recipe: RgbRecipe = field(default_factory=RgbRecipe)
    epochs: int = 30
    batch: int = 8
    draws_per_epoch: int | None = None
    patience: int | None = None
    frames: int | None = None
    side: int | None = None
    window_s: float = PAPER_WINDOW_S
    cache: Path | None = None
    decoders: int = 1
    seed: int = 0
    hardware: Hardware = field(default_factory=Hardware)
    progress_bar: bool = True
    recipe_toml: str = ""


@dataclass(frozen=True)
class RgbRun:
    """What a run came to. `waited`: share of the time, 0..1, that the network waited for clips."""

    checkpoint: Path
    clips_per_s: float
    waited: float


def train_rgb(
    options: RgbOptions, on_progress: OnStage | None = None, announce: Callable[[str], None] | None = None
) -> RgbRun:
    """Train one network; returns where its checkpoint is, `<run>/<architecture>.ckpt`.

    A run that was interrupted goes on from its last epoch when started again with the same options. With videos in
    `val` the checkpoint is the epoch of the lowest validation loss, otherwise the last. announce: hears one sentence
    about the files before training begins.
    """
    on_progress = on_progress or (lambda stage, share: None)
    listed = list_videos(options.videos)
    spec = spec_of(options, listed)
    listed = _useful(listed, spec)
    Share(0, 1, options.hardware.accumulate).of(options.batch)  # a wrong batch is reported before hours of decoding
    weights = _published(options, spec, partial(on_progress, "fetching Kinetics weights"))
    cache = FrameCache.at(options.cache, cache_side(spec))
    folder = prepared(listed, ("train", "val"), cache, options.decoders, partial(on_progress, "decoding"))
    L.seed_everything(options.seed, verbose=False)
    watch = LoaderWatch()
    best = _best(options, folder)
    trainer = _trainer(options, folder, [watch, *([best] if best else [])])
    module = RgbModule(spec, options.recipe)
    if not resume_file(options.run):
        _start(module, options, weights)
    if is_first_process():
        describe(options, spec, options.videos, folder.sha256)
        replace_text(options.run / FILES_TABLE, folder.table())
        if announce:
            announce(f"{folder.summary} Each one: {options.run / FILES_TABLE}")
            if cache.folder is None:
                announce("Your cache folder cannot be written to: every clip is decoded from its video, which is slow.")
    training = _loader(folder.split("train"), cache, spec, options, trainer)
    fit(trainer, module, training, _measured(folder, cache, spec, options, trainer))
    target = options.run / f"{options.architecture}.ckpt"
    if trainer.is_global_zero:
        provenance = _provenance(options, folder)
        _save(target, module, best.best_model_path if best else "", provenance)
    trainer.strategy.barrier()  # the next stage of a recipe reads the file in every process
    return RgbRun(target, watch.clips_per_s, watch.waited)


def _best(options: RgbOptions, folder: VideoFolder) -> ModelCheckpoint | None:
    """Keeps the weights of the lowest validation loss; None without videos to validate on."""
    if not folder.split("val"):
        return None
    return ModelCheckpoint(
        options.run,
        filename=Path(BEST_FILE).stem,
        monitor="val_loss",
        save_weights_only=True,
        enable_version_counter=False,
    )


def _trainer(options: RgbOptions, folder: VideoFolder, callbacks: list[Callback]) -> L.Trainer:
    if options.patience and folder.split("val"):
        callbacks.append(EarlyStopping("val_loss", patience=options.patience))
    return make_trainer(
        options.run,
        options.hardware,
        epochs=options.epochs,
        seed=options.seed,
        callbacks=callbacks,
        progress_bar=options.progress_bar,
        steps=options.epochs * (options.draws_per_epoch or len(folder.split("train"))) // options.batch,
    )


def spec_of(options: RgbOptions, folder: VideoFolder) -> NetworkSpec:
    """The network to train: it knows the paper's exercises, and others and "other" where the data set has them."""
    shown = {video.labels.exercise for video in folder.split("train")}
    paper = catalog().paper
    exercises = tuple(name for name in catalog().exercise_names if name in shown or name in paper.exercises)
    muscles = paper.muscles if exercises == paper.exercises else catalog().muscles
    exercises += (OTHER,) if OTHER in shown else ()
    return rgb_spec(
        options.architecture,
        channel_reduction=options.channel_reduction,
        exercises=exercises if options.heads in ("exercise", "both") else (),
        muscles=muscles if options.heads in ("muscle", "both") else (),
        frames=options.frames,
        side=options.side,
        window_s=options.window_s,
    )


def prepared(
    folder: VideoFolder,
    splits: tuple[str, ...],
    cache: FrameCache,
    decoders: int,
    on_progress: Callable[[float], None] | None = None,
) -> VideoFolder:
    """Decode the videos of `splits` into the cache; the folder with those left out that cannot be read."""
    videos = [video.path for video in folder.videos if video.split in splits]
    # Processes on several machines begin at different videos, and find what the others have done.
    first = (process_number() * 97) % max(1, len(videos))
    return folder.without(cache.prepare(videos, processes=decoders, first=first, on_progress=on_progress))


def _useful(folder: VideoFolder, spec: NetworkSpec) -> VideoFolder:
    """The folder without videos that have no label for the network's heads."""

    def teaches(video: LabelledVideo) -> bool:
        named = targets(video.labels, spec)[0] != UNKNOWN
        return named or bool(spec.muscles and any(value == value for value in video.labels.muscles))

    silent = [video for video in folder.videos if not teaches(video)]
    return folder.without([LeftOut(video.path, "no label for the heads that are trained") for video in silent])


def _published(options: RgbOptions, spec: NetworkSpec, on_progress: Callable[[float], None]) -> Path | None:
    """The file of published weights to start from, downloaded if need be; None for another start."""
    if options.initialize or options.pretrained == NOTHING:
        return None
    if options.pretrained != KINETICS:
        return Path(options.pretrained)
    if spec.architecture == "slowfast" and options.channel_reduction != KINETICS_CHANNEL_REDUCTION:
        raise CheckpointError(
            f"The Kinetics weights have channel reduction {KINETICS_CHANNEL_REDUCTION}: start from none for another.",
            setting=Setting.PRETRAINED,
        )
    return kinetics.fetch(options.architecture, on_progress=on_progress)


def _start(module: RgbModule, options: RgbOptions, weights: Path | None) -> None:
    if options.initialize:
        load_start(module.network, options.initialize, keep_heads=not options.new_heads)
    elif weights:
        load_published(module.network, weights)


def _loader(
    videos: tuple[LabelledVideo, ...], cache: FrameCache, spec: NetworkSpec, options: RgbOptions, trainer: L.Trainer
) -> DataLoader[tuple[torch.Tensor, int, torch.Tensor]]:
    return DataLoader(
        RandomClips(videos, cache, spec),
        batch_sampler=SeededDraws(
            len(videos),
            batch=options.batch,
            draws=options.draws_per_epoch or len(videos),
            seed=options.seed,
            share=share_of(trainer, options.hardware),
        ),
        num_workers=options.hardware.workers,
        persistent_workers=options.hardware.workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def _measured(
    folder: VideoFolder, cache: FrameCache, spec: NetworkSpec, options: RgbOptions, trainer: L.Trainer
) -> DataLoader[tuple[torch.Tensor, int, torch.Tensor, int]] | None:
    videos = folder.split("val")
    count, rank, world = len(videos), trainer.global_rank, trainer.world_size
    if not videos:
        return None
    return DataLoader(
        MiddleClips(videos, cache, spec),
        batch_size=share_of(trainer, options.hardware).of(options.batch),
        # One process reads each video. With more processes than videos, all read all: idle ones would wait forever.
        sampler=range(*((rank, count, world) if count >= world else (count,))),
        num_workers=min(options.hardware.workers, 2),
        persistent_workers=options.hardware.workers > 0,
    )


def _provenance(options: RgbOptions, folder: VideoFolder) -> Provenance:
    clips = len(folder.split("train"))
    return Provenance(
        epochs=options.epochs,
        draws=options.draws_per_epoch or clips,
        batch=options.batch,
        learning_rate=options.recipe.learning_rate,
        seed=options.seed,
        clips=clips,
        sources=(options.videos.resolve().name,),
        data_sha256=folder.sha256,
    )


def _save(target: Path, module: RgbModule, best: str, provenance: Provenance) -> None:
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in module.network.state_dict().items()}
    metrics: dict[str, float] = {}
    if best:
        kept = read_state(Path(best))
        weights = {name: kept["state_dict"][f"network.{name}"] for name in weights}
        metrics = {name: round(value, 4) for name, value in kept["figures"].items()}
    save_checkpoint(target, Checkpoint(module.spec, weights, metrics, provenance))
