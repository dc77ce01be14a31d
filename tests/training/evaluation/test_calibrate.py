"""What `fitcli checkpoints calibrate` promises: weights, certainty and thresholds that fit what users film."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from support.cli import ROOT, SAMPLE
from support.training import fitcli

from fitcli.catalog import OTHER, catalog
from fitcli.network.ensemble_config import EnsembleConfig, Member
from fitcli.network.scores import Logits, WindowScores, combine
from fitcli.training.evaluation.calibrate import ACCEPTED_ELSEWHERE, ACCEPTED_REFUSAL, calibrate, with_refusal
from fitcli.training.evaluation.evaluate import Report, answers, measure, report
from fitcli.training.evaluation.labelled_clips import ScoredClip
from fitcli.training.evaluation.tables import report_table
from fitcli.training.labels import Labels

CLASSES = catalog().classes
EXERCISES, MUSCLES = len(CLASSES.exercises), len(CLASSES.muscles)
RIGHT = 0.85
"""Share of the clips whose exercise the good networks know."""


def scored(number: int, rng: np.random.Generator) -> ScoredClip:
    """One clip of an exercise, or (every third) of none; two networks know which, the third guesses loudly.

    As after training with many clips of other exercises, "none of these" keeps half of the probability everywhere.
    """
    none = number % 3 == 0
    truth = EXERCISES if none else number % EXERCISES
    seen = truth if rng.random() < RIGHT else int(rng.integers(EXERCISES))
    knowing = rng.normal(0, 0.3, EXERCISES + 1)
    knowing[seen] += 4.0
    knowing[EXERCISES] += 2.0 if none else 4.0
    guess = rng.normal(0, 0.3, EXERCISES + 1)
    guess[int(rng.integers(EXERCISES))] += 8.0
    muscles = catalog().exercises[truth].muscles if not none else ()
    working = np.array([float(name in muscles) for name in catalog().muscles])
    logits = tuple(
        Logits(exercise[None].astype(np.float32), (4 * muscle - 2)[None].astype(np.float32))
        for exercise, muscle in ((knowing, working), (knowing, working), (guess, rng.random(MUSCLES)))
    )
    labels = Labels(
        (*CLASSES.exercises, OTHER)[truth], tuple(working.tolist()) if not none else (float("nan"),) * MUSCLES
    )
    return ScoredClip(str(number), "", labels, logits, np.ones(1, np.float32))


@pytest.fixture(scope="module")
def clips() -> list[ScoredClip]:
    rng = np.random.default_rng(0)
    return [scored(number, rng) for number in range(270)]


@pytest.fixture(scope="module")
def fitted(clips: list[ScoredClip]) -> EnsembleConfig:
    return calibrate(clips, ("good.ckpt", "alike.ckpt", "guesses.ckpt"), CLASSES)


def named(clips: list[ScoredClip], config: EnsembleConfig) -> tuple[np.ndarray, np.ndarray]:
    """Of the clips that show an exercise: how sure the answer is, and how probable none of them is."""
    scores, targets, _ = answers(clips, config, CLASSES)
    one = targets < EXERCISES
    return scores.exercise[one].max(1), scores.other[one]


def test_a_network_that_guesses_loses_its_say(fitted: EnsembleConfig) -> None:
    good, alike, guesses = fitted.members
    assert guesses.weight_exercise <= 0.2
    assert good.weight_exercise == pytest.approx(alike.weight_exercise)
    assert sum(member.weight_exercise for member in fitted.members) == pytest.approx(1, abs=1e-5)
    assert sum(member.weight_muscle for member in fitted.members) == pytest.approx(1, abs=1e-5)


def test_certainty_is_that_of_users_videos_not_of_the_training_draws(
    clips: list[ScoredClip], fitted: EnsembleConfig
) -> None:
    assert fitted.other_shift < 0
    sure, _ = named(clips, fitted)
    assert sure.mean() == pytest.approx(RIGHT, abs=0.08)
    unshifted, _ = named(clips, replace(fitted, other_shift=0.0))
    assert unshifted.mean() < sure.mean() - 0.1


def test_a_tenth_of_the_true_exercises_may_be_refused_and_no_more(
    clips: list[ScoredClip], fitted: EnsembleConfig
) -> None:
    _, other = named(clips, fitted)
    assert (other > fitted.other_from).mean() == pytest.approx(ACCEPTED_REFUSAL, abs=0.02)


@pytest.mark.parametrize(("mistaken", "least", "most"), [(0.002, 0.0, 0.0), (0.4, 0.5, 1.0)])
def test_the_exercise_speaks_for_the_muscles_only_where_the_muscle_heads_are_worse(
    mistaken: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(1)
    clips = []
    for number in range(160):
        exercise = np.where(np.arange(EXERCISES + 1) == number % EXERCISES, 6.0, 0.0)
        ideal = [float(name in catalog().exercises[number % EXERCISES].muscles) for name in catalog().muscles]
        told = np.abs(np.array(ideal) - (rng.random(MUSCLES) < mistaken))
        logits = Logits(exercise[None].astype(np.float32), (8 * told - 4)[None].astype(np.float32))
        labels = Labels(CLASSES.exercises[number % EXERCISES], tuple(ideal))
        clips.append(ScoredClip(str(number), "", labels, (logits,), np.ones(1, np.float32)))
    assert least <= calibrate(clips, ("one.ckpt",), CLASSES).muscle_from_exercise <= most


def test_the_refusal_of_an_exercise_is_set_on_other_sources_where_there_are_some(
    clips: list[ScoredClip], fitted: EnsembleConfig
) -> None:
    shown = [clip for clip in clips if clip.labels.named]
    less = np.zeros((1, EXERCISES + 1), np.float32)
    less[0, EXERCISES] = 1.5  # what "none of these" gets elsewhere, where it was never learnt
    unlike = [
        replace(clip, logits=tuple(Logits(part.exercise - less, part.muscle) for part in clip.logits)) for clip in shown
    ]
    refusing = with_refusal(fitted, unlike, CLASSES)
    assert replace(refusing, other_from=fitted.other_from) == fitted
    _, other = named(unlike, refusing)
    assert (other > refusing.other_from).mean() == pytest.approx(ACCEPTED_ELSEWHERE, abs=0.02)
    _, at_home = named(shown, refusing)
    assert (at_home > refusing.other_from).mean() > 2 * ACCEPTED_REFUSAL


def test_windows_that_agree_are_surer_than_one_and_others_are_not() -> None:
    agreeing = np.zeros((4, EXERCISES), np.float32)
    agreeing[:, 0], agreeing[:, 1] = 0.6, 0.3
    muscle = np.full((4, MUSCLES), 0.4, np.float32)
    scores = WindowScores(agreeing, np.full(4, 0.1, np.float32), muscle)
    plain, surer = (scores.pooled(np.ones(4, np.float32), agreement) for agreement in (0.0, 0.5))
    odds = [float(pooled.exercise[0, 0] / pooled.exercise[0, 1]) for pooled in (plain, surer)]
    assert odds == pytest.approx([2.0, 2.0 ** (1 + 0.5 * np.log(4))], rel=1e-4)
    assert float(surer.exercise.sum()) == pytest.approx(0.9, rel=1e-5)
    assert surer.other == pytest.approx(plain.other)
    assert surer.muscle == pytest.approx(plain.muscle)
    alone = scores.pooled(np.array([1, 0, 0, 0], np.float32), 0.5)  # the others show nobody
    assert alone.exercise == pytest.approx(plain.exercise)


def test_many_windows_that_are_right_more_often_than_sure_become_surer() -> None:
    rng = np.random.default_rng(2)
    short: list[ScoredClip] = []
    long: list[ScoredClip] = []
    for number in range(240):
        windows = 1 if number % 2 else 8
        truth = number % EXERCISES
        sure = rng.normal(0, 0.2, (windows, EXERCISES + 1))
        sure[:, -1] = -6
        # Each window is right six times in ten, and says so; eight of them together are right nearly always.
        guesses = np.where(rng.random(windows) < 0.6, truth, rng.integers(EXERCISES, size=windows))
        sure[np.arange(windows), guesses] += 3.0
        logits = Logits(sure.astype(np.float32), np.zeros((windows, MUSCLES), np.float32))
        labels = Labels(CLASSES.exercises[truth], (float("nan"),) * MUSCLES)
        clip = ScoredClip(str(number), "", labels, (logits,), np.ones(windows, np.float32))
        (short if windows == 1 else long).append(clip)
    fitted = calibrate(short + long, ("one.ckpt",), CLASSES)
    assert fitted.agreement > 0.1
    plain, _ = named(long, replace(fitted, agreement=0.0))
    surer, _ = named(long, fitted)
    assert plain.mean() < 0.8
    assert surer.mean() > plain.mean() + 0.1
    assert calibrate(short, ("one.ckpt",), CLASSES).agreement == 0


def test_calibrate_on_the_command_line_fits_the_folder_that_it_is_told(poses: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "checkpoints", tmp_path / "mine", ignore=shutil.ignore_patterns("ensemble.json", "*.md"))
    command = ("checkpoints", "calibrate", poses, "--fold", ROOT / "checkpoints", "--folds", "2", "--to", "mine")
    config = []
    for elsewhere in ((), ("--elsewhere", poses)):
        done = fitcli(*command, *elsewhere, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        config.append(EnsembleConfig.load(tmp_path / "mine"))
    assert [member.checkpoint for member in config[0].members] == ["slowfast.ckpt", "tcn.ckpt", "x3d.ckpt"]
    assert sum(member.weight_exercise for member in config[0].members) == pytest.approx(1, abs=1e-5)
    assert config[1] == replace(config[0], other_from=config[1].other_from)
    assert config[1].other_from != config[0].other_from

    (tmp_path / "videos" / "other").mkdir(parents=True)
    shutil.copy(SAMPLE, tmp_path / "videos" / "other")
    for wrong, why in (
        (("--elsewhere", "nowhere"), "does not exist"),
        (("--elsewhere", "videos"), "None of the clips"),
        (("--labels", "clips.tsv"), "it lists the videos of --elsewhere"),
    ):
        done = fitcli(*command, *wrong, cwd=tmp_path)
        assert done.returncode != 0
        assert why in " ".join(done.stderr.split())


def test_evaluate_counts_what_a_user_is_told() -> None:
    config = EnsembleConfig((Member("one.ckpt", 1.0, 1.0),), certain_from=0.5, other_from=0.5)
    told: list[ScoredClip] = []  # the class that is true, the logit of exercise 3 and that of none of these
    for truth, third, none in (
        (3, 9, 0),
        (3, 8, 0),
        (4, 9, 0),
        (3, 0, 9),
        (3, 1, 0),
        (EXERCISES, 0, 9),
        (EXERCISES, 9, 0),
        (EXERCISES, 1, 0),
    ):
        exercise = np.where(np.arange(EXERCISES + 1) == 3, third, 0).astype(np.float32)
        exercise[-1] = none
        logits = Logits(exercise[None], np.zeros((1, MUSCLES), np.float32))
        labels = Labels((*CLASSES.exercises, OTHER)[truth], (float("nan"),) * MUSCLES)
        told.append(ScoredClip(str(len(told)), "", labels, (logits,), np.ones(1, np.float32)))
    other = measure("", told, config, CLASSES).other
    assert (other.named, other.right, other.clips, other.misnamed) == (3, 2, 3, 1)
    assert (other.recognised, other.refused, other.uncertain) == pytest.approx((1 / 3, 1 / 5, 1 / 5))
    assert "Of 5 clips of the exercises 3 are named, 2 of them rightly" in printed(report(told, config, CLASSES))
    # Clips of other exercises alone leave nothing to tabulate.
    assert printed(report(told[5:], config, CLASSES)).strip() == (
        "Of 3 clips of other exercises 33% are recognised as such; a wrong name is given to 1."
    )


def printed(measured: Report) -> str:
    """What `fitcli evaluate` prints of it, in a wide terminal."""
    console = Console(width=200)
    with console.capture() as kept:
        console.print(report_table(measured))
    return kept.get()


def test_a_shift_changes_the_odds_of_none_of_these_and_nothing_else() -> None:
    logits = Logits(np.linspace(0, 2, EXERCISES + 1, dtype=np.float32)[None], np.zeros((1, MUSCLES), np.float32))
    plain = EnsembleConfig((Member("one.ckpt", 1.0, 1.0),))
    before, after = (combine((logits,), config, CLASSES) for config in (plain, replace(plain, other_shift=-1.5)))
    odds = [float(scores.other[0] / (1 - scores.other[0])) for scores in (before, after)]
    assert odds[1] / odds[0] == pytest.approx(np.exp(-1.5), rel=1e-3)
    assert np.allclose(before.exercise / before.exercise.sum(), after.exercise / after.exercise.sum(), rtol=1e-4)


def test_a_network_that_joins_others_has_a_say_until_weights_are_fitted(tmp_path: Path) -> None:
    for network, weights in (("x3d", [1.0]), ("slowfast", [0.25, 0.75])):
        done = fitcli("checkpoints", "assemble", ROOT / "checkpoints" / f"{network}.ckpt", "--to", "mine", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        members = EnsembleConfig.load(tmp_path / "mine").members
        assert [member.weight_exercise for member in members] == weights
    assert "calibrate" in done.stderr
