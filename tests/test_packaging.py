"""What `pip install` of the built wheel brings is all that an analysis needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from commandline import COMMAND, LIMIT_S, ROOT, SAMPLE, environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the checkout stays clean."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    for name in ("fitcli", "checkpoints"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(out),
            str(source),
        ],
        check=True,
        timeout=LIMIT_S,
    )
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_has_every_module_and_every_data_file(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "fitcli").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    missing = {str(path.relative_to(ROOT)) for path in files} - packed
    assert not missing
    for name in ("slowfast.ckpt", "x3d.ckpt"):
        assert f"fitcli/checkpoints/{name}" in packed


def test_the_wheel_alone_analyses_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(SAMPLE, elsewhere / "squat.mp4")
    done = subprocess.run(
        [*COMMAND, "analyze", "squat.mp4", "--json", "--no-save"],
        cwd=elsewhere,
        env=environment(PYTHONPATH=str(site)),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["exercise"]["name"] == "squat"
    for network in answer["networks"]:
        assert Path(network["checkpoint"]).is_relative_to(site)
