"""Clips a second that training on video prepares, against those that the network can take, in the same run.

    python benchmarks/rgb_training.py [VIDEO ...] [--height 1080] [--networks x3d_xs,x3d_m] [--clips 24] [--threads 1]

Three ways of making a random training clip: decoding the video each time, as the published code does; reading stored
frames; and reading them in worker processes. Then the network's own training step on clips in memory.
--height scales the videos first: 1080 is what phones film, 0 keeps them as they are. On a CPU all of them share the
same cores, so processor seconds are printed as well, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from films import SAMPLES, scaled
from torch.utils.data import DataLoader

from fitcli.network.spec import rgb_spec
from fitcli.training.labels import labels_of
from fitcli.training.rgb.clips import PAPER_WINDOW_S, RandomClips, cache_side, crop_side, random_clip
from fitcli.training.rgb.frames import FrameCache
from fitcli.training.rgb.module import RgbModule, RgbRecipe
from fitcli.training.rgb.videos import LabelledVideo
from fitcli.training.trainer import automatic_precision


def timed(count: int, work: Callable[[], object]) -> tuple[float, float]:
    """(clips a second by the clock, processor seconds a clip) of making `count` clips."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return count / (time.perf_counter() - began), (time.process_time() - used) / count


def show(what: str, figures: tuple[float, float]) -> None:
    print(f"  {what:44s} {figures[0]:8.1f} clips/s {1000 * figures[1]:9.1f} ms of processor a clip")


def measure(name: str, paths: list[Path], clips: int, batch: int, workers: int, device: str) -> None:
    """Print the figures of one network."""
    spec = rgb_spec(name, window_s=PAPER_WINDOW_S)
    print(f"{name}: {spec.frames} frames of {crop_side(spec)} pixels")
    videos = [LabelledVideo(path, "train", "squat", labels_of("squat"), str(i)) for i, path in enumerate(paths)]
    draws = [(i % len(videos), i) for i in range(clips)]
    with tempfile.TemporaryDirectory() as folder:

        def decoded() -> None:
            for index, seed in draws[: max(4, clips // 4)]:
                with tempfile.TemporaryDirectory() as fresh:  # nothing is stored in it: the whole video is decoded
                    stored = FrameCache(Path(fresh), cache_side(spec)).open(paths[index])
                    random_clip(stored, spec, np.random.default_rng(seed))

        show("decoding the video each time", timed(max(4, clips // 4), decoded))
        cache = FrameCache(Path(folder), cache_side(spec))
        cache.prepare(paths)
        stored_s = sum(float(cache.open(path).times_s[-1]) for path in paths)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        dataset = RandomClips(videos, cache, spec)
        show("stored frames, one process", timed(clips, lambda: [dataset[draw] for draw in draws]))
        for count in (workers,) if workers else ():
            loader = DataLoader(dataset, batch_size=batch, sampler=draws * 4, num_workers=count)
            batches = iter(loader)
            next(batches)  # waits until the workers have started
            rate, _ = timed(len(draws) * 4 - batch, lambda: list(batches))  # noqa: B023
            print(f"  {f'stored frames, {count} worker processes':44s} {rate:8.1f} clips/s")
        print(f"  stored: {size / 1e6 / stored_s:.2f} MB for each second of video")
        pictures, exercise, muscles = next(iter(DataLoader(dataset, batch_size=batch, sampler=draws[:batch])))
    module = RgbModule(spec, RgbRecipe()).to(device)
    module._log = lambda *_: None  # type: ignore[method-assign]  # no trainer to log to
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4)
    given = [tensor.to(device) for tensor in (pictures, exercise, muscles)]
    precision = automatic_precision()

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision.startswith("bf16")):
            loss = module.training_step(given, 0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    step()
    show(f"training step, batch {batch}, {device}, {precision}", timed(2 * batch, lambda: [step() for _ in range(2)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path, default=sorted(SAMPLES.glob("*.mp4")))
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--networks", default="x3d_xs,x3d_m")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            scaled(path, arguments.height, Path(folder)) if arguments.height else path for path in arguments.videos
        ]
        for name in arguments.networks.split(","):
            measure(name, paths, arguments.clips, arguments.batch, arguments.workers, device)


if __name__ == "__main__":
    main()
