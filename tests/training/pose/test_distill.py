"""Training beyond the filmed clips: synthetic people, and networks that teach others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cli import ROOT
from support.training import fitcli

from fitcli.catalog import catalog
from fitcli.network.builders import restore
from fitcli.network.checkpoint import load_checkpoint, sha256
from fitcli.network.pose_clips import ClipSpec, track_clips
from fitcli.network.spec import DEFAULT_SPECS
from fitcli.training.pose.distill import load_teachers
from fitcli.training.pose.folds import fold_of
from fitcli.training.pose.sequences import load_sequences, synthetic_sequences
from fitcli.training.pose.windows import SYNTHETIC_SHARE, draw_weights
from fitcli.training.synthetic.people import synthesize

NEVER_FILMED = ("lateral raise", "leg extension", "hip thrust")


def train(poses: Path, run: Path, *options: object) -> subprocess.CompletedProcess[str]:
    return fitcli("train", "pose", poses, "--run", run, "--batch", 16, "--threads", 1, "-q", *options, cwd=run.parent)


def trained(poses: Path, run: Path, *options: object) -> Path:
    done = train(poses, run, "-a", "tcn", *options)
    assert done.returncode == 0, done.stderr
    return run / "tcn.ckpt"


@pytest.fixture(scope="module")
def teachers(poses: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("teachers")
    return [
        trained(poses, folder / str(k), "--fold", f"{k}/2", "--epochs", 1, "--draws", 32, "--synthetic", 0)
        for k in range(2)
    ]


def test_exercises_that_nobody_filmed_are_learned_from_synthetic_people(poses: Path, tmp_path: Path) -> None:
    path = trained(poses, tmp_path, "--synthetic", 12, "--epochs", 6, "--draws", 2600)
    loaded = load_checkpoint(path)
    assert loaded.provenance is not None
    assert (loaded.provenance.clips, loaded.provenance.synthetic) == (21, (len(catalog().exercises) + 5) * 12 + 4)
    network = restore(loaded, path)
    clip = ClipSpec(loaded.spec.frames, loaded.spec.window_s)
    right = 0
    for name in NEVER_FILMED:
        for seed in range(8):
            track = synthesize(name, np.random.default_rng([77, seed]), surroundings=False).track
            _, clips = track_clips(track, clip)
            with torch.inference_mode():
                scores = network(torch.from_numpy(clips))[0].softmax(-1).mean(0)
            right += catalog().exercise(name).id in scores.topk(3).indices.tolist()
    assert right >= 12  # of 24 among the first three answers; guessing gets four or five


def test_synthetic_people_are_the_same_for_the_same_seed_and_share_the_draws(poses: Path) -> None:
    one, again, other = (synthetic_sequences(1, seed) for seed in (1, 1, 2))
    assert np.array_equal(one[3].track.landmarks, again[3].track.landmarks)
    assert not np.array_equal(one[3].track.landmarks[:9], other[3].track.landmarks[:9])
    weights = draw_weights([*load_sequences(poses, "train"), *one])
    assert float(weights.sum()) == pytest.approx(1)
    assert float(weights[-len(one) :].sum()) == pytest.approx(SYNTHETIC_SHARE)


def test_a_teacher_speaks_only_about_series_that_it_never_saw(poses: Path, teachers: list[Path]) -> None:
    filmed = load_sequences(poses, "train")
    sequences = [*filmed, *synthetic_sequences(1, 0)]
    loaded, shares = load_teachers(teachers, DEFAULT_SPECS["x3d"], filmed, sequences)
    for k in range(2):
        unseen = {s.id for s in fold_of(filmed, k, 2)[1]}
        for sequence, share in zip(filmed, shares[: len(filmed), k], strict=True):
            assert float(share) == float(sequence.id in unseen)
    assert torch.allclose(shares[len(filmed) :], torch.tensor(0.5))
    clips = torch.rand(2, 32, 57, 3)
    exercise, muscle = loaded(clips, torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    alone = restore(load_checkpoint(teachers[0]), teachers[0])(clips[:1])
    assert torch.allclose(exercise[0], alone[0][0].softmax(-1), atol=1e-5)
    assert torch.allclose(muscle[0], alone[1][0].sigmoid(), atol=1e-5)
    assert float(exercise[1].sum()) == pytest.approx(1, abs=1e-4)


def test_a_pupil_remembers_who_taught_it(poses: Path, teachers: list[Path], tmp_path: Path) -> None:
    options = ("--epochs", 1, "--draws", 32, "--synthetic", 1, "--teacher", teachers[0], "--teacher", teachers[1])
    done = train(poses, tmp_path, "-a", "x3d", *options)
    assert done.returncode == 0, done.stderr
    provenance = load_checkpoint(tmp_path / "x3d.ckpt").provenance
    assert provenance is not None
    assert provenance.teachers == tuple(map(sha256, teachers))


def test_a_teacher_of_other_clips_is_refused_in_a_sentence(poses: Path, tmp_path: Path) -> None:
    # X3D reads half the moments that SlowFast does
    done = train(poses, tmp_path, "-a", "slowfast", "--teacher", ROOT / "checkpoints" / "x3d.ckpt")
    assert done.returncode == 6
    assert "reads other clips" in done.stderr
    assert "Traceback" not in done.stderr
