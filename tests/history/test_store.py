"""What the session store promises: nothing is lost, nothing is overwritten, damage stays where it is."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.cli import LIMIT_S, ROOT, environment, fitcli
from support.sessions import SET, analysis

from fitcli.catalog import catalog
from fitcli.errors import StorageError
from fitcli.history.progress import training_progress
from fitcli.history.store import SCHEMA, SCHEMA_WITHOUT_HOLDS, Session, SessionStore
from fitcli.results.analysis import Analysis, Status
from fitcli.results.sets import Curve, ExerciseSet, Repetition


def stored(folder: Path, *ages: timedelta, name: str = "squat") -> list[Session]:
    """Sessions of those ages: stored now, then dated back as a clock would have done it."""
    sessions = []
    for age in ages:
        session = SessionStore(folder).save(analysis(name))
        created = session.created - age
        stamp = created.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(":", "-")
        path = folder / f"{stamp}-{session.path.name.split('Z-', 1)[1]}"
        fields = session.to_json() | {"created": created.isoformat()}
        session.path.unlink()
        path.write_text(json.dumps(fields), encoding="utf-8")
        sessions.append(replace(session, created=created, path=path, fields=fields))
    return sessions


def listed(folder: Path, *arguments: object) -> list[str]:
    """The ids that `fitcli history --json` prints."""
    done = fitcli("history", "--sessions", folder, "--json", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def test_a_session_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    before = datetime.now().astimezone() - timedelta(milliseconds=1)
    session = SessionStore(tmp_path).save(analysis())
    (back,) = SessionStore(tmp_path).sessions()
    assert back.analysis == replace(analysis(), sets=())
    assert back.whole() == analysis()
    assert back.to_json() == session.to_json()
    assert back.created.utcoffset() == before.utcoffset()
    assert before <= back.created <= datetime.now().astimezone()
    assert "-squat-" in session.path.name


def test_history_shows_newest_first_up_to_a_limit(tmp_path: Path) -> None:
    days = [3, 0, 400, 1]
    sessions = stored(tmp_path, *(timedelta(days=each) for each in days))
    newest_first = [sessions[index].id for index in (1, 3, 0, 2)]
    assert listed(tmp_path) == newest_first
    assert listed(tmp_path, "--limit", 2) == newest_first[:2]
    table = fitcli("history", "--sessions", tmp_path, cwd=tmp_path).stdout
    assert [table.index(each) for each in newest_first] == sorted(table.index(each) for each in newest_first)
    assert f"{sessions[1].created:%Y-%m-%d %H:%M}" in table


def test_history_finds_by_exercise_and_its_other_names(tmp_path: Path) -> None:
    (squat,) = stored(tmp_path, timedelta(0), name="squat")
    (push_up,) = stored(tmp_path, timedelta(0), name="push-up")
    SessionStore(tmp_path).save(analysis(status=Status.UNCERTAIN))
    assert listed(tmp_path, "--exercise", "Back Squat") == [squat.id]
    assert listed(tmp_path, "--exercise", "pushup") == [push_up.id]
    wrong = fitcli("history", "--exercise", "yoga", "--sessions", tmp_path, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "fitcli exercises" in wrong.stderr


def test_history_finds_by_time(tmp_path: Path) -> None:
    new, day, month = stored(tmp_path, timedelta(minutes=5), timedelta(hours=20), timedelta(days=40))
    assert listed(tmp_path, "--since", "1h") == [new.id]
    assert listed(tmp_path, "--since", "2w") == [new.id, day.id]
    assert listed(tmp_path, "--since", f"{month.created:%Y-%m-%d}") == [new.id, day.id, month.id]
    assert listed(tmp_path, "--since", f"{month.created + timedelta(days=1):%Y-%m-%d}") == [new.id, day.id]
    assert fitcli("history", "--since", "yesterday-ish", cwd=tmp_path).returncode == 2


def test_an_empty_history_says_what_to_do(tmp_path: Path) -> None:
    done = fitcli("history", "--sessions", "kept", cwd=tmp_path)
    assert done.returncode == 0
    assert "fitcli analyze" in done.stdout
    assert not (tmp_path / "kept").exists()
    assert fitcli("history", "--sessions", "kept", "--json", cwd=tmp_path).stdout == ""


def damage(kind: str, path: Path) -> bytes:
    text = path.read_bytes()
    damaged = {
        "cut": text[: len(text) // 2],
        "empty": b"",
        "binary": b"\xff\xfe\x00" * 50,
        "list": b"[]",
        "missing field": text.replace(b'"created"', b'"cremated"'),
        "wrong type": text.replace(b'"analysed_s"', b'"analysed"'),
    }[kind]
    path.write_bytes(damaged)
    return damaged


@pytest.mark.parametrize("kind", ["cut", "empty", "binary", "list", "missing field", "wrong type"])
def test_a_damaged_session_is_set_aside_told_once_and_kept(kind: str, tmp_path: Path) -> None:
    bad, good = stored(tmp_path, timedelta(hours=1), timedelta(hours=2))
    contents = damage(kind, bad.path)
    done = fitcli("history", "--sessions", tmp_path, "--json", cwd=tmp_path)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [good.id]
    assert bad.path.name in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / f"{bad.path.name}.unreadable").read_bytes() == contents
    assert fitcli("history", "--sessions", tmp_path, cwd=tmp_path).stderr == ""


def test_setting_aside_overwrites_nothing(tmp_path: Path) -> None:
    (session,) = stored(tmp_path, timedelta(0))
    aside = tmp_path / f"{session.path.name}.unreadable"
    aside.write_text("older damage", encoding="utf-8")
    session.path.write_text("newer damage", encoding="utf-8")
    assert list(SessionStore(tmp_path).sessions()) == []
    assert aside.read_text(encoding="utf-8") == "older damage"
    assert sorted(path.read_text(encoding="utf-8") for path in tmp_path.iterdir()) == ["newer damage", "older damage"]


def test_files_of_other_programs_and_newer_versions_stay_untouched(tmp_path: Path) -> None:
    (session,) = stored(tmp_path, timedelta(0))
    newer = session.path.read_text(encoding="utf-8").replace(
        f'"schema": {SCHEMA_WITHOUT_HOLDS}', f'"schema": {SCHEMA + 1}', 1
    )
    session.path.write_text(newer, encoding="utf-8")
    (tmp_path / "package.json").write_text("{ not ours", encoding="utf-8")
    done = fitcli("history", "--sessions", tmp_path, cwd=tmp_path)
    assert done.returncode == 0
    assert "newer" in done.stderr
    assert session.path.read_text(encoding="utf-8") == newer
    assert (tmp_path / "package.json").read_text(encoding="utf-8") == "{ not ours"


def test_fields_that_a_later_version_adds_do_no_harm(tmp_path: Path) -> None:
    (session,) = stored(tmp_path, timedelta(0))
    fields = json.loads(session.path.read_text(encoding="utf-8")) | {"mood": "great"}
    fields["analysis"]["heartbeats"] = [60, 61]
    session.path.write_text(json.dumps(fields), encoding="utf-8")
    assert [each.id for each in SessionStore(tmp_path).sessions()] == [session.id]


def first_schema(session: Session) -> dict[str, Any]:
    """The session as the first version of the store wrote it down: nothing was kept of the pose, nor of its picture."""
    fields = session.to_json() | {"schema": 1}
    del fields["poses"]
    fields["analysis"] = {name: value for name, value in fields["analysis"].items() if name != "picture_stretch"}
    return fields


def test_sessions_of_the_first_schema_are_read_shown_and_drawn(tmp_path: Path) -> None:
    (session,) = stored(tmp_path, timedelta(0))
    old = json.dumps(first_schema(session))
    session.path.write_text(old, encoding="utf-8")
    (back,) = SessionStore(tmp_path).sessions()
    assert back.whole() == analysis()
    assert back.key_poses() == ()
    shown = fitcli("history", "show", session.id, "--sessions", tmp_path, cwd=tmp_path)
    assert "Deeper." in shown.stdout
    page = fitcli("history", "report", session.id, "page.html", "--sessions", tmp_path, cwd=tmp_path)
    assert page.returncode == 0, page.stderr
    assert "Go deeper." in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert session.path.read_text(encoding="utf-8") == old  # reading rewrites nothing
    other = SessionStore(tmp_path / "other")
    assert other.add(json.loads(old))
    assert [each.id for each in other.sessions()] == [session.id]


def test_a_stored_session_is_shown_again_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    session = SessionStore(tmp_path).save(analysis(), weight_kg=61.2, note="felt [bold]heavy")
    done = fitcli("history", "show", session.id[:6], "--sessions", tmp_path, cwd=tmp_path)
    for piece in (
        "Squat",
        "quads",
        "Deeper.",
        "Slower.",
        "61.2 kg (1RM 65.3 kg, Epley)",
        "knee angle 85",
        "felt [bold]heavy",
        session.path.name[:20],
    ):
        assert piece in done.stdout
    shown = fitcli("history", "show", session.id, "--json", "--sessions", tmp_path, cwd=tmp_path)
    assert json.loads(shown.stdout) == session.to_json()
    for wrong in ("x", ""):
        missing = fitcli("history", "show", wrong, "--sessions", tmp_path, cwd=tmp_path)
        assert missing.returncode == 3
        assert len(missing.stderr.splitlines()) == 1


def test_history_comes_as_csv_that_a_spreadsheet_reads(tmp_path: Path) -> None:
    session = SessionStore(tmp_path).save(analysis(), weight_kg=61.2, note='a "b", c')
    (row,) = csv.DictReader(fitcli("history", "--csv", "--sessions", tmp_path, cwd=tmp_path).stdout.splitlines())
    assert (row["id"], row["exercise"], row["weight_kg"], row["note"]) == (session.id, "squat", "61.2", 'a "b", c')
    assert row["score"] == "80"
    assert row["muscles"] == "quads, glutes, hamstrings"


def test_an_export_brings_every_session_to_another_machine_once(tmp_path: Path) -> None:
    sessions = stored(tmp_path / "old", timedelta(days=1), timedelta(days=2))
    backup = tmp_path / "backup.jsonl"
    assert fitcli("history", "export", backup, "--sessions", tmp_path / "old", cwd=tmp_path).returncode == 0
    assert fitcli("history", "export", backup, "--sessions", tmp_path / "old", cwd=tmp_path).returncode == 8
    for _ in range(2):
        done = fitcli("history", "import", backup, "--sessions", tmp_path / "new", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "0 sessions added, 2 already stored" in done.stdout
    assert [each.to_json() for each in SessionStore(tmp_path / "new").sessions()] == [s.to_json() for s in sessions]


def test_an_import_takes_what_is_a_session_and_tells_the_rest(tmp_path: Path) -> None:
    (session,) = stored(tmp_path / "old", timedelta(0))
    escaping = session.to_json() | {"id": "../../../evil"}
    lines = [json.dumps(session.to_json()), "[]", "nonsense", json.dumps(escaping)]
    (tmp_path / "mixed.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = fitcli("history", "import", "mixed.jsonl", "--sessions", "new", cwd=tmp_path)
    assert done.returncode == 3
    assert "3 lines without a session (2, 3, 4)" in done.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == [session.path.name]


def test_deleting_asks_and_can_be_undone(tmp_path: Path) -> None:
    first, second, third = stored(tmp_path, timedelta(0), timedelta(1), timedelta(2))
    assert fitcli("history", "delete", first.id, "--sessions", tmp_path, cwd=tmp_path).returncode != 0
    assert listed(tmp_path) == [first.id, second.id, third.id]
    for ids in ((first.id,), (second.id, third.id[:7])):
        assert fitcli("history", "delete", *ids, "--yes", "--sessions", tmp_path, cwd=tmp_path).returncode == 0
    assert listed(tmp_path) == []
    for left in ([second.id, third.id], [first.id, second.id, third.id]):
        assert fitcli("history", "undo", "--sessions", tmp_path, cwd=tmp_path).returncode == 0
        assert listed(tmp_path) == left
    assert "Nothing" in fitcli("history", "undo", "--sessions", tmp_path, cwd=tmp_path).stdout


HOLD = ExerciseSet(
    exercise="plank",
    start_s=1.0,
    end_s=35.5,
    repetitions=(),
    partial=0,
    signal="hip angle",
    method="held position",
    side="both",
    view="side",
    curve=Curve((0.0, 20.0, 36.0), (120.0, 170.0, 130.0), "deg"),
    held_s=34.5,
)
JACKS = replace(
    SET,
    exercise="jumping jack",
    repetitions=tuple(Repetition(0.5 + t, 1.0 + t, 1.5 + t, 0.5, 0.5) for t in range(4)),
    cues=(),
)


def trained(exercise_set: ExerciseSet) -> Analysis:
    """An analysis of that set alone."""
    assert exercise_set.exercise
    whole = analysis(exercise_set.exercise)
    return replace(whole, sets=(exercise_set,), repetitions=len(exercise_set.repetitions))


def test_holds_and_cadences_are_kept_listed_and_summed(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    hold, shorter = store.save(trained(HOLD)), store.save(trained(replace(HOLD, end_s=21.0, held_s=20.0)))
    jacks, squats = store.save(trained(JACKS)), store.save(trained(SET))
    assert [each.to_json()["schema"] for each in (hold, shorter, jacks, squats)] == [3, 3, 2, 2]
    back = {each.id: each for each in store.sessions()}
    assert back[hold.id].whole() == trained(HOLD)
    assert back[jacks.id].whole().sets[0].cadence_per_min == pytest.approx(60)

    def shown(*arguments: object) -> str:
        done = fitcli("history", *arguments, "--sessions", tmp_path, cwd=tmp_path, env={"COLUMNS": "80"})
        assert done.returncode == 0, done.stderr
        return done.stdout

    listing = shown()
    assert max(map(len, listing.splitlines())) <= 80
    assert re.search(rf"plank +90 % +34 s .*{hold.id}", listing)
    assert re.search(rf"jumping jack +90 % +4 .*{jacks.id}", listing)
    stats = shown("stats")
    assert re.search(rf"plank +34 s .*{hold.id}", stats)
    assert re.search(rf"jumping jack +4 +60 .*{jacks.id}", stats)
    assert "seconds held a week  █  54 now" in stats
    best = {row["exercise"]: row for row in json.loads(shown("stats", "--json"))["best"]}
    assert (best["plank"]["held_s"], best["plank"]["repetitions"]) == (34.5, None)
    assert (best["jumping jack"]["held_s"], best["jumping jack"]["cadence_per_min"]) == (None, 60.0)
    assert re.search(r"longest hold, s\nplank +[▁-█]{2}  20 now, 34 at most", shown("chart"))
    one = shown("show", hold.id)
    assert "held for 34 s" in one
    assert "repetition" not in one
    assert re.search(r"1 +0:01 to 0:36 +34 s", one)
    rows = {row["id"]: row for row in csv.DictReader(shown("--csv").splitlines())}
    assert (rows[hold.id]["held_s"], rows[jacks.id]["cadence_per_min"]) == ("34.5", "60.0")
    fitcli("history", "chart", "--html", "page.html", "--sessions", tmp_path, cwd=tmp_path)
    page = " ".join(re.sub("<[^>]+>", " ", (tmp_path / "page.html").read_text(encoding="utf-8")).split())
    assert "Longest hold plank 20 s" in page


def test_muscles_that_no_network_knew_are_not_called_neglected(tmp_path: Path) -> None:
    session = SessionStore(tmp_path).save(analysis())
    stats = fitcli("history", "stats", "--sessions", tmp_path, cwd=tmp_path).stdout
    assert "hamstrings" in stats
    assert "calves" not in stats
    newer = replace(analysis("calf raise"), classes=catalog().classes)
    SessionStore(tmp_path).save(newer)
    assert session.analysis.classes == catalog().paper
    assert re.search(r"calves +1 ", fitcli("history", "stats", "--sessions", tmp_path, cwd=tmp_path).stdout)


def done_on(day: str, name: str = "squat", repetitions: int | None = None, weight_kg: float | None = None) -> Session:
    """A session of that day, as the store would give it."""
    created = datetime.fromisoformat(f"{day}T18:00+01:00")
    return Session(day, created, "1", replace(analysis(name), repetitions=repetitions), Path(day), weight_kg=weight_kg)


def test_progress_counts_weeks_from_monday_and_streaks_to_today() -> None:
    now = datetime.fromisoformat("2026-11-18T09:00+01:00")  # a Wednesday
    days = ["2026-11-17", "2026-11-16", "2026-11-15", "2026-11-11", "2026-11-02"]
    progress = training_progress([done_on(day, repetitions=10) for day in days], now)
    assert [(str(week.monday), week.sessions, week.repetitions) for week in progress.weeks[-3:]] == [
        ("2026-11-02", 1, 10),
        ("2026-11-09", 2, 20),
        ("2026-11-16", 2, 20),
    ]
    assert len(progress.weeks) == 12
    assert (progress.days_in_a_row, progress.weeks_in_a_row) == (3, 3)
    later = training_progress([done_on(day) for day in days], now + timedelta(days=1))
    assert later.days_in_a_row == 0


def test_progress_names_muscles_trained_and_neglected() -> None:
    now = datetime.fromisoformat("2026-11-18T09:00+01:00")
    progress = training_progress([done_on("2026-11-12"), done_on("2026-11-11", "push-up")], now)
    muscles = {muscle.name: muscle for muscle in progress.muscles}
    assert (muscles["quads"].sessions, muscles["quads"].neglected) == (1, False)
    assert (muscles["chest"].sessions, muscles["chest"].neglected) == (0, True)
    assert str(muscles["chest"].last) == "2026-11-11"
    assert muscles["lats"].last is None


def test_the_best_set_is_the_highest_epley_estimate() -> None:
    now = datetime.fromisoformat("2026-11-18T09:00+01:00")
    sessions = [
        done_on("2026-11-15", repetitions=10, weight_kg=60),  # 80
        done_on("2026-11-16", repetitions=1, weight_kg=75),  # 75: one repetition is its own answer
        done_on("2026-11-17", repetitions=30, weight_kg=50),  # too long a set for the formula
        done_on("2026-11-17", "push-up", repetitions=20),
        done_on("2026-11-16", "push-up", repetitions=25),
    ]
    push_up, squat = training_progress(sessions, now).best
    assert squat.session.id == "2026-11-15"
    assert squat.one_repetition_max_kg == pytest.approx(80)
    assert (push_up.session.id, push_up.one_repetition_max_kg) == ("2026-11-16", None)


def test_the_estimate_is_of_a_set_not_of_all_sets_together() -> None:
    now = datetime.fromisoformat("2026-11-18T09:00+01:00")
    three = replace(done_on("2026-11-17", repetitions=27, weight_kg=60), set_repetitions=(8, 10, 9))
    (best,) = training_progress([three], now).best
    assert best.repetitions == 10
    assert best.one_repetition_max_kg == pytest.approx(80)


def test_a_history_can_be_a_page(tmp_path: Path) -> None:
    sessions = [
        SessionStore(tmp_path).save(replace(analysis(), repetitions=2), weight_kg=weight_kg) for weight_kg in (60, 66)
    ]
    done = fitcli("history", "chart", "--html", "page.html", "--sessions", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search("https?:|<script|url[(]", page)
    words = re.sub("<[^>]+>", " ", page.partition("</style>")[2])
    words = " ".join(words.split())
    assert f"{len(sessions)} sessions 4 repetitions" in words
    assert "squat 70.4 kg" in words  # Epley: 66 (1 + 2 / 30)
    assert "Not trained in the last 7 days: triceps, lats" in words
    quads = re.findall('data-muscle="quads" data-activation="(\\d+)"', page)
    assert set(quads) == {"100"}
    assert fitcli("history", "chart", "--html", "page.html", "--sessions", tmp_path, cwd=tmp_path).returncode == 8
    drawn = fitcli("history", "chart", "--sessions", tmp_path, cwd=tmp_path).stdout
    assert re.search(r"maximum \(Epley\), kg\nsquat +[▁-█]{2}  70 now, 70 at most", drawn)
    assert re.search(r"score from session to session\nsquat +██  80 now", drawn)


def test_the_past_is_listed_without_loading_what_draws_it(tmp_path: Path) -> None:
    SessionStore(tmp_path).save(analysis())
    code = """
