"""Whole-process time of `fitcli analyze` on a clip, as a ratio to that of the reference system's path in the same run.

The reference path (arXiv 2406.06703 and its published code): decode two seconds, pytorchvideo's published
preprocessing (32 frames uniformly, /255, mean .45, std .225, short side to 256, centre crop 256; the slow pathway is 8
of them), SlowFast-R50 and X3D-M in torch, eager, fp32. The weights are random, which does not change the time. `rgb.py`
times the same networks, with the same weights, in fitcli.

    python benchmarks/reference_path.py [VIDEO] [--height 1080] [--runs 3]

--height scales the video first: 1080 is what phones and webcams film, 0 keeps the video as it is.

Both run once unmeasured, which fills the file cache, then in turn. The medians are compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SQUAT = Path(__file__).parents[1] / "samples" / "squat.mp4"

CLASSES = {"muscle": 11, "exercise": 16}
ENSEMBLE_WEIGHTS = {
    ("muscle", "slowfast"): 0.75,
    ("muscle", "x3d"): 0.25,
    ("exercise", "slowfast"): 0.25,
    ("exercise", "x3d"): 0.75,
}
"""Share of a network's logits in the ensemble's (arXiv 2406.06703)."""


def reference(path: Path, checkpoints: Path | None = None, *, depth: int = 50) -> dict[str, list[float]]:
    """The reference system's path from a file to the ensemble's logits by head; only muscles without checkpoints.

    depth: SlowFast's; the reference's checkpoints have 50.
    """
    import torch

    clip = reference_clip(path)
    slow = clip[:, :, torch.linspace(0, 31, 8).long()]
    scores: dict[str, torch.Tensor] = {}
    with torch.inference_mode():
        for (head, architecture), weight in ENSEMBLE_WEIGHTS.items():
            name = architecture if head == "muscle" else f"{architecture}-exercise"
            file = checkpoints and checkpoints / f"{name}.ckpt"
            if not (file.exists() if file else head == "muscle"):
                continue
            network = reference_network(architecture, CLASSES[head], depth)
            if file:
                state = torch.load(file, map_location="cpu", weights_only=False)["state_dict"]
                network.load_state_dict({key[key.index("blocks.") :]: value for key, value in state.items()})
            logits = network.eval()([slow, clip] if architecture == "slowfast" else clip)
            scores[head] = scores.get(head, 0) + weight * logits
    return {head: logits[0].tolist() for head, logits in scores.items()}


def reference_clip(path: Path) -> Tensor:
    """The published preprocessing of the first two seconds of a video: (1, 3, 32, 256, 256)."""
    import av
    import torch

    with av.open(str(path)) as container:
        frames = []
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= 2:
                break
            frames.append(torch.from_numpy(frame.to_rgb().to_ndarray()))
    clip = torch.stack(frames).permute(3, 0, 1, 2).float()  # (3, T, H, W)
    clip = clip[:, torch.linspace(0, clip.shape[1] - 1, 32).long()] / 255
    clip = (clip - 0.45) / 0.225
    height, width = clip.shape[2:]
    size = (int(height / width * 256), 256) if width < height else (256, int(width / height * 256))
    clip = torch.nn.functional.interpolate(clip, size=size, mode="bilinear", align_corners=False)
    top, left = round((size[0] - 256) / 2), round((size[1] - 256) / 2)
    return clip[None, :, :, top : top + 256, left : left + 256]


def reference_network(architecture: str, classes: int, depth: int = 50) -> Any:
    """SlowFast (R50, or another depth) or X3D-M with random weights and a head for `classes`."""
    from pytorchvideo.models.slowfast import create_slowfast
    from pytorchvideo.models.x3d import create_x3d

    if architecture == "slowfast":
        return create_slowfast(model_num_class=classes, model_depth=depth)
    network = create_x3d(model_num_class=classes, input_clip_length=16, input_crop_size=224, depth_factor=2.2)
    network.blocks[-1].activation = None
    return network


def write_checkpoints(folder: Path, video: Path, *, heads: Sequence[str] = tuple(CLASSES), depth: int = 50) -> None:
    """Write checkpoints in the reference system's format, with seeded random weights that all influence the answer.

    A network fresh from its builder passes almost nothing through its blocks. Here every block contributes, and the
    logits of the video (scaled down, to save time) spread as those of a trained network do.
    """
    import torch

    torch.manual_seed(0)
    clip = torch.nn.functional.interpolate(reference_clip(video), size=(32, 64, 64), mode="trilinear")
    slow = clip[:, :, torch.linspace(0, 31, 8).long()]
    for architecture in ("slowfast", "x3d"):
        network = reference_network(architecture, CLASSES["exercise"], depth)
        features = []
        head = network.blocks[-1]
        head.proj.register_forward_pre_hook(lambda _, inputs, into=features: into.append(inputs[0]))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm3d):
                torch.nn.init.uniform_(module.weight, 0.3, 0.6)
            # The pooling windows of the head are too large for this clip.
            if isinstance(module, torch.nn.AvgPool3d):
                module.kernel_size = (module.kernel_size[0], 1, 1)
        with torch.no_grad():
            network.eval()([slow, clip] if architecture == "slowfast" else clip)
        mean = features[0].mean((0, 1, 2, 3))
        for name in heads:
            weight = torch.randn(CLASSES[name], len(mean)) * (2 / mean.norm())
            state = network.state_dict() | {
                f"blocks.{len(network.blocks) - 1}.proj.weight": weight,
                f"blocks.{len(network.blocks) - 1}.proj.bias": torch.randn(CLASSES[name]),
            }
            # Lightning's format; after fine-tuning, as for X3D, one module deeper and with its arguments.
            prefix = "model.model." if architecture == "x3d" else "model."
            content = {
                "epoch": 29,
                "state_dict": {prefix + key: value for key, value in state.items()},
                "hyper_parameters": {"learning_rate": 1e-4, "where": Path("data")} if architecture == "x3d" else {},
            }
            torch.save(content, folder / f"{architecture}{'' if name == 'muscle' else '-exercise'}.ckpt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=SQUAT)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only-reference", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--checkpoints", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_reference:
        print(json.dumps(reference(arguments.video, arguments.checkpoints)))
        return
    # The process that runs the reference path must not pay for importing fitcli.
    from films import scaled
    from processes import fitcli, run

    with tempfile.TemporaryDirectory() as folder:
        video = scaled(arguments.video, arguments.height, Path(folder)) if arguments.height else arguments.video
        ours = fitcli("analyze", video, "--no-save", "--device", "cpu")
        theirs = [sys.executable, __file__, video, "--only-reference"]
        times: dict[str, list[float]] = {"fitcli": [], "reference": []}
        for round_ in range(arguments.runs + 1):
            for name, command in (("fitcli", ours), ("reference", theirs)):
                usage = run(command)
                if round_:
                    times[name].append(usage.wall_s)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:10s} {medians[name]:6.2f} s  ({', '.join(f'{v:.2f}' for v in values)})")
    print(f"fitcli takes 1/{medians['reference'] / medians['fitcli']:.1f} of the reference path's time")


if __name__ == "__main__":
    main()
