"""From a checkpoint to OpenVINO IR, in float16, with the heatmap layer inside."""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path

from fitcli.errors import StorageError
from fitcli.network.checkpoint import load_checkpoint, sha256
from fitcli.network.runtime import IR_CHECKPOINT, IR_NETWORK


def convert(checkpoint: Path, ir: Path, *, trust: bool = False) -> Path:
    """Write the network of `checkpoint` as IR to `ir` (and its `.bin`), any batch size; returns `ir`."""
    import openvino as ov
    import torch

    from fitcli.network.builders import build

    loaded = load_checkpoint(checkpoint)
    spec = loaded.spec
    network = build(spec)
    network.load_state_dict(loaded.weights)
    network.eval()
    shape = (spec.frames, spec.channels, 3) if spec.input == "pose" else (3, spec.frames, spec.side, spec.side)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        logging.getLogger("torch").setLevel(logging.ERROR)
        model = ov.convert_model(network, example_input=torch.zeros(2, *shape), input=[ov.PartialShape([-1, *shape])])
    model.set_rt_info(json.dumps(spec.to_plain()), IR_NETWORK)
    model.set_rt_info(sha256(checkpoint), IR_CHECKPOINT)
    try:
        ir.parent.mkdir(parents=True, exist_ok=True)
        # Another fitcli may be reading the pair: each file is moved into place whole, the weights first.
        temporary = ir.with_name(f".{ir.stem}-{os.getpid()}.xml")
        ov.save_model(model, temporary, compress_to_fp16=True)
        temporary.with_suffix(".bin").replace(ir.with_suffix(".bin"))
        temporary.replace(ir)
    except (OSError, RuntimeError) as error:
        raise StorageError(f"The converted network cannot be written to {ir.parent}: free some space there.") from error
    return ir
