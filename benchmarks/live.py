"""Measure `fitcli record --live` at 720p30: poses a second, and from a repetition's end to its announcement.

    python benchmarks/live.py [--rounds 4] [--sample squat]

A file plays as the camera: a sample, enlarged to 1280x720 at 30 frames a second, several times over; when each of its
repetitions ends is known (samples/samples.toml). Everything runs that runs for a user: recogniser, pose, the
terminal's panel, and the preview's drawing. The goals are 15 poses a second and half a second on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from record import HEIGHT, RATE_HZ, WIDTH, enlarged

from fitcli.analysis import Coach
from fitcli.camera import Camera
from fitcli.live import screen
from fitcli.live.coach import Recogniser
from fitcli.live.session import LiveSession, PoseWatcher
from fitcli.video import VideoWriter

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rounds", type=int, default=4, help="how often the sample is shown")
    arguments.add_argument("--sample", help="squat, push-up or bicep-curl; all of them otherwise")
    given = arguments.parse_args()
    figures: dict[str, Any] = {"cpus": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    samples = tomllib.loads((SAMPLES / "samples.toml").read_text(encoding="utf-8"))["sample"]
    with tempfile.TemporaryDirectory() as folder:
        for sample in samples:
            name = Path(sample["file"]).stem
            if given.sample in (None, name):
                film = Path(folder, f"{name}.mp4")
                ends_s = make_film(SAMPLES / sample["file"], film, sample["ends_s"], given.rounds)
                figures[name] = measure(film, ends_s)
    print(json.dumps(figures, indent=1))


def make_film(source: Path, target: Path, ends_s: list[float], rounds: int) -> list[float]:
    """The source as often as that: its last picture is its first one's pose. Returns when repetitions end in it."""
    pictures = enlarged(source)
    with VideoWriter(target, WIDTH, HEIGHT) as writer:
        for number in range(rounds * len(pictures)):
            writer.write(pictures[number % len(pictures)], number / RATE_HZ)
    return [turn * len(pictures) / RATE_HZ + end_s for turn in range(rounds) for end_s in ends_s]


def measure(film: Path, ends_s: list[float]) -> dict[str, Any]:
    """One live session: its announcements against the truth."""
    with Recogniser(Coach().networks) as recogniser, Camera(str(film)) as camera, PoseWatcher(camera) as watcher:
        session = LiveSession(camera, watcher)
        for _ in session.get_into_picture():
            pass
        for _ in session.count_down(3.0):
            pass
        coach = session.new_coach(recogniser)
        announced: list[float] = []
        named_s: float | None = None
        used_s = time.process_time()
        began_s = time.monotonic()  # the film begins up to 33 ms later, so delays come out that much too long
        for state in session.live(coach, float("inf")):
            now_s = time.monotonic() - began_s
            announced += [now_s] * (state.coaching.total - len(announced))
            if named_s is None and state.coaching.exercise:
                named_s = now_s
            screen.panel(state, camera.name)
            screen.preview(state, mirror=True)
        cores = (time.process_time() - used_s) / (time.monotonic() - began_s)
        counted = sum(summary.repetitions for summary in coach.finish())
        track = coach.track()
        exercise = recogniser.exercise
    delays = np.array([min((a - e for e in ends_s), key=abs) for a in announced])
    return {
        "poses_a_second": round(len(track) / max(float(track.times_s[-1]), 1e-6), 1),
        "cores_used": round(cores, 2),
        "repetitions": len(ends_s),
        "counted": counted,
        "announced": len(announced),
        "exercise": exercise and exercise.name,
        "named_after_s": named_s and round(named_s, 1),
        "first_delay_s": round(float(delays[0]), 2) if len(delays) else None,
        "delay_median_s": round(float(np.median(delays)), 2) if len(delays) else None,
        "delay_90_percent_s": round(float(np.percentile(delays, 90)), 2) if len(delays) else None,
        "delay_longest_s": round(float(delays.max()), 2) if len(delays) else None,
    }


if __name__ == "__main__":
    main()
