"""Recipes, and what a training run leaves for whoever reads its results later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.cli import ROOT
from support.training import fitcli

from fitcli.network.checkpoint import load_checkpoint
from fitcli.training.pose.sequences import load_sequences, table_sha256

RECIPE = """
architecture = "tcn"
run = "run"
epochs = 3
draws = 8
batch = 4
synthetic = 0
device = "cpu"

[[stage]]
learning-rate = 0.001

[[stage]]
learning-rate = 0.0005
"""


@pytest.fixture(scope="module")
def trained(poses: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two stages by a recipe, of which the command line changed one value."""
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    command = ("train", "pose", poses, "--recipe", "../recipe.toml", "--epochs", 1, "-q")
    done = fitcli(*command, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_a_recipe_trains_its_stages_one_from_the_other(trained: Path) -> None:
    first, last = (load_checkpoint(folder / "tcn.ckpt").provenance for folder in (trained / "stage1", trained))
    assert first
    assert last
    assert (first.learning_rate, last.learning_rate) == (0.001, 0.0005)
    assert first.epochs == last.epochs == 1  # the command line wins
    resolved = (trained / "recipe.toml").read_text(encoding="utf-8")
    assert f'initialize = "{(trained / "stage1" / "tcn.ckpt").resolve()}"' in resolved


def test_a_run_keeps_its_recipe_log_and_the_hash_of_its_data(poses: Path, trained: Path, tmp_path: Path) -> None:
    facts = json.loads((trained / "run.json").read_text(encoding="utf-8"))
    assert facts["data_sha256"] == table_sha256(poses)
    assert "epoch 1 of 1: exercise_loss" in (trained / "train.log").read_text(encoding="utf-8")
    again = fitcli("train", "pose", "--recipe", trained / "recipe.toml", "--run", "again", "-q", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    weights = [load_checkpoint(run / "tcn.ckpt").weights["exercise.weight"] for run in (trained, tmp_path / "again")]
    assert weights[0].equal(weights[1])


def test_a_run_is_evaluated_on_clips_that_it_was_not_trained_on(poses: Path, trained: Path, tmp_path: Path) -> None:
    named = [sequence for sequence in load_sequences(poses, "dev") if sequence.labels.named]
    done = fitcli("evaluate", trained, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ensemble"]["exercise"]["clips"] == len(named)
    on_training_clips = fitcli("evaluate", trained, "--split", "train", "--json", cwd=tmp_path)
    assert "include clips that the network was trained on" in on_training_clips.stderr
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "last.ckpt").write_bytes((trained / "last.ckpt").read_bytes())
    unfinished = fitcli("evaluate", "unfinished", cwd=tmp_path)
    assert unfinished.returncode == 6
    assert "unfinished holds no finished checkpoint" in unfinished.stderr


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("epohcs = 3", "epohcs is not an option of `fitcli train pose`"),
        ('epochs = "3"', 'epochs is "3", not a whole number'),
        ("epochs = 0", "epochs: 0 is not in the range"),
        ('teacher = "one.ckpt"', 'teacher is "one.ckpt", not a list of strings'),
        ("epochs = ", "is not TOML"),
        ("[[stage]]\nseed = true", "seed is true, not a whole number"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_key(content: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(content, encoding="utf-8")
    done = fitcli("train", "pose", ".", "-a", "tcn", "--recipe", "my.toml", cwd=tmp_path, env={"COLUMNS": "200"})
    assert done.returncode == 2
    assert "my.toml" in done.stderr
    assert fault in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_recipes_of_the_shipped_networks_are_valid(tmp_path: Path) -> None:
    recipes = sorted((ROOT / "checkpoints" / "recipes").glob("*.toml"))
    assert [path.stem for path in recipes] == ["slowfast", "tcn", "x3d"]
    for path in recipes:
        done = fitcli("train", "pose", "nowhere", "--recipe", path, cwd=tmp_path)
        assert done.returncode == 3, done.stderr  # read, and the data is missing
        assert "nowhere is not a folder of pose sequences" in done.stderr


def test_the_spelling_of_version_0_1_still_works_and_names_the_new_one(tmp_path: Path) -> None:
    for arguments, command in ((("-a", "tcn"), "pose"), (("--input", "rgb", "-a", "x3d_xs"), "videos")):
        done = fitcli("train", "nowhere", *arguments, "--pretrained" if command == "videos" else "--seed",
                      "none" if command == "videos" else 1, cwd=tmp_path)  # fmt: skip
        assert done.returncode == 3, done.stderr
        assert f"Write `fitcli train {command} DATA`" in done.stderr
    folder = fitcli("train", "pose", "./pose", "-a", "tcn", cwd=tmp_path)
    assert "pose is not a folder" in folder.stderr
