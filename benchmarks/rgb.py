"""Whole-process time of `fitcli analyze` with the reference system's own checkpoints, against the reference path.

Full-size SlowFast-R50 and X3D-M with seeded random weights, the same on both sides, in the reference system's format.
A three-second clip is cut from a sample and scaled to 1080 lines. fitcli converts the networks once before anything is
timed, as it does for every user. Then both run in turn, in processes of their own.

    python benchmarks/rgb.py [VIDEO] [--height 1080] [--seconds 3] [--runs 3] [--folder DIR]

It also prints how far fitcli's muscle probabilities of the first two seconds are from the reference's, with
`--reference-scores` and the compute type that fitcli chooses. --folder keeps the checkpoints and the converted networks
for the next run.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

import reference_path
from films import SQUAT, first_seconds, scaled
from processes import Usage, fitcli, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=SQUAT)
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
        larger = scaled(arguments.video, arguments.height, Path(scratch))
        video = first_seconds(larger, arguments.seconds, Path(scratch, "clip.mp4"))
        ours = fitcli("analyze", video, "--no-save", "--device", "cpu", "--json")
        ours += ["--checkpoints", checkpoints, "--trust-checkpoint"]
        theirs = [sys.executable, reference_path.__file__, video, "--only-reference", "--checkpoints", checkpoints]
        own_cache = {"XDG_CACHE_HOME": str(cache)}
        commands = {"fitcli": ours, "fitcli --reference-scores": [*ours, "--reference-scores"], "reference": theirs}
        first = run(ours, env=own_cache)
        print(f"first use, with conversion where nothing was cached: {first.wall_s:.1f} s")
        runs: dict[str, list[Usage]] = {name: [] for name in commands}
        for _ in range(arguments.runs):
            for name, command in commands.items():
                runs[name].append(run(command, env=own_cache))
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
