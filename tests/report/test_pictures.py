"""What is drawn is true: the annotated video keeps the source's times and marks the person, the page says the JSON."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from support.cli import ROOT, SAMPLE, fitcli
from support.films import MakeVideo

from fitcli.catalog import catalog
from fitcli.history.key_poses import TURN
from fitcli.history.store import SessionStore
from fitcli.report.annotated import annotate
from fitcli.report.body_map import body_map, heat, raster
from fitcli.report.html import Remembered, report_page
from fitcli.report.skeleton import JOINT_LANDMARKS, VISIBLE
from fitcli.results.analysis import Analysis, ExerciseScore, MuscleScore, Status
from fitcli.results.sets import CueFinding, Curve, ExerciseSet

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MOMENT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Pixels = npt.NDArray[np.uint8]


@dataclass
class Page(HTMLParser):
    """What a page holds: its words, its tags with their attributes."""

    text: str = ""
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @classmethod
    def of(cls, source: str) -> Page:
        page = cls()
        HTMLParser.__init__(page)
        page.feed(source)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.text += f" {data}"

    def words(self) -> str:
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Drawn:
    """One run of `fitcli analyze --save-video --report` over a sample: its answer and the folder it ran in."""

    answer: dict[str, Any]
    folder: Path

    @property
    def video(self) -> Path:
        return self.folder / str(self.answer["annotated_video"])

    @property
    def page(self) -> str:
        return (self.folder / str(self.answer["report"])).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("drawn")
    done = fitcli(
        *("analyze", SAMPLE, "--json", "--sessions", "sessions", "--weight", "60kg", "--note", "<b>heavy</b> & slow"),
        *("--save-video", "videos/", "--report", "page.html"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return Drawn(json.loads(done.stdout), folder)


def rgb(frame: av.VideoFrame) -> Pixels:
    pixels: Any = frame.to_ndarray(format="rgb24")
    return np.asarray(pixels, np.uint8)


def decoded(path: Path) -> tuple[Any, list[float], list[Pixels]]:
    """The stream of a video, its frames' times from the first one, and the frames as RGB."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        first = frames[0].time or 0.0
        return stream, [(f.time or 0.0) - first for f in frames], [rgb(f) for f in frames]


def close_to(image: Pixels, colour: str, within: int = 40) -> npt.NDArray[np.bool_]:
    """Where an image (H, W, 3) has nearly that colour "#rrggbb"."""
    wanted = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(int)
    near: npt.NDArray[np.bool_] = np.abs(image.astype(int) - wanted).max(2) <= within
    return near


def test_the_annotated_video_plays_anywhere_at_the_times_of_its_source(drawn: Drawn) -> None:
    stream, times_s, frames = decoded(drawn.video)
    _, source_times_s, source = decoded(SAMPLE)
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert frames[0].shape == source[0].shape
    assert times_s == pytest.approx(source_times_s, abs=1e-4)
    head = drawn.video.read_bytes()[:4096]
    assert b"moov" in head  # the index comes first: a browser begins before everything is loaded


def test_the_skeleton_lies_on_the_person(drawn: Drawn) -> None:
    (session,) = SessionStore(drawn.folder / "sessions").sessions()
    _, times_s, frames = decoded(drawn.video)
    _, _, source = decoded(SAMPLE)
    poses = session.key_poses()
    assert TURN in {pose.moment for pose in poses}
    for pose in poses:
        index = int(np.abs(np.array(times_s) - pose.time_s).argmin())
        height = frames[index].shape[0]
        joints = [pose.landmarks[i][:2] for i in JOINT_LANDMARKS if pose.landmarks[i][2] >= VISIBLE]
        places = [(round(y * height), round(x * height)) for x, y in joints]
        white = [frames[index][place].min() > 170 for place in places]
        before = [source[index][place].min() > 170 for place in places]
        assert np.mean(white) > 0.8
        assert np.mean(before) < 0.4


