"""From a checkpoint to OpenVINO IR, with the heatmap layer inside."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fitcli.errors import StorageError
from fitcli.network.checkpoint import load_checkpoint, require_torch, sha256
from fitcli.network.ir import IR_CHECKPOINT, IR_NETWORK

if TYPE_CHECKING:
    from openvino import Model


def convert(checkpoint: Path, ir: Path, *, trust: bool = False) -> Path:
    """Write the network of `checkpoint` as IR to `ir` (and its `.bin`), in float32; returns `ir`.

    Raises `StorageError` where it cannot be written.
    """
    from fitcli import engine

    try:
        engine.save(converted(checkpoint, trust=trust), ir)
    except OSError as error:
        raise StorageError(f"The converted network cannot be written to {ir.parent}: free some space there.") from error
    return ir


def converted(checkpoint: Path, *, trust: bool = False) -> Model:
    """The network of `checkpoint` for OpenVINO, in float32 and marked as an IR of this checkpoint.

    Batch norms are folded into the weights before them: rounded to float16 as the checkpoint's are, the products move a
    probability by more than a thousandth. Networks on pose are for any batch size, networks on RGB for one clip at a
    time, for which they run quicker.
    """
    require_torch(f"Converting {checkpoint}")
    import torch

    from fitcli import engine
    from fitcli.network.builders import Exported, restore

    # First, for it holds the converter back while it imports: another network may be compiled at the same moment.
    ov = engine.openvino()

    loaded = load_checkpoint(checkpoint, trust=trust)
    spec, on_pose = loaded.spec, loaded.spec.input == "pose"
    network = Exported(restore(loaded, checkpoint))
    with engine.converter() as convert_model, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        logging.getLogger("torch").setLevel(logging.ERROR)
        # Traced here: left to OpenVINO, the trace is checked by running the network three more times.
        example = torch.zeros(2 if on_pose else 1, *spec.clip_shape)
        traced = torch.jit.trace(network, example, check_trace=False, strict=False)  # type: ignore[no-untyped-call]
        shape = ov.PartialShape([-1 if on_pose else 1, *spec.clip_shape])
        model = cast("Model", convert_model(traced, example_input=example, input=[shape]))
    model.set_rt_info(json.dumps(spec.to_plain()), IR_NETWORK)
    model.set_rt_info(sha256(checkpoint), IR_CHECKPOINT)
    return model
