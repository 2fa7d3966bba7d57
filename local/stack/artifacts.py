"""Make what `sam build` makes, for the interpreter at hand: one zip a function and one a layer.

Zips are cached by content under `.cache/artifacts` and appear there in one rename, so runs side by side can share them.
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


def function_zip(folder: Path, scratch: Path) -> Path:
    """Return the zip of a function's `folder`, compiled. What is half made stays in `scratch`.

    Raises:
        BuildError: there is no such folder.

    """
    if not folder.is_dir():
        raise BuildError(f"template.yaml names the function folder {folder}, which does not exist.")

    def fill(tree: Path) -> None:
        shutil.copytree(folder, tree, ignore=shutil.ignore_patterns(*_CACHES), dirs_exist_ok=True)
        # unchecked: unpacking resets the times that byte code is otherwise checked against
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(tree, quiet=2, stripdir=str(tree), invalidation_mode=mode)

    return _cached(f"function-{folder.name}", folder, fill, scratch)


def layer_zip(folder: Path, logical_id: str, scratch: Path) -> Path:
    """Return the zip of a layer, made by the Makefile in its `folder` as `sam build` would but for this interpreter.

    Raises:
        BuildError: make failed.

    """

    def fill(tree: Path) -> None:
        settings = [f"ARTIFACTS_DIR={tree}", "LAYER_PLATFORM=", f"PYTHON={sys.executable}"]
        command = ["make", "--no-print-directory", "-C", str(folder), f"build-{logical_id}", *settings]
        _make(logical_id, command, scratch)

    return _cached(f"layer-{logical_id}", folder, fill, scratch)


def _make(logical_id: str, command: list[str], scratch: Path) -> None:
    process = Process(f"build of {logical_id}", ("local.stack.program", *command), scratch, os.environ)
    try:
        if process.wait():
            raise BuildError(f"The layer {logical_id} could not be built:\n{process.log.read_text().strip()}")
    finally:
        process.end()  # pip too, when someone stops us amid a download
        process.log.unlink()


def _cached(kind: str, folder: Path, fill: Callable[[Path], None], scratch: Path) -> Path:
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
    _forget_old(kind)
    return target


def _forget_old(kind: str) -> None:
    # more than one: a run beside this one, of a moment ago, may still be about to read its own
    newest_first = sorted(CACHE.glob(f"{kind}-*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[_KEPT:]:
        path.unlink(missing_ok=True)


def _zip(tree: Path, target: Path) -> Path:
    # stored, not deflated: every worker of the engine unpacks a copy of its own, and that is four times as fast
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
