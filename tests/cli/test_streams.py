"""Streams that are not one even film: gaps, files that break off, clocks that jump, pictures that change their size.

The pictures are a real squat (samples/squat.mp4) made small, so that what fitcli says of them can be held against what
it says of the same squat filmed plainly.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as PillowImage
from support.cli import LIMIT_S, SAMPLE, environment, fitcli
from support.films import rgb_windows

import fitcli as library
from fitcli.errors import InvalidVideoError
from fitcli.history.store import SessionStore
from fitcli.motion import LiveCounter, WindowLabel, find_sets
from fitcli.network.rgb_clips import RgbClipSpec
from fitcli.pose.track import PoseTrack
from fitcli.report.annotated import annotate, landmarks_at
from fitcli.report.terminal import part_seen
from fitcli.results.analysis import Analysis
from fitcli.training.synthetic.people import synthesize
from fitcli.video import Frame, Image, Watched, fitted, frames, probe

CLOCK = Fraction(1, 90_000)
RATE_HZ = 15
SIZE = (256, 144)
HOUR_S = 3600.0

Pictures = list[Image]


@pytest.fixture(scope="module")
def squat() -> Pictures:
    """The sample at 15 pictures a second, 256 x 144."""
    return [np.asarray(PillowImage.fromarray(f.image).resize(SIZE)) for f in frames(SAMPLE, rate_hz=RATE_HZ)]


def evenly(count: int, start_s: float = 0.0) -> list[float]:
    return [start_s + number / RATE_HZ for number in range(count)]


def write(
    path: Path,
    pictures: Sequence[Image],
    times_s: Sequence[float] | None = None,
    *,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    filter_by: str | None = None,
) -> Path:
    """An H.264 file of these pictures at these times, 15 a second where none are given; without B-frames."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream("libx264", rate=RATE_HZ, options={"bf": "0", "g": "15", "crf": "18"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", CLOCK
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        filtered: Any = None

        def mux(packets: list[Any]) -> None:
            nonlocal filtered
            if filter_by and packets:
                filtered = filtered or av.BitStreamFilterContext(filter_by, stream)
            for packet in packets:
                container.mux(filtered.filter(packet) if filtered else packet)

        for picture, time_s in zip(pictures, times_s or evenly(len(pictures)), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time_s / CLOCK), CLOCK
            mux(stream.encode(frame))
        mux(stream.encode())
    return path


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def watched(path: Path, **part: float) -> Watched:
    seen = Watched()
    for _ in frames(path, watched=seen, **part):  # type: ignore[arg-type]
        pass
    return seen


