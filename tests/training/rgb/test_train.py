"""Training on videos: real files, real processes, small networks; and the downloads from a server on this machine."""

from __future__ import annotations

import csv
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorchvideo.models.x3d import create_x3d
from support.cli import SAMPLE, environment
from support.films import CODECS, write_film
from support.training import Running, fitcli

from fitcli.errors import BatchError, CheckpointError, DownloadError
from fitcli.network.builders import build
from fitcli.network.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fitcli.network.spec import rgb_spec
from fitcli.training.draws import SeededDraws, Share
from fitcli.training.rgb import kinetics
from fitcli.training.rgb.clips import MiddleClips, cache_side, random_clip
from fitcli.training.rgb.frames import FrameCache
from fitcli.training.rgb.module import RgbModule, RgbRecipe
from fitcli.training.rgb.pretrained import load_published, load_start
from fitcli.training.rgb.videos import list_videos

CLASSES = {"squat": (0, 0.3), "push up": (1, 0.6), "bicep curl": (2, 0.15)}
"""Class folders, the colour of the moving block and its speed: something that three clips can teach."""


def film(path: Path, colour: int, speed: float, phase: float) -> None:
    """Three seconds of a coloured block that goes up and down."""
    pictures = np.full((45, 72, 96, 3), 30, np.uint8)
    for number, picture in enumerate(pictures):
        middle = int(36 + 24 * np.sin(number * speed + phase))
        picture[middle - 8 : middle + 8, 36:60, colour] = 230
    write_film(path, pictures, rate_hz=15)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with every container, and with files that cannot be used, each for another reason."""
    root = tmp_path_factory.mktemp("videos")
    suffixes = [*CODECS, ".mp4", ".mp4", ".mp4"]
    for name, (colour, speed) in CLASSES.items():
        for number, split in enumerate(("train", "train", "val", "test")):
            film(root / split / name / f"p{number}{suffixes.pop() if suffixes else '.mp4'}", colour, speed, number)
    (root / "train" / "squat" / "broken.mp4").write_bytes(b"no video at all")
    (root / "train" / "squat" / "notes.txt").write_text("a note", encoding="utf-8")
    (root / "train" / "zumba").mkdir()
    shutil.copy(next((root / "train" / "squat").glob("p0*")), root / "train" / "zumba" / "dance.mp4")
    (root / "train" / "loose.mp4").write_bytes(b"")
    return root


def arguments(videos: Path, run: Path, *more: object) -> list[object]:
    network = ("-a", "x3d_xs", "--pretrained", "none", "--side", 64, "--frames", 4)
    recipe = ("--epochs", 3, "--draws", 8, "--batch", 4, "--device", "cpu", "-q")
    return ["train", "videos", videos, *network, *recipe, "--cache", videos.parent / "cache", "--run", run, *more]


def train(videos: Path, run: Path, *more: object) -> str:
    done = fitcli(*arguments(videos, run, *more), cwd=run)
    assert done.returncode == 0, done.stderr
    return done.stderr


def curve(run: Path, column: str = "loss") -> list[float]:
    with (run / "metrics.csv").open() as lines:
        return [float(row[column]) for row in csv.DictReader(lines) if row.get(column)]


@pytest.fixture(scope="module")
def run(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An uninterrupted run in one process, and what it said."""
    folder = tmp_path_factory.mktemp("run")
    return folder, train(videos, folder, "--accumulate", 2)


def test_every_file_is_used_or_listed_with_its_reason(run: tuple[Path, str], videos: Path) -> None:
    folder, said = run
    assert "12 videos: 6 train, 3 val, 3 test; 4 files left out" in said
    with (folder / "files.tsv").open() as lines:
        rows = {row["file"]: row for row in csv.DictReader(lines, delimiter="\t")}
    assert set(rows) == {p.relative_to(videos).as_posix() for p in videos.rglob("*") if p.is_file()}
    assert {Path(file).suffix for file, row in rows.items() if row["used"] == "yes"} == set(CODECS)
    reasons = {file: row["reason"] for file, row in rows.items() if row["used"] == "no"}
    assert "cannot be read" in reasons["train/squat/broken.mp4"]
    assert "no video by its name" in reasons["train/squat/notes.txt"]
    assert "zumba" in reasons["train/zumba/dance.mp4"]
    assert reasons["train/loose.mp4"] == "in no class folder"


