"""The reference system's checkpoints work as they are: same answer, identified by content, never trusted by default.

`benchmarks/reference_path.py` holds the reference: its checkpoints (random weights), its preprocessing and forward pass
in plain torch and pytorchvideo, which share no code with fitcli.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.cli import ROOT, SAMPLE, answers, fitcli
from support.films import MakeVideo
from typer.testing import CliRunner

import fitcli as library
from fitcli.cli import app
from fitcli.errors import CheckpointError
from fitcli.network.builders import restore
from fitcli.network.checkpoint import load_checkpoint
from fitcli.network.ensemble import Ensemble
from fitcli.network.ensemble_config import EnsembleConfig, Member
from fitcli.network.folders import shipped_folders
from fitcli.network.runtime import TorchRuntime
from fitcli.network.spec import rgb_spec
from fitcli.network.verify import largest_difference, random_clip, verify

SHIPPED = next(folder for folder in shipped_folders() if (folder / "ensemble.json").exists())
NEEDS_TRUST = "x3d.ckpt"
"""The written checkpoint that holds an object beside its numbers."""


@pytest.fixture(scope="session")
def reference() -> Any:
    specification = importlib.util.spec_from_file_location("reference_path", ROOT / "benchmarks" / "reference_path.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Written:
    """Folders of reference checkpoints, with the shallow SlowFast to save time, and a cache that they share."""

    all: Path
    muscles: Path
    cache: dict[str, str]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, reference: Any) -> Written:
    folder = tmp_path_factory.mktemp("reference")
    both, muscles = folder / "all", folder / "muscles"
    both.mkdir()
    muscles.mkdir()
    reference.write_checkpoints(both, SAMPLE, depth=18)
    for name in ("slowfast.ckpt", "x3d.ckpt"):
        shutil.copy(both / name, muscles)
    return Written(both, muscles, {"XDG_CACHE_HOME": str(folder / "cache")})


@pytest.fixture(scope="session")
def expected(written: Written, reference: Any) -> dict[str, list[float]]:
    """The reference's own logits of the sample's first two seconds, for each head."""
    logits: dict[str, list[float]] = reference.reference(SAMPLE, written.all, depth=18)
    return logits


@pytest.fixture
def shared_cache(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are converted once for all tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", written.cache["XDG_CACHE_HOME"])


@pytest.fixture(scope="session")
def muscles_alone(written: Written) -> dict[str, Any]:
    """The answer of the muscle checkpoints, whose networks it converts on the way."""
    command = ("analyze", SAMPLE, "--checkpoints", written.muscles, "--no-save", "--json", "--trust-checkpoint")
    done = fitcli(*command, cwd=written.muscles, env=written.cache)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Converting") == 2
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_logits_are_the_references(expected: dict[str, list[float]], written: Written) -> None:
    ours = library.analyze(SAMPLE, checkpoints=written.all, device="torch", end_s=2.0, trust_checkpoint=True)
    (window,) = ours.windows
    muscle = np.log(np.array(window.muscles) / (1 - np.array(window.muscles)))
    # A softmax ignores an offset of all logits, so both are centred.
    exercise = np.log(window.exercises)
    for logits, known in ((muscle, expected["muscle"]), (exercise - exercise.mean(), expected["exercise"])):
        theirs = np.array(known) - (np.mean(known) if len(known) == 16 else 0)
        assert np.abs(logits - theirs).max() < 1e-3 * np.abs(theirs).max()
        assert np.ptp(theirs) > 1  # or agreeing would prove nothing
    weights = {Path(n.checkpoint).stem: (n.weight_exercise, n.weight_muscle) for n in ours.networks}
    assert weights == {
        "slowfast": (0, 0.75),
        "x3d": (0, 0.25),
        "slowfast-exercise": (0.25, 0),
        "x3d-exercise": (0.75, 0),
    }
    assert len(ours.exercises) == 16
    assert ours.consistent_with == ()


def test_muscle_checkpoints_name_no_exercise_but_what_fits(muscles_alone: dict[str, Any]) -> None:
    assert muscles_alone["exercise"] is None
    assert muscles_alone["exercises"] == []
    assert muscles_alone["consistent_with"]
    assert all(name in muscles_alone["message"] for name in muscles_alone["consistent_with"])
    assert len(muscles_alone["muscles"]) == 11
    assert [network["input"] for network in muscles_alone["networks"]] == ["rgb", "rgb"]
    # The whole video, window by window, and the results of the pose pass.
    assert [window["start_s"] for window in muscles_alone["windows"]] == pytest.approx([0, 2, 3.3], abs=0.05)
    assert muscles_alone["repetitions"] is not None


def test_half_precision_and_conversion_change_probabilities_by_less_than_a_hundredth(
    expected: dict[str, list[float]], muscles_alone: dict[str, Any]
) -> None:
    exact = 1 / (1 + np.exp(-np.array(expected["muscle"])))
    assert np.abs(np.array(muscles_alone["windows"][0]["muscles"]) - exact).max() < 0.01


def test_a_converted_network_needs_no_torch_and_no_trust_again(
    written: Written, muscles_alone: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch was imported')", encoding="utf-8")
    done = fitcli(
        "analyze", SAMPLE, "--checkpoints", written.muscles, "--no-save", "--reference-scores", "--json",
        cwd=tmp_path, env={**written.cache, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Converting" not in done.stderr
    answer = json.loads(done.stdout)
    # As the reference scores: one window of two seconds, a softmax over the muscles.
    assert answer["muscle_scores"] == "softmax"
    assert sum(muscle["activation"] for muscle in answer["muscles"]) == pytest.approx(1, abs=1e-3)
    (window,) = answer["windows"]
    odds = np.array(muscles_alone["windows"][0]["muscles"])
    odds = odds / (1 - odds)
    assert window["muscles"] == pytest.approx(odds / odds.sum(), abs=2e-3)
    assert answer["feedback"] == []


def test_the_references_scores_are_asked_of_its_networks_only(tmp_path: Path) -> None:
    done = fitcli("analyze", SAMPLE, "--no-save", "--reference-scores", cwd=tmp_path)
    assert done.returncode == CheckpointError.exit_code
    assert "--checkpoints" in done.stderr


def test_a_checkpoint_that_is_more_than_numbers_is_refused_until_trusted(written: Written, tmp_path: Path) -> None:
    shutil.copy(written.muscles / NEEDS_TRUST, tmp_path)
    done = fitcli("analyze", SAMPLE, "--checkpoints", tmp_path, "--no-save", cwd=tmp_path)
    assert done.returncode == CheckpointError.exit_code
    assert NEEDS_TRUST in done.stderr
    assert "--trust-checkpoint" in done.stderr
    assert "Traceback" not in done.stderr
    verified = CliRunner().invoke(app, ["checkpoints", "verify", str(tmp_path / NEEDS_TRUST), "--json"])
    assert "--trust-checkpoint" in json.loads(verified.output)["checks"][0]["found"]
    with pytest.raises(CheckpointError, match="pathlib"):
        load_checkpoint(tmp_path / NEEDS_TRUST)
    assert load_checkpoint(tmp_path / NEEDS_TRUST, trust=True).spec.variant == "x3d_m"


def test_a_trusted_checkpoint_may_hold_objects_whose_class_is_not_here(written: Written, tmp_path: Path) -> None:
    content = torch.load(written.all / "slowfast.ckpt", weights_only=True)
    module = types.ModuleType("their_training_script")
    module.Config = type("Config", (), {"__module__": "their_training_script"})  # type: ignore[attr-defined]
    config = module.Config()
    config.rate = 1e-4
    sys.modules[module.__name__] = module
    try:
        torch.save(content | {"hyper_parameters": {"config": config}}, tmp_path / "slowfast.ckpt")
    finally:
        del sys.modules[module.__name__]
    with pytest.raises(CheckpointError, match="their_training_script"):
        load_checkpoint(tmp_path / "slowfast.ckpt")
    loaded = load_checkpoint(tmp_path / "slowfast.ckpt", trust=True)
    restore(loaded, tmp_path)
    assert loaded.spec.variant == "slowfast_r18"


def resaved(source: Path, target: Path, change: Any) -> Path:
    content = torch.load(source, weights_only=True)
    change(content["state_dict"])
    torch.save(content, target)
    return target


def another_head(state: dict[str, torch.Tensor]) -> None:
    state["model.blocks.6.proj.weight"] = torch.zeros(400, 2304)
    state["model.blocks.6.proj.bias"] = torch.zeros(400)


def a_second_network(state: dict[str, torch.Tensor]) -> None:
    state["teacher.blocks.0.weight"] = torch.zeros(1)


def no_head(state: dict[str, torch.Tensor]) -> None:
    del state["model.blocks.6.proj.weight"]


def a_hole(state: dict[str, torch.Tensor]) -> None:
    del state["model.blocks.2.multipathway_blocks.0.res_blocks.0.branch2.conv_b.weight"]


def another_shape(state: dict[str, torch.Tensor]) -> None:
    state["model.blocks.2.multipathway_blocks.0.res_blocks.0.branch2.conv_b.weight"] = torch.zeros(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (another_head, "400 classes"),
        (a_second_network, "more than one network"),
        (no_head, r"proj\.weight"),
        (a_hole, "lacks the tensor"),
        (another_shape, "another shape"),
    ],
)
def test_what_is_no_whole_network_of_the_reference_is_said_in_a_sentence(
    written: Written, tmp_path: Path, change: Any, said: str
) -> None:
    path = resaved(written.all / "slowfast.ckpt", tmp_path / "mine.ckpt", change)
    with pytest.raises(CheckpointError, match=said) as refused:
        TorchRuntime(path, "cpu")
    assert "mine.ckpt" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_networks_are_told_apart_by_content_not_by_name(written: Written, tmp_path: Path) -> None:
    shutil.copy(written.all / "slowfast.ckpt", tmp_path / "a.ckpt")
    shutil.copy(written.all / "x3d-exercise.ckpt", tmp_path / "slowfast.ckpt")
    specs = [load_checkpoint(tmp_path / name, trust=True).spec for name in ("a.ckpt", "slowfast.ckpt")]
    assert [(spec.architecture, len(spec.exercises), len(spec.muscles)) for spec in specs] == [
        ("slowfast", 0, 11),
        ("x3d", 16, 0),
    ]
    config = EnsembleConfig.load(tmp_path).fitted(specs, tmp_path)
    # A network that alone has a head has all of its weight.
    assert config.members == (Member("a.ckpt", 0.0, 1.0), Member("slowfast.ckpt", 1.0, 0.0))


def test_pictures_and_pose_answer_together(
    written: Written, tmp_path: Path, muscles_alone: dict[str, Any], shared_cache: None
) -> None:
    shutil.copy(written.muscles / "slowfast.ckpt", tmp_path / "pictures.ckpt")
    for suffix in (".ckpt", ".xml", ".bin"):
        shutil.copy(SHIPPED / f"x3d{suffix}", tmp_path)
    weights = EnsembleConfig((Member("pictures.ckpt", 0.0, 0.5), Member("x3d.ckpt", 1.0, 0.5)))
    weights.save(tmp_path)
    analysis = library.analyze(SAMPLE, checkpoints=tmp_path, device="cpu")
    alone = tmp_path / "alone"
    alone.mkdir()
    for suffix in (".ckpt", ".xml", ".bin"):
        shutil.copy(SHIPPED / f"x3d{suffix}", alone)
    on_pose = library.analyze(SAMPLE, checkpoints=alone, device="cpu")
    assert [network.input for network in analysis.networks] == ["rgb", "pose"]
    assert [window.start_s for window in analysis.windows] == [window.start_s for window in on_pose.windows]
    # Exercises come from the pose network alone, muscles half from each.
    assert analysis.windows[0].exercises == pytest.approx(on_pose.windows[0].exercises, abs=1e-4)
    assert analysis.windows[0].muscles != pytest.approx(on_pose.windows[0].muscles, abs=0.05)
    EnsembleConfig((Member("pictures.ckpt", 0.5, 0.5), Member("x3d.ckpt", 0.5, 0.5))).save(tmp_path)
    with pytest.raises(CheckpointError, match="no exercise head"):
        Ensemble(tmp_path, "cpu")


def test_a_video_without_a_person_is_said_to_be_one(
    written: Written, tmp_path: Path, make_video: MakeVideo, muscles_alone: dict[str, Any]
) -> None:
    video = make_video(tmp_path / "nobody.mp4", frames=75, size=(320, 240))
    (answer,) = answers(video, "--checkpoints", written.muscles, "--no-save", cwd=tmp_path, env=written.cache)
    assert answer["status"] == "no_person"
    assert answer["muscles"] == []


def test_half_precision_in_torch_stays_within_a_hundredth(written: Written) -> None:
    path = written.all / "slowfast.ckpt"
    clip = random_clip(rgb_spec("slowfast_r18"))
    full, half = (TorchRuntime(path, "cpu", compute_type=compute_type) for compute_type in ("float32", "half"))
    exact = full(clip)
    assert 0 < largest_difference(half.start(clip[0])(), exact) < 0.01


@pytest.mark.parametrize("command", ["convert", "assemble"])
def test_a_reference_checkpoint_becomes_one_of_fitclis_that_verifies(
    command: str, written: Written, tmp_path: Path, shared_cache: None
) -> None:
    done = fitcli(
        "checkpoints", command, written.muscles / NEEDS_TRUST, "--to", tmp_path / "mine", "--trust-checkpoint",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    converted = tmp_path / "mine" / NEEDS_TRUST
    # The new file is data and needs no trust.
    verified = fitcli("checkpoints", "verify", converted, cwd=tmp_path, env={"COLUMNS": "200"})
    assert verified.returncode == 0, verified.stdout
    assert "answers on cpu (OpenVINO)" in verified.stdout
    (facts,) = json.loads(fitcli("checkpoints", "info", converted, "--json", cwd=tmp_path).stdout)["networks"]
    assert facts["network"]["variant"] == "x3d_m"
    assert facts["heads"] == {"muscle": 11}
    assert facts["converted"] is True
    theirs, ours = load_checkpoint(written.muscles / NEEDS_TRUST, trust=True), load_checkpoint(converted)
    assert ours.spec == theirs.spec
    assert all(torch.equal(ours.weights[name], tensor) for name, tensor in theirs.weights.items())


def test_a_reference_checkpoint_that_is_assembled_where_it_lies_stays_as_it_is(
    written: Written, tmp_path: Path
) -> None:
    kept = shutil.copy(written.muscles / NEEDS_TRUST, tmp_path)
    before = Path(kept).read_bytes()
    refused = fitcli("checkpoints", "assemble", kept, "--to", tmp_path, cwd=tmp_path)
    assert refused.returncode == CheckpointError.exit_code
    assert "--trust-checkpoint" in refused.stderr
    done = fitcli("checkpoints", "assemble", kept, "--to", tmp_path, "--trust-checkpoint", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(kept).read_bytes() == before
    assert Path(kept).with_suffix(".xml").is_file()
    assert (tmp_path / "ensemble.json").is_file()


def test_verify_finds_a_stale_conversion_and_a_damaged_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for suffix in (".ckpt", ".xml", ".bin"):
        shutil.copy(SHIPPED / f"x3d{suffix}", tmp_path)
    path = tmp_path / "x3d.ckpt"
    content = torch.load(path, weights_only=True)
    content["weights"]["muscle.bias"] += 1
    torch.save(content, path)
    failures = [check for check in verify(path) if not check.passed]
    assert [check.name for check in failures] == ["IR"]
    assert "made from another checkpoint" in failures[0].found
    content["weights"]["muscle.bias"] *= float("nan")
    torch.save(content, path)
    damaged = fitcli("checkpoints", "verify", tmp_path, "--json", cwd=tmp_path)
    assert damaged.returncode == CheckpointError.exit_code
    assert [check["passed"] for check in json.loads(damaged.stdout)["checks"]] == [False]
