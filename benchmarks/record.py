"""Measure `fitcli record` at 720p30: frames a second, frames lost, poses a second, seconds from the end to the answer.

    python benchmarks/record.py [--seconds 10] [--video samples/squat.mp4]

A file plays as the camera: the sample, scaled to 1280x720 at 30 frames a second, forwards and backwards. The command
runs as it does for users, in a process of its own, with the preview if there is a display (xvfb-run makes one).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from films import CAMERA_RATE_HZ, SQUAT, camera_film, camera_pictures

from fitcli.camera import Camera, display_trouble
from fitcli.live import screen
from fitcli.live.session import LiveSession, PoseWatcher


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--video", type=Path, default=SQUAT)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures = camera_pictures(given.video)
        there_and_back = pictures + pictures[-2:0:-1]
        film = camera_film(there_and_back, round((given.seconds + 2) * CAMERA_RATE_HZ), Path(folder, "camera.mp4"))
        figures = {
            "cpus": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 1),
            "preview": not display_trouble(),
        }
        figures |= measure_command(film, given.seconds) | measure_poses(film, given.seconds, Path(folder))
    print(json.dumps(figures, indent=1))


def measure_command(film: Path, seconds: float) -> dict[str, float]:
    """The whole command: what it reports of the recording, and when the answer is printed."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "fitcli",
        "record",
        "--camera",
        film,
        "--duration",
        seconds,
        "--countdown",
        3,
    ]
    process = subprocess.Popen(
        [*map(str, command), "--no-save"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    started_s = ended_s = answered_s = 0.0
    said = ""
    for line in process.stdout:
        now_s = time.monotonic()
        said += line
        if line.startswith("Recording"):
            started_s = now_s
        elif line.startswith("Recorded"):
            ended_s = now_s
        answered_s = now_s
    if process.wait():
        sys.exit(said)
    found = re.search(r"Recorded ([\d.]+) s: (\d+) frames, ([\d.]+) a second, (none|\d+) lost", said)
    assert found, said
    return {
        "recorded_s": float(found[1]),
        "frames": int(found[2]),
        "frames_a_second": float(found[3]),
        "frames_lost": 0 if found[4] == "none" else int(found[4]),
        "end_to_file_s": round(ended_s - started_s - seconds, 2),
        "end_to_answer_s": round(answered_s - started_s - seconds, 2),
    }


def measure_poses(film: Path, seconds: float, folder: Path) -> dict[str, float]:
    """The same steps in this process, drawing the panel and the preview, to count the poses."""
    with Camera(str(film)) as camera, PoseWatcher(camera) as watcher:
        session = LiveSession(camera, watcher)
        for _ in session.get_into_picture():
            pass
        seen = set()
        drawn = 0
        for state in session.record(folder / "set.mp4", seconds):
            screen.panel(state, camera.name)
            screen.preview(state, mirror=True)
            drawn += 1
            if state.pose:
                seen.add(state.pose.frame.arrival_s)
        assert session.recording
        return {
            "poses_a_second": round(len(seen) / seconds, 1),
            "previews_a_second": round(drawn / seconds, 1),
            "frames_lost_with_poses_counted": session.recording.dropped,
        }


if __name__ == "__main__":
    main()
