"""Networks as OpenVINO IR: beside the checkpoint, or made from it once and kept in the user's cache."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from fitcli.errors import CheckpointError, StorageError
from fitcli.network.spec import NetworkSpec

IR_NETWORK, IR_CHECKPOINT = ["fitcli", "network"], ["fitcli", "checkpoint_sha256"]
"""Where an IR file keeps its `NetworkSpec` (JSON) and the SHA-256 of the checkpoint that it was made from."""

Announce = Callable[[str], None]
"""Hears one sentence before something that takes long."""

_converting = Lock()  # a conversion takes all cores and much memory: one after the other


def ir_beside(checkpoint: Path) -> Path:
    """Where the IR of a checkpoint lies: `x.xml` (and `x.bin`) beside `x.ckpt`."""
    return checkpoint.with_suffix(".xml")


def cached_ir(digest: str) -> Path:
    """Where the IR of a checkpoint with that SHA-256 is kept that has none beside it."""
    from platformdirs import user_cache_path

    return user_cache_path("fitcli") / "networks" / f"{digest[:16]}.xml"


def ready_ir(
    checkpoint: Path, digest: str, *, trust: bool = False, announce: Announce | None = None
) -> tuple[Path, NetworkSpec]:
    """The IR of a checkpoint whose SHA-256 is `digest`, and its network; converted now where there is none.

    Raises `CheckpointError` for a checkpoint that cannot be loaded.
    """
    cached = cached_ir(digest)
    for path in (ir_beside(checkpoint), cached):
        if spec := ir_of(path, digest):
            return path, spec
    from fitcli.network.convert import convert  # torch: only for a checkpoint that was never converted

    with _converting:
        if announce:
            announce(f"Converting {checkpoint.name} for OpenVINO, which happens once ...")
        try:
            path = convert(checkpoint, cached, trust=trust)
        except StorageError:  # no cache here: convert for this run alone
            path = convert(checkpoint, Path(tempfile.mkdtemp(prefix="fitcli-")) / cached.name, trust=trust)
    spec = ir_of(path, digest)
    if spec is None:
        raise CheckpointError(f"{path} cannot be read again: is the disk full?")
    return path, spec


def has_ir(checkpoint: Path, digest: str) -> bool:
    """Whether the checkpoint with that SHA-256 was converted before."""
    return any(path.exists() and ir_of(path, digest) for path in (ir_beside(checkpoint), cached_ir(digest)))


def ir_of(path: Path, digest: str) -> NetworkSpec | None:
    """The network in `path` and its `.bin` if it is the IR of the checkpoint with that SHA-256, else None."""
    from fitcli import engine

    if not (path.exists() and path.with_suffix(".bin").exists()):
        return None
    try:
        model = engine.core().read_model(path)
    except RuntimeError:
        return None  # half written or damaged
    network = _text(model, IR_NETWORK)
    if network is None or _text(model, IR_CHECKPOINT) != digest:
        return None
    return NetworkSpec.from_plain(json.loads(network))


def _text(model: Any, key: list[str]) -> str | None:
    return str(model.get_rt_info(key).value) if model.has_rt_info(key) else None
