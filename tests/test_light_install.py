"""Without PyTorch everything that a CPU does works; what needs PyTorch says so, with the command that installs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
import venv
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from support.cli import LIMIT_S, ROOT, SAMPLE, environment

from fitcli import doctor
from fitcli.network.device import Machine
from fitcli.remedy import EXTRAS

SHIPPED = ROOT / "checkpoints"
OPTIONAL = {*EXTRAS["train"], "functorch", "torchgen", "lightning_fabric", "pytorch_lightning"}


def environment_at(folder: Path) -> Path:
    """An empty virtual environment; returns its `site-packages`."""
    venv.create(folder, symlinks=True)
    names = {"base": os.fspath(folder), "platbase": os.fspath(folder)}
    return Path(sysconfig.get_path("purelib", "venv", names))


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has all that this one has, by links, except for the packages of the extras."""
    folder = tmp_path_factory.mktemp("light")
    packages = environment_at(folder)
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        name = re.split(r"[-.]", entry.name)[0]
        if name not in OPTIONAL and entry.suffix != ".pth" and "__editable__" not in entry.name:
            (packages / entry.name).symlink_to(entry)
    (packages / "fitcli.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    return folder / "bin" / "python"


def run(python: Path, *arguments: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "fitcli", *map(str, arguments)],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder of checkpoints that were never converted."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("slowfast.ckpt", "x3d.ckpt"):
        shutil.copy(SHIPPED / name, folder)
    return folder


def test_what_a_cpu_does_works_without_pytorch(light: Path, tmp_path: Path) -> None:
    analysed = run(light, "analyze", SAMPLE, "--json", "--sessions", "kept", "--report", "a.html", cwd=tmp_path)
    assert analysed.returncode == 0, analysed.stderr
    answer = json.loads(analysed.stdout)
    assert answer["exercise"]["name"] == "squat"
    assert answer["device"].startswith("cpu (OpenVINO")
    listed = run(light, "history", "--sessions", "kept", cwd=tmp_path)
    assert "squat" in listed.stdout
    recorded = run(
        *(light, "record", "--live", "--camera", SAMPLE, "--countdown", 0, "--json", "--no-save"),
        *("--no-preview", "--no-beep", "--no-voice"),
        cwd=tmp_path,
    )
    assert recorded.returncode == 0, recorded.stderr
    assert json.loads(recorded.stdout)["exercise"]["name"] == "squat"
    checked = run(light, "doctor", "--json", "--sessions", "kept", cwd=tmp_path)
    assert checked.returncode == 0
    assert json.loads(checked.stdout)["works"] is True
    (tmp_path / "videos" / "squat").mkdir(parents=True)
    for name in "abc":
        shutil.copy(SAMPLE, tmp_path / "videos" / "squat" / f"{name * 3}.mp4")
    assert run(light, "dataset", "split", "videos", "--to", "data", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "extra"),
    [
        (("analyze", SAMPLE, "--device", "cuda"), 7, "torch"),
        (("analyze", SAMPLE, "--checkpoints", "raw"), 6, "torch"),
        (("record", "--live", "--camera", SAMPLE, "--countdown", 0, "--checkpoints", "raw"), 6, "torch"),
        (("checkpoints", "verify", SHIPPED), 6, "torch"),
        (("checkpoints", "info", SHIPPED), 6, "torch"),
        (("checkpoints", "convert", "raw", "--to", "new"), 6, "torch"),
        (("checkpoints", "assemble", "raw/x3d.ckpt", "--to", "new"), 6, "torch"),
        (("checkpoints", "assemble", "raw/x3d.ckpt", "--to", "new", "--poses", "."), 10, "train"),
        (("checkpoints", "average", "raw/x3d.ckpt", "raw/x3d.ckpt", "--to", "new.ckpt"), 6, "torch"),
        (("checkpoints", "calibrate", ".", "--fold", "raw", "--fold", "raw"), 10, "train"),
        (("train", ".", "-a", "x3d"), 10, "train"),
        (("train", "pose", ".", "-a", "x3d"), 10, "train"),
        (("train", "videos", ".", "-a", "x3d_m"), 10, "train"),
        (("evaluate", "."), 10, "train"),
        (("ablate", "."), 10, "train"),
    ],
    ids=lambda value: " ".join(map(str, value[:2])) if isinstance(value, tuple) else None,
)
def test_what_needs_pytorch_says_how_to_install_it(
    light: Path, raw: Path, arguments: tuple[object, ...], code: int, extra: str
) -> None:
    done = run(light, *arguments, cwd=raw.parent)
    assert done.returncode == code, done.stderr
    sentence = done.stderr.strip().splitlines()[-1]
    assert "needs PyTorch, which is not installed" in sentence
    assert f"`{light} -m " in sentence, "the command is for the environment that fitcli runs in"
    assert f"install 'fitcli[{extra}]'`." in sentence
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in raw.parent.iterdir()) == ["raw"], "nothing was written"


