"""Build what `sam build` builds, for the interpreter that runs: one zip for each function and each layer.

Zips are cached by content under `.cache/artifacts`. One rename puts a zip there, so runs at the same time share them.
"""

import compileall
import hashlib
import os
import py_compile
import shutil
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from local import ROOT
from local.errors import BuildError
from local.stack.processes import Process

CACHE = ROOT / ".cache" / "artifacts"
_CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache"}
_KEPT = 5
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # equal content gives equal bytes


def zip_function(folder: Path, scratch: Path) -> Path:
    """Zip the `folder` of a function with its byte code, and return the zip. Unfinished work stays in `scratch`.

    Raises:
        BuildError: there is no such folder.

    """
    if not folder.is_dir():
        raise BuildError(f"template.yaml names the function folder {folder}, which does not exist.")

    def fill(tree: Path) -> None:
        shutil.copytree(folder, tree, ignore=shutil.ignore_patterns(*_CACHES), dirs_exist_ok=True)
        # unchecked: unpacking changes the times of the sources, by which byte code is checked otherwise
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(tree, quiet=2, stripdir=str(tree), invalidation_mode=mode)

    return _build_once(f"function-{folder.name}", folder, fill, scratch)


def zip_layer(folder: Path, logical_id: str, scratch: Path) -> Path:
    """Build a layer by the Makefile in its `folder`, as `sam build` does but for this interpreter, and return the zip.

    Raises:
        BuildError: make failed.

    """

    def fill(tree: Path) -> None:
        settings = [f"ARTIFACTS_DIR={tree}", "LAYER_PLATFORM=", f"PYTHON={sys.executable}"]
        command = ["make", "--no-print-directory", "-C", str(folder), f"build-{logical_id}", *settings]
        _make(logical_id, command, scratch)

    return _build_once(f"layer-{logical_id}", folder, fill, scratch)


def _make(logical_id: str, command: list[str], scratch: Path) -> None:
    process = Process(f"build of {logical_id}", ("local.stack.program", *command), scratch, os.environ)
    try:
        if process.wait():
            raise BuildError(f"The layer {logical_id} could not be built:\n{process.log.read_text().strip()}")
    finally:
        process.end()  # a stop during a download ends pip, too
        process.log.unlink()


def _build_once(kind: str, folder: Path, fill: Callable[[Path], None], scratch: Path) -> Path:
    target = CACHE / f"{kind}-{_digest(folder)}.zip"
    if target.exists():
        target.touch()
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        tree = Path(place, "tree")
        tree.mkdir()
        fill(tree)
        _zip(tree, Path(place, "zip")).replace(target)
    _remove_old(kind)
    return target


def _remove_old(kind: str) -> None:
    # more than one is kept: another run may have built its zip a moment ago, and not read it yet
    newest_first = sorted(CACHE.glob(f"{kind}-*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[_KEPT:]:
        path.unlink(missing_ok=True)


def _zip(tree: Path, target: Path) -> Path:
    # stored, not deflated: every worker of the engine unpacks its own copy, and unpacking is four times as fast
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in _files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _FIRST_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return target


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(folder: Path) -> str:
    interpreter = f"{sys.version} {sysconfig.get_platform()} {folder.name}"
    parts = [Path(__file__).read_bytes(), interpreter.encode()]
    for path in _files(folder):
        if not _CACHES & set(path.relative_to(folder).parts):
            parts += [path.relative_to(folder).as_posix().encode(), path.read_bytes()]
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:24]
