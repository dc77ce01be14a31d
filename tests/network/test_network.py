"""What a user of checkpoints relies on: both engines agree, files are data, and errors name the file."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cli import SAMPLE, answers, fitcli

from fitcli.catalog import OTHER, Classes, catalog
from fitcli.errors import CheckpointError, DeviceError
from fitcli.network.builders import Heatmaps, build
from fitcli.network.checkpoint import Checkpoint, Provenance, load_checkpoint, save_checkpoint, sha256
from fitcli.network.depthwise import DepthwiseConv3d
from fitcli.network.ensemble import Ensemble
from fitcli.network.ensemble_config import EnsembleConfig, Member
from fitcli.network.folders import checkpoint_folder, shipped_folders
from fitcli.network.pose_clips import ClipSpec, track_clips
from fitcli.network.runtime import OpenVinoRuntime, TorchRuntime, load_runtime
from fitcli.network.scores import Logits, combine, softmax
from fitcli.network.spec import DEFAULT_SPECS
from fitcli.training.synthetic.people import synthesize

SHIPPED = next(folder for folder in shipped_folders() if (folder / "ensemble.json").exists())


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits)))


@pytest.mark.parametrize("architecture", ["slowfast", "x3d", "tcn"])
def test_the_shipped_ir_gives_the_checkpoints_own_probabilities(architecture: str) -> None:
    path = SHIPPED / f"{architecture}.ckpt"
    on_openvino, on_torch = OpenVinoRuntime(path), TorchRuntime(path, "cpu")
    spec = on_torch.spec
    rng = np.random.default_rng(5)
    tracks = [synthesize(name, rng).track for name in ("squat", "push-up", "bicep curl")]
    clips = np.concatenate([track_clips(t, ClipSpec(spec.frames, spec.window_s))[1] for t in tracks])
    ours, theirs = on_openvino(clips), on_torch(clips)
    assert np.abs(softmax(ours.exercise) - softmax(theirs.exercise)).max() < 1e-3
    assert np.abs(sigmoid(ours.muscle) - sigmoid(theirs.muscle)).max() < 1e-3
    # Different movements have different answers; otherwise agreement would prove nothing.
    assert np.abs(softmax(ours.exercise)[0] - softmax(ours.exercise)[-1]).max() > 0.1


def test_the_shipped_ir_was_made_from_the_shipped_checkpoint(tmp_path: Path) -> None:
    # Without torch a stale pair cannot be converted again: the process would fail.
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path; from fitcli.network.ensemble import Ensemble\n"
        f"print(len(Ensemble(Path({str(SHIPPED)!r}), 'cpu').runtimes))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert done.stdout.strip() == str(len(list(SHIPPED.glob("*.ckpt")))), done.stderr


def test_one_network_is_converted_while_another_is_compiled(tmp_path: Path) -> None:
    for name in (
        "ensemble.json",
        *(f"{network}{end}" for network in ("slowfast", "tcn") for end in (".ckpt", ".xml", ".bin")),
    ):
        shutil.copy(SHIPPED / name, tmp_path)
    shutil.copy(SHIPPED / "x3d.ckpt", tmp_path)
    code = (
        "from pathlib import Path; from fitcli.network.ensemble import Ensemble\n"
        f"print(len(Ensemble(Path({str(tmp_path)!r}), 'cpu').runtimes))"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment)
    assert done.stdout.strip() == "3", done.stderr


def test_a_changed_checkpoint_is_converted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for suffix in (".ckpt", ".xml", ".bin"):
        shutil.copy(SHIPPED / f"x3d{suffix}", tmp_path)
    path = tmp_path / "x3d.ckpt"
    loaded = load_checkpoint(path)
    loaded.weights["muscle.bias"] += 3
    save_checkpoint(path, loaded)
    clips = np.zeros((1, loaded.spec.frames, loaded.spec.channels, 3), np.float32)
    difference = OpenVinoRuntime(path)(clips).muscle - OpenVinoRuntime(SHIPPED / "x3d.ckpt")(clips).muscle
    assert difference == pytest.approx(3, abs=0.01)


def test_a_checkpoint_that_carries_code_never_runs_it(tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    class Code:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (trap,))

    path = tmp_path / "slowfast.ckpt"
    torch.save({"format": "fitcli", "version": 1, "network": Code()}, path)
    with pytest.raises(CheckpointError, match="slowfast"):
        load_runtime(path, "cpu")
    path.write_bytes(pickle.dumps(Code()))
    with pytest.raises(CheckpointError):
        load_runtime(path, "cpu")
    assert not trap.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no checkpoint",
        {"state_dict": {}},
        {"format": "fitcli", "version": 99},
        {"format": "fitcli", "version": 1},
    ],
    ids=["empty", "text", "foreign", "newer", "incomplete"],
)
def test_a_damaged_or_foreign_checkpoint_is_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "x3d.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"x3d\.ckpt"):
        load_runtime(path, "cpu")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exercises": ["squat", "squat", "other"]}, "names squat twice"),
        ({"exercises": ["other", "squat"]}, "in another place than at the end"),
        ({"exercises": ["other"], "muscles": []}, "knows no exercise and no muscle"),
        ({"exercises": [], "muscles": []}, "knows no exercise and no muscle"),
        ({"exercises": ["squat", 7]}, "something other than names"),
        ({"exercises": ["\x1b[31mred"]}, "something other than names"),
        ({"muscles": ["quads", ""]}, "something other than names"),
        ({"exercises": "squat"}, "something other than names"),
        ({"muscles": None}, "something other than names"),
    ],
)
def test_a_faulty_class_list_is_one_sentence(tmp_path: Path, changed: dict[str, object], why: str) -> None:
    path = tmp_path / "x3d.ckpt"
    network = DEFAULT_SPECS["x3d"].to_plain() | changed
    torch.save(
        {"format": "fitcli", "version": 1, "network": network, "weights": {}, "metrics": {}, "training": None}, path
    )
    with pytest.raises(CheckpointError, match=why) as raised:
        load_runtime(path, "cpu")
    assert str(path) in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_converted_network_that_this_version_does_not_know_is_one_sentence(tmp_path: Path) -> None:
    for suffix in (".ckpt", ".xml", ".bin"):
        shutil.copy(SHIPPED / f"x3d{suffix}", tmp_path)
    ir = tmp_path / "x3d.xml"
    ir.write_text(ir.read_text(encoding="utf-8").replace("channel_reduction", "rhythm", 1), encoding="utf-8")
    (tmp_path / "ensemble.json").unlink(missing_ok=True)
    done = fitcli("analyze", SAMPLE, "--checkpoints", tmp_path, "--device", "cpu", "--no-save", cwd=tmp_path)
    assert done.returncode == CheckpointError.exit_code
    assert f"{ir} cannot be used: it describes a network that this version does not know (rhythm)" in done.stderr


SQUATS = Classes(("squat", "plank", "cossack squat"), ("quads", "calves"))
"""What a network of a user's own may know: some of the catalogue, and something that is not in it."""


