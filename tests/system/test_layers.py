"""The layers as they are built: all that a function imports, as byte code."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local import ROOT
from local.stack.deploy import TEMPLATE, build, local_paths, read_template

CONTENT = read_template(TEMPLATE)
FUNCTIONS = [logical_id for logical_id, _, member in local_paths(CONTENT) if member == "CodeUri"]
LAYERS = [logical_id for logical_id, _, member in local_paths(CONTENT) if member == "ContentUri"]
# no site-packages, no PYTHONPATH, no current folder: a package that only the development environment has is missing here
BARE = [sys.executable, "-I", "-S", "-c"]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, scratch = tmp_path_factory.mktemp("unpacked"), tmp_path_factory.mktemp("scratch")
    for logical_id, path in build(CONTENT, ROOT, scratch).items():
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder / logical_id)
    return folder


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_finds_all_it_imports_in_its_layers(function: str, unpacked: Path) -> None:
    places = [str(unpacked / layer / "python") for layer in LAYERS] + [str(unpacked / function)]
    code = f"import sys; sys.path[:0] = {places!r}; import handler; print(callable(handler.handler))"
    done = subprocess.run([*BARE, code], env={}, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_layers_bring_byte_code_for_every_module(unpacked: Path) -> None:
    tag = sys.implementation.cache_tag
    modules = [path for layer in LAYERS for path in (unpacked / layer).rglob("*.py")]
    bare = [path for path in modules if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists()]
    assert modules
    assert bare == []
