"""`fitcli dataset`: parts that share no recording, and the leaks of those that do."""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from support.cli import fitcli
from support.films import write_film

from fitcli.training.rgb.split import plan, read_clips
from fitcli.training.rgb.videos import recording


def film(path: Path, seed: int, *, mirrored: bool = False, preset: str = "ultrafast") -> Path:
    """A second of a picture of its own, moving; the same seed gives the same picture whatever the encoder does."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    picture = np.kron(coarse, np.ones((16, 16, 1), np.uint8))
    picture = picture[:, ::-1] if mirrored else picture
    pictures = [np.ascontiguousarray(np.roll(picture, 4 * number, 0)) for number in range(10)]
    return write_film(path, pictures, rate_hz=10, options={"preset": preset})


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two classes; ten recordings of each cut into three clips, one file twice under other names, one file no video."""
    folder = tmp_path / "clips"
    for kind, name in enumerate(("squat", "push-up")):
        for person in range(10):
            for part in range(3):
                path = folder / name / f"person{chr(97 + person)} {name}_{part}.mp4"
                film(path, kind * 100 + person * 10 + part)
    shutil.copy(folder / "squat" / "persona squat_0.mp4", folder / "squat" / "download.mp4")
    (folder / "squat" / "list.csv").write_text("a,b", encoding="utf-8")
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "split.tsv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_clips_of_one_recording_stay_in_one_part(clips: Path, tmp_path: Path) -> None:
    done = fitcli("dataset", "split", clips, "--to", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "list.csv" in done.stderr
    parts = defaultdict(set)
    for row in rows(tmp_path / "data"):
        path = tmp_path / "data" / row["file"]
        assert path.is_symlink()
        assert path.read_bytes() == Path(row["source"]).read_bytes()
        assert row["file"].startswith(f"{row['split']}/{row['class']}/")
        parts[Path(row["source"]).stem.split(" ")[0] + row["class"]].add(row["split"])
        parts[row["sha256"]].add(row["split"])
    assert all(len(where) == 1 for where in parts.values())
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows(tmp_path / "data"):
        counted[row["split"], row["class"]] += 1
    for name in ("squat", "push-up"):
        assert counted["train", name] == pytest.approx(0.58 * 30, abs=3)
        assert counted["val", name] == pytest.approx(0.21 * 30, abs=3)
    again = fitcli("dataset", "split", clips, "--to", tmp_path / "data", cwd=tmp_path)
    assert again.returncode == 8
    assert "not empty" in again.stderr


def test_the_recording_is_named_by_a_pattern_or_a_table(clips: Path, tmp_path: Path) -> None:
    found, _ = read_clips(clips, pattern=r"/(person.)")
    assert len({clip.group for clip in found}) == 10
    table = tmp_path / "labels.tsv"
    table.write_text(
        "file\tclass\tgroup\n" + "".join(f"{clip.path.relative_to(clips)}\tsquat\tone\n" for clip in found[:4]),
        encoding="utf-8",
    )
    found, _ = read_clips(clips, labels=table)
    assert {(clip.name, clip.group) for clip in found} == {("squat", "one")}
    assert {entry.split for entry in plan(found)} == {"train"}


@pytest.mark.parametrize(
    ("stem", "name", "expected"),
    [
        ("anna_squat_03", "squat", "anna_squat"),
        ("anna_squat_03 (copy)", "squat", "anna_squat"),
        ("anna-clip12_flipped", "squat", "anna"),
        ("barbell biceps curl_7", "barbell biceps curl", "barbell biceps curl/barbell biceps curl_7"),
        ("push-up_12", "push-up", "push-up/push-up_12"),
        ("pushup 12", "push up", "push up/pushup 12"),
        ("0007", "squat", "squat/0007"),
    ],
)
def test_a_counter_is_no_recording_and_a_class_name_neither(stem: str, name: str, expected: str) -> None:
    assert recording(stem, name) == expected


def test_leaks_are_found_by_content_look_and_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, split in enumerate(("train", "train", "val", "test")):
        film(data / split / "squat" / f"{'abcd'[number] * 4}.mp4", number)
    clean = fitcli("dataset", "check", data, cwd=tmp_path)
    assert clean.returncode == 0, clean.stderr
    assert "No leak" in clean.stderr
    shutil.copy(data / "train" / "squat" / "aaaa.mp4", data / "test" / "squat" / "zz.mp4")
    film(data / "val" / "squat" / "yyyy.mp4", 1, preset="medium")
    film(data / "test" / "squat" / "xxxx.mp4", 2, mirrored=True)
    film(data / "train" / "squat" / "dddd_2.mp4", 77)
    (data / "val" / "squat" / "torn.mp4").write_bytes((data / "val" / "squat" / "cccc.mp4").read_bytes()[:600])
    found = fitcli("dataset", "check", data, cwd=tmp_path, env={"COLUMNS": "400"})
    assert found.returncode == 12
    told = [line for line in found.stderr.splitlines() if line.startswith("leak: ")]
    for first, second, why in (
        ("aaaa", "zz", "are the same file"),
        ("bbbb", "yyyy", "look the same"),
        ("cccc", "xxxx", "look the same"),
        ("dddd", "dddd_2", "have nearly the same name"),
    ):
        assert any(f"{first}.mp4" in line and f"{second}.mp4" in line and why in line for line in told), (first, told)
    assert len(told) == 4
    assert "torn.mp4: cannot be read" in found.stderr