def test_networks_of_any_classes_answer_about_what_they_know(tmp_path: Path) -> None:
    torch.manual_seed(0)
    exercises, muscles = SQUATS.exercises, SQUATS.muscles
    spec = replace(DEFAULT_SPECS["tcn"], stem=16, exercises=(*exercises, OTHER), muscles=muscles)
    save_checkpoint(tmp_path / "own.ckpt", Checkpoint(spec, build(spec).state_dict()))
    (answer,) = answers(SAMPLE, "--checkpoints", ".", "--no-save", cwd=tmp_path)
    assert answer["classes"] == {"exercises": list(exercises), "muscles": list(muscles)}
    assert {row["name"] for row in answer["exercises"]} == set(exercises)
    assert [row["name"] for row in answer["muscles"]] == list(muscles)
    assert all(len(window["exercises"]) == 3 and len(window["muscles"]) == 2 for window in answer["windows"])
    # Beside a shipped network, each votes on the classes that it knows; the answer has both, in catalogue order.
    shutil.copy(SHIPPED / "tcn.ckpt", tmp_path)
    (both,) = answers(SAMPLE, "--checkpoints", ".", "--no-save", cwd=tmp_path)
    shipped = load_checkpoint(SHIPPED / "tcn.ckpt").spec.classes
    assert both["classes"]["exercises"] == list(catalog().union([shipped, SQUATS]).exercises)
    assert both["classes"]["exercises"][-1] == "cossack squat"
    assert sum(row["probability"] for row in both["exercises"]) <= 1.001


def one_window(classes: Classes, probabilities: dict[str, float]) -> Logits:
    """A network that knows the classes with a probability, aligned to `classes`."""
    names = (*classes.exercises, OTHER)
    logits = np.array([[np.log(probabilities[n]) if n in probabilities else np.nan for n in names]], np.float32)
    return Logits(logits, np.zeros((1, 0), np.float32))