@pytest.fixture(scope="module")
def plain(squat: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """What fitcli says of the squat filmed plainly."""
    folder = tmp_path_factory.mktemp("plain")
    answer = library.analyze(write(folder / "plain.mkv", squat))
    assert answer.exercise
    assert answer.exercise.name == "squat"
    assert answer.repetitions == 2
    return answer


def same_windows(some: Analysis, others: Sequence[tuple[Analysis, float]]) -> None:
    """The windows of `some` are those of the others, each begun so many seconds later."""
    expected = [(window, later_s) for other, later_s in others for window in other.windows]
    assert len(some.windows) == len(expected)
    for window, (alone, later_s) in zip(some.windows, expected, strict=True):
        assert window.start_s == pytest.approx(alone.start_s + later_s, abs=0.01)
        assert window.end_s == pytest.approx(alone.end_s + later_s, abs=0.01)
        assert window.exercises == pytest.approx(alone.exercises, abs=0.01)
        assert window.weight == pytest.approx(alone.weight, abs=0.01)


# --- gaps: work follows the pictures, not the clock


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_an_hour_without_pictures_is_answered_as_the_parts_without_it(
    suffix: str, squat: Pictures, plain: Analysis, tmp_path: Path
) -> None:
    count = len(squat)
    path = write(tmp_path / f"gap.{suffix}", squat * 2, evenly(count) + evenly(count, HOUR_S))

    answer = library.analyze(path)

    same_windows(answer, [(plain, 0.0), (plain, HOUR_S)])
    assert answer.repetitions == 2 * (plain.repetitions or 0)
    assert [len(each.repetitions) for each in answer.sets] == [2, 2]
    assert answer.sets[1].start_s == pytest.approx(plain.sets[0].start_s + HOUR_S, abs=0.05)
    assert len(answer.sets[1].curve.times_s) == pytest.approx(len(plain.sets[0].curve.times_s), abs=2)
    assert answer.start_s == 0.0
    assert answer.end_s == pytest.approx(HOUR_S + (count - 1) / RATE_HZ, abs=0.01)
    assert answer.broken_off_s is None


def test_one_late_last_picture_changes_nothing(squat: Pictures, plain: Analysis, tmp_path: Path) -> None:
    path = write(tmp_path / "late.mkv", [*squat, squat[0]], [*evenly(len(squat)), 300 * HOUR_S])
    answer = library.analyze(path)
    same_windows(answer, [(plain, 0.0)])
    assert answer.repetitions == plain.repetitions
    assert answer.duration_s == pytest.approx(300 * HOUR_S, abs=1)


def test_one_odd_time_in_the_middle_moves_nothing_after_it(squat: Pictures, tmp_path: Path) -> None:
    times_s = evenly(len(squat))
    parts = (slice(0, 30), slice(30, 31), slice(31, None))
    moved = [*times_s[:30], times_s[30] + 1000, *times_s[31:]]
    path = joined(
        tmp_path / "odd.ts",
        *(write(tmp_path / f"{number}.ts", squat[p], moved[p]) for number, p in enumerate(parts)),
    )
    got = [frame.time_s for frame in frames(path, rate_hz=None)]
    assert got[-1] == pytest.approx(times_s[-1], abs=0.01)
    assert len(got) >= len(squat) - 2


def test_the_annotated_video_of_a_gap_has_its_pictures_and_shows_both_curves(
    squat: Pictures, plain: Analysis, tmp_path: Path
) -> None:
    count = len(squat)
    path = write(tmp_path / "gap.mkv", squat * 2, evenly(count) + evenly(count, HOUR_S))
    answer = library.analyze(path)
    annotate(answer, path, tmp_path / "drawn.mp4")
    drawn = list(frames(tmp_path / "drawn.mp4", rate_hz=None, max_side=None))
    assert len(drawn) == 2 * count
    assert drawn[-1].time_s == pytest.approx(HOUR_S + (count - 1) / RATE_HZ, abs=0.01)
    # the card at the bottom: what is counted is green there, in the first half and in the second alike
    card = drawn[0].image[-round(drawn[0].image.shape[0] * 0.12) :].astype(int)
    green = (card[:, :, 1] - card[:, :, 0] > 40) & (card[:, :, 1] > 120)
    halves = np.array_split(green.any(0), 2)
    assert min(half.mean() for half in halves) > 0.3


def track_of(exercise: str, repetitions: int, start_s: float = 0.0) -> PoseTrack:
    made = synthesize(exercise, np.random.default_rng(3), repetitions=repetitions, surroundings=False).track
    return replace(made, times_s=made.times_s - made.times_s[0] + start_s)


def after_each_other(*tracks: PoseTrack) -> PoseTrack:
    arrays: dict[str, Any] = {
        field: np.concatenate([getattr(track, field) for track in tracks])
        for field in ("times_s", "landmarks", "world", "presence")
    }
    return replace(tracks[0], **arrays)


def test_sets_around_a_gap_of_years_are_those_of_the_parts() -> None:
    year_s = 365.25 * 24 * HOUR_S  # on a clock of 20 Hz this is no array that fits any memory
    parts = [track_of("squat", 3), track_of("squat", 5, year_s)]
    labels = [WindowLabel(part.times_s[0], part.times_s[-1], "squat", 0.9) for part in parts]
    alone = [each for part, label in zip(parts, labels, strict=True) for each in find_sets(part, [label])]
    found = find_sets(after_each_other(*parts), labels)
    assert [len(each.repetitions) for each in found] == [len(each.repetitions) for each in alone]
    assert [each.start_s for each in found] == pytest.approx([each.start_s for each in alone])


def test_a_camera_that_stood_still_is_counted_anew() -> None:
    before, after = track_of("squat", 2), track_of("squat", 2, HOUR_S)
    counts = []
    for tracks in ([before], [before, after]):
        counter = LiveCounter(before.frame_width, before.frame_height, "squat")
        for track in tracks:
            for row in zip(track.times_s.tolist(), track.landmarks, track.world, track.presence.tolist(), strict=True):
                counter.update(*row)
        counts.append(counter.finish().total)
    assert counts[1] == 2 * counts[0] > 0


@pytest.mark.parametrize("gap_s", [10.0, HOUR_S, 1e12])
def test_networks_on_pictures_have_no_windows_over_a_gap(gap_s: float) -> None:
    spec = RgbClipSpec(frames=4, window_s=2.0, side=8, short_side=8)

    def windows(*parts: tuple[float, float]) -> list[float]:
        film = [
            Frame(start_s + number / 30, np.full((8, 8, 3), number % 256, np.uint8))
            for start_s, seconds in parts
            for number in range(round(seconds * 30))
        ]
        return [window.start_s for window in rgb_windows(film, spec)]

    alone = windows((0.0, 3.1))
    assert windows((0.0, 3.1), (gap_s, 3.1), (2 * gap_s, 0.1)) == pytest.approx(
        [*alone, *(start_s + gap_s for start_s in alone)], rel=1e-9
    )


def test_pictures_all_far_apart_hold_no_movement(squat: Pictures, tmp_path: Path) -> None:
    path = write(tmp_path / "slides.mkv", squat[:4], [0, HOUR_S, 2 * HOUR_S, 3 * HOUR_S])
    with pytest.raises(InvalidVideoError, match=r"shows only 0\.0 s without a gap"):
        library.analyze(path)


# --- lengths: what is claimed is not what was seen


FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mp4", {"movflags": "faststart"}), ("fragments.mp4", FRAGMENTED), ("a.mkv", {}), ("a.flv", {})],
)
def test_a_file_that_is_cut_off_says_where(name: str, options: dict[str, str], squat: Pictures, tmp_path: Path) -> None:
    whole = watched(write(tmp_path / name, squat, options=options))
    assert whole.length_s == pytest.approx(len(squat) / RATE_HZ, abs=0.1)
    assert not whole.broken_off

    half = watched(cut(tmp_path / name, 0.5))

    assert half.broken_off
    assert half.last_s is not None
    assert half.length_s is not None
    assert 1 < half.last_s < half.length_s < 4


