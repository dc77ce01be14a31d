"""Time of one training step of each shipped network, and of X3D with torch's depthwise gradient, in the same run.

    python benchmarks/training_step.py [--batch 32] [--threads 1] [--steps 3]

It prints processor seconds of the fastest step, on which other work on the machine has little influence.
"""

from __future__ import annotations

import argparse
import time
import warnings

import torch

from fitcli.network.builders import build
from fitcli.network.depthwise import DepthwiseConv3d
from fitcli.network.spec import DEFAULT_SPECS
from fitcli.training.labels import UNKNOWN
from fitcli.training.pose.module import HybridModule
from fitcli.training.trainer import automatic_precision


def step_s(module: HybridModule, batch: int, steps: int, bf16: bool) -> float:
    """Processor seconds of the fastest of `steps` steps: forward and backward, without the optimiser."""
    spec = module.spec
    clips = torch.rand(batch, spec.frames, spec.channels, 3)
    exercise = torch.randint(0, len(spec.exercises), (batch,))
    exercise[0] = UNKNOWN
    muscles = torch.randint(0, 2, (batch, len(spec.muscles))).float()
    fastest = float("inf")
    for _ in range(steps + 1):
        began = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = module.training_step([clips, exercise, muscles, torch.zeros(batch, 0)], 0)
        loss.backward()
        fastest = min(fastest, time.process_time() - began)
        module.zero_grad(set_to_none=True)
    return fastest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    precision = automatic_precision()
    print(f"batch {arguments.batch}, {arguments.threads} thread(s), {precision}")
    for name, spec in DEFAULT_SPECS.items():
        module = HybridModule(spec)
        module.log_dict = lambda *_, **__: None  # type: ignore[method-assign]  # no trainer to log to
        quick = step_s(module, arguments.batch, arguments.steps, precision.startswith("bf16"))
        line = f"{name:10s} {quick:6.2f} s"
        if name == "x3d":
            plain = build(spec)
            for layer in plain.modules():
                if isinstance(layer, DepthwiseConv3d):
                    layer.__class__ = torch.nn.Conv3d
            module.network = plain.to(memory_format=torch.channels_last_3d)
            slow = step_s(module, arguments.batch, arguments.steps, precision.startswith("bf16"))
            line += f"   with torch's own depthwise gradient {slow:6.2f} s: {slow / quick:.1f} times as long"
        print(line)


if __name__ == "__main__":
    main()
