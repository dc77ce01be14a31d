"""What `pip install` of the built wheel brings is all that an analysis needs, and set-ups install what is pinned."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from support.cli import COMMAND, LIMIT_S, ROOT, SAMPLE, environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTORCH = {"torch", "torchvision", "pytorchvideo", "lightning", "torchmetrics"}
PYTHONS = ("3.11", "3.12", "3.13")


def pinned(name: str) -> list[Requirement]:
    """The requirements that a file in requirements/ pins."""
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line.removesuffix("\\")) for line in lines if re.match(r"[a-z]", line)]


def versions(name: str, python: str) -> dict[str, str]:
    """What a file in requirements/ installs on Linux with a version of Python: versions by name."""
    here = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    chosen = [each for each in pinned(name) if not each.marker or each.marker.evaluate(here)]
    found = {each.name: str(each.specifier).removeprefix("==") for each in chosen}
    assert len(found) == len(chosen), "each package is pinned once"
    return found


def asked(*requirements: str, python: str) -> dict[str, SpecifierSet]:
    """The ranges of requirements that apply with a version of Python, by name."""
    parsed = map(Requirement, requirements)
    here = {"python_version": python, "sys_platform": "linux"}
    return {each.name: each.specifier for each in parsed if not each.marker or each.marker.evaluate(here)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the checkout stays clean."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
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


def test_the_wheel_asks_for_pytorch_only_in_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(packed.read(name))
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", ())]

    def of(extra: str) -> set[str]:
        return {each.name for each in requirements if not each.marker or each.marker.evaluate({"extra": extra})}

    assert "av" in of("")
    assert not of("") & PYTORCH
    assert of("torch") - of("") == {"torch", "torchvision", "pytorchvideo"}
    assert {"fitcli", "lightning"} <= of("train")


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pins_are_what_pyproject_asks_for(python: str) -> None:
    """Fails where `make lock` was forgotten."""
    extras = PROJECT["project"]["optional-dependencies"]
    run, dev, build = (versions(name, python) for name in ("run.txt", "dev.txt", "build.txt"))
    for found, wanted in (
        (run, asked(*PROJECT["project"]["dependencies"], python=python)),
        (dev, asked(*extras["torch"], *extras["train"], *extras["dev"], python=python)),
        (build, asked(*PROJECT["build-system"]["requires"], python=python)),
    ):
        wrong = {name for name, of in wanted.items() if name not in found or found[name] not in of}
        assert wrong <= {"fitcli"}
    assert run.items() <= dev.items(), "make test tests what make demo installs"
    assert build.items() <= dev.items()
    assert not set(run) & PYTORCH


def test_the_pins_install_everywhere_and_say_nothing_about_where_from() -> None:
    for name in ("run.txt", "dev.txt", "build.txt"):
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE), "no index, no options"
        assert text.count("==") >= len(pinned(name)) > 0
        hashed = re.findall(r"^[a-z].*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
        assert len(hashed) == len(pinned(name))
        # pip 24 fails where a marker compares the name of a kernel that is no version, such as 6.1.0-18-amd64.
        assert "platform_release" not in text


def test_make_demo_installs_no_pytorch_and_make_test_everything() -> None:
    def commands(goal: str) -> str:
        plan = ["make", "--dry-run", "--always-make", "VENV=elsewhere", goal]
        return subprocess.run(plan, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout

    demo, test = commands("demo"), commands("test")
    assert "requirements/run.txt" in demo
    assert "requirements/dev.txt" not in demo
    assert "requirements/dev.txt" in test
    for plan in (demo, test):
        from_index = [line for line in plan.splitlines() if "pip install" in line and "--no-deps" not in line]
        assert all("--require-hashes" in line for line in from_index)


def test_classifiers_readme_and_the_python_that_is_required_agree() -> None:
    required = SpecifierSet(PROJECT["project"]["requires-python"])
    named = [text.rpartition(" ")[2] for text in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert tuple(named) == PYTHONS
    assert all(python in required for python in PYTHONS)
    assert "3.10" not in required
    assert f"Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_docker_image_is_made_of_files_that_are_sent_to_its_builder() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    sources = {source.rstrip("/") for line in copied for source in line.split()}
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    assert sources == sent
    assert all((ROOT / source).exists() for source in sources)
