"""`fitcli ablate`: which runs the tables need, what the figures are, and that nothing is trained twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.films import write_film
from support.training import fitcli

from fitcli.catalog import catalog
from fitcli.network.scores import ideal_matrix
from fitcli.training.evaluation.ablation import AblationReport, Plan, Row, Run, mean_interval, measured
from fitcli.training.evaluation.ablation_page import html, markdown
from fitcli.training.metrics import muscle_metrics
from fitcli.training.rgb.module import Scores


def film(path: Path, shade: int) -> None:
    pictures = np.full((25, 72, 96, 3), shade, np.uint8)
    for number, picture in enumerate(pictures):
        picture[number : number + 20, 30:60] = 255 - shade
    write_film(path, pictures, rate_hz=10)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for shade, name in ((20, "squat"), (120, "push-up")):
        for number, split in enumerate(("train", "train", "test", "test")):
            film(folder / split / name / f"{'wxyz'[number] * 4}.mp4", shade + number)
    return folder


def scores(clips: int = 40, seed: int = 0, right: float = 2.0) -> Scores:
    """Logits that favour the truth by `right`, on a data set with all of the paper's exercises."""
    rng = np.random.default_rng(seed)
    target = np.arange(clips) % 16
    muscles = ideal_matrix(catalog().paper)[target]
    exercise = rng.normal(size=(clips, 16)) + right * np.eye(16)[target]
    return Scores(exercise, rng.normal(size=(clips, 11)) + right * (2 * muscles - 1), target, muscles)


def test_no_network_is_trained_twice_and_starts_come_first() -> None:
    runs = Plan().runs()
    names = [run.name for run in runs]
    assert len(names) == len(set(names))
    for run in runs:
        if run.start:
            assert names.index(run.start.name) < names.index(run.name)
    assert {run.channel_reduction for run in runs} == {2, 4, 6, 8, 10, 12, 14, 16}
    assert not [run for run in runs if run.pretrained == "kinetics" and run.architecture == "slowfast_r18"]
    # What a table compares differs in one thing: the published weights exist for one reduction only.
    assert {row.runs[0].pretrained for row in Plan().rows()["reduction"]} == {"none"}


def test_figures_are_of_the_whole_set_with_the_baseline_beside_them() -> None:
    one = scores()
    line = measured(Row("x", (Run("x3d_m"),)), [one], [str(i) for i in range(40)])
    assert line.top1 is not None
    assert line.top1.value == pytest.approx((one.exercise.argmax(1) == one.exercise_target).mean())
    whole = muscle_metrics((1 / (1 + np.exp(-one.muscle))).astype(np.float32), one.muscle_target)
    assert line.micro_accuracy is not None
    assert line.micro_accuracy.value == pytest.approx(whole.micro_accuracy)
    assert line.predict_nothing == pytest.approx(1 - one.muscle_target.mean())
    assert line.average_precision is not None
    low, high = line.average_precision.interval or (1, 0)
    assert low < line.average_precision.value < high


def test_an_ensemble_line_weighs_the_logits_of_both() -> None:
    good, bad = scores(right=8.0), scores(seed=1, right=-8.0)
    groups = [str(i) for i in range(40)]
    runs = (Run("slowfast_r50"), Run("x3d_m"))
    tops = [measured(Row("", runs, weight), [good, bad], groups).top1 for weight in (1.0, 0.0)]
    assert [top.value for top in tops if top] == [1.0, 0.0]


def test_clips_of_one_recording_make_the_interval_wider() -> None:
    hits = np.repeat([1.0, 0, 1, 1, 0, 1, 0, 1], 10)
    alone = mean_interval(hits, np.ones(80), np.arange(80).astype(str))
    grouped = mean_interval(hits, np.ones(80), np.repeat(np.arange(8), 10).astype(str))
    assert alone is not None
    assert grouped is not None
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])
    assert mean_interval(hits, np.ones(80), np.array(["one"] * 80)) is None


def test_a_missing_head_and_a_failed_run_show_as_such() -> None:
    one = scores()
    headless = Scores(np.zeros((40, 0)), one.muscle, one.exercise_target, one.muscle_target)
    line = measured(Row("muscles only", (Run("x3d_m"),)), [headless], ["a"] * 40)
    assert line.top1 is None
    assert line.micro_accuracy is not None
    assert line.micro_accuracy.interval is None
    failed = type(line)("from Kinetics", fault="no network <here>")
    report = AblationReport("data", 40, 1, ("--epochs", "3"), {"transfer": (line, failed)})
    text, page = markdown(report), html(report)
    assert "| muscles only | - | - | - |" in text
    assert "- from Kinetics: no network <here>" in text
    assert "no network &lt;here&gt;" in page
    assert "--epochs 3" in page


def test_the_tables_are_written_and_a_second_time_nothing_is_trained(data: Path, tmp_path: Path) -> None:
    command = ["ablate", data, "--to", tmp_path / "out", "--pretrained", "none", "--cache", tmp_path / "cache"]
    command += ["--table", "x3d", "--x3d", "x3d_xs", "--device", "cpu"]
    recipe = ["--", "--epochs", 1, "--batch", 4, "--side", 64, "--frames", 4]
    first = fitcli(*command, *recipe, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    text = (tmp_path / "out" / "ablation.md").read_text(encoding="utf-8")
    assert "4 clips of 2 recordings that no training saw" in text
    assert "| x3d_xs, from nothing | " in text
    assert "<svg" in (tmp_path / "out" / "ablation.html").read_text(encoding="utf-8")
    run = tmp_path / "out" / "x3d_xs-both-none"
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["side"] == 64
    trained = (run / "x3d_xs.ckpt").stat().st_mtime_ns
    again = fitcli(*command, *recipe, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "done already" in again.stderr
    assert (run / "x3d_xs.ckpt").stat().st_mtime_ns == trained
    assert (tmp_path / "out" / "ablation.md").read_text(encoding="utf-8") == text
    other = fitcli(*command, "--", "--epochs", 2, cwd=tmp_path)
    assert other.returncode != 0
    assert "other options" in other.stderr


def test_what_the_tables_vary_cannot_be_set_for_all(data: Path, tmp_path: Path) -> None:
    done = fitcli("ablate", data, "--", "--heads", "muscle", cwd=tmp_path)
    assert done.returncode == 2
    assert "--heads" in done.stderr
