"""Runs `fitcli train`, `fitcli evaluate` and the like in processes that have imported PyTorch and Lightning already.

Importing them takes five seconds and more, longer than what most tests train. Every command here is a process of its
own as in `support.cli`, but forked from one that did nothing except import them.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from pathlib import Path

from support.cli import LIMIT_S, environment

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "fitcli.cli",
        "fitcli.training.pose.train",
        "fitcli.training.rgb.train",
        "fitcli.training.evaluation.calibrate",
        "sklearn.model_selection",
        "torch.utils.tensorboard",
    ]
)


class Running:
    """A fitcli command that runs in a process of its own, its output in files."""

    def __init__(self, *arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.arguments = ["fitcli", *map(str, arguments)]
        self._folder = tempfile.TemporaryDirectory(prefix="fitcli-test-")
        self._stdout, self._stderr = (Path(self._folder.name, name) for name in ("stdout", "stderr"))
        settings = environment(**(env or {}))
        self._process = _FORKS.Process(
            target=_run, args=(self.arguments, str(cwd), settings, str(self._stdout), str(self._stderr))
        )
        threads = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = "1"  # is read when PyTorch is imported; small networks gain nothing from more
        try:
            forkserver.ensure_running()
        finally:
            os.environ.pop("OMP_NUM_THREADS") if threads is None else os.environ.update(OMP_NUM_THREADS=threads)
        self._process.start()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        self._process.kill()
        self._process.join(LIMIT_S)

    def end(self) -> subprocess.CompletedProcess[str]:
        """Wait for the end."""
        self._process.join(LIMIT_S)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            raise subprocess.TimeoutExpired(self.arguments, LIMIT_S)
        stdout, stderr = (
            path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
            for path in (self._stdout, self._stderr)
        )
        self._folder.cleanup()
        return subprocess.CompletedProcess(self.arguments, code, stdout, stderr)


def fitcli(*arguments: object, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """As `support.cli.fitcli`, for commands that import PyTorch."""
    return Running(*arguments, cwd=cwd, env=env).end()


def _run(arguments: list[str], cwd: str, settings: dict[str, str], stdout: str, stderr: str) -> None:
    from fitcli.cli import main

    for stream, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, stream)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(settings)
    sys.argv = arguments
    main()
