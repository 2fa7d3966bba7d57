"""Layers, unpacked once for all workers of all runs; ministack unpacks them for each worker."""

import hashlib
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

#: The variable that names the folder in which unpacked layers are kept.
KEPT_LAYERS = "KEPT_LAYERS_DIR"
UNUSED = 7 * 86_400  # seconds after which a layer that no worker was started with is removed


class SharingZipFile(zipfile.ZipFile):
    """A zip that is unpacked as any other, unless it is a layer of ministack's: then it leads to what is kept of it."""

    def namelist(self) -> list[str]:
        """Return the names, but none of a layer, where ministack looks for paths outside the folder: ours has none."""
        return [] if self._layer() else super().namelist()

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:  # noqa: ANN401 - as inherited
        """Unpack a layer unless it is kept already, and link to it."""
        source = self._layer()
        if source is None:
            super().extractall(path, members, pwd)
            return
        shared = Path(os.environ[KEPT_LAYERS]) / self._digest()
        if shared.exists():
            os.utime(shared)
        else:
            self._unpack(shared)
        for entry in shared.iterdir():
            Path(path, entry.name).symlink_to(entry)
        source.unlink()

    def _unpack(self, shared: Path) -> None:
        """Unpack beside the others, and rename: where several do so at once, one is the fastest, and all have the same."""
        shared.parent.mkdir(parents=True, exist_ok=True)
        _remove_unused(shared.parent)
        part = tempfile.mkdtemp(prefix="part-", dir=shared.parent)
        super().extractall(part, super().namelist())
        try:
            Path(part).rename(shared)
        except OSError:  # it is there, and not empty
            shutil.rmtree(part)

    def _digest(self) -> str:
        parts = "".join(f"{each.filename}\0{each.CRC}\0{each.file_size}\0" for each in self.infolist())
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:24]

    def _layer(self) -> Path | None:
        path = Path(str(self.filename))
        return path if path.name.startswith("layer_") else None


def mend_layer_sharing(runtime: Any) -> None:  # noqa: ANN401 - a module of ministack, which ships no types
    """Unpack a layer once; for each worker it takes half a second, and thousands of files that are removed again."""
    runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharingZipFile})


def _remove_unused(kept: Path) -> None:
    """Remove the layers that no worker was started with for long, and what a killed run had begun to unpack."""
    for each in kept.iterdir():
        if each.stat().st_mtime < time.time() - UNUSED:
            shutil.rmtree(each, ignore_errors=True)
