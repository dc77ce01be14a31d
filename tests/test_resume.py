"""What an interrupted training run goes on from is data, whoever wrote it."""

from __future__ import annotations

import os
import pickle
import zipfile
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
import torch
from commandline import fitcli

from fitcli.errors import CheckpointError
from fitcli.training.resume import PlainCheckpointIO, plain, read_state, resume_file


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.canary}'",)


def test_a_run_leaves_plain_data_and_goes_on_from_nothing_else(poses: Path, tmp_path: Path) -> None:
    run, canary = tmp_path / "run", tmp_path / "canary"

    def train(epochs: int, architecture: str = "tcn") -> tuple[int, str]:
        options = ["--synthetic", 0, "--draws", 8, "--batch", 4, "-q", "--device", "cpu", "--devices", 1, "--run", run]
        done = fitcli("train", poses, "-a", architecture, "--epochs", epochs, *options, cwd=tmp_path)
        return done.returncode, done.stderr

    assert train(1)[0] == 0
    last = run / "last.ckpt"
    state = torch.load(last, weights_only=True)
    assert {"state_dict", "optimizer_states", "callbacks", "loops"} <= state.keys()
    with zipfile.ZipFile(last) as archive:
        pickled = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    assert b"fitcli" not in pickled.replace(os.fsencode(tmp_path), b"")  # no module that may be renamed

    code, said = train(2)
    assert code == 0
    assert "Going on from" in said
    assert torch.load(last, weights_only=True)["epoch"] == 1

    code, said = train(3, "x3d")
    assert code == 6
    assert "another network" in said

    torch.save(state | {"callbacks": Bomb(canary)}, last)
    code, said = train(3)
    assert code == 6
    assert not canary.exists()
    assert "last.ckpt cannot be read as data" in said
    assert "Traceback" not in said


def test_no_form_of_a_malicious_or_broken_file_is_run(tmp_path: Path) -> None:
    """`best.ckpt` is read in the same way as `last.ckpt`, and whatever else Lightning would pick up."""
    canary, path = tmp_path / "canary", tmp_path / "last.ckpt"
    assert resume_file(tmp_path) is None
    torch.save({"state_dict": Bomb(canary)}, path)
    whole = path.read_bytes()
    forms = {
        "zip": whole,
        "pickle": pickle.dumps(Bomb(canary)),
        "cut off": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"no state",
    }
    for form, content in forms.items():
        path.write_bytes(content)
        for read in (read_state, PlainCheckpointIO().load_checkpoint):
            with pytest.raises(CheckpointError, match=r"cannot be read as data"):
                read(path)
        with pytest.raises(CheckpointError, match=r"cannot be read as data"):
            resume_file(tmp_path)
        assert not canary.exists(), form
    torch.save({"state_dict": {}}, path)  # data, but no state of a run
    with pytest.raises(CheckpointError, match=r"cannot be read as data"):
        resume_file(tmp_path)


def test_what_is_no_data_is_written_as_data_or_refused(tmp_path: Path) -> None:
    class Kind(Enum):
        ONE = "one"

    state = {
        "score": np.float64(0.5),
        Path("a/b"): (np.int64(3), {Kind.ONE}),
        "curve": np.arange(3.0),
        "weights": torch.ones(2, requires_grad=True),
    }
    PlainCheckpointIO().save_checkpoint(state, tmp_path / "best.ckpt")
    content = read_state(tmp_path / "best.ckpt")
    assert content["score"] == 0.5
    assert content["a/b"] == (3, ["one"])
    assert content["curve"].tolist() == [0, 1, 2]
    assert content["weights"].tolist() == [1, 1]
    with pytest.raises(TypeError, match="Bomb"):
        plain({"callbacks": [Bomb(tmp_path)]})
