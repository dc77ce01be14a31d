"""Weights that were trained on Kinetics-400, from pytorchvideo's model zoo: fetched on request, kept and checked.

The zoo publishes no checksums. So a download is checked against the size and the ETag that the server states (an MD5
where it is one), the file's SHA-256 is noted when it comes, and the network takes its weights strictly or not at all.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from filelock import FileLock

from fitcli.cache import cache_folder, cache_path, provide_temporary_folder
from fitcli.errors import DownloadError, Setting, StorageError
from fitcli.network.checkpoint import sha256

ZOO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics"
MIRROR = "FITCLI_KINETICS_URL"
"""Environment variable with another address of the same files, for networks that do not reach the zoo."""

FILES = {
    "x3d_xs": "X3D_XS.pyth",
    "x3d_s": "X3D_S.pyth",
    "x3d_m": "X3D_M.pyth",
    "x3d_l": "X3D_L.pyth",
    "slowfast_r50": "SLOWFAST_8x8_R50.pyth",
    "slowfast_r101": "SLOWFAST_8x8_R101.pyth",
}
"""Architecture -> file; SlowFast as 8x8, with channel reduction 8. There are none for an R18."""

TIMEOUT_S = 30.0
TRIES = 4
"""How often a broken download is resumed."""

_CACHED = "kinetics"
_CHUNK = 1 << 20
_MD5 = re.compile(r'"([0-9a-f]{32})"')


@dataclass(frozen=True)
class Origin:
    """What the server said of the file that is being fetched, kept beside the part that is here."""

    url: str
    size: int
    etag: str


def weights_folder() -> Path:
    """Where the files are kept: the user's cache, or a folder for this process alone where that cannot be used."""
    if folder := cache_folder(_CACHED):
        return folder
    provide_temporary_folder()
    folder = Path(tempfile.mkdtemp(prefix="fitcli-kinetics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _kept(architecture: str) -> Path | None:
    """The file in a cache that was filled before and cannot be written now."""
    with contextlib.suppress(OSError):
        path = cache_path(_CACHED) / FILES[architecture]
        noted = path.with_suffix(".sha256")
        if path.exists() and noted.exists() and noted.read_text(encoding="ascii").strip() == sha256(path):
            return path
    return None


def fetch(
    architecture: str,
    *,
    folder: Path | None = None,
    expected_sha256: str | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Path:
    """The weights of `architecture`, from the cache or downloaded; an interrupted download is resumed.

    Raises `DownloadError` with one sentence: no network, no such file, or a file that is not what it should be.
    """
    if architecture not in FILES:
        known = ", ".join(FILES)
        raise DownloadError(
            f"There are no Kinetics weights for {architecture}, only for {known}: start from none.",
            setting=Setting.PRETRAINED,
        )
    if folder is None and cache_folder(_CACHED) is None and (kept := _kept(architecture)):
        return kept
    try:
        path = (folder or weights_folder()) / FILES[architecture]
    except OSError as error:
        raise StorageError(f"The weights cannot be stored anywhere ({error.strerror}): free some space.") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Processes that train together ask at the same time: one fetches, the others wait and find the file.
        with FileLock(path.with_suffix(".lock")):
            return _kept_or_fetched(path, expected_sha256, on_progress or (lambda share: None))
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error.strerror}): free some space.") from error


def _kept_or_fetched(path: Path, expected_sha256: str | None, on_progress: Callable[[float], None]) -> Path:
    noted = path.with_suffix(".sha256")
    expected = expected_sha256 or (noted.read_text(encoding="ascii").strip() if noted.exists() else None)
    if path.exists():
        if expected in (None, sha256(path)):
            return path
        raise DownloadError(
            f"{path} is damaged (its SHA-256 differs from that of the download): delete it to download it again."
        )
    url = f"{(os.environ.get(MIRROR) or ZOO).rstrip('/')}/{path.name}"
    try:
        _download(url, path, expected_sha256, on_progress)
        noted.write_text(sha256(path) + "\n", encoding="ascii")
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise _unreachable(url, path, error) from error
    return path


def _unreachable(url: str, path: Path, error: Exception) -> DownloadError:
    reason = getattr(error, "reason", None) or error
    said = (
        f"HTTP {error.code}"
        if isinstance(error, urllib.error.HTTPError)
        else getattr(reason, "strerror", None) or reason
    )
    return DownloadError(
        f"{url} cannot be fetched ({said}): try again with a network, or fetch it elsewhere and put it at {path}."
    )


def _download(url: str, path: Path, expected: str | None, on_progress: Callable[[float], None]) -> None:
    part, origin_file = path.with_suffix(".part"), path.with_suffix(".origin.json")
    for attempt in range(1, TRIES + 1):
        try:
            origin = _continue(url, part, origin_file, on_progress)
            break
        except (HTTPException, TimeoutError, ConnectionError) as error:  # the connection broke: go on where it did
            if attempt == TRIES:
                raise error
    fault = _fault(part, origin, expected)
    origin_file.unlink(missing_ok=True)
    if fault:
        part.unlink()
        raise DownloadError(f"{url} came with {fault}; it was thrown away: try again later.")
    part.replace(path)


def _continue(url: str, part: Path, origin_file: Path, on_progress: Callable[[float], None]) -> Origin:
    """Fetch what is missing of `part`; from the start where the server's file is another one now."""
    origin = _origin(origin_file, url) if part.exists() else None
    have = part.stat().st_size if origin else 0
    if origin and origin.size and have >= origin.size:
        return origin
    request = urllib.request.Request(url)
    if origin and have:
        request.add_header("Range", f"bytes={have}-")
        if origin.etag:
            request.add_header("If-Range", origin.etag)  # another file under the same name comes whole
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = answer.status == 206
        if not (goes_on and origin):
            have = 0
            origin = Origin(url, int(answer.headers.get("Content-Length") or 0), answer.headers.get("ETag") or "")
            origin_file.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        with part.open("ab" if goes_on else "wb") as stream:
            _copy(answer, stream.write, have, origin.size, on_progress)
    if origin.size and part.stat().st_size < origin.size:
        raise ConnectionError("the connection was cut")
    return origin


def _copy(
    answer: HTTPResponse, write: Callable[[bytes], object], have: int, size: int, on_progress: Callable[[float], None]
) -> None:
    while chunk := answer.read1(_CHUNK):  # read1 gives what has come: a cut connection loses nothing
        write(chunk)
        have += len(chunk)
        on_progress(have / size if size else 0.0)


def _origin(path: Path, url: str) -> Origin | None:
    try:
        origin = Origin(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return origin if origin.url == url else None


def _fault(part: Path, origin: Origin, expected: str | None) -> str | None:
    """What is wrong with a file that came whole, or None."""
    size = part.stat().st_size
    if origin.size and size != origin.size:
        return f"{size} bytes instead of {origin.size}"
    if expected and sha256(part) != expected:
        return "another SHA-256 than the one expected"
    announced = _MD5.fullmatch(origin.etag)
    if announced:
        with part.open("rb") as stream:
            if hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != announced[1]:
                return "a checksum that is not the one the server announced"
    return None