def test_each_network_votes_on_what_it_knows() -> None:
    classes = Classes(("squat", "deadlift", "plank"), ("quads",))
    older = one_window(classes, {"squat": 0.1, "deadlift": 0.1, OTHER: 0.8})  # a plank is "other" to it
    newer = one_window(classes, {"squat": 0.1, "deadlift": 0.1, "plank": 0.7, OTHER: 0.1})
    even = EnsembleConfig((Member("older", 0.5, 0.5), Member("newer", 0.5, 0.5)))
    scores = combine([older, newer], even, classes)
    assert classes.exercises[int(scores.exercise[0].argmax())] == "plank"
    assert float(scores.exercise.sum() + scores.other[0]) == pytest.approx(1, abs=1e-5)
    # The older one's "other" is divided up as the newer one has it: 7 parts plank, 1 part other.
    assert scores.exercise[0, 2] == pytest.approx(0.7, abs=0.01)
    assert scores.other[0] == pytest.approx(0.1, abs=0.01)
    # A network without "other" has no vote on it, and divides up the rest.
    closed = one_window(classes, {"squat": 0.9, "deadlift": 0.1})
    scores = combine([closed, newer], even, classes)
    assert scores.other[0] == pytest.approx(0.1, abs=0.01)
    assert scores.exercise[0, 0] > scores.exercise[0, 1]
    # A class that no network with weight knows has probability 0.
    silent = EnsembleConfig((Member("older", 1.0, 1.0), Member("newer", 0.0, 0.0)))
    assert combine([older, newer], silent, classes).exercise[0, 2] < 1e-6


def test_networks_of_one_list_vote_as_the_paper_weighs_them() -> None:
    rng = np.random.default_rng(0)
    classes = catalog().paper
    logits = [
        Logits(rng.normal(size=(5, 17)).astype(np.float32), rng.normal(size=(5, 11)).astype(np.float32))
        for _ in range(2)
    ]
    config = EnsembleConfig((Member("a", 0.25, 0.75), Member("b", 0.75, 0.25)))
    scores = combine(logits, config, classes)
    expected = softmax(0.25 * logits[0].exercise + 0.75 * logits[1].exercise)
    assert np.allclose(np.column_stack([scores.exercise, scores.other]), expected, atol=1e-6)
    muscle = 1 / (1 + np.exp(-(0.75 * logits[0].muscle + 0.25 * logits[1].muscle)))
    assert np.allclose(scores.muscle, muscle, atol=1e-6)


def test_a_checkpoint_keeps_weights_metrics_and_spec(tmp_path: Path) -> None:
    spec = DEFAULT_SPECS["x3d"]
    weights = build(spec).state_dict()
    path = save_checkpoint(tmp_path / "x3d.ckpt", Checkpoint(spec, weights, {"top1": 0.5}), half=False)
    loaded = load_checkpoint(path)
    assert loaded.spec == spec
    assert loaded.metrics == {"top1": 0.5}
    assert all(torch.equal(loaded.weights[name], tensor) for name, tensor in weights.items())


