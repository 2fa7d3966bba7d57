"""The layers: exact packages from the one lock, fetched for Lambda's Python by whatever Python is at hand."""

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.template.documents import ROOT, resources, template

PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
LAYERS = resources("AWS::Serverless::LayerVersion")
each_layer = pytest.mark.parametrize("name", LAYERS)
OF_PEOPLE = {"batchyard_client"}  # lies beside `batch_client`, and never goes into a layer
RUNTIME = str(template()["Globals"]["Function"]["Runtime"])
FAKE_PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
"""
NO_PYTHON = """#!/bin/sh
exit 127
"""


def pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return package -> (version, hashes) of a requirements file."""
    text = path.read_text(encoding="utf-8")
    starts = [*PIN.finditer(text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return {
        match["name"]: (match["version"], frozenset(re.findall(r"sha256:[0-9a-f]{64}", text[match.start() : end])))
        for match, end in zip(starts, ends, strict=True)
    }


def folder(name: str) -> Path:
    return ROOT / str(LAYERS[name]["ContentUri"])


def requirements(name: str) -> Path:
    return folder(name) / "requirements.txt"


@each_layer
def test_a_layers_packages_are_exact_hashed_and_the_locks_own(name: str) -> None:
    lock, own = pins(ROOT / "requirements.lock"), pins(requirements(name))
    assert own
    for package, (version, hashes) in own.items():
        assert hashes
        assert lock[package] == (version, hashes)


@each_layer
def test_a_layers_requirements_name_nothing_but_pins(name: str) -> None:
    lines = requirements(name).read_text(encoding="utf-8").splitlines()
    assert all(PIN.match(line) or line.lstrip().startswith(("#", "--hash=")) for line in lines if line)


@each_layer
def test_a_layer_is_built_by_make_with_its_own_target(name: str) -> None:
    assert template()["Resources"][name]["Metadata"] == {"BuildMethod": "makefile", "BuildArchitecture": "arm64"}
    makefile = (folder(name) / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^build-{name}:", makefile, re.MULTILINE)


class Built(NamedTuple):
    """What a build did: the calls of each Python, the layer's `python/`, and what it said of what went wrong."""

    calls: list[str]
    site: Path
    said: str


def build(name: str, tmp_path: Path, *settings: str, runtime: str = FAKE_PYTHON, source: Path | None = None) -> Built:
    """Run the layer's make with Pythons that only note their calls; `runtime` stands for the one of Lambda."""
    calls, artifacts = tmp_path / "calls", tmp_path / "artifacts"
    for file, text in (("python", FAKE_PYTHON), (RUNTIME, runtime)):
        python = tmp_path / file
        python.write_text(text, encoding="utf-8")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
    command = ["make", "-C", str(source or folder(name)), f"build-{name}"]
    command += [f"ARTIFACTS_DIR={artifacts}", f"PYTHON={tmp_path}/python", *settings]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls)}  # whatever Pythons this machine has
    done = subprocess.run(  # noqa: S603 - our own Makefile
        command, env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    return Built(calls.read_text(encoding="utf-8").splitlines(), artifacts / "python", done.stderr)


@each_layer
def test_a_layer_takes_only_wheels_made_for_lambda(name: str, tmp_path: Path) -> None:
    options = build(name, tmp_path).calls[0]
    assert options.startswith("python -m pip install ")
    for option in (
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64",
    ):
        assert option in options
    assert f"--python-version {RUNTIME.removeprefix('python')}" in options
    assert f"--target {tmp_path}/artifacts/python " in options


@each_layer
def test_a_layer_can_be_built_for_the_interpreter_at_hand_and_is_then_compiled_by_it(name: str, tmp_path: Path) -> None:
    (install, _probe, compiling) = build(name, tmp_path, "LAYER_PLATFORM=").calls
    assert "--platform" not in install
    assert compiling.startswith("python -m compileall")
    assert "--invalidation-mode unchecked-hash" in compiling


@each_layer
def test_a_layer_for_lambda_is_compiled_by_the_python_that_will_run_it(name: str, tmp_path: Path) -> None:
    built = build(name, tmp_path)
    assert built.calls[-1].startswith(f"{RUNTIME} -m compileall ")
    assert "--invalidation-mode unchecked-hash" in built.calls[-1]
    assert built.said == ""


@each_layer
def test_where_that_python_is_not_at_hand_a_layer_ships_without_byte_code_and_says_so(
    name: str, tmp_path: Path
) -> None:
    built = build(name, tmp_path, runtime=NO_PYTHON)
    assert len(built.calls) == 1
    assert f"{RUNTIME} is not on PATH: this layer ships without byte code" in built.said


@each_layer
def test_a_layer_holds_its_own_package_and_no_stale_byte_code(name: str, tmp_path: Path) -> None:
    source = Path(shutil.copytree(folder(name), tmp_path / "source"))
    packages = {path.name for path in source.iterdir() if (path / "__init__.py").exists()}
    for package in packages:
        stale = source / package / "__pycache__" / "__init__.cpython-311.pyc"
        stale.parent.mkdir(exist_ok=True)
        stale.touch()
    site = build(name, tmp_path, source=source).site
    assert {path.name for path in site.iterdir() if (path / "__init__.py").exists()} == packages - OF_PEOPLE
    assert not list(site.rglob("__pycache__"))
