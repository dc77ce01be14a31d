"""What an interrupted training run goes on from is data, whoever wrote it."""

from __future__ import annotations

import os
import pickle
import pickletools
import zipfile
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.training import fitcli

from fitcli.errors import CheckpointError
from fitcli.training.resume import PlainCheckpointIO, check_network, plain, read_state, resume_file


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.canary}'",)


def test_a_run_leaves_plain_data_and_goes_on_from_nothing_else(poses: Path, tmp_path: Path) -> None:
    """That it does go on from them is what the tests of killed runs show."""
    run, canary = tmp_path / "run", tmp_path / "canary"
    command = ["train", "pose", poses, "-a", "tcn", "--synthetic", 0, "--epochs", 1, "--draws", 8, "--batch", 4, "-q"]
    command += ["--device", "cpu", "--devices", 1, "--run", run]
    done = fitcli(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = run / "last.ckpt"
    state = torch.load(last, weights_only=True)
    assert {"state_dict", "optimizer_states", "callbacks", "loops"} <= state.keys()
    with zipfile.ZipFile(last) as archive:
        pickled = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    modules = {
        str(argument).split(" ")[0] for code, argument, _ in pickletools.genops(pickled) if code.name == "GLOBAL"
    }
    assert {module.partition(".")[0] for module in modules} <= {"torch", "collections"}  # none that may be renamed
    assert resume_file(run) == last
    with pytest.raises(CheckpointError, match="another network"):
        check_network(last, torch.nn.Linear(2, 2))

    torch.save(state | {"callbacks": Bomb(canary)}, last)
    done = fitcli(*command, cwd=tmp_path)
    assert done.returncode == 6
    assert not canary.exists()
    assert "last.ckpt cannot be read as data" in done.stderr
    assert len(done.stderr.splitlines()) == 1


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

    state: dict[Any, Any] = {
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