def test_the_video_counts_and_colours_the_muscles_that_work(drawn: Drawn) -> None:
    (one,) = drawn.answer["sets"]
    ends_s = [repetition["end_s"] for repetition in one["repetition_list"]]
    _, times_s, frames = decoded(drawn.video)

    def counter(time_s: float) -> Pixels:
        image = frames[int(np.abs(np.array(times_s) - time_s).argmin())]
        unit = image.shape[0] // 24
        return image[unit * 4 : unit * 7, unit : unit * 3]

    after = [counter(end_s + 0.6) for end_s in (ends_s[0] - 1.6, *ends_s)]
    same = [counter(end_s + 0.7) for end_s in (ends_s[0] - 1.6, *ends_s)]
    for number, image in enumerate(after):
        assert np.abs(image.astype(int) - same[number]).mean() < 4
        for other in after[:number]:
            assert np.abs(image.astype(int) - other).mean() > 15
    strongest = heat(max(muscle["activation"] for muscle in drawn.answer["muscles"]))
    _, _, source = decoded(SAMPLE)
    assert close_to(frames[0], strongest).sum() > 100
    assert close_to(source[0], strongest).sum() < 10


def unsure(file: Path, duration_s: float) -> Analysis:
    """An analysis that names nothing, of a video in which nobody was followed."""
    exercises = tuple(ExerciseScore(name, 0.3 - 0.015 * i) for i, name in enumerate(catalog().exercise_names))
    muscles = tuple(MuscleScore(name, 0.7 if name == "lats" else 0.1, False) for name in catalog().muscles)
    message = "Not sure: it looks most like bench press (30%), then bicep curl (28%)."
    return Analysis(
        str(file),
        Status.UNCERTAIN,
        message,
        duration_s,
        0.0,
        duration_s,
        exercises=exercises,
        muscles=muscles,
        feedback=("Film one exercise from the side.",),
    )


def test_an_unsure_clip_from_a_turned_phone_keeps_its_uneven_times(tmp_path: Path, make_video: MakeVideo) -> None:
    times_s = [0.0, 0.03, 0.11, 0.15, 0.4, 0.43, 0.5, 0.9]
    source = make_video(tmp_path / "phone.mp4", times_s=times_s, size=(320, 240), rotation_deg=90)
    annotate(unsure(source, 1.0), source, tmp_path / "out.mp4")
    _, written_s, frames = decoded(tmp_path / "out.mp4")
    assert written_s == pytest.approx(times_s, abs=1e-4)
    assert frames[0].shape == (640, 480, 3)  # twice as large, so that the captions can be read
    # turned clockwise, the picture's blue corner is up on the left and its red one up on the right
    assert frames[0][2, 475].argmax() == 0
    assert close_to(frames[0], "#ffd166").sum() > 20  # the warning's colour: not stated as an answer


