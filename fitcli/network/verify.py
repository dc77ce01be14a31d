"""Verifies a checkpoint: it can be read, loads strictly, and both engines give the same probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fitcli.catalog import OTHER, catalog
from fitcli.errors import CheckpointError, Setting
from fitcli.network.checkpoint import digest, load_checkpoint, require_torch
from fitcli.network.ir import ir_beside, ir_of
from fitcli.network.ir_cache import Announce
from fitcli.network.runtime import ComputeType, OpenVinoRuntime, TorchRuntime
from fitcli.network.scores import Logits
from fitcli.network.spec import NetworkSpec
from fitcli.pose.track import FloatArray

EXACT, HALF = 1e-3, 1e-2
"""Largest difference of a probability between the engines: in float32, and in the half precision of a CPU."""


@dataclass(frozen=True)
class Check:
    """One check of a checkpoint, whether it passed, and what was found; `setting` is what would mend a failure."""

    name: str
    passed: bool
    found: str
    setting: Setting | None = None


def verify(checkpoint: Path, *, trust: bool = False, announce: Announce | None = None) -> Iterator[Check]:
    """Check a checkpoint from the outside in, up to the first failure that makes the rest meaningless.

    The lists of classes are checked when the file is read.
    """
    require_torch(f"Verifying {checkpoint}")  # a missing package is no fault of the checkpoint
    try:
        loaded = load_checkpoint(checkpoint, trust=trust)
    except CheckpointError as error:
        yield Check("file", False, str(error), error.setting)
        return
    spec = loaded.spec
    unusable = [name for name, tensor in loaded.weights.items() if not tensor.isfinite().all()]
    if unusable:
        yield Check("file", False, f"{len(unusable)} tensors contain NaN or infinity, such as {unusable[0]}")
        return
    yield Check("file", True, f"format of {loaded.origin}, {len(loaded.weights)} tensors, all finite")
    heads = []
    if spec.exercises:
        named = len(spec.exercises) - (OTHER in spec.exercises)
        heads.append(f"{named} exercises" + (f', "{OTHER}"' if OTHER in spec.exercises else ""))
    if spec.muscles:
        heads.append(f"{len(spec.muscles)} muscle groups")
    foreign = [name for name in spec.classes.exercises if name not in catalog().exercise_names]
    foreign += [name for name in spec.muscles if name not in catalog().muscles]
    listed = f"; not in the catalogue: {', '.join(foreign)}" if foreign else ", as in the catalogue"
    yield Check("classes", True, f"{' and '.join(heads)}{listed}")
    try:
        exact = TorchRuntime(checkpoint, "cpu", trust=trust, compute_type="float32")
    except CheckpointError as error:
        yield Check("weights", False, str(error), error.setting)
        return
    yield Check("weights", True, f"{loaded.parameters:,} parameters, every tensor in its place")
    beside = ir_beside(checkpoint)
    if beside.exists() and not ir_of(beside, digest(checkpoint)):
        stale = f"{beside.name} was made from another checkpoint: delete it, or convert this checkpoint again"
        yield Check("IR", False, stale)
    clip = random_clip(spec)
    expected = exact(clip)
    compute_types: tuple[ComputeType, ...] = ("float32", "auto") if spec.input == "rgb" else ("float32",)
    for compute_type in compute_types:
        runtime = OpenVinoRuntime(checkpoint, trust=trust, compute_type=compute_type, announce=announce)
        if compute_type == "auto" and "bf16" not in runtime.device:
            continue
        difference = largest_difference(runtime(clip), expected)
        limit = EXACT if compute_type == "float32" else HALF
        yield Check(
            f"answers on {runtime.device}",
            difference < limit,
            f"probabilities differ from torch's by {difference:.1e} at most, {limit:g} is allowed",
        )


def random_clip(spec: NetworkSpec, seed: int = 0) -> FloatArray:
    """One clip of noise, shaped and scaled as the network's input: (1, T, P, 3) or (1, 3, T, S, S)."""
    generator = np.random.default_rng(seed)
    if spec.input == "pose":
        return generator.random((1, *spec.clip_shape), np.float32)
    # Coarse and slow, like videos: networks do not respond to white noise.
    _, frames, side, _ = spec.clip_shape
    coarse = generator.standard_normal((3, -(-frames // 8), -(-side // 16), -(-side // 16)), np.float32)
    for axis, times in enumerate((8, 16, 16), 1):
        coarse = coarse.repeat(times, axis)
    return coarse[None, :, :frames, :side, :side].copy()


def largest_difference(ours: Logits, theirs: Logits) -> float:
    """The largest difference of two answers in probabilities: softmax over exercises, sigmoid over muscles."""
    from fitcli.network.scores import softmax

    differences = [0.0]
    if theirs.exercise.size:
        differences.append(float(np.abs(softmax(ours.exercise) - softmax(theirs.exercise)).max()))
    if theirs.muscle.size:
        differences.append(float(np.abs(_sigmoid(ours.muscle) - _sigmoid(theirs.muscle)).max()))
    return max(differences)


def _sigmoid(logits: FloatArray) -> FloatArray:
    return (1 / (1 + np.exp(-logits))).astype(np.float32)
