"""The folder of ours in the user's home: small files, written whole or not at all, for the user alone."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from .errors import Stopped, UsageFault

PRIVATE_FOLDER: Final = 0o700
OLD: Final = 86_400.0  # seconds after which an unfinished file of a killed command is removed


class Home:
    """Keep files below one folder; a name may have folders in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Return the path of a file, whose folder exists then."""
        path = self.root / name
        try:
            path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageFault(
                f"{path.parent} cannot be made: {error.strerror}. BATCHYARD_HOME names another."
            ) from error
        return path

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> Path:
        """Write a file of mode 600 at once: whoever reads it sees the old content or the new one, also after a crash."""
        path = self.path(name)
        try:
            self._written(path, data)
        except OSError as error:
            raise Stopped(
                f"{path} cannot be written: {error.strerror}. Make room, or name another folder with BATCHYARD_HOME, and run"
                " the same command again."
            ) from error
        return path

    def _written(self, path: Path, data: bytes) -> None:
        number, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # of mode 600
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def remove(self, name: str) -> None:
        """Remove a file; it may be gone already."""
        (self.root / name).unlink(missing_ok=True)

    def sweep(self, folder: str) -> None:
        """Remove unfinished files of commands that were killed long ago."""
        for path in (self.root / folder).glob(".new-*"):
            with suppress(OSError):  # another command removes it at this moment
                if time.time() - path.stat().st_mtime > OLD:
                    path.unlink()

    @contextmanager
    def lock(self, name: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Let one process at a time do this; the lock ends with its process. `waiting` is called before a wait."""
        with self.path(name).open("a+b") as file:
            if not _locked(file, wait=False):
                waiting()
                _locked(file, wait=True)
            yield


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the place in an error of the disk that names none, as one of a write."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def held(file: IO[bytes], path: Path) -> bool:
    """Mark an unfinished file as in use; tell False if `sweep_unfinished` takes it away at this moment."""
    try:
        free = _locked(file, wait=False)
    except OSError:  # a file system without locks, on which nothing is swept either
        return True
    return free and path.exists()


def sweep_unfinished(folder: Path, pattern: str) -> None:
    """Remove unfinished files that no process has in use any more, as after `kill -9`."""
    for path in folder.glob(pattern):
        with suppress(OSError), path.open("r+b") as file:  # it may be another user's; Windows removes no open file
            if _locked(file, wait=False):
                path.unlink()


if sys.platform == "win32":
    import msvcrt

    def _locked(file: IO[bytes], *, wait: bool) -> bool:
        file.seek(0)
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    return False
                time.sleep(0.5)
            else:
                return True
else:
    import fcntl

    def _locked(file: IO[bytes], *, wait: bool) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