def test_the_checkpoint_answers_in_analyze(run: tuple[Path, str], tmp_path: Path) -> None:
    shutil.copy(run[0] / "x3d_xs.ckpt", tmp_path)
    loaded = load_checkpoint(tmp_path / "x3d_xs.ckpt")
    assert loaded.metrics["val_muscle_predict_nothing"] > 0.5
    assert loaded.provenance is not None
    assert loaded.provenance.clips == 6
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = fitcli("analyze", SAMPLE, "--checkpoints", ".", "--json", "--no-save", cwd=tmp_path, env=cache)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["networks"][0]["input"] == "rgb"
    assert len(answer["exercises"]) == 16


def test_evaluate_measures_a_checkpoint_on_folders_of_videos(
    run: tuple[Path, str], videos: Path, tmp_path: Path
) -> None:
    shutil.copy(run[0] / "x3d_xs.ckpt", tmp_path)
    done = fitcli("evaluate", videos / "test", "--checkpoints", ".", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)["ensemble"]
    assert measured["exercise"]["clips"] == measured["muscle"]["clips"] == 3
    assert measured["muscle"]["predict_nothing"] > 0.5


def test_a_killed_run_ends_with_the_same_loss_curve(run: tuple[Path, str], videos: Path, tmp_path: Path) -> None:
    killed = Running(*arguments(videos, tmp_path, "--accumulate", 2), cwd=tmp_path)
    while not (tmp_path / "last.ckpt").exists() and killed.alive:
        time.sleep(0.02)
    killed.kill()
    assert not (tmp_path / "x3d_xs.ckpt").exists()
    assert "Going on from" in train(videos, tmp_path, "--accumulate", 2)
    assert curve(tmp_path) == curve(run[0])
    assert curve(tmp_path, "val_loss") == curve(run[0], "val_loss")
    ended, whole = (load_checkpoint(folder / "x3d_xs.ckpt").weights for folder in (tmp_path, run[0]))
    assert all(torch.equal(ended[name], whole[name]) for name in whole)


