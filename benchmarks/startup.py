"""How long the light commands take: the median of ten new processes each, against the bare interpreter.

Run it with `python benchmarks/startup.py`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from processes import fitcli, run

RUNS = 10
GOAL_S = 0.5
COMMANDS: dict[str, list[object]] = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "fitcli --help": fitcli("--help"),
    "fitcli exercises": fitcli("exercises"),
    "fitcli history": fitcli("history"),
}


def main() -> None:
    """Print one line for each command."""
    with tempfile.TemporaryDirectory() as folder:
        for name, command in COMMANDS.items():
            run(command, cwd=Path(folder))  # fills the file cache
            median = statistics.median(run(command, cwd=Path(folder)).wall_s for _ in range(RUNS))
            print(f"{name:20} {median:6.3f} s{'' if median < GOAL_S else f'  over {GOAL_S} s'}")


if __name__ == "__main__":
    main()
