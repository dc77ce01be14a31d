"""Write `mediapipe_landmarks.json`: MediaPipe's own landmarks on frames of the sample, for `test_pose.py`.

MediaPipe is no dependency of fitcli and needs an older numpy, so this runs in an environment of its own:

    python3.11 -m venv mediapipe-env && mediapipe-env/bin/pip install mediapipe==0.10.21
    mediapipe-env/bin/python tests/data/make_mediapipe_landmarks.py

Every frame is a picture by itself (static image mode, nothing smoothed or tracked) read with the full model. Run it
again when `samples/squat.mp4` is rendered anew.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import mediapipe

HERE = Path(__file__).parent
SAMPLE = HERE.parent.parent / "samples" / "squat.mp4"
EVERY = 10  # frames


def rounded(points: Iterable[Any], *fields: str) -> list[list[float]]:
    return [[round(getattr(point, field), 5) for field in fields] for point in points]


def main() -> None:
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1, smooth_landmarks=False)
    film = cv2.VideoCapture(str(SAMPLE))
    found = []
    number = 0
    while True:
        read, image = film.read()
        if not read:
            break
        if number % EVERY == 0:
            result = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            found.append(
                {
                    "frame": number,
                    "landmarks": rounded(result.pose_landmarks.landmark, "x", "y", "visibility"),
                    "world": rounded(result.pose_world_landmarks.landmark, "x", "y", "z"),
                }
            )
        number += 1
    answer = {"mediapipe": mediapipe.__version__, "file": SAMPLE.name, "frames": found}
    (HERE / "mediapipe_landmarks.json").write_text(json.dumps(answer, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
