"""Converts a checkpoint to OpenVINO IR, with the heatmap layer inside."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fitcli.errors import StorageError
from fitcli.network.checkpoint import digest, load_checkpoint, require_torch
from fitcli.network.ir import mark

if TYPE_CHECKING:
    from openvino import Model


def convert(checkpoint: Path, ir: Path, *, trust: bool = False) -> Path:
    """Write the network of `checkpoint` as IR in float32 to `ir` and its `.bin`; returns `ir`.

    Raises `StorageError` where the files cannot be written.
    """
    from fitcli import engine

    try:
        engine.save(converted(checkpoint, trust=trust), ir)
    except OSError as error:
        raise StorageError(f"The converted network cannot be written to {ir.parent}: free some space there.") from error
    return ir


def converted(checkpoint: Path, *, trust: bool = False) -> Model:
    """The network of `checkpoint` as an OpenVINO model in float32, marked with the checkpoint's SHA-256.

    The weights are not stored in float16 as in the checkpoint: the conversion folds batch norms into them, and rounding
    these products moves a probability by more than a thousandth. Networks on pose take any batch size, networks on RGB
    one clip at a time, for which they run faster.
    """
    require_torch(f"Converting {checkpoint}")
    import torch

    from fitcli import engine
    from fitcli.network.builders import Exported, restore

    # Imported before anything else: `openvino` keeps the converter out, and another thread may be compiling by now.
    ov = engine.openvino()

    loaded = load_checkpoint(checkpoint, trust=trust)
    spec, on_pose = loaded.spec, loaded.spec.input == "pose"
    network = Exported(restore(loaded, checkpoint))
    with engine.converter() as convert_model, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        logging.getLogger("torch").setLevel(logging.ERROR)
        # OpenVINO would check its own trace by running the network three more times.
        example = torch.zeros(2 if on_pose else 1, *spec.clip_shape)
        traced = torch.jit.trace(network, example, check_trace=False, strict=False)  # type: ignore[no-untyped-call]
        shape = ov.PartialShape([-1 if on_pose else 1, *spec.clip_shape])
        model = cast("Model", convert_model(traced, example_input=example, input=[shape]))
    mark(model, spec, digest(checkpoint))
    return model
