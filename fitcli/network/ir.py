"""Networks as OpenVINO IR: beside the checkpoint, or made from it once and kept in the user's cache."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from fitcli import engine
from fitcli.cache import cache_folder, cache_path, without
from fitcli.network.checkpoint import require_torch
from fitcli.network.spec import NetworkSpec

if TYPE_CHECKING:
    from openvino import Model

IR_NETWORK, IR_CHECKPOINT = ["fitcli", "network"], ["fitcli", "checkpoint_sha256"]
"""Where an IR file keeps its `NetworkSpec` (JSON) and the SHA-256 of the checkpoint that it was made from."""

_NOTES, _NET_END = "<rt_info>", "</net>"  # the last part of an IR file, and the end of it

_NETWORKS = "networks"  # in the user's cache

Announce = Callable[[str], None]
"""Hears one sentence before something that takes long."""

_converting = Lock()  # a conversion takes all cores and much memory: one after the other


def ir_beside(checkpoint: Path) -> Path:
    """Where the IR of a checkpoint lies: `x.xml` (and `x.bin`) beside `x.ckpt`."""
    return checkpoint.with_suffix(".xml")


def ready_ir(
    checkpoint: Path, digest: str, *, trust: bool = False, announce: Announce | None = None
) -> tuple[Path | Model, NetworkSpec]:
    """The IR of a checkpoint whose SHA-256 is `digest`, and its network; converted now where there is none.

    The IR is in memory where it cannot be kept for the next run. Raises `CheckpointError` for a checkpoint that cannot
    be loaded.
    """
    for path in _homes(checkpoint, digest):
        if spec := ir_of(path, digest):
            return path, spec
    require_converter(checkpoint)
    from fitcli.network.convert import converted  # torch: only for a checkpoint that was never converted

    with _converting:
        if announce:
            announce(f"Converting {checkpoint.name} for OpenVINO, which happens once ...")
        model = converted(checkpoint, trust=trust)
    if folder := cache_folder(_NETWORKS):
        kept = folder / _name(digest)
        try:
            engine.save(model, kept)
        except OSError as error:
            without(f"{folder} cannot be used as cache ({error.strerror})")
        else:
            if spec := ir_of(kept, digest):
                return kept, spec
    return model, NetworkSpec.from_plain(json.loads(model.get_rt_info(IR_NETWORK).astype(str)))


def converted_spec(checkpoint: Path, digest: str) -> NetworkSpec | None:
    """The network of the checkpoint with that SHA-256 where it was converted before, else None."""
    return next(filter(None, (ir_of(path, digest) for path in _homes(checkpoint, digest))), None)


def require_converter(checkpoint: Path) -> None:
    """Raises `CheckpointError` where what converts a checkpoint is not installed."""
    require_torch(f"{checkpoint} has not been converted for OpenVINO yet, and converting it")


def _homes(checkpoint: Path, digest: str) -> tuple[Path, ...]:
    """Where the IR of a checkpoint may lie: beside it, and in the user's cache where there is one."""
    try:
        return ir_beside(checkpoint), cache_path(_NETWORKS) / _name(digest)
    except OSError:
        return (ir_beside(checkpoint),)


def _name(digest: str) -> str:
    return f"{digest[:16]}.xml"


def ir_of(path: Path, digest: str) -> NetworkSpec | None:
    """The network in `path`, which has its `.bin` beside it, if it is the IR of the checkpoint with that SHA-256."""
    noted = _noted(path)
    if noted is None or _value(noted, IR_CHECKPOINT) != digest:
        return None
    network = _value(noted, IR_NETWORK)
    return NetworkSpec.from_plain(json.loads(network)) if network else None


def is_ir(path: Path) -> bool:
    """Whether `path`, which has its `.bin` beside it, was made from a checkpoint: it may be made again."""
    noted = _noted(path)
    return noted is not None and _value(noted, IR_CHECKPOINT) is not None


def _noted(path: Path) -> Element | None:
    """What an IR file says about itself; None where it is absent, half written or damaged."""
    try:
        # The graph before it, which is read when it is compiled, is a hundred times as long.
        text = path.read_text(encoding="utf-8") if path.with_suffix(".bin").exists() else ""
        return ElementTree.fromstring(text[text.rindex(_NOTES) : text.rindex(_NET_END)])
    except (OSError, ValueError, ElementTree.ParseError):
        return None


def _value(noted: Element, key: list[str]) -> str | None:
    found = noted.find("/".join(key))
    return None if found is None else found.get("value")
