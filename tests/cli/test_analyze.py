"""What `fitcli` promises on the command line, about the sample that the repository ships."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from support.cli import LIMIT_S, SAMPLE, answers, fitcli, in_terminal, started
from support.films import MakeVideo

import fitcli as library
from fitcli.catalog import Classes, catalog
from fitcli.history.store import SessionStore
from fitcli.network.ensemble import Ensemble
from fitcli.network.folders import checkpoint_folder
from fitcli.video import VideoWriter, frames, probe

FIELDS = {
    "file", "schema", "duration_s", "status", "message", "exercise", "exercises", "muscles", "repetitions",
    "feedback", "networks", "device", "timings_s", "session", "sets", "analysed_s", "windows", "consistent_with",
    "muscle_scores", "annotated_video", "report", "picture_stretch", "broken_off_s", "classes",
}  # fmt: skip
"""The fields of `--json` that the README promises to scripts."""


def shipped_classes() -> Classes:
    """What the networks that come with fitcli know."""
    return Ensemble(checkpoint_folder(), "cpu").classes


terminal_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two readable videos and two bad ones."""
    folder = tmp_path_factory.mktemp("videos")
    shutil.copy(SAMPLE, folder / "a squat.mp4")
    (folder / "broken.mp4").write_text("no video", encoding="utf-8")
    shutil.copy(SAMPLE, folder / "z.mp4")
    return folder