import sys
from fitcli.cli import app
for arguments in (["history"], ["history", "stats"], ["history", "chart"], ["history", "show", sys.argv[1]]):
    app([*arguments, "--sessions", sys.argv[2]], standalone_mode=False)
    loaded = {"torch", "openvino", "av", "cv2", "PIL", "jinja2"} & set(sys.modules)
    assert not loaded, (arguments, loaded)
    assert arguments[-1] == sys.argv[1] or "numpy" not in sys.modules, arguments
"""
    (session,) = SessionStore(tmp_path).sessions()
    done = subprocess.run(
        [sys.executable, "-c", code, session.id, str(tmp_path)], capture_output=True, timeout=LIMIT_S, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr


def test_scores_are_compared_with_as_many_sessions_before() -> None:
    now = datetime.fromisoformat("2026-11-18T09:00+01:00")
    scored = [
        replace(done_on(f"2026-11-{day:02}"), score=points) for day, points in ((3, 50), (5, 60), (7, 70), (9, 90))
    ]
    (trend,) = training_progress(scored[::-1], now).trends
    assert (trend.exercise, trend.before, trend.latest) == ("squat", 55, 80)
    assert training_progress(scored[:1], now).trends == ()


def test_stats_and_chart_show_the_sums(tmp_path: Path) -> None:
    stored(tmp_path, timedelta(hours=1), timedelta(days=30))
    shown = fitcli("history", "stats", "--sessions", tmp_path, cwd=tmp_path).stdout
    assert "2 sessions since" in shown
    assert "repetitions a week" not in shown  # none were counted
    assert re.search(r"lats +0 +never, neglected", shown)
    summed = json.loads(fitcli("history", "stats", "--json", "--sessions", tmp_path, cwd=tmp_path).stdout)
    assert sum(week["sessions"] for week in summed["weeks"]) == 2
    drawn = fitcli("history", "chart", "--sessions", tmp_path, cwd=tmp_path).stdout
    assert 5 <= drawn.count("week of") <= 6
    assert re.search(r"quads +━+ 1", drawn)


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment(PYTHONPATH=str(ROOT / "tests")),
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def finish(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        _, errors = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, errors


def test_many_processes_may_store_at_once(tmp_path: Path) -> None:
    code = """