def test_the_mean_of_two_networks_lies_between_them_and_names_both(tmp_path: Path) -> None:
    shipped = SHIPPED / "tcn.ckpt"
    start = load_checkpoint(shipped)
    assert start.provenance
    further = {name: w * 3 if w.is_floating_point() else w for name, w in start.weights.items()}
    save_checkpoint(tmp_path / "further.ckpt", replace(start, weights=further))
    command = ("checkpoints", "average", shipped)
    done = fitcli(*command, "further.ckpt", "--to", "mean.ckpt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "mean.ckpt\n"), done.stderr
    mean = load_checkpoint(tmp_path / "mean.ckpt")
    weights = start.weights["exercise.weight"]
    assert np.allclose(mean.weights["exercise.weight"], weights * 2, rtol=2e-3)
    assert mean.provenance == replace(start.provenance, parts=(sha256(shipped), sha256(tmp_path / "further.ckpt")))
    fold = replace(start, provenance=replace(start.provenance, fold=(0, 3)))
    save_checkpoint(tmp_path / "fold.ckpt", fold)
    for others, why in (
        (("further.ckpt", "--to", "mean.ckpt"), "mean.ckpt already exists"),
        ((SHIPPED / "x3d.ckpt", "--to", "new.ckpt"), "a different network"),
        (("fold.ckpt", "--to", "new.ckpt"), "other series"),
        (("--to", "new.ckpt"), "two networks or more"),
    ):
        done = fitcli(*command, *others, cwd=tmp_path)
        assert done.returncode != 0
        assert why in " ".join(done.stderr.replace("│", " ").split())
        assert not (tmp_path / "new.ckpt").exists()


def test_folders_are_searched_in_the_documented_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explicit, environment, here = tmp_path / "a", tmp_path / "b", tmp_path / "checkpoints"
    for folder in (explicit, environment, here):
        folder.mkdir()
        (folder / "x3d.ckpt").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FITCLI_CHECKPOINTS", str(environment))
    assert checkpoint_folder(explicit) == explicit
    assert checkpoint_folder() == environment
    monkeypatch.delenv("FITCLI_CHECKPOINTS")
    assert checkpoint_folder().resolve() == here
    (here / "x3d.ckpt").unlink()
    assert checkpoint_folder() == SHIPPED
    with pytest.raises(CheckpointError):
        checkpoint_folder(here)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_asking_for_a_missing_gpu_says_so() -> None:
    with pytest.raises(DeviceError, match="cpu"):
        load_runtime(SHIPPED / "x3d.ckpt", "cuda")


def test_a_folder_without_ensemble_file_gets_the_papers_weights(tmp_path: Path) -> None:
    for name in ("slowfast", "x3d"):
        (tmp_path / f"{name}.ckpt").touch()
    config = EnsembleConfig.load(tmp_path)
    assert config.members == (Member("slowfast.ckpt", 0.25, 0.75), Member("x3d.ckpt", 0.75, 0.25))


def test_a_damaged_ensemble_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ensemble.json").write_text('{"members": [', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"ensemble\.json"):
        EnsembleConfig.load(tmp_path)


def test_each_head_is_weighted_by_its_own_weights() -> None:
    first, second = np.zeros((1, 17), np.float32), np.zeros((1, 17), np.float32)
    first[0, 3], second[0, 5] = 9, 9
    muscle_first, muscle_second = np.full((1, 11), 4, np.float32), np.full((1, 11), -4, np.float32)
    logits = (Logits(first, muscle_first), Logits(second, muscle_second))
    config = EnsembleConfig((Member("a", 0.9, 0.1), Member("b", 0.1, 0.9)))
    scores = combine(logits, config, catalog().paper)
    assert scores.exercise[0].argmax() == 3
    assert (scores.muscle < 0.5).all()
    turned = replace(config, members=(Member("a", 0.1, 0.9), Member("b", 0.9, 0.1)))
    assert combine(logits, turned, catalog().paper).exercise[0].argmax() == 5
    assert (combine(logits, turned, catalog().paper).muscle > 0.5).all()


def test_the_ensemble_names_every_member_it_was_told(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "c")
    plain = json.loads((tmp_path / "c" / "ensemble.json").read_text(encoding="utf-8"))
    plain["members"] = plain["members"][:1]
    (tmp_path / "c" / "ensemble.json").write_text(json.dumps(plain), encoding="utf-8")
    assert len(Ensemble(tmp_path / "c", "cpu").runtimes) == 1


def test_a_point_becomes_a_peak_where_it_is() -> None:
    points = torch.tensor([[[[0.21875, 0.65625, 0.8], [5.0, 5.0, 1.0]]]])  # (1, 1, 2, 3): cell 3, 10 of 16; outside
    volume = Heatmaps(16, 0.8)(points)
    assert volume.shape == (1, 2, 1, 16, 16)
    assert torch.nonzero(volume[0, 0, 0] == volume[0, 0, 0].max()).tolist() == [[10, 3]]
    assert float(volume[0, 0, 0].max()) == pytest.approx(0.8)
    assert float(volume[0, 1].max()) < 1e-6


@pytest.mark.parametrize(("stride", "kernel"), [(1, (3, 3, 3)), (2, (3, 3, 3)), (1, (5, 1, 1))])
def test_the_quicker_depthwise_gradient_is_the_exact_one(stride: int, kernel: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    quick = DepthwiseConv3d(6, 6, kernel, stride=(1, stride, stride), padding=padding, groups=6, bias=False).double()
    exact = torch.nn.Conv3d(6, 6, kernel, stride=(1, stride, stride), padding=padding, groups=6, bias=False).double()
    exact.load_state_dict(quick.state_dict())
    inputs = [torch.randn(2, 6, 8, 9, 9, dtype=torch.double).requires_grad_() for _ in range(1)] * 2
    gradients = []
    for layer, x in zip((quick, exact), inputs, strict=True):
        x = x.detach().clone().requires_grad_()
        layer(x).square().sum().backward()
        gradients.append((x.grad, layer.weight.grad))
    for ours, theirs in zip(*gradients, strict=True):
        # Strided kernels are computed in float32 on purpose.
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_fold_that_version_0_1_stored_in_words_is_read_as_numbers() -> None:
    fields = {"epochs": 1, "draws": 1, "batch": 1, "learning_rate": 0.1, "seed": 0, "clips": 1, "sources": ["here"]}
    earlier = Provenance.from_plain(fields | {"left_out": "fold 1 of 3 by series"})
    assert earlier.fold == (1, 3)
    assert Provenance.from_plain(earlier.to_plain()) == earlier
    assert Provenance.from_plain(fields | {"left_out": ""}).fold is None
