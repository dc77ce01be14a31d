"""Training and evaluation on pose sequences made on the spot: the commands a researcher types, run for real."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cli import ROOT, SAMPLE
from support.training import Running, fitcli

from fitcli.catalog import OTHER, catalog
from fitcli.network.builders import build
from fitcli.network.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fitcli.network.pose_clips import (
    JOINTS,
    POINTS,
    ClipSpec,
    Moments,
    clip_points,
    clip_times,
    read_moments,
    window_starts,
)
from fitcli.network.spec import DEFAULT_SPECS
from fitcli.pose.track import LANDMARKS
from fitcli.training.labels import UNKNOWN, Labels, labels_of, targets
from fitcli.training.metrics import exercise_metrics, muscle_metrics
from fitcli.training.pose.augment import Augmentation, augmented_clip, cut_off, mirror
from fitcli.training.pose.folds import fold_of
from fitcli.training.pose.module import HybridModule
from fitcli.training.pose.sequences import load_sequences, table_sha256
from fitcli.training.pose.train import initialize
from fitcli.training.pose.windows import draw_weights
from fitcli.training.synthetic.observation import Noise
from fitcli.training.synthetic.people import synthesize

STILL = Augmentation(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, aspect=0, trim=0, warp=0, cut=0)
"""Changes nothing."""


def losses(run: Path) -> list[tuple[int, float]]:
    with (run / "metrics.csv").open() as lines:
        return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(lines) if row.get("loss")]


def test_a_network_learns_the_difference_and_evaluate_says_so(poses: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train = ["train", "pose", poses, "-a", "tcn", "--run", run, "--epochs", 6, "--draws", 160, "--batch", 16, "-q"]
    train += ["--synthetic", 0]  # three movements are learnt from the fixture alone
    done = fitcli(*train, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = load_checkpoint(run / "tcn.ckpt")
    assert loaded.provenance is not None
    assert (loaded.provenance.epochs, loaded.provenance.sources) == (6, ("made here",))
    done = fitcli("checkpoints", "assemble", run / "tcn.ckpt", "--to", "c", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = fitcli("evaluate", poses, "--split", "train", "--checkpoints", "c", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["ensemble"]
    assert report["exercise"]["clips"] == 18
    # Three movements, seen while learning: guessing among 29 gets one in ten into the first three.
    assert report["exercise"]["top3"] > 0.6


def test_a_killed_run_goes_on_where_it_was(poses: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = ["train", "pose", poses, "-a", "tcn", "--run", run, "--epochs", 4, "--draws", 32, "--batch", 16, "-q"]
    command += ["--synthetic", 0]
    training = Running(*command, cwd=tmp_path)
    while not (run / "last.ckpt").exists() and training.alive:
        time.sleep(0.02)
    training.kill()
    assert not (run / "tcn.ckpt").exists()
    done = fitcli(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Going on from" in done.stderr
    assert (run / "tcn.ckpt").exists()


def test_a_folder_that_is_no_training_data_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = fitcli("train", "pose", tmp_path, "-a", "x3d", cwd=tmp_path)
    assert done.returncode == 3
    assert "clips.tsv" in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_measures_what_a_fold_left_out_in_a_narrow_terminal(poses: Path) -> None:
    left = fold_of(load_sequences(poses, "train"), 0, 2)[1]
    named = [s for s in left if s.labels.named]
    done = fitcli("evaluate", poses, "--fold", "0/2", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    ensemble = next(line.split() for line in done.stdout.splitlines() if line.startswith("ensemble"))
    assert int(ensemble[1]) == len(named)
    assert "\N{HORIZONTAL ELLIPSIS}" not in done.stdout
    videos = fitcli("evaluate", "samples", "--fold", "0/2", cwd=ROOT)
    assert videos.returncode == 3
    assert "no pose sequences" in videos.stderr


def test_evaluate_reads_folders_of_videos_named_after_their_exercise(tmp_path: Path) -> None:
    (tmp_path / "squat").mkdir()
    shutil.copy(SAMPLE, tmp_path / "squat")
    (tmp_path / "squat" / "broken.mp4").write_text("no video", encoding="utf-8")
    done = fitcli("evaluate", tmp_path, "--json", "--confusion", "c.png", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert report["ensemble"]["exercise"]["clips"] == 1
    assert len(report["failed"]) == 1
    assert "broken.mp4" in report["failed"][0]
    assert done.returncode == 5
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_a_class_folder_of_an_unknown_exercise_is_named(tmp_path: Path) -> None:
    (tmp_path / "zumba").mkdir()
    done = fitcli("evaluate", tmp_path, cwd=tmp_path)
    assert done.returncode == 5
    assert "zumba" in done.stderr


def test_labels_follow_the_catalogue_and_leave_the_unknown_open(poses: Path) -> None:
    by_exercise = {s.id: s.labels for s in load_sequences(poses)}
    muscles = catalog().muscles
    squat = by_exercise["clip0"]
    assert squat.exercise == "squat"
    assert {m for m, t in zip(muscles, squat.muscles, strict=True) if t} == {"quads", "glutes", "hamstrings"}
    other, relative = by_exercise["clip24"], by_exercise["clip26"]
    assert other.exercise == OTHER
    assert np.isnan(other.muscles).all()
    assert relative.exercise is None
    known = dict(zip(muscles, relative.muscles, strict=True))
    assert (known["quads"], known["chest"]) == (1, 0)
    assert np.isnan(known["glutes"])


def test_the_table_of_movements_names_clips_by_the_longer_list(poses: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(poses, tmp_path / "poses")
    (folder / "movements.tsv").write_text(
        "id\tmovement\nclip24\tplank\nclip25\tleg curl\nclip0\tambiguous\n", encoding="utf-8"
    )
    named = {s.id: s.labels.exercise for s in load_sequences(folder)}
    assert (named["clip24"], named["clip25"], named["clip0"]) == ("plank", OTHER, None)
    assert named["clip3"] == {s.id: s.labels.exercise for s in load_sequences(poses)}["clip3"]
    assert table_sha256(folder) != table_sha256(poses)


def test_a_network_that_does_not_know_an_exercise_learns_it_as_other() -> None:
    labels = Labels("plank", tuple(float(m in ("abs", "obliques")) for m in catalog().muscles))
    spec = replace(DEFAULT_SPECS["tcn"], exercises=("squat", OTHER), muscles=("obliques", "quads"))
    exercise, muscles = targets(labels, spec)
    assert (exercise, muscles.tolist()) == (1, [1.0, 0.0])
    assert targets(labels, replace(spec, exercises=("squat",)))[0] == UNKNOWN
    assert targets(Labels(None, labels.muscles), spec)[0] == UNKNOWN


def test_equal_landmarks_under_two_ids_are_reported(poses: Path, tmp_path: Path) -> None:
    clean = fitcli("dataset", "check", poses, cwd=tmp_path)
    assert clean.returncode == 0, clean.stderr
    assert "none of them listed twice" in clean.stderr
    folder = shutil.copytree(poses, tmp_path / "poses")
    table = folder / "clips.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text(
        "\n".join([*lines, lines[1].replace("clip0", "again").replace("squat", "other")]) + "\n", encoding="utf-8"
    )
    done = fitcli("dataset", "check", folder, cwd=tmp_path, env={"COLUMNS": "200"})
    assert done.returncode == 12
    assert "clip0 (train, squat" in done.stderr
    assert "again (train, other" in done.stderr


def test_training_starts_from_the_trunk_of_a_network_with_other_classes(poses: Path, tmp_path: Path) -> None:
    spec = replace(DEFAULT_SPECS["tcn"], exercises=("squat", OTHER), muscles=("quads",))
    start = Checkpoint(spec, build(spec).state_dict())
    path = save_checkpoint(tmp_path / "start.ckpt", start)
    module = HybridModule(DEFAULT_SPECS["tcn"])
    initialize(module, path)
    weights = module.network.state_dict()
    assert weights["exercise.weight"].shape[0] == len(catalog().exercises) + 1
    for name, tensor in start.weights.items():
        if not name.startswith(("exercise.", "muscle.")):
            assert torch.equal(weights[name], tensor.half().float() if tensor.is_floating_point() else tensor), name
    narrow = replace(spec, stem=16)
    save_checkpoint(path, Checkpoint(narrow, build(narrow).state_dict()))
    command = ("train", "pose", poses, "-a", "tcn", "--run", "run", "--synthetic", 0, "-q", "--initialize", path)
    done = fitcli(*command, cwd=tmp_path)
    assert done.returncode == 6
    assert "another network" in done.stderr


def test_no_series_is_on_both_sides_of_a_fold(poses: Path) -> None:
    sequences = load_sequences(poses, "train")
    seen: set[str] = set()
    for k in range(3):
        kept, left = fold_of(sequences, k, 3)
        assert not {s.series for s in kept} & {s.series for s in left}
        seen |= {s.id for s in left}
    assert seen == {s.id for s in sequences}


def test_a_clip_that_is_listed_twice_is_on_one_side_of_a_fold(poses: Path, tmp_path: Path) -> None:
    shutil.copytree(poses, tmp_path / "poses")
    table = tmp_path / "poses" / "clips.tsv"
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    names = header.split("\t")
    copies = []
    for row in rows:
        cells = dict(zip(names, row.split("\t"), strict=True))
        cells |= {"id": f"copy of {cells['id']}", "series": f"copied {cells['series']}", "exercise": "ambiguous"}
        copies.append("\t".join(cells[name] for name in names))
    table.write_text("\n".join([header, *rows, *copies, ""]), encoding="utf-8")
    twice = load_sequences(tmp_path / "poses", "train")
    parted = 0
    for k in range(3):
        kept, left = fold_of(twice, k, 3)
        originals, unseen = ({s.id.removeprefix("copy of ") for s in side} for side in (kept, left))
        assert not originals & unseen
        parted += len(twice) - len(kept) - len(left)
    assert parted > 0  # some were in the way


def test_pictures_that_somebody_stretched_are_among_the_clips() -> None:
    track = synthesize("squat", np.random.default_rng(1), surroundings=False, noise=Noise.none()).track
    shapes = []
    for augmentation in (STILL, replace(STILL, aspect=1, squeeze=(2, 2))):
        clip = augmented_clip(track, DEFAULT_SPECS["slowfast"], np.random.default_rng(5), augmentation)
        width, height = np.ptp(clip[:, : len(JOINTS), :2].reshape(-1, 2), axis=0)
        shapes.append(width / height)
    assert shapes[1] == pytest.approx(2 * shapes[0], rel=0.05)


def test_neither_the_length_of_a_clip_nor_its_pace_tells_what_is_done() -> None:
    track = synthesize("squat", np.random.default_rng(1), repetitions=6, surroundings=False, noise=Noise.none()).track
    spec = DEFAULT_SPECS["slowfast"]

    def moved(augmentation: Augmentation) -> list[float]:
        clips = [augmented_clip(track, spec, np.random.default_rng(i), augmentation) for i in range(12)]
        return [float(np.ptp(clip[:, :, 1], axis=0).max()) for clip in clips]

    # A squat of which a second is left goes less deep, most of the time, than one of four seconds.
    assert np.median(moved(replace(STILL, trim=1, kept_s=(0.9, 1.0)))) < 0.9 * np.median(moved(STILL))
    plain = augmented_clip(track, spec, np.random.default_rng(5), STILL)
    warped = augmented_clip(track, spec, np.random.default_rng(5), replace(STILL, warp=0.4))
    nearest = np.abs(warped[:, None, :, :2] - plain[None, :, :, :2]).max((2, 3)).argmin(1)
    assert (nearest != np.arange(len(plain))).sum() > len(plain) // 3  # other moments of the same movement


def test_people_whom_the_pictures_edge_cuts_off_are_among_the_clips() -> None:
    track = synthesize("squat", np.random.default_rng(1), surroundings=False, noise=Noise.none()).track
    whole = read_moments(track, clip_times(ClipSpec()))
    feet, head = ([LANDMARKS.index(f"{side} {part}") for side in ("left", "right")] for part in ("ankle", "ear"))
    lost = []
    for seed in range(60):
        cut = cut_off(whole, np.random.default_rng(seed))
        wrong_m = np.linalg.norm(cut.world - whole.world, axis=-1)
        outside = wrong_m > 0
        assert outside.any()
        assert not outside.all()
        assert np.array_equal(cut.visibility[~outside], whole.visibility[~outside])
        assert (cut.visibility[outside] <= whole.visibility[outside]).all()
        assert np.abs(cut.image - whole.image)[~outside].max() == 0
        lost.append([outside[:, feet].all(), outside[:, head].all()])
        if lost[-1][0] and not lost[-1][1]:  # a third of a body below the edge is a guess, hardly seen
            assert cut.visibility[:, feet].mean() < 0.8 * whole.visibility[:, feet].mean()
            assert 0.03 < np.median(wrong_m[:, feet]) < 0.6
    assert np.mean(lost, axis=0)[0] > 0.3  # a laptop sees no feet
    assert np.mean(lost, axis=0)[1] < 0.3

    def sure(augmentation: Augmentation) -> float:
        spec = DEFAULT_SPECS["slowfast"]
        clips = [augmented_clip(track, spec, np.random.default_rng(i), augmentation) for i in range(20)]
        return float(np.mean([clip[..., 2] for clip in clips]))

    assert sure(replace(STILL, cut=1)) < 0.95 * sure(STILL)


def test_every_pair_of_photos_is_swept_alike(poses: Path, tmp_path: Path) -> None:
    shutil.copytree(poses, tmp_path / "poses")
    table = tmp_path / "poses" / "clips.tsv"
    with table.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    swept, pair = rows[0], rows[1]
    swept["kind"] = pair["kind"] = "still-pair"
    pair["frames"] = "2"
    with table.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0].keys(), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    one, other = (s.track for s in load_sequences(tmp_path / "poses") if s.kind == "still-pair")
    assert np.allclose(one.times_s, other.times_s)
    there = np.abs(one.world - one.world[:1]).max((1, 2))
    assert there[len(there) // 2] == pytest.approx(there.max(), rel=0.01)  # there and back, once
    assert there[-1] < 0.01 * there.max()


def test_rare_classes_are_drawn_more_often_than_they_occur(poses: Path) -> None:
    sequences = load_sequences(poses)
    many = [s for s in sequences if s.labels.exercise == "squat"]
    few = [s for s in sequences if s.labels.exercise == "push-up"][:2]
    weights = draw_weights([*many, *few])
    assert float(weights.sum()) == pytest.approx(1)
    assert float(weights[len(many) :].mean()) > 1.5 * float(weights[: len(many)].mean())


def moments_of(exercise: str) -> Moments:
    spec = DEFAULT_SPECS["slowfast"]
    track = synthesize(exercise, np.random.default_rng(1)).track
    return read_moments(track, track.times_s[0] + clip_times(ClipSpec(spec.frames, spec.window_s)))


def test_the_body_views_look_alike_from_wherever_it_was_filmed() -> None:
    moments = moments_of("squat")
    angle = np.deg2rad(70)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32)
    turned = Moments(moments.image, moments.visibility, moments.world @ turn.T)
    joints = len(JOINTS)
    here, there = clip_points(moments), clip_points(turned)
    assert np.abs(here[:, joints:, :2] - there[:, joints:, :2]).max() < 1e-3
    assert here.shape == (32, POINTS, 3)


def test_mirroring_swaps_sides_and_twice_is_nothing() -> None:
    moments = moments_of("bicep curl")
    once, twice = mirror(moments), mirror(mirror(moments))
    left, right = LANDMARKS.index("left wrist"), LANDMARKS.index("right wrist")
    assert np.allclose(once.world[:, left, 0], -moments.world[:, right, 0])
    assert np.allclose(twice.world, moments.world)
    assert np.allclose(twice.image, moments.image)


def test_a_clip_shorter_than_the_window_runs_back_instead_of_jumping() -> None:
    track = synthesize("squat", np.random.default_rng(2)).track
    short = track.between(track.times_s[0], track.times_s[0] + 1.2)
    moments = read_moments(short, track.times_s[0] + clip_times(ClipSpec(64, 4.0)))
    steps = np.abs(np.diff(moments.world, axis=0)).max()
    within = np.abs(np.diff(short.world[short.presence > 0], axis=0)).max()
    assert steps <= within * 1.5
    assert window_starts(short, ClipSpec()) == (short.times_s[0],)


def test_windows_cover_a_long_track_to_its_end() -> None:
    track = synthesize("squat", np.random.default_rng(2), repetitions=8).track
    spec = ClipSpec()
    starts = window_starts(track, spec)
    assert starts[0] == track.times_s[0]
    assert starts[-1] + spec.window_s == pytest.approx(track.times_s[-1])
    assert all(b - a <= spec.hop_s + 1e-6 for a, b in itertools.pairwise(starts))


def test_every_draw_is_another_clip_of_the_same_shape() -> None:
    track = synthesize("squat", np.random.default_rng(2)).track
    spec = DEFAULT_SPECS["x3d"]
    clips = [augmented_clip(track, spec, np.random.default_rng(i), Augmentation()) for i in range(3)]
    assert all(clip.shape == (spec.frames, POINTS, 3) and np.isfinite(clip).all() for clip in clips)
    assert np.abs(clips[0] - clips[1]).max() > 0.01


def test_metrics_count_the_whole_set_and_print_the_baseline() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.3, 0.6, 0.1]], np.float32)
    measured = exercise_metrics(probabilities, np.array([0, 1, 2, 1]), ("a", "b", "c"))
    assert measured.top1 == 0.75
    assert measured.macro_top1 == pytest.approx((1 + 0.5 + 1) / 3)
    assert measured.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert [(c.clips, c.top1, c.top3) for c in measured.classes] == [(1, 1, 1), (2, 1, 2), (1, 1, 1)]
    nan = float("nan")
    scores = np.array([[0.9, 0.2], [0.4, 0.1], [0.2, 0.9]], np.float32)
    muscles = muscle_metrics(scores, np.array([[1, 0], [1, nan], [0, 0]], np.float32))
    assert muscles.micro_accuracy == pytest.approx(3 / 5)
    assert muscles.predict_nothing == pytest.approx(3 / 5)
    assert muscles.mean_average_precision == pytest.approx(1.0)
    assert muscles.clips == 3


def test_class_names_may_be_aliases() -> None:
    assert labels_of("Push Up") == labels_of("push-up")
    with pytest.raises(KeyError):
        labels_of("zumba")
