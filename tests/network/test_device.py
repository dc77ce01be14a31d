"""`--device auto` chooses the faster device for the work, reports why, and decides without importing torch."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.cli import LIMIT_S, ROOT, environment

from fitcli.analysis import part_s
from fitcli.history.store import SessionStore
from fitcli.network.device import Choice, Machine, Work, choose
from fitcli.report import terminal
from fitcli.results.analysis import Analysis, Status, Timings
from fitcli.training.evaluation.labelled_clips import LabelledClips
from fitcli.training.pose.sequences import load_sequences

CPU_ONLY = Machine(driver=False, torch=True, cores=2)
LIGHT = Machine(driver=True, torch=False, cores=2)
LAPTOP = Machine(driver=True, torch=True, cores=2)
SERVER = Machine(driver=True, torch=True, cores=8)
MINUTE_S, HOUR_S = 60.0, 3600.0


@pytest.mark.parametrize(
    ("machine", "work", "device", "reason"),
    [
        (CPU_ONLY, Work(10 * HOUR_S, on_pictures=True, converted=False), "cpu", ""),
        (LIGHT, Work(10 * HOUR_S, on_pictures=True, converted=False), "cpu", "PyTorch, which is not installed"),
        (LAPTOP, Work(5.3), "cpu", "quicker than CUDA for 5 s of video in networks on pose"),
        (SERVER, Work(5.3), "cpu", "quicker than CUDA for 5 s of video in networks on pose"),
        (LAPTOP, Work(10 * MINUTE_S), "cuda", "quicker than the CPU for 10 min of video in networks on pose"),
        (SERVER, Work(10 * MINUTE_S), "cpu", "quicker than CUDA for 10 min"),
        (SERVER, Work(HOUR_S), "cuda", "quicker than the CPU for 60 min"),
        (LAPTOP, Work(), "cpu", "one window at a time"),
        (LAPTOP, Work(2.0, on_pictures=True), "cpu", "quicker than CUDA for 2 s of video in networks on RGB"),
        (LAPTOP, Work(MINUTE_S, on_pictures=True), "cuda", "quicker than the CPU for 60 s of video in networks on RGB"),
        (SERVER, Work(2 * MINUTE_S, on_pictures=True), "cuda", "networks on RGB"),
        (SERVER, Work(2.0, on_pictures=True, converted=False), "cuda", "converting"),
        (SERVER, Work(on_pictures=True, converted=False), "cuda", "converting"),
    ],
)
def test_the_quicker_device_is_chosen_and_the_reason_told(
    machine: Machine, work: Work, device: str, reason: str
) -> None:
    choice = choose(work, machine)
    assert choice.device == device
    assert reason in choice.reason
    assert bool(choice.reason) == bool(reason), "without a GPU there is nothing to explain"


def test_a_driver_is_found_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module\n", encoding="utf-8")
    assert not Machine.here([tmp_path / "absent"]).driver
    assert Machine.here([tmp_path / "absent", tmp_path / "version"]).driver
    assert Machine.here([tmp_path / "version"]).cores == min(len(os.sched_getaffinity(0)), 8)


DECIDE = """
import sys
from pathlib import Path
from fitcli.network.device import Machine
from fitcli.network.runtime import decide

shipped = [Path("checkpoints") / f"{name}.ckpt" for name in ("slowfast", "tcn", "x3d")]
gpu = Machine(driver=True, torch=True, cores=2)
print(decide(shipped, length_s=5.0, machine=gpu).device)
print(decide(shipped, machine=gpu).device)
print(decide(shipped, "cuda", length_s=5.0, machine=gpu).device)
assert not {"torch", "torchvision", "pytorchvideo"} & set(sys.modules), "the choice imported them"
print(decide(shipped, length_s=36000.0, machine=gpu))
assert "torch" in sys.modules, "only torch knows whether CUDA works"
"""


def test_the_choice_imports_no_torch_unless_it_falls_on_cuda() -> None:
    hidden = environment(CUDA_VISIBLE_DEVICES="-1")
    done = subprocess.run(
        [sys.executable, "-c", DECIDE], cwd=ROOT, env=hidden, capture_output=True, encoding="utf-8", timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["cpu", "cpu", "cuda"]
    # With a driver but no GPU, as in a container, the CPU is used and the answer gives the reason.
    assert done.stdout.split("\n")[3] == str(Choice("cpu", "PyTorch sees no CUDA device"))


def test_the_reason_is_told_and_kept_with_the_session(tmp_path: Path) -> None:
    device, reason = "cpu (OpenVINO)", "quicker than CUDA for 5 s of video"
    took = Timings(0.1, 0.2, 0.3, 0.6)
    chosen = Analysis("a.mp4", Status.NO_PERSON, "Nobody.", 5.0, 0.0, 5.0, device=device, timings=took)
    asked = SessionStore(tmp_path / "asked").save(chosen)
    told = SessionStore(tmp_path / "told").save(replace(chosen, device_reason=reason))
    (stored,) = SessionStore(tmp_path / "told").sessions()
    assert stored.analysis.device_reason == reason
    for session, expected in ((asked, None), (told, reason)):
        fields = session.analysis.to_json()
        assert (fields["device"], fields["device_reason"]) == (device, expected)
    assert f"0.6 s on {device}, {reason}" in shown(told.analysis)
    assert f"0.6 s on {device}\n" in shown(asked.analysis)


def shown(analysis: Analysis) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(terminal.result(analysis))
    return "\n".join(line.strip("│ ") for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def test_the_work_is_the_part_that_is_read(poses: Path) -> None:
    assert part_s(60.0) == 60.0
    assert part_s(60.0, 10.0, 30.0) == 20.0
    assert part_s(60.0, 10.0, 90.0) == 50.0
    assert part_s(60.0, 70.0) == 0.0
    assert part_s(60.0, reference_scores=True) == 2.0
    tracks = [sequence.track for sequence in load_sequences(poses, "dev")]
    length_s = LabelledClips(poses, "dev").length_s()
    assert length_s == pytest.approx(sum(float(t.times_s[-1] - t.times_s[0]) for t in tracks))
    labelled = poses.parent / "one.tsv"
    labelled.write_text("file\tclass\nsquat.mp4\tsquat\nabsent.mp4\tsquat\n", encoding="utf-8")
    assert LabelledClips(ROOT / "samples", labels=labelled).length_s() == pytest.approx(5.3, abs=0.1)
