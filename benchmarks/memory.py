"""Peak memory of `fitcli analyze` on an hour of 1080p video: it must stay under 1.2 GB and not grow with the length.

    python benchmarks/memory.py                    # the full hour
    python benchmarks/memory.py --minutes 3 6      # two lengths, to see that memory is flat
    python benchmarks/memory.py --part pose        # only decoding and following the person

The film is made from `samples/squat.mp4`: scaled to 1080p, encoded once, and its packets written again and again, which
takes seconds where encoding an hour would take one. Peak memory is the child process's own (`ru_maxrss`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

SAMPLE = Path(__file__).parent.parent / "samples" / "squat.mp4"
SIZE = (1920, 1080)
RATE_HZ = 30
LIMIT_MB = 1200

POSE = """
import sys
from pathlib import Path
from fitcli.pose.tracker import track
from fitcli.video import frames
print(len(track(frames(Path(sys.argv[1])))), "samples")
"""


@dataclass(frozen=True)
class Usage:
    """What one child process took."""

    peak_mb: float
    wall_s: float
    exit_code: int


def long_film(path: Path, minutes: float) -> None:
    """Write the sample's movement over and over, `minutes` long, as 1080p H.264 in MP4."""
    clip = path.with_name("clip.mp4")
    with av.open(str(SAMPLE)) as source, av.open(str(clip), "w") as target:
        encoder = target.add_stream("libx264", rate=RATE_HZ, options={"preset": "veryfast", "crf": "20"})
        encoder.width, encoder.height = SIZE
        encoder.pix_fmt = "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            scaled = frame.reformat(*SIZE, format="yuv420p")
            scaled.pts, scaled.time_base = number, Fraction(1, RATE_HZ)
            target.mux(encoder.encode(scaled))
        target.mux(encoder.encode())
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        packets = [(bytes(p), p.pts or 0, p.dts or 0, p.is_keyframe) for p in source.demux(stream) if p.size]
        clock, length = stream.time_base or Fraction(1), stream.duration or 1
        with av.open(str(path), "w") as target:
            copy = target.add_stream_from_template(stream)
            for turn in range(max(1, round(minutes * 60 / float(length * clock)))):
                for content, pts, dts, is_keyframe in packets:
                    packet = av.Packet(content)
                    packet.pts, packet.dts = pts + turn * length, dts + turn * length
                    packet.time_base, packet.stream, packet.is_keyframe = clock, copy, is_keyframe
                    target.mux(packet)


def measure(command: list[str]) -> Usage:
    """Run a command to its end."""
    began = time.monotonic()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
    unit = 1e6 if sys.platform == "darwin" else 1e3  # macOS counts bytes, Linux kilobytes
    return Usage(usage.ru_maxrss / unit, time.monotonic() - began, child.returncode)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[60.0])
    parser.add_argument("--part", choices=("analyze", "pose"), default="analyze")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            film = Path(folder) / "film.mp4"
            long_film(film, minutes)
            size_mb = film.stat().st_size / 1e6
            if options.part == "pose":
                command = [sys.executable, "-c", POSE, str(film)]
            else:
                command = [sys.executable, "-m", "fitcli", "analyze", str(film), "--no-save", "--quiet"]
            usage = measure(command)
            good &= usage.exit_code == 0 and usage.peak_mb < LIMIT_MB
            print(
                f"{minutes:g} min of 1080p ({size_mb:.0f} MB file): peak {usage.peak_mb:.0f} MB, "
                f"{usage.wall_s:.0f} s, exit code {usage.exit_code}",
                flush=True,
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