def test_the_sample_is_named_with_its_muscles_against_the_ideal_and_stored(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    done = fitcli("analyze", SAMPLE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(re.search(r"Squat +\d+ % sure", line) for line in lines)
    assert any("runners-up: " in line for line in lines)
    for muscle in shipped_classes().muscles:
        row = next(line for line in lines if re.match(rf".  {muscle} ", line))
        assert re.search(r"\d+ %", row)
        assert ("target" in row) == (muscle in catalog().exercise("squat").muscles)
    assert any("of 5" in line or "of 4" in line or "of 6" in line for line in lines if "analysed" in line)
    assert any("cpu" in line.casefold() for line in lines if "took" in line)
    assert "slowfast" in done.stdout
    assert "x3d" in done.stdout
    (stored,) = (tmp_path / "sessions").iterdir()
    assert f"sessions/{stored.name}" in done.stdout


def test_two_exercises_in_one_video_are_both_told(tmp_path: Path) -> None:
    clock_s = 0.0
    with VideoWriter(tmp_path / "two.mp4", 480, 360) as writer:
        for sample in (SAMPLE, SAMPLE.with_name("bicep-curl.mp4")):
            for start_s in (clock_s, clock_s + probe(sample).duration_s):
                for frame in frames(sample, max_side=480):
                    clock_s = start_s + frame.time_s
                    writer.write(frame.image, clock_s)
                clock_s += 1 / 30
    done = fitcli("analyze", "two.mp4", "--sessions", "kept", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Squat, then bicep curl" in done.stdout
    assert "% sure" not in done.stdout
    assert "If this is" not in done.stdout
    (session,) = SessionStore(tmp_path / "kept").sessions()
    answer = session.to_json()["analysis"]
    assert answer["message"] == "This shows squat, then bicep curl."
    assert [(one["exercise"], one["repetitions"]) for one in answer["sets"]] == [("squat", 4), ("bicep curl", 4)]


def test_json_has_every_documented_field_and_nothing_else_is_printed(tmp_path: Path) -> None:
    done = fitcli("analyze", SAMPLE, "--json", "--sessions", "kept", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer.keys() >= FIELDS
    assert (answer["status"], answer["exercise"]["name"]) == ("ok", "squat")
    assert answer["exercise"]["confidence"] == answer["exercises"][0]["probability"]
    probabilities = [row["probability"] for row in answer["exercises"]]
    assert probabilities == sorted(probabilities, reverse=True)
    classes = shipped_classes()
    assert answer["classes"] == {"exercises": list(classes.exercises), "muscles": list(classes.muscles)}
    assert {row["name"] for row in answer["exercises"]} == set(classes.exercises)
    assert [row["name"] for row in answer["muscles"]] == list(classes.muscles)
    assert {row["name"] for row in answer["muscles"] if row["ideal"]} == set(catalog().exercise("squat").muscles)
    assert answer["feedback"]
    assert all(isinstance(sentence, str) for sentence in answer["feedback"])
    for network in answer["networks"]:
        assert network.keys() >= {"architecture", "input", "checkpoint_sha256", "weight_exercise", "weight_muscle"}
    assert answer["timings_s"].keys() == {"decode", "pose", "network", "total"}
    assert (tmp_path / answer["session"]).is_file()


def test_the_stored_session_is_the_whole_answer(tmp_path: Path) -> None:
    (answer,) = answers(SAMPLE, "--sessions", "kept", cwd=tmp_path)
    for written in ("session", "annotated_video", "report"):  # where it went is no part of the answer
        del answer[written]
    (session,) = SessionStore(tmp_path / "kept").sessions()
    assert session.to_json()["analysis"] == answer
    again = session.whole().to_json()
    assert [each["repetition_list"] for each in again.pop("sets")] == [
        each["repetition_list"] for each in answer.pop("sets")
    ]
    assert again == answer
    listed = fitcli("history", "--sessions", "kept", cwd=tmp_path).stdout
    assert "squat" in listed
    assert session.id in listed


def test_weight_and_note_are_stored_with_the_session(tmp_path: Path) -> None:
    done = fitcli("analyze", SAMPLE, "--weight", "135lb", "--note", "belt", "--sessions", tmp_path, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (session,) = SessionStore(tmp_path).sessions()
    assert session.weight_kg == pytest.approx(61.23, abs=0.01)
    assert session.note == "belt"


def test_a_batch_goes_on_after_a_bad_file_and_ends_with_a_table_and_that_files_code(
    folder: Path, tmp_path: Path
) -> None:
    done = fitcli("analyze", folder, "--sessions", tmp_path, cwd=tmp_path)
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert "broken.mp4" in done.stderr
    table = done.stdout[done.stdout.index("muscles that work") :]
    assert len(re.findall(r"squat +\d+ %", table)) == 2
    assert "not analysed" in table
    assert len(list(tmp_path.iterdir())) == 2


def test_different_failures_in_one_batch_end_with_1_and_each_has_its_json_object(folder: Path, tmp_path: Path) -> None:
    done = fitcli(
        "analyze", "nowhere.mp4", folder / "broken.mp4", folder / "z.mp4", "--json", "--no-save", cwd=tmp_path
    )
    assert done.returncode == 1
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [fields["status"] for fields in objects] == ["error", "error", "ok"]
    assert all(fields["message"] and fields["session"] is None for fields in objects[:2])
    assert all(fields.keys() >= FIELDS for fields in objects)


def test_a_video_without_a_person_says_so_and_is_no_session(make_video: MakeVideo, tmp_path: Path) -> None:
    empty_room = make_video(tmp_path / "room.mp4")
    done = fitcli("analyze", empty_room, "--sessions", "kept", cwd=tmp_path)
    assert done.returncode == 0
    assert "sure" not in done.stdout
    (answer,) = answers(empty_room, "--sessions", "kept", cwd=tmp_path)
    assert (answer["status"], answer["exercise"], answer["session"]) == ("no_person", None, None)
    assert answer["message"].split()[0] in done.stdout
    assert not (tmp_path / "kept").exists()


def test_start_and_end_cut_out_the_part_that_is_analysed(tmp_path: Path) -> None:
    (answer,) = answers(SAMPLE, "--start", "1", "--end", "3.5", "--no-save", cwd=tmp_path)
    start, end = answer["analysed_s"]
    assert start == pytest.approx(1, abs=0.1)
    assert end == pytest.approx(3.5, abs=0.1)
    assert answer["duration_s"] > 3.5


@pytest.mark.parametrize(
    "arguments",
    [
        ("--start", "3", "--end", "2"),
        ("--end", "0"),
        ("--start", "-1"),
        ("--start", "nan"),
        ("--top", "0"),
        ("--device", "tpu"),
        ("--weight", "heavy"),
        ("--weight", "0kg"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = fitcli("analyze", SAMPLE, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_top_says_how_many_exercises_are_named(tmp_path: Path) -> None:
    only = fitcli("analyze", SAMPLE, "--top", "1", "--no-save", cwd=tmp_path)
    assert "Squat" in only.stdout
    assert "runner" not in only.stdout
    everything = fitcli("analyze", SAMPLE, "--top", "99", "--no-save", cwd=tmp_path).stdout.casefold()
    unwrapped = re.sub(r"[\s│]+", " ", everything)
    assert all(name in unwrapped for name in shipped_classes().exercises)


def test_quiet_prints_one_line_and_no_save_stores_nothing(tmp_path: Path) -> None:
    done = fitcli("analyze", SAMPLE, "--quiet", "--no-save", cwd=tmp_path, env={"XDG_DATA_HOME": str(tmp_path)})
    assert re.fullmatch(r".*squat\.mp4: squat \d+ %\n", done.stdout)
    assert list(tmp_path.iterdir()) == []


def test_verbose_shows_timings_weights_and_windows(tmp_path: Path) -> None:
    shown = fitcli("analyze", SAMPLE, "-v", "--no-save", cwd=tmp_path, env={"COLUMNS": "120"}).stdout
    assert re.search(r"decode \d+\.\d\d, pose \d+\.\d\d, network \d+\.\d\d s", shown)
    assert re.search(r"sha256 [0-9a-f]{12}", shown)
    assert re.search(r"0\.0 to \d+\.\d s +\d+ +squat", shown)


def test_pipes_get_no_control_codes_and_ascii_terminals_get_ascii(tmp_path: Path) -> None:
    piped = fitcli("analyze", SAMPLE, "--no-save", cwd=tmp_path)
    assert "\x1b" not in piped.stdout + piped.stderr
    plain = fitcli("analyze", SAMPLE, "--no-save", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert plain.returncode == 0
    assert plain.stdout.isascii()
    assert "###" in plain.stdout


@terminal_only
def test_no_color_takes_the_colours_out_of_a_terminal(tmp_path: Path) -> None:
    colour = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38)(?:;\d+)*m")
    _, coloured = in_terminal("analyze", SAMPLE, "--no-save", "--no-voice", cwd=tmp_path)
    _, plain = in_terminal("analyze", SAMPLE, "--no-save", "--no-voice", cwd=tmp_path, env={"NO_COLOR": "1"})
    assert colour.search(coloured)
    assert not colour.search(plain)
    assert "Squat" in plain


@terminal_only
def test_the_progress_bar_is_on_stderr_and_only_in_a_terminal(folder: Path, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        code, sent = in_terminal(
            "analyze", folder / "a squat.mp4", folder / "z.mp4", "--no-save", cwd=tmp_path, stdout=out.fileno()
        )
    assert code == 0
    assert "1/2 a squat.mp4" in sent
    assert "2/2 z.mp4" in sent
    assert "\x1b" not in (tmp_path / "out").read_text(encoding="utf-8")
    piped = fitcli("analyze", folder / "z.mp4", "--no-save", cwd=tmp_path, env={"FORCE_COLOR": "1"})
    assert piped.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_ends_with_130_and_one_line_and_keeps_what_is_done(tmp_path: Path) -> None:
    videos = [tmp_path / f"{number:02}.mp4" for number in range(20)]
    for video in videos:
        shutil.copy(SAMPLE, video)
    process = started("analyze", *videos, "--json", "--sessions", "kept", cwd=tmp_path)
    assert process.stdout
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert re.fullmatch(r"Stopped: \d+ of 20 files were analysed and stored\.\n", errors)
    printed = [json.loads(line) for line in [first, *rest.splitlines()]]
    assert 1 <= len(printed) < 20
    assert len(list(SessionStore(tmp_path / "kept").sessions())) >= len(printed)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_while_a_video_is_drawn_stops_it_at_once_and_leaves_no_half_of_it(tmp_path: Path) -> None:
    process = started("analyze", SAMPLE, "--save-video", "drawn.mp4", "--sessions", "kept", cwd=tmp_path)
    assert process.stdout
    while "squat" not in process.stdout.readline().lower():  # the answer comes before its pictures
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert errors == "Stopped: 1 of 1 files were analysed and stored.\n"
    assert not (tmp_path / "drawn.mp4").exists()
    assert len(list(SessionStore(tmp_path / "kept").sessions())) == 1


def test_file_names_may_hold_anything(tmp_path: Path) -> None:
    name = "[red]ünï🏋 \x1b[31m' \"$(x)\n.mp4"
    shutil.copy(SAMPLE, tmp_path / name)
    done = fitcli("analyze", name, "--no-save", cwd=tmp_path)
    assert done.returncode == 0
    assert "[red]ünï" in done.stdout
    assert "\x1b" not in done.stdout
    if sys.platform == "linux":
        raw = os.fsencode(tmp_path) + b"/\xff.mp4"
        shutil.copy(os.fsencode(SAMPLE), raw)
        (answer,) = answers(os.fsdecode(raw), "--no-save", cwd=tmp_path)
        assert answer["status"] != "error"


def test_the_library_gives_the_same_answer_as_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the current folder decides which checkpoints are used
    heard: list[float] = []
    analysis = library.analyze(SAMPLE, device="cpu", progress=heard.append)
    (answer,) = answers(SAMPLE, "--device", "cpu", "--no-save", cwd=tmp_path)
    ours = analysis.to_json()
    for field in ("exercise", "exercises", "muscles", "feedback", "duration_s", "networks"):
        assert ours[field] == answer[field]
    assert heard == sorted(heard)
    assert 0.9 < heard[-1] <= 1


def test_exercises_lists_the_whole_catalogue(tmp_path: Path) -> None:
    listed = fitcli("exercises", cwd=tmp_path, env={"COLUMNS": "120"}).stdout
    rows = [json.loads(line) for line in fitcli("exercises", "--json", cwd=tmp_path).stdout.splitlines()]
    assert [row["name"] for row in rows] == list(catalog().exercise_names)
    assert [row["name"] for row in rows if row["recognised"]] == list(shipped_classes().exercises)
    for row in rows:
        counted = {"repetitions": "reps", "seconds": "seconds", "cadence": "reps a minute"}[row["counted"]]
        assert re.search(rf"{row['name']} +{', '.join(row['muscles'])} +{counted}", listed)
    assert {row["name"] for row in rows if row["counted"] == "seconds"} == {"plank"}
    for width in ("44", "80"):
        narrow = fitcli("exercises", cwd=tmp_path, env={"COLUMNS": width}).stdout
        assert "…" not in narrow
        assert max(map(len, narrow.splitlines())) <= int(width)


def test_version_and_completion_are_there(tmp_path: Path) -> None:
    assert fitcli("--version", cwd=tmp_path).stdout == f"fitcli {library.__version__}\n"
    script = fitcli(
        "--show-completion", "bash", cwd=tmp_path, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    )
    assert "_fitcli_completion" in script.stdout.replace("-", "_") or "COMPLETE" in script.stdout
