"""Whole-process time of `fitcli analyze` with the reference system's own checkpoints, against the reference path.

Full-size SlowFast-R50 and X3D-M with random weights (seeded, so that both sides have the same), written as the
reference system writes them. A three-second clip is cut from a sample and scaled to 1080 lines. fitcli converts the
networks once, before the clock runs, as it does for every user; then both are run in turn, in processes of their own.

    python benchmarks/rgb.py [VIDEO] [--height 1080] [--seconds 3] [--runs 3] [--folder DIR]

Printed beside the times: how far fitcli's muscle probabilities of the first two seconds are from the reference's, with
its reading (`--reference-scores`) in the precision that it chooses itself. --folder keeps the checkpoints and converted
networks for the next time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import reference_path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Run:
    """One process: what it printed, seconds of wall clock and of processor time."""

    printed: str
    wall_s: float
    processor_s: float


def run(command: list[str], cache: Path) -> Run:
    """Run a process to its end; raises where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    )
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(done.stdout, wall_s, processor_s)


def clip(video: Path, height: int, seconds: float, folder: Path) -> Path:
    """The first seconds of the video at another height."""
    from fitcli.video import VideoWriter, frames, probe

    scaled = reference_path.scaled(video, height, folder)
    target = folder / "clip.mp4"
    size = probe(scaled)
    with VideoWriter(target, size.width, size.height) as writer:
        for frame in frames(scaled, rate_hz=None, max_side=None, end_s=seconds):
            writer.write(frame.image, frame.time_s)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=ROOT / "samples" / "squat.mp4")
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        checkpoints, cache = folder / "checkpoints", folder / "cache"
        if not checkpoints.exists():
            checkpoints.mkdir(parents=True)
            reference_path.write_checkpoints(checkpoints, arguments.video, heads=("muscle",))
        video = clip(arguments.video, arguments.height, arguments.seconds, Path(scratch))
        ours = [sys.executable, "-m", "fitcli", "analyze", str(video), "--no-save", "--device", "cpu", "--json"]
        ours += ["--checkpoints", str(checkpoints), "--trust-checkpoint"]
        theirs = [sys.executable, reference_path.__file__, str(video), "--only-reference"]
        theirs += ["--checkpoints", str(checkpoints)]
        commands = {"fitcli": ours, "fitcli --reference-scores": [*ours, "--reference-scores"], "reference": theirs}
        first = run(ours, cache)
        print(f"first use, with conversion where nothing was cached: {first.wall_s:.1f} s")
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for _ in range(arguments.runs):
            for name, command in commands.items():
                runs[name].append(run(command, cache))
    wall = {name: statistics.median(each.wall_s for each in all_) for name, all_ in runs.items()}
    processor = {name: statistics.median(each.processor_s for each in all_) for name, all_ in runs.items()}
    for name in commands:
        print(f"{name:26s} {wall[name]:6.2f} s, {processor[name]:6.2f} s of processor time")
    for name in list(commands)[:2]:
        print(
            f"{name}: 1/{wall['reference'] / wall[name]:.1f} of the reference path's time, "
            f"1/{processor['reference'] / processor[name]:.1f} of its processor time"
        )
    logits = json.loads(runs["reference"][0].printed)["muscle"]
    total = sum(math.exp(logit) for logit in logits)
    shares = json.loads(runs["fitcli --reference-scores"][0].printed)["windows"][0]["muscles"]
    window = json.loads(runs["fitcli"][0].printed)["windows"][0]["muscles"]
    softmax = max(abs(ours - math.exp(theirs) / total) for ours, theirs in zip(shares, logits, strict=True))
    sigmoid = max(abs(ours - 1 / (1 + math.exp(-theirs))) for ours, theirs in zip(window, logits, strict=True))
    print(f"probabilities differ by {softmax:.4f} (softmax) and {sigmoid:.4f} (sigmoid) at most")


if __name__ == "__main__":
    main()
