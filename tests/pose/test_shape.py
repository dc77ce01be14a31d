"""A picture stretched to another aspect ratio is recognised, corrected and reported; an ordinary one is left alone."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from support.cli import ROOT, SAMPLE, fitcli
from support.films import MakeVideo, picture

import fitcli as library
from fitcli.history.store import SessionStore
from fitcli.pose.blazepose import BlazePose
from fitcli.pose.follow import WELL_FOUND, follow
from fitcli.pose.shape import LOOKS, Spread, picture_stretch
from fitcli.report.skeleton import JOINT_LANDMARKS, VISIBLE
from fitcli.video import Frame, Image, VideoWriter, frames, probe

CLIPS = ROOT.parent / "shared" / "clips"

UPRIGHT, WIDE = 9 / 16, 16 / 9


def cut(image: Image, shape: float) -> Image:
    """The middle of a picture, with the aspect ratio width / height."""
    height, width = image.shape[:2]
    wide, high = min(width, round(height * shape)), min(height, round(width / shape))
    left, top = (width - wide) // 2, (height - high) // 2
    return image[top : top + high, left : left + wide]


def film(source: Path, target: Path, filmed: float, size: tuple[int, int]) -> Path:
    """A sample cropped to the aspect ratio `filmed` and then forced into a picture of `size`."""
    with VideoWriter(target, *size) as writer:
        for frame in frames(source, rate_hz=None):
            forced = PillowImage.fromarray(cut(frame.image, filmed)).resize(size, PillowImage.Resampling.BILINEAR)
            writer.write(np.asarray(forced), frame.time_s)
    return target


@pytest.fixture(scope="module")
def model() -> BlazePose:
    return BlazePose(streams=2)


@pytest.mark.parametrize(
    ("sample", "exercise", "filmed", "size"),
    [
        ("squat.mp4", "squat", UPRIGHT, (640, 360)),
        ("bicep-curl.mp4", "bicep curl", UPRIGHT, (480, 320)),
        ("push-up.mp4", "push-up", WIDE, (270, 480)),
    ],
)
def test_a_video_forced_into_another_shape_is_answered_as_if_it_were_not(
    sample: str, exercise: str, filmed: float, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the current folder decides which checkpoints are used
    path = film(ROOT / "samples" / sample, tmp_path / sample, filmed, size)
    heard: list[float] = []

    analysis = library.analyze(path, progress=heard.append)
    true = library.analyze(ROOT / "samples" / sample)

    assert analysis.picture_stretch == pytest.approx(size[0] / size[1] / filmed, rel=0.02)
    assert analysis.exercise
    assert analysis.exercise.name == exercise
    assert analysis.exercise.probability > 0.9
    assert analysis.repetitions == true.repetitions
    assert analysis.sets[0].range_of_motion_deg == pytest.approx(true.sets[0].range_of_motion_deg, abs=8)
    assert all(0 <= share <= 1 for share in heard)
    assert heard[-1] > 0.9
    assert true.picture_stretch == 1


@dataclass(frozen=True)
class Told:
    """One run of `fitcli analyze --save-video --report` over an upright squat forced into a wide picture."""

    folder: Path
    answer: dict[str, Any]

    @property
    def page(self) -> str:
        return (self.folder / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told")
    film(SAMPLE, folder / "wide.mp4", UPRIGHT, (640, 360))
    done = fitcli(
        *("analyze", "wide.mp4", "--json", "--sessions", "sessions"),
        *("--save-video", "drawn.mp4", "--report", "page.html"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return Told(folder, json.loads(done.stdout))


def test_what_was_undone_is_told_wherever_the_answer_is(told: Told) -> None:
    (session,) = SessionStore(told.folder / "sessions").sessions()
    shown = fitcli("history", "show", session.id, "--sessions", "sessions", cwd=told.folder).stdout

    assert told.answer["picture_stretch"] == session.analysis.picture_stretch == pytest.approx(3.16, abs=0.01)
    assert "stretched to 3.2 times its width; fitcli undid that" in " ".join(shown.split())
    assert "stretched to 3.2 times its width; fitcli undid that" in told.page


def test_pictures_have_the_true_shape_with_the_skeleton_on_the_person(told: Told) -> None:
    (session,) = SessionStore(told.folder / "sessions").sessions()
    drawn = list(frames(told.folder / "drawn.mp4", rate_hz=None, max_side=None))
    times_s = np.array([frame.time_s for frame in drawn])
    embedded = re.search(r"data:image/jpeg;base64,([^\"']+)", told.page)
    assert embedded
    photograph = np.asarray(PillowImage.open(io.BytesIO(base64.b64decode(embedded[1]))))
    poses = session.key_poses()
    shown = [(drawn[int(np.abs(times_s - pose.time_s).argmin())].image, pose) for pose in poses]

    for image, pose in [*shown, (photograph, poses[-1])]:
        height, width = image.shape[:2]
        assert width / height == pytest.approx(UPRIGHT, rel=0.02)
        joints = [pose.landmarks[i][:2] for i in JOINT_LANDMARKS if pose.landmarks[i][2] >= VISIBLE]
        assert np.mean([image[round(y * height), round(x * height)].min() > 150 for x, y in joints]) > 0.8


def test_people_in_their_true_shape_are_let_be(model: BlazePose, make_video: MakeVideo, tmp_path: Path) -> None:
    for sample in ("squat.mp4", "push-up.mp4", "bicep-curl.mp4"):
        kept = list(frames(ROOT / "samples" / sample, rate_hz=2))
        assert picture_stretch(kept, model) == 1
        assert picture_stretch([Frame(each.time_s, cut(each.image, WIDE)) for each in kept], model) == 1
    nobody = make_video(tmp_path / "nobody.mp4", frames=10)
    assert picture_stretch(list(frames(nobody)), model) == 1
    assert picture_stretch([], model) == 1


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the validation clips of ../shared are not here")
@pytest.mark.parametrize("name", ["1722a832cc949cae", "a349a02d01b8a248", "c037d217fbed59f5"])
def test_real_videos_that_were_stretched_are_followed_in_their_true_shape(name: str) -> None:
    """Upright ones, of a barbell curl, a bench press and dips, that their publisher forced into 3:2."""
    track = follow(CLIPS / "dev" / f"{name}.mp4").track

    assert track.frame_width / track.frame_height == pytest.approx(UPRIGHT, rel=0.02)
    assert track.found > 0.9


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the validation clips of ../shared are not here")
@pytest.mark.parametrize(
    "path", ["dev/5a9ecf", "dev/6abb83", "dev_other/1ec448", "dev_other/6c4d0f", "dev_other/f006c0"]
)
def test_real_videos_of_people_who_are_hard_to_find_keep_their_shape(path: str) -> None:
    """Some of them are found better in a narrower picture nevertheless."""
    (video,) = CLIPS.glob(f"{path}*.mp4")
    track, file = follow(video).track, probe(video)

    assert float(track.presence.mean()) < WELL_FOUND  # so that their shape was looked at
    assert track.frame_width / track.frame_height == pytest.approx(file.width / file.height, rel=0.01)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_stretch_is_undone_in_the_upright_picture(turn: int, make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "phone.mp4", rotation_deg=turn, frames=2)
    upright = np.rot90(picture(160, 120, 0), k=-turn // 90)
    height, width = upright.shape[:2]

    for stretch in (2.0, 0.5):
        image = next(frames(path, stretch=stretch)).image
        assert image.shape == (height, round(width / stretch), 3)
        for y in (height // 4, 3 * height // 4):
            for x in (width // 4, 3 * width // 4):
                assert np.abs(image[y, round(x / stretch)].astype(int) - upright[y, x]).max() < 60


@pytest.mark.parametrize("length", [1, 12, 13, 100, 1001])
def test_few_frames_are_kept_evenly_spread_however_long_the_video_is(length: int) -> None:
    spread = Spread()
    film = [Frame(float(number), np.zeros((1, 1, 3), np.uint8)) for number in range(length)]

    assert list(spread.through(film)) == film
    times_s = np.array([frame.time_s for frame in spread.frames])

    assert min(length, LOOKS // 2) <= len(times_s) <= LOOKS
    assert times_s[0] == 0
    assert len(set(np.diff(times_s))) <= 1
    assert length - times_s[-1] <= max(np.diff(times_s), default=1)
