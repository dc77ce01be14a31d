"""Networks as OpenVINO IR: beside the checkpoint, or made from it once and kept in the user's cache."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from fitcli.errors import CheckpointError, StorageError
from fitcli.network.spec import NetworkSpec

IR_NETWORK, IR_CHECKPOINT = ["fitcli", "network"], ["fitcli", "checkpoint_sha256"]
"""Where an IR file keeps its `NetworkSpec` (JSON) and the SHA-256 of the checkpoint that it was made from."""

_NOTES, _NET_END = "<rt_info>", "</net>"  # the last part of an IR file, and the end of it

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
