"""Commands that need no engine load none, so that they answer at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import LIMIT_S, SAMPLE, environment

ENGINES = {
    "torch",
    "torchvision",
    "pytorchvideo",
    "openvino",
    "av",
    "cv2",
    "PIL",
    "sounddevice",
    "pyttsx3",
    "lightning",
}

PROBE = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(sorted(sys.modules))))
sys.argv[0] = "fitcli"
if len(sys.argv) > 1:
    from fitcli.cli import main
    main()
else:
    import fitcli
"""


def loaded(*arguments: object, cwd: Path) -> set[str]:
    """The modules that a process has loaded when the command has run; with no arguments, after `import fitcli`."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("analyze", "--help"), ("history",), ("exercises",), ("--version",)], ids=str
)
def test_light_commands_load_no_engine(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert not loaded(*arguments, cwd=tmp_path) & ENGINES


def test_analysis_on_a_cpu_loads_neither_torch_nor_opencv(tmp_path: Path) -> None:
    modules = loaded("analyze", SAMPLE, "--device", "cpu", "--json", "--no-save", cwd=tmp_path)
    assert modules & ENGINES >= {"openvino", "av"}
    assert not modules & {"torch", "torchvision", "pytorchvideo", "cv2", "lightning", "sounddevice", "pyttsx3"}


TOGETHER = """
import os, sys, threading
sys.setswitchinterval(1e-6)
from fitcli import engine
openvino = engine.openvino()
ready = threading.Barrier(8)

def ask():
    ready.wait()
    openvino.Type.f32.to_dtype()

threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(2)
os._exit(any(thread.is_alive() for thread in threads))
"""
"""OpenVINO's table of number types is asked for by several threads at once; it must have been made before."""


@pytest.mark.parametrize("attempt", range(4))
def test_threads_that_ask_openvino_at_the_same_moment_all_get_an_answer(attempt: int) -> None:
    assert subprocess.run([sys.executable, "-c", TOGETHER], timeout=LIMIT_S, check=False).returncode == 0
