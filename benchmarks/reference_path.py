"""Whole-process time of `fitcli analyze` on a clip, as a ratio to the reference system's path in the same run.

The reference path (arXiv 2406.06703 and its published code): decode two seconds, pytorchvideo's published
preprocessing (32 frames uniformly, /255, mean .45, std .225, short side to 256, centre crop 256; the slow pathway is 8
of them), SlowFast-R50 and X3D-M in torch, eager, fp32. Its weights are not needed to time it: they are random.

    python benchmarks/reference_path.py [VIDEO] [--height 1080] [--runs 3]

--height scales the video first: 1080 is what phones and webcams film; 0 leaves it as it is.

Both are run once unmeasured, to warm the file cache, then in turn; the medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def reference(path: Path) -> None:
    """The reference system's path from a file to the ensemble's muscle logits."""
    import av
    import torch
    from pytorchvideo.models.slowfast import create_slowfast
    from pytorchvideo.models.x3d import create_x3d

    with av.open(str(path)) as container:
        frames = []
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= 2:
                break
            frames.append(torch.from_numpy(frame.to_ndarray(format="rgb24")))
    clip = torch.stack(frames).permute(3, 0, 1, 2).float()  # (3, T, H, W)
    clip = clip[:, torch.linspace(0, clip.shape[1] - 1, 32).long()] / 255
    clip = (clip - 0.45) / 0.225
    height, width = clip.shape[2:]
    scale = 256 / min(height, width)
    size = (round(height * scale), round(width * scale))
    clip = torch.nn.functional.interpolate(clip, size=size, mode="bilinear", align_corners=False)
    top, left = (size[0] - 256) // 2, (size[1] - 256) // 2
    clip = clip[None, :, :, top : top + 256, left : left + 256]
    slow = clip[:, :, torch.linspace(0, 31, 8).long()]
    with torch.inference_mode():
        slowfast = create_slowfast(model_num_class=11).eval()([slow, clip])
        x3d = create_x3d(model_num_class=11, input_clip_length=16, input_crop_size=224, depth_factor=2.2)
        x3d.blocks[-1].activation = None
        print((0.75 * slowfast + 0.25 * x3d.eval()(clip)).shape)


def scaled(path: Path, height: int, folder: Path) -> Path:
    """The video at another height, same frames and times."""
    from PIL import Image

    from fitcli.video import VideoWriter, frames, probe

    video = probe(path)
    size = (round(video.width * height / video.height / 2) * 2, height)
    target = folder / f"{path.stem}-{height}.mp4"
    with VideoWriter(target, *size) as writer:
        for frame in frames(path, rate_hz=None, max_side=None):
            writer.write(np.asarray(Image.fromarray(frame.image).resize(size)), frame.time_s)
    return target


def seconds(command: list[str]) -> float:
    """Wall clock of a process from start to end; raises where it fails."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=ROOT / "samples" / "squat.mp4")
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only-reference", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_reference:
        reference(arguments.video)
        return
    with tempfile.TemporaryDirectory() as folder:
        video = scaled(arguments.video, arguments.height, Path(folder)) if arguments.height else arguments.video
        ours = [sys.executable, "-m", "fitcli", "analyze", str(video), "--no-save", "--device", "cpu"]
        theirs = [sys.executable, __file__, str(video), "--only-reference"]
        times: dict[str, list[float]] = {"fitcli": [], "reference": []}
        for run in range(arguments.runs + 1):
            for name, command in (("fitcli", ours), ("reference", theirs)):
                took = seconds(command)
                if run:
                    times[name].append(took)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:10s} {medians[name]:6.2f} s  ({', '.join(f'{v:.2f}' for v in values)})")
    print(f"fitcli takes 1/{medians['reference'] / medians['fitcli']:.1f} of the reference path's time")


if __name__ == "__main__":
    main()
