"""How long the light commands take to answer: median of ten fresh processes each, against the bare interpreter.

Run it with `python benchmarks/startup.py`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 10
GOAL_S = 0.5
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "fitcli --help": ["-m", "fitcli", "--help"],
    "fitcli exercises": ["-m", "fitcli", "exercises"],
    "fitcli history": ["-m", "fitcli", "history"],
}


def seconds(arguments: list[str], folder: str) -> float:
    """Wall-clock seconds of one process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print one line a command."""
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in COMMANDS.items():
            seconds(arguments, folder)  # fills the file cache
            median = statistics.median(seconds(arguments, folder) for _ in range(RUNS))
            print(f"{name:20} {median:6.3f} s{'' if median < GOAL_S else f'  over {GOAL_S} s'}")


if __name__ == "__main__":
    main()
