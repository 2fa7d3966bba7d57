"""The layers: exact packages from the one lock, fetched for Lambda's Python by whatever Python is at hand."""

import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.unit.template.documents import ROOT, resources, template

PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
LAYERS = resources("AWS::Serverless::LayerVersion")
each_layer = pytest.mark.parametrize("name", LAYERS)
FAKE_PYTHON = """#!/bin/sh
echo "$@" >> "$CALLS"
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


def build(name: str, tmp_path: Path, *settings: str) -> tuple[list[str], Path]:
    """Run the layer's make with a Python that only notes its calls; return these and the layer's `python/`."""
    python, calls = tmp_path / "python", tmp_path / "calls"
    python.write_text(FAKE_PYTHON, encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    artifacts = tmp_path / "artifacts"
    command = ["make", "-C", str(folder(name)), f"build-{name}"]
    command += [f"ARTIFACTS_DIR={artifacts}", f"PYTHON={python}", *settings]
    environment = {"PATH": "/usr/bin:/bin", "CALLS": str(calls)}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)  # noqa: S603 - our own Makefile
    return calls.read_text(encoding="utf-8").splitlines(), artifacts / "python"


@each_layer
def test_a_layer_takes_only_wheels_made_for_lambda(name: str, tmp_path: Path) -> None:
    calls, _ = build(name, tmp_path)
    options = calls[0]
    for option in ("--require-hashes", "--no-deps", "--only-binary=:all:", "--platform manylinux2014_aarch64"):
        assert option in options
    assert f"--python-version {template()['Globals']['Function']['Runtime'].removeprefix('python')}" in options
    assert f"--target {tmp_path}/artifacts/python " in options


@each_layer
def test_a_layer_can_be_built_for_the_interpreter_at_hand_and_is_then_compiled_by_it(name: str, tmp_path: Path) -> None:
    (install, _probe, compiling) = build(name, tmp_path, "LAYER_PLATFORM=")[0]
    assert "--platform" not in install
    assert compiling.startswith("-m compileall")
    assert "--invalidation-mode unchecked-hash" in compiling


@each_layer
def test_a_layer_holds_its_own_package_and_no_stale_byte_code(name: str, tmp_path: Path) -> None:
    _, site = build(name, tmp_path)
    (package,) = [path for path in folder(name).iterdir() if (path / "__init__.py").exists()]
    assert (site / package.name / "__init__.py").exists()
    assert not list(site.rglob("__pycache__"))
