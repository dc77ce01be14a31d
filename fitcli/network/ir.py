"""Networks as OpenVINO IR files (an `.xml` with its `.bin`): which network a file holds, from which checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from fitcli.errors import CheckpointError
from fitcli.network.spec import NetworkSpec, NetworkSpecError

if TYPE_CHECKING:
    from openvino import Model

IR_NETWORK, IR_CHECKPOINT = ["fitcli", "network"], ["fitcli", "checkpoint_sha256"]
"""Where an IR keeps its `NetworkSpec` (JSON) and the SHA-256 of the checkpoint that it was made from."""

_RT_INFO, _NET_END = "<rt_info>", "</net>"  # the last part of an IR file, and its end


def ir_beside(checkpoint: Path) -> Path:
    """The path of a checkpoint's IR in the same folder: `x.xml` (and `x.bin`) beside `x.ckpt`."""
    return checkpoint.with_suffix(".xml")


def mark(model: Model, spec: NetworkSpec, checkpoint_sha256: str) -> None:
    """Note in an IR which network it is and which checkpoint it was made from."""
    model.set_rt_info(json.dumps(spec.to_plain()), IR_NETWORK)
    model.set_rt_info(checkpoint_sha256, IR_CHECKPOINT)


def marked_spec(model: Model) -> NetworkSpec:
    """The network of an IR in memory that `mark` marked."""
    return NetworkSpec.from_plain(json.loads(model.get_rt_info(IR_NETWORK).astype(str)))


def ir_of(path: Path, checkpoint_sha256: str) -> NetworkSpec | None:
    """The network in the IR file `path` if it was made from the checkpoint with that SHA-256, else None.

    Raises `CheckpointError` for a network that this version cannot run.
    """
    rt_info = _rt_info(path)
    if rt_info is None or _value(rt_info, IR_CHECKPOINT) != checkpoint_sha256:
        return None
    network = _value(rt_info, IR_NETWORK)
    if not network:
        return None
    try:
        return NetworkSpec.from_plain(json.loads(network))
    except (NetworkSpecError, ValueError) as error:
        reason = error.reason if isinstance(error, NetworkSpecError) else "its description of the network is damaged"
        raise CheckpointError(f"{path} cannot be used: {reason}. Delete it, and it is made again.") from error


def is_ir(path: Path) -> bool:
    """Whether `path` is an IR that was made from a checkpoint, and can be made again."""
    rt_info = _rt_info(path)
    return rt_info is not None and _value(rt_info, IR_CHECKPOINT) is not None


def _rt_info(path: Path) -> Element | None:
    """The notes in an IR file; None where the file or its `.bin` is missing, incomplete or damaged."""
    try:
        # Only the notes are parsed: the graph before them is a hundred times as long.
        text = path.read_text(encoding="utf-8") if path.with_suffix(".bin").exists() else ""
        return ElementTree.fromstring(text[text.rindex(_RT_INFO) : text.rindex(_NET_END)])
    except (OSError, ValueError, ElementTree.ParseError):
        return None


def _value(rt_info: Element, key: list[str]) -> str | None:
    found = rt_info.find("/".join(key))
    return None if found is None else found.get("value")