def test_a_cut_off_file_is_answered_and_told_about_everywhere(squat: Pictures, tmp_path: Path) -> None:
    path = cut(write(tmp_path / "half.mp4", squat, options={"movflags": "faststart"}), 0.6)
    assert probe(path).duration_s == pytest.approx(len(squat) / RATE_HZ, abs=0.1)  # what it claims
    seen = watched(path)

    done = fitcli("analyze", path, "--sessions", "kept", "--report", "page.html", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    (session,) = SessionStore(tmp_path / "kept").sessions()
    kept = session.whole()
    assert kept.duration_s == kept.broken_off_s == pytest.approx(seen.length_s, abs=0.001)
    assert kept.end_s == pytest.approx(seen.last_s, abs=0.001)
    said = f"breaks off at {kept.broken_off_s:.1f} s"
    again = fitcli("history", "show", session.id, "--sessions", "kept", cwd=tmp_path).stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(said in re.sub(r"[\s│]+", " ", text) for text in (done.stdout, again, page))
    older = json.loads(session.path.read_text(encoding="utf-8"))
    del older["analysis"]["broken_off_s"]
    session.path.write_text(json.dumps(older), encoding="utf-8")
    (before,) = SessionStore(tmp_path / "kept").sessions()
    assert before.whole().broken_off_s is None
    assert "breaks off" not in part_seen(before.whole())


def test_a_part_that_ends_before_the_file_leaves_its_length_as_claimed(squat: Pictures, tmp_path: Path) -> None:
    path = cut(write(tmp_path / "half.mp4", squat, options={"movflags": "faststart"}), 0.6)
    answer = library.analyze(path, start_s=0.5, end_s=1.5)
    assert answer.duration_s == pytest.approx(len(squat) / RATE_HZ, abs=0.1)
    assert (answer.start_s, answer.end_s) == pytest.approx((8 / RATE_HZ, 22 / RATE_HZ), abs=0.01)
    assert answer.broken_off_s is None
    with pytest.raises(InvalidVideoError, match=r"breaks off at [23]\.\d s"):
        library.analyze(path, start_s=4.5)


def claiming(path: Path, seconds: float) -> Path:
    """The Matroska file with another duration in its header (element 0x4489, a float of 8 bytes)."""
    content = bytearray(path.read_bytes())
    place = content.index(b"\x44\x89\x88") + 3
    content[place : place + 8] = struct.pack(">d", seconds * 1000)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("claim_s", [0.4, 2.0, 100.0])
def test_a_container_that_lies_about_its_length_is_not_believed(
    claim_s: float, squat: Pictures, plain: Analysis, tmp_path: Path
) -> None:
    path = claiming(write(tmp_path / "liar.mkv", squat), claim_s)
    assert probe(path).duration_s == pytest.approx(claim_s, abs=0.01)
    answer = library.analyze(path, start_s=2.5)
    assert answer.duration_s == pytest.approx(plain.duration_s, abs=0.01)
    assert (answer.start_s, answer.end_s) == pytest.approx((38 / RATE_HZ, plain.end_s), abs=0.01)
    assert answer.broken_off_s is None


def test_times_before_zero_count_from_the_first_picture(squat: Pictures, plain: Analysis, tmp_path: Path) -> None:
    # The clock of MPEG-TS wraps after 26.5 hours; what comes before it in a file has times below zero.
    path = write(tmp_path / "early.ts", squat, evenly(len(squat), 2**33 / 90_000 - 3))
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).time == pytest.approx(-3, abs=0.01)
    answer = library.analyze(path)
    assert answer.duration_s == pytest.approx(plain.duration_s, abs=0.01)
    assert (answer.start_s, answer.end_s) == pytest.approx((0.0, plain.end_s), abs=0.01)
    same_windows(answer, [(plain, 0.0)])