def test_doctor_names_the_command_for_networks_that_were_not_converted(light: Path, raw: Path) -> None:
    done = run(light, "doctor", "--json", "--checkpoints", "raw", "--sessions", "kept", cwd=raw.parent)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert "has not been converted" in checks["x3d.ckpt"]["found"]
    assert "install 'fitcli[torch]'" in checks["x3d.ckpt"]["remedy"]["debian"]


def test_doctor_says_what_pytorch_would_bring_where_a_gpu_is() -> None:
    (light,) = doctor._cuda(Machine(driver=True, torch=False, cores=8))
    assert light.verdict is doctor.Verdict.LIMITED
    assert "run on the GPU" in light.found
    assert light.remedy
    assert "install 'fitcli[torch]'" in light.remedy.to_json()["debian"]
    (laptop,) = doctor._cuda(Machine(driver=False, torch=False, cores=8))
    assert laptop.verdict is doctor.Verdict.ABSENT
    assert "the CPU does the work" in laptop.found


COMMAND = "from fitcli import remedy; print(remedy.install('torch'))"


def command(folder: Path, origin: dict[str, Any] | None = None, path: str = "", pip: bool = True) -> str:
    """What installs the extra `torch` in an environment, whose fitcli came from `origin`, as PEP 610 records it."""
    packages = environment_at(folder)
    (packages / "fitcli.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    record = packages / "fitcli-0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: fitcli\nVersion: 0\n", encoding="utf-8")
    if origin:
        (record / "direct_url.json").write_text(json.dumps(origin), encoding="utf-8")
    if pip:
        (packages / "pip.py").write_text("", encoding="utf-8")
    done = subprocess.run(
        [folder / "bin" / "python", "-c", COMMAND],
        cwd=folder.parent,
        env={"PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=True,
    )
    return done.stdout.strip()


def executable(path: Path) -> str:
    """Make a program that does nothing; returns its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return os.fspath(path.parent)


def test_the_command_is_the_one_of_the_environment(tmp_path: Path) -> None:
    assert command(tmp_path / "plain") == "plain/bin/python -m pip install 'fitcli[torch]'"
    activated = executable(tmp_path / "on" / "bin" / "pip")
    assert command(tmp_path / "on", path=activated) == "pip install 'fitcli[torch]'"
    by_uv = command(tmp_path / "uv", path=executable(tmp_path / "tools" / "uv"), pip=False)
    assert by_uv == "uv pip install --python uv/bin/python 'fitcli[torch]'"
    (tmp_path / "fitcli-2").mkdir()
    (tmp_path / "fitcli-2" / "pipx_metadata.json").write_text("{}", encoding="utf-8")
    assert command(tmp_path / "fitcli-2") == "pipx runpip fitcli-2 install 'fitcli[torch]'"


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        (None, "'fitcli[torch]'"),
        ({"url": "file:///home/me/fitcli", "dir_info": {}}, "'fitcli[torch] @ file:///home/me/fitcli'"),
        (
            {"url": "file:///home/me/fitcli", "dir_info": {"editable": True}},
            "--editable 'fitcli[torch] @ file:///home/me/fitcli'",
        ),
        (
            {"url": "https://example.org/fitcli.git", "vcs_info": {"vcs": "git", "commit_id": "ab"}},
            "'fitcli[torch] @ git+https://example.org/fitcli.git'",
        ),
    ],
)
def test_a_tool_of_uv_is_installed_again_from_where_it_came(
    tmp_path: Path, origin: dict[str, Any] | None, wanted: str
) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "uv-receipt.toml").write_text("[tool]\n", encoding="utf-8")
    assert command(tmp_path / "tool", origin) == f"uv tool install {wanted}"


def test_the_extras_are_those_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    homes: dict[str, str] = {}
    for module, projects in metadata.packages_distributions().items():
        for project in projects:
            if module.lower().replace("_", "-") == project.lower() or project == "scikit-learn":
                homes[project.lower()] = module
    for extra, modules in EXTRAS.items():
        listed = extras[extra] + (extras["torch"] if "fitcli[torch]" in extras[extra] else [])
        named = {re.split(r"[^\w-]", each)[0] for each in listed if not each.startswith("fitcli[")}
        assert {homes[project] for project in named} == set(modules)
