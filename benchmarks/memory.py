"""Peak memory of `fitcli analyze` on an hour of 1080p video: under 1.2 GB, however long the video is.

    python benchmarks/memory.py                    # the full hour
    python benchmarks/memory.py --minutes 3 6      # two lengths, to see that memory is flat
    python benchmarks/memory.py --part pose        # only decoding and following the person

The film is `films.phone_film`, its packets written again and again. Peak memory is that of the child process alone
(`ru_maxrss`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from films import phone_film, repeated
from processes import fitcli, run

LIMIT_MB = 1200

POSE = """
import sys
from pathlib import Path
from fitcli.pose.tracker import track
from fitcli.video import frames
print(len(track(frames(Path(sys.argv[1])))), "samples")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[60.0])
    parser.add_argument("--part", choices=("analyze", "pose"), default="analyze")
    options = parser.parse_args()
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            film = repeated(phone_film(), minutes, Path(folder) / "film.mp4")
            size_mb = film.stat().st_size / 1e6
            analyze = fitcli("analyze", film, "--no-save", "--quiet")
            usage = run([sys.executable, "-c", POSE, film] if options.part == "pose" else analyze, check=False)
            passed &= usage.exit_code == 0 and usage.peak_mb < LIMIT_MB
            print(
                f"{minutes:g} min of 1080p ({size_mb:.0f} MB file): peak {usage.peak_mb:.0f} MB, "
                f"{usage.wall_s:.0f} s, exit code {usage.exit_code}",
                flush=True,
            )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