import sys, pathlib
from fitcli.results.sets import CueFinding, Curve, ExerciseSet, Repetition, ScorePart, SetScore
from fitcli.history.store import SessionStore
from support.sessions import analysis
for _ in range(25):
    SessionStore(pathlib.Path(sys.argv[1])).save(analysis())
"""
    finish([run_python(code, tmp_path / "kept") for _ in range(4)])
    store = SessionStore(tmp_path / "kept")
    assert len(list(store.sessions())) == 100
    assert store.skipped == []
    assert len(list((tmp_path / "kept").iterdir())) == 100


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
def test_a_write_that_fails_half_way_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    (session,) = stored(tmp_path, timedelta(hours=1))
    code = """
import pathlib, resource, sys
from fitcli.errors import StorageError
from fitcli.results.sets import CueFinding, Curve, ExerciseSet, Repetition, ScorePart, SetScore
from fitcli.history.store import SessionStore
from support.sessions import analysis
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    SessionStore(pathlib.Path(sys.argv[1])).save(analysis())
except StorageError as error:
    assert sys.argv[1] in str(error), error
else:
    sys.exit("it was stored")
"""
    finish([run_python(code, tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == [session.path.name]


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="choose another"):
        SessionStore(tmp_path / "file" / "sessions").save(analysis())
    done = fitcli("history", "--sessions", "file", cwd=tmp_path)
    assert done.returncode == StorageError.exit_code
    assert len(done.stderr.splitlines()) == 1


def test_sessions_are_looked_for_where_the_readme_says(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("option", "variable", "here/sessions", "home/fitcli/sessions")]
    for folder, name in zip(folders, ("squat", "deadlift", "push-up", "hip thrust"), strict=True):
        SessionStore(folder).save(analysis(name))
    here = tmp_path / "here"
    data = {"XDG_DATA_HOME": str(tmp_path / "home")}
    variable = data | {"FITCLI_SESSIONS": str(folders[1])}

    def seen(*arguments: object, cwd: Path, env: dict[str, str]) -> str:
        (line,) = fitcli("history", "--json", *arguments, cwd=cwd, env=env).stdout.splitlines()
        return str(json.loads(line)["analysis"]["exercise"]["name"])

    assert seen("--sessions", folders[0], cwd=here, env=variable) == "squat"
    assert seen(cwd=here, env=variable) == "deadlift"
    assert seen(cwd=here, env=data) == "push-up"
    if sys.platform == "linux":
        assert seen(cwd=tmp_path, env=data) == "hip thrust"
