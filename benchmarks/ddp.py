"""Loss curves of the same training run in one process and in two (gloo), side by side, for both inputs.

    python benchmarks/ddp.py [--steps 6] [--json FILE]

Both runs divide the same clips into the same parts: the single process computes its batch in two parts. On video, the
curves differ only by the order of sums. On pose sequences, each process augments with a random state of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from fitcli.training.synthetic.people import synthesize
from fitcli.video import VideoWriter

EXERCISES = ("squat", "push-up", "bicep curl")
BATCH = 4


def make_videos(folder: Path) -> Path:
    """Twelve small films of a block whose speed depends on its class."""
    for kind, name in enumerate(EXERCISES):
        for number in range(4):
            path = folder / "train" / name / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            with VideoWriter(path, 96, 72) as writer:
                for frame in range(45):
                    image = np.full((72, 96, 3), 30, np.uint8)
                    middle = int(36 + 24 * np.sin(frame * 0.15 * (kind + 1) + number))
                    image[middle - 8 : middle + 8, 36:60, kind] = 230
                    writer.write(image, frame / 15)
    return folder


def make_poses(folder: Path) -> Path:
    """Twelve synthetic pose sequences in the documented format."""
    rng = np.random.default_rng(3)
    tracks = [synthesize(name, rng, repetitions=None).track for name in EXERCISES * 4]
    folder.mkdir(parents=True)
    columns = "id split exercise tier kind source series name ideal primary secondary equipment note repetitions first "
    columns += "frames seconds width height found"
    first = 0
    with (folder / "clips.tsv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns.split(), delimiter="\t")
        writer.writeheader()
        for number, (name, track) in enumerate(zip(EXERCISES * 4, tracks, strict=True)):
            row = dict.fromkeys(columns.split(), "")
            row |= {"id": str(number), "split": "train", "exercise": name, "kind": "real", "source": "synthetic"}
            row |= {"series": str(number), "first": str(first), "frames": str(len(track))}
            row |= {"width": str(track.frame_width), "height": str(track.frame_height)}
            writer.writerow(row)
            first += len(track)
    for field in ("landmarks", "world", "presence"):
        np.save(folder / f"{field}.npy", np.concatenate([getattr(t, field) for t in tracks]).astype(np.float16))
    np.save(folder / "times.npy", np.concatenate([t.times_s for t in tracks]).astype(np.float32))
    return folder


def curve(command: list[str], run: Path, options: list[str]) -> list[float]:
    """The loss of every step of a training run in processes of its own."""
    whole = [sys.executable, "-m", "fitcli", "train", *command, "--run", str(run), "--device", "cpu", "-q", *options]
    # One thread each, so that two processes on two cores do not compete.
    subprocess.run(whole, check=True, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as lines:
        return [float(row["loss"]) for row in csv.DictReader(lines) if row.get("loss")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recipe = ["--epochs", str(arguments.steps), "--draws", str(BATCH), "--batch", str(BATCH)]
        rgb = ["-a", "x3d_xs", "--pretrained", "none", "--side", "64", "--frames", "4"]
        inputs = {
            "rgb": (["videos", str(make_videos(folder / "videos"))], [*rgb, "--cache", str(folder / "cache")]),
            "pose": (["pose", str(make_poses(folder / "poses"))], ["-a", "x3d", "--synthetic", "0"]),
        }
        for name, (command, options) in inputs.items():
            results[name] = {
                "one process": curve(command, folder / f"{name}1", [*recipe, *options, "--accumulate", "2"]),
                "two processes": curve(command, folder / f"{name}2", [*recipe, *options, "--devices", "2"]),
            }
            one, two = results[name].values()
            print(f"{name}: step   one process   two processes")
            for step, (a, b) in enumerate(zip(one, two, strict=True)):
                print(f"{step:>9}   {a:11.5f}   {b:13.5f}")
            apart = max(abs(a - b) for a, b in zip(one, two, strict=True))
            print(f"      largest difference {apart:.5f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