def test_two_processes_follow_the_loss_curve_of_one(run: tuple[Path, str], videos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fitcli", *map(str, arguments(videos, tmp_path, "--devices", 2))]
    done = subprocess.run(command, env=environment(OMP_NUM_THREADS="1"), capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Trained:") == 1
    assert len(curve(run[0])) == 6
    # The same clips in the same pieces; only sums are rounded in another order.
    assert curve(tmp_path) == pytest.approx(curve(run[0]), abs=2e-3)


def test_two_machines_that_torchrun_joins_follow_the_same_curve(
    run: tuple[Path, str], videos: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    joined = ("--nnodes", 2, "--nproc-per-node", 1, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}")
    # As the documentation says it: python -m torch.distributed.run is torchrun.
    command = [sys.executable, "-m", "torch.distributed.run", *map(str, joined), "-m", "--", "fitcli"]
    command += map(str, arguments(videos, tmp_path, "--devices", 1, "--nodes", 2))
    machines = [
        subprocess.Popen(
            command, env=environment(OMP_NUM_THREADS="1"), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [machine.communicate(timeout=600)[1] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert curve(tmp_path) == pytest.approx(curve(run[0]), abs=2e-3)


def test_an_option_of_the_other_input_is_refused(videos: Path, tmp_path: Path) -> None:
    for stray, why in ((("--fold", "0/3"), "No such option: --fold"), (("-a", "tcn"), "'tcn' is not one of")):
        done = fitcli(*arguments(videos, tmp_path, *stray), cwd=tmp_path)
        assert done.returncode == 2
        assert why in done.stderr


def test_a_batch_is_dealt_out_whole_to_any_number_of_processes() -> None:
    alone = list(SeededDraws(20, batch=8, draws=16, seed=3, share=Share()))
    assert len(alone) == 2
    for world, parts in ((2, 1), (1, 4), (2, 2), (8, 1)):
        shares = [
            list(SeededDraws(20, batch=8, draws=16, seed=3, share=Share(rank, world, parts))) for rank in range(world)
        ]
        for step in range(2):
            together = [draw for mine in shares for piece in mine[step * parts : (step + 1) * parts] for draw in piece]
            assert together == alone[step]
    with pytest.raises(BatchError, match="multiple of 3"):
        SeededDraws(20, batch=8, draws=16, seed=3, share=Share(0, 3))


def test_every_epoch_draws_every_video_and_another_window_of_it(videos: Path) -> None:
    draws = SeededDraws(6, batch=3, draws=6, seed=0, share=Share())
    first = [draw for batch in draws for draw in batch]
    draws.set_epoch(1)
    second = [draw for batch in draws for draw in batch]
    assert sorted(index for index, _ in first) == sorted(index for index, _ in second) == list(range(6))
    assert not {seed for _, seed in first} & {seed for _, seed in second}


def test_clips_are_cut_alike_in_time_and_at_random_between_draws(videos: Path, tmp_path: Path) -> None:
    spec = rgb_spec("x3d_xs", side=64, frames=4)
    data = list_videos(videos)
    cache = FrameCache(tmp_path, cache_side(spec))
    video = next(v for v in data.split("test") if v.name == "squat")
    stored = cache.open(video.path)
    assert len(stored.times_s) == 45
    clips = [random_clip(stored, spec, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert clips[0].shape == (4, 64, 64, 3)
    assert np.array_equal(clips[0], clips[1])
    assert not np.array_equal(clips[0], clips[2])
    middle, exercise, muscles, number = MiddleClips([video], cache, spec)[0]
    assert middle.shape == spec.clip_shape
    assert (exercise, number) == (12, 0)
    assert muscles.sum() == 3


def test_a_frozen_backbone_stays_as_it_is_while_a_head_learns() -> None:
    module = RgbModule(rgb_spec("x3d_xs", side=64, frames=4, exercises=()), RgbRecipe(freeze_backbone=True))
    before = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}
    module.train()
    exercise, muscle = module.network(torch.rand(2, 3, 4, 64, 64))
    optimizer = module.configure_optimizers()
    loss: Any = module.losses(exercise, muscle, torch.tensor([0, 1]), torch.eye(11)[:2])["loss"]
    loss.backward()
    optimizer.step()
    changed = {name for name, tensor in module.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"muscle.weight", "muscle.bias"}


def test_an_exercise_checkpoint_starts_a_muscle_network(tmp_path: Path) -> None:
    start = build(rgb_spec("x3d_xs", muscles=()))
    path = save_checkpoint(tmp_path / "x.ckpt", Checkpoint(start.spec, start.state_dict()), half=False)
    muscles = build(rgb_spec("x3d_xs", exercises=()))
    load_start(muscles, path, keep_heads=True)
    assert all(
        torch.equal(muscles.state_dict()[name], t) for name, t in start.state_dict().items() if "backbone" in name
    )
    again = build(rgb_spec("x3d_xs"))
    fresh = again.state_dict()["exercise.weight"].clone()
    load_start(again, path, keep_heads=False)
    assert torch.equal(again.state_dict()["exercise.weight"], fresh)
    load_start(again, path, keep_heads=True)
    assert torch.equal(again.state_dict()["exercise.weight"], start.state_dict()["exercise.weight"])
    with pytest.raises(CheckpointError, match="x3d_xs on rgb, not x3d_s"):
        load_start(build(rgb_spec("x3d_s")), path, keep_heads=True)


def test_the_published_loss_is_cross_entropy_on_multi_hot_targets() -> None:
    module = RgbModule(rgb_spec("x3d_xs", side=64, frames=4, exercises=()), RgbRecipe(loss="published"))
    logits, targets = torch.randn(3, 11), torch.tensor([[1.0, 0, 1] + [0] * 8, [0, 1.0] + [0] * 9, [0.0] * 10 + [1]])
    ours = module.losses(torch.zeros(3, 0), logits, torch.tensor([0, 1, 2]), targets)["loss"]
    assert float(ours) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, targets)))
    # A clip whose muscles are not known counts for nothing.
    unknown = torch.cat([targets, torch.full((1, 11), float("nan"))])
    with_unknown = module.losses(torch.zeros(4, 0), torch.cat([logits, torch.randn(1, 11)]), torch.zeros(4), unknown)
    assert float(with_unknown["loss"]) == pytest.approx(float(ours))


class Zoo(http.server.BaseHTTPRequestHandler):
    """A model zoo with one file, ranges, and the faults that `server.faults` asks for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        zoo: Any = self.server
        content, etag = zoo.content, f'"{zoo.etag}"'
        zoo.asked.append(self.headers.get("Range"))
        first = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == etag:
            first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.send_header("ETag", etag)
        self.end_headers()
        cut = zoo.faults.pop(0) if zoo.faults else None
        self.wfile.write(content[first : None if cut is None else first + cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server on this machine with X3D-XS as the zoo has it: 400 classes, under "model_state"."""
    import hashlib

    torch.manual_seed(0)
    model = create_x3d(input_clip_length=4, input_crop_size=160)
    torch.save({"model_state": model.state_dict()}, tmp_path / "zoo.pyth")
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Zoo)
    server.content = (tmp_path / "zoo.pyth").read_bytes()
    server.etag = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
    server.faults, server.asked, server.model = [], [], model
    monkeypatch.setenv(kinetics.MIRROR, f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_kinetics_weights_come_once_and_fit_strictly(zoo: Any, tmp_path: Path) -> None:
    shares: list[float] = []
    path = kinetics.fetch("x3d_xs", folder=tmp_path / "cache", on_progress=shares.append)
    assert path.read_bytes() == zoo.content
    assert shares[-1] == 1.0
    assert kinetics.fetch("x3d_xs", folder=tmp_path / "cache") == path
    assert len(zoo.asked) == 1
    network = build(rgb_spec("x3d_xs"))
    load_published(network, path)
    published = zoo.model.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in network.backbone.state_dict().items())
    with pytest.raises(CheckpointError, match="does not fit x3d_xs"):
        load_published(build(replace(rgb_spec("x3d_xs"), depth=1.1)), path)
    path.write_bytes(zoo.content[:-1] + b"!")
    with pytest.raises(DownloadError, match="is damaged"):
        kinetics.fetch("x3d_xs", folder=tmp_path / "cache")


def test_a_cut_connection_is_taken_up_where_it_broke(zoo: Any, tmp_path: Path) -> None:
    zoo.faults = [100_000, 50_000]
    path = kinetics.fetch("x3d_xs", folder=tmp_path / "cache")
    assert path.read_bytes() == zoo.content
    assert zoo.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_download_goes_on_after_the_program_ended(zoo: Any, tmp_path: Path) -> None:
    zoo.faults = [10_000] * kinetics.TRIES
    with pytest.raises(DownloadError, match="cannot be fetched"):
        kinetics.fetch("x3d_xs", folder=tmp_path / "cache")
    assert kinetics.fetch("x3d_xs", folder=tmp_path / "cache").read_bytes() == zoo.content
    assert zoo.asked[-1] == f"bytes={10_000 * kinetics.TRIES}-"


def test_a_part_of_another_file_is_not_gone_on_with(zoo: Any, tmp_path: Path) -> None:
    zoo.faults = [10_000] * kinetics.TRIES
    with pytest.raises(DownloadError):
        kinetics.fetch("x3d_xs", folder=tmp_path / "cache")
    zoo.content = zoo.content[::-1]
    zoo.etag = "a-new-one"
    assert kinetics.fetch("x3d_xs", folder=tmp_path / "cache").read_bytes() == zoo.content


def test_a_wrong_checksum_is_thrown_away(zoo: Any, tmp_path: Path) -> None:
    zoo.etag = "0" * 32
    with pytest.raises(DownloadError, match="checksum"):
        kinetics.fetch("x3d_xs", folder=tmp_path / "cache")
    zoo.etag = "not-an-md5"
    with pytest.raises(DownloadError, match="another SHA-256"):
        kinetics.fetch("x3d_xs", folder=tmp_path / "cache", expected_sha256="0" * 64)
    assert not [p for p in (tmp_path / "cache").iterdir() if p.suffix in (".pyth", ".part")]


def test_without_a_network_one_sentence_says_what_to_do(videos: Path, tmp_path: Path) -> None:
    settings = {"XDG_CACHE_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1", kinetics.MIRROR: "http://127.0.0.1:9"}
    command = arguments(videos, tmp_path / "run", "--pretrained", "kinetics")
    done = fitcli(*command, cwd=tmp_path, env=settings)
    assert done.returncode == 11
    assert "X3D_XS.pyth cannot be fetched" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_kinetics_weights_of_what_was_never_published_are_refused() -> None:
    with pytest.raises(DownloadError, match="no Kinetics weights for slowfast_r18"):
        kinetics.fetch("slowfast_r18", folder=Path(os.devnull))
