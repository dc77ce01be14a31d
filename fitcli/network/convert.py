"""From a checkpoint to OpenVINO IR, with the heatmap layer inside."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import warnings
from pathlib import Path

from fitcli.errors import StorageError
from fitcli.network.checkpoint import load_checkpoint, sha256
from fitcli.network.ir import IR_CHECKPOINT, IR_NETWORK
from fitcli.outputs import PREFIX


def convert(checkpoint: Path, ir: Path, *, trust: bool = False) -> Path:
    """Write the network of `checkpoint` as IR to `ir` (and its `.bin`), in float32; returns `ir`.

    Batch norms are folded into the weights before them: rounded to float16 as the checkpoint's are, the products move a
    probability by more than a thousandth. Networks on pose are for any batch size, networks on RGB for one clip at a
    time, for which they run quicker.
    """
    import torch

    from fitcli import engine
    from fitcli.network.builders import Exported, restore

    # First, for it holds the converter back while it imports: another network may be compiled at the same moment.
    ov = engine.openvino()
    from openvino.tools.ovc import convert_model

    loaded = load_checkpoint(checkpoint, trust=trust)
    spec, on_pose = loaded.spec, loaded.spec.input == "pose"
    network = Exported(restore(loaded, checkpoint))
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        logging.getLogger("torch").setLevel(logging.ERROR)
        # Traced here: left to OpenVINO, the trace is checked by running the network three more times.
        example = torch.zeros(2 if on_pose else 1, *spec.clip_shape)
        traced = torch.jit.trace(network, example, check_trace=False, strict=False)  # type: ignore[no-untyped-call]
        model = convert_model(
            traced, example_input=example, input=[ov.PartialShape([-1 if on_pose else 1, *spec.clip_shape])]
        )
    model.set_rt_info(json.dumps(spec.to_plain()), IR_NETWORK)
    model.set_rt_info(sha256(checkpoint), IR_CHECKPOINT)
    temporary = ir.with_name(f"{PREFIX}{secrets.token_hex(8)}.xml")
    try:
        ir.parent.mkdir(parents=True, exist_ok=True)
        # Another fitcli may be reading the pair: each file is moved into place whole, the weights first.
        ov.save_model(model, temporary, compress_to_fp16=False)
        temporary.with_suffix(".bin").replace(ir.with_suffix(".bin"))
        temporary.replace(ir)
    except (OSError, RuntimeError) as error:
        raise StorageError(f"The converted network cannot be written to {ir.parent}: free some space there.") from error
    finally:
        for left in (temporary, temporary.with_suffix(".bin")):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
    return ir