@pytest.mark.parametrize("begins_s", [(50.0, 0.0), (0.0, 0.0), (0.0, 3.0)])
def test_joined_streams_are_as_long_as_their_parts(
    begins_s: tuple[float, float], squat: Pictures, tmp_path: Path
) -> None:
    count = len(squat)
    parts = [write(tmp_path / f"{n}.ts", squat, evenly(count, begin_s)) for n, begin_s in enumerate(begins_s)]
    path = joined(tmp_path / "joined.ts", *parts)
    length_s = 2 * count / RATE_HZ

    assert probe(path).duration_s == pytest.approx(length_s, abs=0.1)
    seen = watched(path)
    assert (seen.first_s, seen.last_s) == pytest.approx((0.0, length_s - 1 / RATE_HZ), abs=0.1)
    assert seen.length_s == pytest.approx(length_s, abs=0.1)
    assert not seen.broken_off
    late = watched(path, start_s=length_s - 2)  # more than a seek's worth into the second part
    assert (late.first_s, late.last_s) == pytest.approx((length_s - 2, seen.last_s), abs=0.1)


# --- sizes: each picture by its own


def test_each_picture_is_shown_by_its_own_size_shape_and_turn(squat: Pictures, tmp_path: Path) -> None:
    upright = [np.ascontiguousarray(picture[:, 64:192].repeat(2, 0)[:256]) for picture in squat[:20]]
    wide = write(tmp_path / "wide.ts", squat[:20])
    tall = write(tmp_path / "tall.ts", upright)
    small = write(tmp_path / "small.ts", [picture[::2, ::2] for picture in squat[:20]])
    pixels = write(tmp_path / "pixels.ts", [picture[:, ::2] for picture in squat[:20]], aspect=Fraction(2, 1))
    turned = write(tmp_path / "turned.ts", squat[:20], filter_by="h264_metadata=display_orientation=insert:rotate=90")

    def shapes(*parts: Path) -> list[tuple[int, ...]]:
        got = [frame.image.shape[:2] for frame in frames(joined(tmp_path / "all.ts", *parts), rate_hz=None)]
        assert len(got) >= 20 * len(parts) - 4
        return list(dict.fromkeys(got))

    assert shapes(wide, tall) == [(144, 256), (256, 128)]
    assert shapes(tall, wide) == [(256, 128), (144, 256)]
    assert shapes(wide, small) == [(144, 256), (72, 128)]
    assert shapes(small, pixels) == [(72, 128), (144, 256)]
    assert shapes(wide, turned) == [(144, 256), (256, 144)]


def on_the_person(analysis: Analysis, image: Image, time_s: float, reference: PoseTrack) -> float:
    """How far the landmarks of a time are from those of the plain film at its own time, in shares of the picture."""
    assert analysis.track
    ours, theirs = landmarks_at(analysis.track, time_s), landmarks_at(reference, time_s % (len(reference) / RATE_HZ))
    assert ours is not None
    assert theirs is not None
    return float(np.median(np.abs(ours[:, :2] - theirs[:, :2])))