def test_an_unfinished_video_is_not_left_behind(tmp_path: Path, make_video: MakeVideo) -> None:
    source = make_video(tmp_path / "clip.mp4", frames=20)

    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate(unsure(source, 0.67), source, tmp_path / "out.mp4", on_progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_pictures_never_overwrite_and_say_so_before_the_analysis(tmp_path: Path, make_video: MakeVideo) -> None:
    first, second = (make_video(tmp_path / name) for name in ("a.mp4", "b.mp4"))
    contents = first.read_bytes()
    wrong: list[tuple[tuple[object, ...], int, str]] = [
        ((first, "--save-video", "a.mp4"), 8, "already exists"),
        ((first, "--save-video", "."), 8, "already exists"),
        ((first, "--report", "nowhere/page.html"), 8, "cannot be written"),
        ((first, "--report", "b.mp4"), 2, "must end in"),
        ((first, second, "--report", "page.html"), 2, "name a folder"),
    ]
    for arguments, code, sentence in wrong:
        done = fitcli("analyze", *arguments, "--no-save", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (code, "")
        assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert first.read_bytes() == contents
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_the_page_needs_nothing_but_itself(drawn: Drawn) -> None:
    page = Page.of(drawn.page)
    assert not re.search(r"https?:|//\w+\.\w+|@import|url\(", drawn.page)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    sources = [attributes["src"] for _, attributes in page.tags if "src" in attributes]
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    (picture,) = [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources]
    assert picture.size == (640, 480)
    assert "prefers-color-scheme: dark" in drawn.page
    assert "@media print" in drawn.page
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags


def test_the_page_says_what_the_json_says(drawn: Drawn) -> None:
    answer, words = drawn.answer, Page.of(drawn.page).words()
    assert answer["exercise"]["name"].capitalize() in words
    # nothing is ever told as certain
    assert f"{min(99, round(100 * answer['exercise']['confidence']))} % sure" in words
    assert f"{answer['repetitions']} repetitions" in words
    assert all(sentence in words for sentence in answer["feedback"])
    assert "60 kg moved" in words
    assert "<b>heavy</b> & slow" in words  # as it was written, not as markup
    for one in answer["sets"]:
        assert f"{one['range_of_motion_deg']:.0f}°" in words
        assert f"Score {one['score']} of 100" in words
        for part in one["score_parts"]:
            assert part["reason"] in words
        for cue in one["cues"]:
            assert cue["source"] in words
        for repetition in one["repetition_list"]:
            assert f"{repetition['start_s']:.1f} s {repetition['eccentric_s']:.1f} s" in words
    for network in answer["networks"]:
        assert network["checkpoint_sha256"][:12] in words


def test_the_body_map_is_coloured_by_activation(drawn: Drawn) -> None:
    shapes = [
        attributes for tag, attributes in Page.of(drawn.page).tags if tag == "path" and "data-muscle" in attributes
    ]
    activations = {muscle["name"]: muscle["activation"] for muscle in drawn.answer["muscles"]}
    ideal = {muscle["name"] for muscle in drawn.answer["muscles"] if muscle["ideal"]}
    assert {shape["data-muscle"] for shape in shapes} == set(activations)
    for shape in shapes:
        name = shape["data-muscle"]
        assert int(shape["data-activation"]) == round(100 * activations[name])
        (light,) = re.findall(r"--l:(#\w+)", shape["style"])
        expected = bytes.fromhex(heat(activations[name], "light")[1:])
        assert np.abs(np.frombuffer(bytes.fromhex(light[1:]), np.uint8).astype(int) - list(expected)).max() <= 2
        assert ("target" in shape.get("class", "")) == (name in ideal)


def test_a_page_shows_the_muscles_that_the_networks_know_and_no_others() -> None:
    known = unsure(Path("gym.mp4"), 4.0)
    for count in (11, 13):
        page = Page.of(report_page(replace(known, muscles=known.muscles[:count]), Remembered(MOMENT)))
        drawn = {attributes["data-muscle"] for _, attributes in page.tags if attributes.get("data-muscle")}
        assert drawn == set(catalog().muscles[:count])
        assert ("upper back" in page.words()) == (count == 13)


def test_a_page_and_its_chart_tell_a_hold() -> None:
    curve = Curve((0.0, 1.0, 35.0, 36.0), (120.0, 170.0, 168.0, 120.0), "deg")
    cue = CueFinding("hips up", True, 0.6, -40.0, -35.0, "deg", "Lower your hips.", "A paper, 2007")
    hold = ExerciseSet(
        "plank", 1, 35.5, (), 0, "hip angle", "held position", "both", "side", curve, cues=(cue,), held_s=34.5
    )
    sure = replace(
        unsure(Path("gym.mp4"), 36.0),
        status=Status.OK,
        exercise=ExerciseScore("plank", 0.9),
        sets=(hold,),
        repetitions=0,
    )
    page = Page.of(report_page(sure, Remembered(MOMENT)))
    words = page.words()
    assert "34 s held" in words
    assert "in 60% of the time" in words
    assert "repetition" not in words
    lines = [attributes["points"] for tag, attributes in page.tags if tag == "polyline"]
    assert len(lines) == 2  # the curve, and the part of it that was held


def test_the_video_counts_the_seconds_of_a_hold(tmp_path: Path, make_video: MakeVideo) -> None:
    source = make_video(tmp_path / "plank.mp4", times_s=[i / 2 for i in range(12)], size=(640, 480))
    curve = Curve((0.0, 6.0), (170.0, 168.0), "deg")
    hold = ExerciseSet("plank", 0.0, 4.0, (), 0, "hip angle", "held position", "both", "side", curve, held_s=4.0)
    annotate(replace(unsure(source, 6.0), sets=(hold,), repetitions=0), source, tmp_path / "out.mp4")
    _, _, frames = decoded(tmp_path / "out.mp4")
    unit = 480 // 24
    counters = [frame[unit * 4 : unit * 7, unit : unit * 3].astype(int) for frame in frames]

    def differ(a: int, b: int) -> float:
        return float(np.abs(counters[a] - counters[b]).mean())

    assert differ(2, 3) < 4  # 1.0 and 1.5 s
    assert min(differ(2, 4), differ(4, 6), differ(6, 8)) > 10
    assert differ(8, 11) < 4  # it is over: the count stands


def test_a_page_without_an_answer_claims_none() -> None:
    page = Page.of(report_page(unsure(Path("gym.mp4"), 4.0), Remembered(MOMENT)))
    words = page.words()
    assert "Not sure: bench press?" in words
    assert "Too close to call" in words
    assert not re.search(r"target|against the ideal|meant to work|score", words)
    assert not any("target" in attributes.get("class", "") for _, attributes in page.tags)
    nobody = report_page(Analysis("x.mp4", Status.NO_PERSON, "Nobody was found.", 3, 0, 3), Remembered(MOMENT))
    assert "Nobody found" in Page.of(nobody).words()


def test_hostile_names_stay_text() -> None:
    hostile = replace(unsure(Path("x.mp4"), 4.0), file="<script>alert(1)</script>\x1b.mp4")
    source = report_page(hostile, Remembered(MOMENT, note='"><img src=x>'))
    assert not {"script", "img"} & {tag for tag, _ in Page.of(source).tags}
    assert "\x1b" not in source


def test_a_stored_session_is_drawn_again_without_its_video(drawn: Drawn) -> None:
    (session,) = SessionStore(drawn.folder / "sessions").sessions()
    done = fitcli("history", "report", session.id, "again.html", "--sessions", "sessions", cwd=drawn.folder)
    assert done.returncode == 0, done.stderr
    first, again = Page.of(drawn.page), Page.of((drawn.folder / "again.html").read_text(encoding="utf-8"))
    assert "img" not in {tag for tag, _ in again.tags}
    table = re.compile(r"# at eccentric.*Score \d+ of 100.*What was used")
    (before,), (after,) = table.findall(first.words()), table.findall(again.words())
    assert after == before
    paths = [[attributes for tag, attributes in page.tags if tag in ("path", "polyline")] for page in (first, again)]
    assert {p["data-muscle"]: p["data-activation"] for p in paths[0] if "data-muscle" in p} == {
        p["data-muscle"]: p["data-activation"] for p in paths[1] if "data-muscle" in p
    }
    assert [p["points"] for p in paths[1] if "points" in p]
    assert "the video itself was not" in again.words()
    assert "base64" not in session.path.read_text(encoding="utf-8")
    refused = fitcli("history", "report", session.id, "again.html", "--sessions", "sessions", cwd=drawn.folder)
    assert refused.returncode == 8


def test_every_muscle_group_is_on_the_body_map_which_is_symmetrical() -> None:
    drawing = body_map()
    names = {shape.muscle for figure in drawing.figures for shape in figure.shapes} - {""}
    assert names == set(catalog().muscles)
    for figure in drawing.figures:
        grid = [[shape.muscle if shape else None for shape in line] for line in raster(figure, 100, 220)]
        mirrored = [line[::-1] for line in grid]
        differing = sum(
            a != b for line, other in zip(grid, mirrored, strict=True) for a, b in zip(line, other, strict=True)
        )
        assert differing < 0.01 * 100 * 220
        area = {name: sum(line.count(name) for line in grid) for name in names}
        assert all(area[shape.muscle] > 40 for shape in figure.shapes if shape.muscle)


PROBE = """<body style="margin:0"><iframe id="page" src="{page}" style="border:0;width:{width}px;height:900px"></iframe>
<script>window.onload = () => {{
  const inner = document.getElementById("page").contentDocument.documentElement;
  document.title = "overflow " + (inner.scrollWidth - {width});
}}</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_phone_and_a_desk(drawn: Drawn, width: int) -> None:
    probe = drawn.folder / f"probe-{width}.html"
    probe.write_text(PROBE.format(page="page.html", width=width), encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"),
            *(f"--user-data-dir={drawn.folder / 'browser'}", "--virtual-time-budget=3000", "--dump-dom"),
            probe.as_uri(),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=180,
        check=False,
        env={**os.environ, "HOME": str(drawn.folder)},
    )
    found = re.search(r"<title>overflow (-?\d+)</title>", done.stdout)
    assert found, done.stderr[-500:]
    assert int(found[1]) <= 0


def test_the_page_and_its_drawing_ship_with_the_package() -> None:
    shipped = {path.name for path in (ROOT / "fitcli" / "report" / "templates").iterdir()}
    assert {"base.html", "report.html", "progress.html", "figures.html", "page.css"} <= shipped
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'"fitcli\.report" = \["body_map\.toml", "templates/\*"\]', project)
