"""Runs commands as processes of their own and measures each: wall clock, processor time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """One process: what it printed to stdout, its exit code, and what it used."""

    printed: str
    exit_code: int
    wall_s: float
    processor_s: float
    peak_mb: float


def run(
    command: Sequence[object], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, check: bool = True
) -> Usage:
    """Run a command to its end, with `env` added to the environment and stderr dropped.

    Raises `CalledProcessError` if it fails, unless `check` is off.
    """
    began = time.perf_counter()
    child = subprocess.Popen(
        list(map(str, command)),
        cwd=cwd,
        env=os.environ | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert child.stdout
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
    child.stdout.close()
    if check and child.returncode:
        raise subprocess.CalledProcessError(child.returncode, list(map(str, command)))
    unit = 1e6 if sys.platform == "darwin" else 1e3  # macOS counts bytes, Linux kilobytes
    return Usage(printed, child.returncode, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def fitcli(*arguments: object) -> list[object]:
    """The command line of fitcli, in this interpreter."""
    return [sys.executable, "-m", "fitcli", *arguments]