def test_a_stream_that_changes_its_resolution_is_followed_as_if_it_did_not(
    squat: Pictures, plain: Analysis, tmp_path: Path
) -> None:
    large = [np.asarray(PillowImage.fromarray(picture).resize((384, 216))) for picture in squat]
    half = len(squat) // 2
    path = joined(
        tmp_path / "adaptive.ts",
        write(tmp_path / "1.ts", squat[:half]),
        write(tmp_path / "2.ts", large[half:], evenly(len(squat))[half:]),
    )
    answer = library.analyze(path)
    assert answer.exercise
    assert answer.exercise.name == "squat"
    assert answer.repetitions == plain.repetitions
    assert answer.sets[0].range_of_motion_deg == pytest.approx(plain.sets[0].range_of_motion_deg, abs=6)
    assert answer.track
    assert answer.track.sizes is not None
    assert plain.track
    assert on_the_person(answer, large[0], 4.0, plain.track) < 0.02


def test_a_camera_that_is_turned_in_mid_stream_is_followed_and_drawn_whole(squat: Pictures, tmp_path: Path) -> None:
    # The same camera turned: as many pixels on the person, another part of the room.
    column = slice(256 // 2 - 72, 256 // 2 + 72)
    tall = [fitted(np.ascontiguousarray(picture[:, column]), 144, 256) for picture in squat]
    count = len(squat)
    path = joined(
        tmp_path / "turned.ts",
        write(tmp_path / "1.ts", squat),
        write(tmp_path / "2.ts", tall, evenly(count, count / RATE_HZ)),
    )
    answer = library.analyze(path)
    assert answer.exercise
    assert answer.exercise.name == "squat"
    assert answer.repetitions == 4
    track = answer.track
    assert track is not None
    placed = track.in_first_frame()
    sizes_m = [float(np.ptp(placed[i, :, 1])) for i in (5, count + 5)]
    assert sizes_m[1] == pytest.approx(sizes_m[0], rel=0.1)  # the person has not grown

    annotate(answer, path, tmp_path / "drawn.mp4")

    drawn = list(frames(tmp_path / "drawn.mp4", rate_hz=None, max_side=None))
    assert len({frame.image.shape for frame in drawn}) == 1
    assert len(drawn) >= 2 * count - 2
    late = drawn[-20].image
    height, width = late.shape[:2]
    assert width / height == pytest.approx(256 / 144, rel=0.01)
    middle = late[height // 2 - 20 : height // 2 + 20]
    assert middle[:, width // 2 - height // 6 : width // 2 + height // 6].mean() > 20
    assert middle[:, : width // 8].mean() < 10  # black beside it
    changed = np.abs(late.astype(int) - fitted(tall[-20], width, height)).max(2) > 60
    skeleton = np.flatnonzero(changed[round(height * 0.35) : round(height * 0.8)].any(0))
    assert ((skeleton > width * 0.3) & (skeleton < width * 0.7)).any()


# --- Ctrl-C: heeded in every stage


STAGES = {  # where in the code Ctrl-C is pressed: file, function
    "decode": ("decoding", "packets"),
    "pose": ("tracker", "follow"),
    "network": ("runtime", "wait"),
    "drawing": ("annotated", "annotate"),
    "report": ("annotated", "key_picture"),
}

PRESS = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
room, function = sys.argv[1:3]
del sys.argv[1:3]

def inside():
    for frame in sys._current_frames().values():
        while frame:
            code = frame.f_code
            if code.co_name == function and code.co_filename.endswith(f"{room}.py"):
                return True
            frame = frame.f_back
    return False

def press():
    while not inside():
        time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
from fitcli.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.clock
@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_ends_every_stage_and_what_would_come_after_it(stage: str, squat: Pictures, tmp_path: Path) -> None:
    write(tmp_path / "set.mp4", squat)
    command = [sys.executable, "-c", PRESS, *STAGES[stage], "analyze", "set.mp4", "--json", "--sessions", "kept"]
    done = subprocess.run(
        [*command, "--save-video", "drawn.mp4", "--report", "page.html"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    stored = int(stage in ("drawing", "report"))
    assert done.returncode == 130, done.stderr
    # In the stage of the report the answer is stored and its pictures were under way.
    assert re.fullmatch(r"Stopped: [01] of 1 files were analysed and stored\.\n", done.stderr)
    assert not (tmp_path / "page.html").exists()
    assert (tmp_path / "drawn.mp4").exists() == (stage == "report")
    assert len(list(SessionStore(tmp_path / "kept").sessions())) == stored
